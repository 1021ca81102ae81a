from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import options, terminal

if TYPE_CHECKING:
    from lookalike.database import Database
    from lookalike.duplicates.request import DuplicateReport, DuplicateSearch, LeakageReport
    from lookalike.duplicates.review import GroupImage, Review, ReviewOptions
    from lookalike.verification.verdict import Verdict


def command(
    db: options.Db,
    strictness: options.StrictnessName = "normal",
    radius: options.ByRadius = None,
    ignore_decisions: options.IgnoreDecisions = False,
    include_blank: options.IncludeBlank = False,
    orientations: options.Turned = False,
    no_verify: options.NoVerify = False,
    skip_pixel_check: options.SkipPixelCheck = False,
    reference: options.Reference = None,
    not_same_folder: options.NotSameFolder = False,
    prefer: options.Prefer = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    same_scene: Annotated[
        bool,
        typer.Option("--same-scene", help="List bursts and series instead: shots of one scene, none of them a copy."),
    ] = False,
    report_file: options.Report = None,
    csv_file: options.Csv = None,
    json: options.Json = False,
) -> None:
    """Find groups of copies of one picture.

    Codes propose copies, including mirrored, rotated and cropped ones; their aligned pixels decide. The best copy of
    each group is listed with the reason: undamaged, nothing added, in colour, most detail, with date and place, not a
    conversion (docs/duplicates.md). Nothing is changed; to clean up, continue with `lookalike plan`.
    """
    from lookalike import opening
    from lookalike.duplicates import report as written

    files = written.checked(html=report_file, csv=csv_file)
    search = options.duplicate_search(
        strictness=strictness, radius=radius, ignore_decisions=ignore_decisions, include_blank=include_blank,
        no_verify=no_verify, reference=reference, not_same_folder=not_same_folder, max_pixels=max_pixels,
    )  # fmt: skip
    what = options.review_options(skip_pixel_check=skip_pixel_check, prefer=prefer, max_pixels=max_pixels)
    with opening.open(db) as database:
        if same_scene:
            _list_scenes(database, search, json=json)
            return
        report, reviews = find(database, search, what)
        bits = database.bits
        written.write(files, written.of_reviews(reviews), database.store, title="Copies")
    for number, review in enumerate(reviews, start=1):
        _print(number, review, radius=report.radius, bits=bits, json=json)
    _sum_up(reviews)
    if report.same_scene:
        images = terminal.count(sum(map(len, report.same_scene)), "image")
        terminal.say(f"{images} in bursts and series: other shots of a scene, no copies (--same-scene lists them)")


def _sum_up(reviews: Sequence[Review]) -> None:
    """Say how many groups and copies of each kind there are."""
    images = [one for review in reviews for one in review.images]
    kinds = Counter(_kind(one.verdict) for review in reviews for one in review.images if one.record.id != review.best)
    counted = [terminal.count(count, kind, kind.replace("copy", "copies")) for kind, count in kinds.most_common()]
    said = f": {', '.join(counted)}" if kinds else ""
    groups = terminal.count(len(reviews), "group")
    terminal.say(f"{groups} of {terminal.count(len(images), 'image')}{said}" if reviews else "No duplicates found.")


def _kind(verdict: Verdict) -> str:
    """A verdict without its edits."""
    return verdict.relation.words + ("" if verdict.verified else ", not verified")


def _list_scenes(database: Database, search: DuplicateSearch, *, json: bool) -> None:
    """List bursts and series, each with its sharpest image."""
    with terminal.quiet_decoders(), terminal.stages() as progress:
        found = database.same_scene(database.duplicates(search, progress=progress), progress=progress)
    for number, scene in enumerate(found, start=1):
        if json:
            shots = [{"path": one.record.name, "taken": one.taken} for one in scene.images]
            terminal.echo_json({"scene": number, "sharpest": scene.sharpest.name, "images": shots})
            continue
        for one in scene.images:
            word = "sharpest" if one.record.id == scene.sharpest.id else "same scene"
            typer.echo(f"{word}\t{one.taken or '–'}\t{terminal.shown(one.record.name)}")
        typer.echo()
    images = terminal.count(sum(len(one.images) for one in found), "image")
    terminal.say(
        f"{terminal.count(len(found), 'burst or series', 'bursts and series')} of {images}; plans never remove them"
    )


def find(
    database: Database, search: DuplicateSearch, review_options: ReviewOptions
) -> tuple[DuplicateReport, list[Review]]:
    """Groups of copies with their reviews, showing progress on the terminal."""
    with terminal.quiet_decoders(), terminal.stages() as progress:
        report = database.duplicates(search, progress=progress)
        reviews = database.review(report, review_options, progress=progress)
    say_verification(report)
    if report.within_one_folder:
        terminal.say(f"left out: {terminal.count(report.within_one_folder, 'group')} within one folder")
    return report, reviews


def say_verification(report: DuplicateReport | LeakageReport) -> None:
    """Report skipped pairs, and images that could not be verified."""
    if report.rejected_pairs:
        pairs = terminal.count(report.rejected_pairs, "candidate pair")
        terminal.say(f"skipped {pairs} whose pictures do not match (--no-verify: report them)")
    if report.unverified:
        images = terminal.count(report.unverified, "image")
        terminal.say(f"{images} compared by code alone: {terminal.UNSEEN}")
    if report.unverified_pairs:
        pairs = terminal.count(report.unverified_pairs, "candidate pair")
        terminal.say(f"{pairs} could not be verified and were left out: {terminal.UNSEEN}")


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
        loses = f"\tloses: {', '.join(one.loses)}" if one.loses else ""
        typer.echo(f"{_word(one, review)}\t{size}\t{terminal.shown(member.path)}{loses}")
    typer.echo()


def _values(one: GroupImage) -> dict[str, object]:
    """An image as JSON."""
    values = {name: getattr(one.member, name) for name in one.member.__slots__}
    return values | {"tier": one.tier, "loses": list(one.loses)} | verdict_values(one.verdict)


def verdict_values(verdict: Verdict) -> dict[str, object]:
    """A verdict as JSON."""
    values = {"relation": verdict.relation, "edits": list(verdict.edits), "agreement": verdict.agreement}
    return values | {"inliers": verdict.inliers, "verified": verdict.verified}


def _word(one: GroupImage, review: Review) -> str:
    """An image's relation to the best copy, or why it is the best."""
    if one.is_reference:
        return "reference"
    if one.member.id == review.best and not review.kept:
        return f"best: {review.why}"
    return one.words
