from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from lookalike.cli import calibrate, options, terminal

if TYPE_CHECKING:
    from lookalike.database import Group
    from lookalike.duplicates.cleanup.best_copy import Preference
    from lookalike.duplicates.review import Judged, Review
    from lookalike.duplicates.verification import Overlaid
    from lookalike.opening import AnyDatabase


def command(
    db: options.Db,
    radius: options.Radius = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also pairs that were decided to be no duplicates.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Compare images that are too plain, too.")] = False,
    turned: Annotated[
        bool, typer.Option("--turned", help="Also mirrored and quarter-turned copies; reads all images, once.")
    ] = False,
    by_code: Annotated[
        bool, typer.Option("--by-code", help="Near codes suffice, even if the pictures laid over each other differ.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Read no files to tell which have the same pixels.")] = False,
    against: Annotated[
        list[str] | None,
        typer.Option("--against", metavar="FOLDER", help="Only copies of images below FOLDER, which stay."),
    ] = None,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option("--between", metavar="A B", help="What of B has a copy in A: folders, or labels."),
    ] = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="Write what to keep and remove: .json or .csv.")
    ] = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    near: Annotated[bool, typer.Option("--near", help="Let --plan remove copies that only look alike, too.")] = False,
    prefer: options.Prefer = None,
    allow_metadata_loss: Annotated[
        bool,
        typer.Option(
            "--allow-metadata-loss",
            help="Let --plan remove the only copy that says when, where or by which camera it was taken.",
        ),
    ] = False,
    apply: Annotated[
        Path | None, typer.Option("--apply", metavar="PLAN", help="Do what a plan says, by --trash or --hardlink.")
    ] = None,
    trash: Annotated[
        Path | None, typer.Option("--trash", metavar="FOLDER", help="Move what is removed into this folder.")
    ] = None,
    hardlink: Annotated[
        bool, typer.Option("--hardlink", help="Make files of the same bytes links to the one that is kept.")
    ] = False,
    undo: Annotated[
        Path | None, typer.Option("--undo", metavar="LOG", help="Undo what --apply did, by the log it wrote.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what --apply or --undo would do.")] = False,
    json: options.Json = False,
) -> None:
    """Print groups of images of one picture: at most RADIUS bits from the first of their group, and the same when laid
    over each other.

    Without --radius it is what was measured for the model or the collection, else a sixteenth of the bits or less.
    The best copy of each group is named, and why: undamaged, nothing added, in colour, most detail, with date and
    place, not a conversion (docs/duplicates.md). Nothing is deleted; --plan, then --apply, move copies away.
    """
    from lookalike.cli import leakage, plans
    from lookalike.duplicates.cleanup import best_copy
    from lookalike.duplicates.cleanup.plan import Options
    from lookalike.opening import open_database

    if between is not None and (against or everything or plan or apply or undo):
        raise typer.BadParameter("--between prints a report of its own; leave --against, --all and plans out")
    if plain and (between is not None or against):
        raise typer.BadParameter("--plain compares all images; leave --against and --between out")
    if turned and (between is not None or against):
        raise typer.BadParameter("--turned compares all images; leave --against and --between out")
    plans.check(plan=plan, near=near, apply=apply, trash=trash, hardlink=hardlink, undo=undo, dry_run=dry_run)
    if allow_metadata_loss and plan is None:
        raise typer.BadParameter("--allow-metadata-loss is about what --plan FILE removes")
    preferences = tuple(map(best_copy.preference, prefer or ()))
    with open_database(db) as database:
        if apply is not None or undo is not None:
            plans.carry_out(database, apply=apply, trash=trash, undo=undo, dry_run=dry_run, json=json)
            return
        is_own = radius is None
        radius = database.duplicate_radius() if radius is None else radius
        bits, calibration, count = database.bits, database.calibration, len(database)
        if between is not None:
            leakage.report(database, *between, radius=radius, by_code=by_code, quick=quick, json=json)
            return
        asked = _Asked(
            radius, everything=everything, plain=plain, turned=turned, by_code=by_code, max_pixels=max_pixels
        )
        groups, references = _groups(database, against or [], asked)
        reviews, same = _reviews(
            database, groups, references, preferences, pixels_too=not quick, files_too=not quick or near
        )
        if plan is not None:
            wanted = Options(near=near, allow_metadata_loss=allow_metadata_loss, prefer=preferences)
            plans.write(plan, reviews, same, wanted, database=str(database.path), radius=radius, bits=bits)
            return
    for number, review in enumerate(reviews, start=1):
        _print(number, review, radius=radius, bits=bits, json=json)
    images = sum(len(review.images) for review in reviews)
    terminal.say(
        f"{terminal.count(len(reviews), 'group')} of {terminal.count(images, 'image')}, "
        f"at most {radius} of {bits} bits from the first of each"
        + ("; 0 is this model's radius, --radius gives another" if is_own and not radius and not calibration else "")
    )
    if is_own and calibration is not None:
        more = ", and up to eight times as many as turned copies" if turned else ""
        said = f"{calibrate.said(calibration)}; {calibrate.rate_said(calibration, count)}"
        terminal.say(f"that distance is {said}{more}")


