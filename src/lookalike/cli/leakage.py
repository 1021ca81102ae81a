from __future__ import annotations

from typing import Annotated

import typer

from lookalike.cli import duplicates, options, terminal


def command(
    first: Annotated[str, typer.Argument(metavar="A", help="A folder or label, such as the training set.")],
    second: Annotated[str, typer.Argument(metavar="B", help="A folder or label, such as the test set.")],
    db: options.Db,
    strictness: options.StrictnessName = "normal",
    radius: options.ByRadius = None,
    include_blank: options.IncludeBlank = False,
    no_verify: options.NoVerify = False,
    skip_pixel_check: options.SkipPixelCheck = False,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    report_file: options.Report = None,
    csv_file: options.Csv = None,
    json: options.Json = False,
) -> None:
    """List the images of B that have a copy in A.

    Images in both count as part of A. Of several copies, the nearest is listed.
    """
    from lookalike import opening
    from lookalike.duplicates import report as written
    from lookalike.duplicates import review
    from lookalike.duplicates.cleanup import inspection
    from lookalike.duplicates.request import DuplicateSearch, Strictness

    search = DuplicateSearch(
        strictness=Strictness(strictness), radius=radius, verify=not no_verify, include_blank=include_blank,
        max_pixels=max_pixels,
    )  # fmt: skip
    files = written.checked(html=report_file, csv=csv_file)
    with opening.open(db) as database, terminal.quiet_decoders(), terminal.stages() as progress:
        found, bits = database.leakage(first, second, search, progress=progress), database.bits
        pairs = [(one.record, one.copy) for one in found.matches]
        pixels = inspection.read(
            pairs, pixels=not skip_pixel_check, facts=False, max_pixels=max_pixels, progress=progress
        ).pixels
        title = f"Images of {second} with a copy in {first}"
        written.write(files, written.of_matches(found.matches), database.store, title=title)
    for one in found.matches:
        tier = review.tier(one.record, [one.copy], pixels)
        verdict = review.verdict_on(one.copy, one.record, pixels, lambda *_, known=one.verdict: known)
        if json:
            values = {"path": one.record.name, "copy": one.copy.name, "distance": one.distance, "bits": bits}
            about = duplicates.verdict_values(verdict)
            terminal.echo_json({**values, "tier": tier, "copies": one.copies, **about})
        else:
            names = f"{terminal.shown(one.record.name)}\t{terminal.shown(one.copy.name)}"
            typer.echo(f"{review.words(verdict)}\t{names}")
    if json:
        values = {"first": found.first, "second": found.second, "copied": len(found.matches)}
        terminal.echo_json({**values, "share": found.share, "radius": found.radius, "bits": bits})
    terminal.say(
        f"{len(found.matches)} of {terminal.count(found.second, 'image')} in {second} ({found.share:.1%}) have a copy "
        f"among {terminal.count(found.first, 'image')} in {first}"
    )
    duplicates.say_verification(found)
