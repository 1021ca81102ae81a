from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import options, terminal

if TYPE_CHECKING:
    from lookalike.database.indexing import IndexReport


def command(
    images: options.Images,
    db: options.Db,
    model: options.Model = None,
    labels_from_folders: options.LabelsFromFolders = False,
    keep_originals: Annotated[
        bool, typer.Option("--keep-originals", help="Also store each original file in the database.")
    ] = False,
    reindex: Annotated[
        bool, typer.Option("--reindex", help="Read unchanged images again; with --model, switch to that model.")
    ] = False,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    workers: options.Workers = 0,
    no_isolation: options.NoIsolation = False,
    limit: options.Limit = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="GLOB", help="Leave out matching paths, now and in later runs. Repeatable."),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option("--include", metavar="GLOB", help="Index matching paths that would be left out. Repeatable."),
    ] = None,
    bank: options.Bank = None,
    json: options.Json = False,
) -> None:
    """Index images into a database, which is created if needed. Unchanged images are not read again."""
    from lookalike import data, opening
    from lookalike.database.indexing import IndexOptions
    from lookalike.hasher import DEFAULT

    given = IndexOptions(
        labels_from_folders=labels_from_folders, keep_originals=keep_originals, reindex=reindex, max_pixels=max_pixels,
        workers=workers, limit=limit, isolation=not no_isolation, exclude=exclude or (), include=include or (),
    )  # fmt: skip
    if not opening.exists(db):  # fails before anything is created
        rules = data.rules(data.scopes(images), exclude=given.exclude, include=given.include)
        data.survey(images, limit=1, leave_out=data.LeavingOut(rules))
    with opening.open(db, create=True, model=model or DEFAULT) as database:
        if bank is not None:
            database.banks.check(bank)  # before any work
        with terminal.quiet_decoders(), terminal.stages() as progress:
            report = database.index(images, given, model=model, progress=progress)
        added = None if bank is None else database.banks.add(bank, images)
        total, network = len(database), _network(db)
    if json:
        unreachable = [place._asdict() for place in report.unreachable]
        banked = {} if added is None else {"bank": bank, "added": added}
        terminal.echo_json(
            {**vars(report), "unreachable": unreachable, "indexed": report.indexed, "total": total, **banked}
        )
    else:
        _print_report(report, total, db)
        if added is not None:
            typer.echo(f"bank {bank}: {terminal.count(added, 'image')} added")
    if network:
        terminal.say(f"{db} is on a network file system ({network}): {NETWORK}")
    if report.unreachable:
        raise typer.Exit(1)


NETWORK = (
    "use it from one machine at a time, because SQLite's write-ahead log does not work across machines. It is safer to "
    "keep the database on a local disk, even if the images are on the network"
)


def _network(db: str) -> str:
    """The kind of network file system of a database's folder; empty if it is local."""
    from lookalike.core.address import is_address
    from lookalike.store import scan_state

    return "" if is_address(db) else scan_state.network(db)


def _print_report(report: IndexReport, total: int, db: str) -> None:
    parts = {
        f"{report.encoded} encoded": report.encoded,
        terminal.count(report.copied, "copy of a known image", "copies of known images"): report.copied,
        f"{report.moved} moved": report.moved,
        f"{report.unchanged} unchanged": report.unchanged,
        f"{report.failed} failed": report.failed,
    }
    place, details = terminal.shown(db), ", ".join(text for text, count in parts.items() if count)
    found = f"{terminal.count(report.found, 'image')} found{': ' if details else ''}{details}"
    typer.echo(f"{found}. {place} has {total} ({report.seconds:.1f} s)")
    if report.missing:
        typer.echo(
            f"no longer where they were: {terminal.count(report.missing, 'image')}; "
            f"remove missing images with: lookalike prune --db {place}"
        )
    if report.refreshed:
        typer.echo(f"read again for verification: {terminal.count(report.refreshed, 'image')} of an earlier version")
    if report.plain:
        typer.echo(
            f"too little content to be compared: {terminal.count(report.plain, 'image')}; "
            f"list them with: lookalike info --db {place} --blank"
        )
    if report.companions:
        typer.echo(f"companions of photos (sidecars, live-photo videos): {terminal.count(report.companions, 'file')}")
    if left := terminal.left_out(report.left_out):
        typer.echo(f"left out: {left}; --include indexes them")
    if report.dropped:
        typer.echo(
            f"no longer in the database, because they are left out now: {terminal.count(report.dropped, 'image')}; "
            "their files are untouched"
        )
    terminal.name_problems(report.problems, more=f"lookalike info --db {db} --errors")
    terminal.name_unreachable(report.unreachable, db)