class _Asked(NamedTuple):
    """Which groups are asked for."""

    radius: int
    everything: bool
    plain: bool
    turned: bool
    by_code: bool
    max_pixels: int


def _groups(database: AnyDatabase, against: Sequence[str], asked: _Asked) -> tuple[list[Group], frozenset[int]]:
    """The groups, and the ids of what is never to be removed."""
    from lookalike.cli import leakage
    from lookalike.duplicates import between as across

    overlaid: list[Overlaid] = []
    if against:
        with terminal.progress("comparing", unit=" codes", scaled=True) as show:
            found, references = across.against(
                database, against, radius=asked.radius, by_code=asked.by_code, on_rows=show, on_overlaid=overlaid.append
            )
        leakage.say_overlaid(overlaid)
        return found, references
    unread: list[str] = []
    with ExitStack() as stack:
        more: dict[str, Any] = {}
        if asked.turned:
            stack.enter_context(terminal.quiet_decoders())
            show_read = stack.enter_context(terminal.progress("reading images"))
            more = {"max_pixels": asked.max_pixels, "on_read": show_read, "on_unread": unread.extend}
        if not asked.by_code:
            laid = terminal.progress("laying over each other", unit=" pairs", scaled=True)
            more = {**more, "on_laid": stack.enter_context(laid), "on_overlaid": overlaid.append}
        show = stack.enter_context(terminal.progress("comparing", unit=" codes", scaled=True))
        found = database.duplicates(
            radius=asked.radius, with_different=asked.everything, with_plain=asked.plain, turned=asked.turned,
            by_code=asked.by_code, on_rows=show, **more,
        )  # fmt: skip
    if unread:
        terminal.say(
            f"{terminal.count(len(unread), 'image')} cannot be read as they were indexed, so their turned looks are "
            f"unknown; the first: {terminal.shown(unread[0])}"
        )
    leakage.say_overlaid(overlaid)
    return found, frozenset()


def _reviews(
    database: AnyDatabase, groups: Sequence[Group], references: frozenset[int], prefer: Sequence[Preference],
    *, pixels_too: bool, files_too: bool,
) -> tuple[list[Review], Mapping[bytes, bytes]]:  # fmt: skip
    """What is known of the groups, and the digests of pixels that were read for it."""
    from lookalike.duplicates import review as reviewing
    from lookalike.duplicates import same_pixels
    from lookalike.duplicates.cleanup import facts

    records = database.records_of([one.id for group in groups for one in group])
    same: Mapping[bytes, bytes] = {}
    known: facts.FactsOf = {}
    if pixels_too:
        with terminal.quiet_decoders(), terminal.progress("comparing pixels") as show:
            same = same_pixels.read(reviewing.to_read(groups, records), on_rows=show)
    if files_too:
        with terminal.quiet_decoders(), terminal.progress("looking for the best copies") as show:
            known = facts.read(reviewing.to_inspect(groups, records), on_rows=show)
    found = reviewing.reviews(
        groups, records, database.decisions.known(), same, facts=known, prefer=prefer, references=references
    )
    return list(found), same


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


def _values(one: Judged) -> dict[str, object]:
    """What is told of an image as JSON; how it is turned only where it is."""
    values = {name: getattr(one.member, name) for name in one.member.__slots__ if name != "turn"}
    about = {"tier": one.tier, "loses": list(one.loses)}
    return values | about | ({"turned": one.member.turn} if one.member.turn else {})


def _word(one: Judged, review: Review) -> str:
    """How alike an image is to the best, or what makes it that."""
    if one.is_reference:
        return "reference"
    if one.member.id == review.best and not review.kept:
        return f"best: {review.why}"
    return str(one.tier)
