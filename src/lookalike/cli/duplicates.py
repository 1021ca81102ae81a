from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from lookalike.cli import calibrate, options, terminal

if TYPE_CHECKING:
    from lookalike.database import Database
    from lookalike.duplicates.request import DuplicateReport, DuplicateSearch, LeakageReport
    from lookalike.duplicates.review import GroupImage, Review, ReviewOptions


def command(
    db: options.Db,
    radius: options.Radius = None,
    ignore_decisions: options.IgnoreDecisions = False,
    include_blank: options.IncludeBlank = False,
    orientations: options.Orientations = False,
    no_verify: options.NoVerify = False,
    skip_pixel_check: options.SkipPixelCheck = False,
    reference: options.Reference = None,
    prefer: options.Prefer = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    json: options.Json = False,
) -> None:
    """Find groups of copies of one picture.

    Codes at most RADIUS bits from the first of their group propose copies; their pictures, once aligned, decide.
    Without --radius, the radius is as calibrated, or as measured for the model. The best copy of each group is named,
    and why: undamaged, nothing added, in colour, most detail, with date and place, not a conversion
    (docs/duplicates.md). Nothing is changed; to clean up, go on with `lookalike plan`.
    """
    from lookalike import opening

    search = options.duplicate_search(
        radius=radius, ignore_decisions=ignore_decisions, include_blank=include_blank, orientations=orientations,
        no_verify=no_verify, reference=reference, max_pixels=max_pixels,
    )  # fmt: skip
    what = options.review_options(skip_pixel_check=skip_pixel_check, prefer=prefer, max_pixels=max_pixels)
    with opening.open(db) as database:
        report, reviews = find(database, search, what)
        bits, calibration, count = database.bits, database.calibration, len(database)
    for number, review in enumerate(reviews, start=1):
        _print(number, review, radius=report.radius, bits=bits, json=json)
    images = sum(len(review.images) for review in reviews)
    is_least = (radius, report.radius, calibration) == (None, 0, None)
    least = "; 0 is this model's radius, --radius gives another" if is_least else ""
    terminal.say(
        f"{terminal.count(len(reviews), 'group')} of {terminal.count(images, 'image')}, at most {report.radius} of "
        f"{bits} bits from the first of each{least}"
    )
    if radius is None and calibration is not None:
        more = ", and up to eight times as many as turned copies" if orientations else ""
        said = f"{calibrate.said(calibration)}; {calibrate.rate_said(calibration, count)}"
        terminal.say(f"that distance is {said}{more}")


def find(
    database: Database, search: DuplicateSearch, review_options: ReviewOptions
) -> tuple[DuplicateReport, list[Review]]:
    """The groups of copies, and what is known of each, with progress on the terminal."""
    with terminal.quiet_decoders(), terminal.stages() as progress:
        report = database.duplicates(search, progress=progress)
        reviews = database.review(report, review_options, progress=progress)
    if report.unreadable:
        terminal.say(
            f"{terminal.count(len(report.unreadable), 'image')} cannot be read as they were indexed, so mirrored and "
            f"turned copies of them were not found; the first: {terminal.shown(report.unreadable[0])}"
        )
    say_verification(report)
    return report, reviews


def say_verification(report: DuplicateReport | LeakageReport) -> None:
    """Say which pairs were left out, and which could not be verified."""
    if report.rejected_pairs:
        pairs = terminal.count(report.rejected_pairs, "candidate pair")
        terminal.say(f"skipped {pairs} whose pictures do not match (--no-verify: report them)")
    if report.unverified:
        images = terminal.count(report.unverified, "image")
        terminal.say(
            f"{images} compared by code alone: the database has no thumbnail of them (lookalike index --reindex makes "
            "it), or too many share one code"
        )


def _print(number: int, review: Review, *, radius: int, bits: int, json: bool) -> None:
    if json:
        images = [_values(one) for one in review.images]
        best = next(one.member.path for one in review.images if one.member.id == review.best)
        about = {"best": best, "why": review.why, "state": review.state}
        terminal.echo_json({"group": number, "radius": radius, "bits": bits, **about, "images": images})
        return
    for one in review.images:
        member = one.member
        pixels = f"{member.width}×{member.height}" if member.width else "–"
        size = f"{pixels}\t{terminal.size(member.size)}"
        turn = f"\t{member.turn}" if member.turn else ""
        loses = f"\tloses: {', '.join(one.loses)}" if one.loses else ""
        word = f"{member.distance}/{bits}\t{_word(one, review)}"
        typer.echo(f"{word}\t{size}\t{terminal.shown(member.path)}{turn}{loses}")
    typer.echo()


def _values(one: GroupImage) -> dict[str, object]:
    """An image as JSON, with its orientation where it is not that of the first."""
    values = {name: getattr(one.member, name) for name in one.member.__slots__ if name != "turn"}
    about = {"tier": one.tier, "loses": list(one.loses)}
    return values | about | ({"orientation": one.member.turn} if one.member.turn else {})


def _word(one: GroupImage, review: Review) -> str:
    """How alike an image is to the best, or what makes it that."""
    if one.is_reference:
        return "reference"
    if one.member.id == review.best and not review.kept:
        return f"best: {review.why}"
    return str(one.tier)
