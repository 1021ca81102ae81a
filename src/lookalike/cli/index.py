from __future__ import annotations

from typing import Annotated

import typer

from lookalike.cli import options, terminal


def command(
    images: options.Images,
    db: options.Db,
    model: options.Model = None,
    labels_from_folders: options.LabelsFromFolders = False,
    keep_originals: Annotated[
        bool, typer.Option("--keep-originals", help="Store the images themselves in the database, too.")
    ] = False,
    reindex: Annotated[
        bool, typer.Option("--reindex", help="Read unchanged images again; with --model, change the model.")
    ] = False,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    workers: options.Workers = 0,
    no_isolation: options.NoIsolation = False,
    limit: options.Limit = None,
    json: options.Json = False,
) -> None:
    """Put IMAGES into a database, which is made if there is none. Unchanged images are not read again."""
    from lookalike import data
    from lookalike.database.opening import exists, open_database
    from lookalike.hasher import DEFAULT

    if not exists(db):
        data.find(images, limit=1)  # raises before anything is made
    with open_database(db, create=True, model=model or DEFAULT) as database:
        with terminal.quiet_decoders(), terminal.progress("indexing") as show:
            report = database.index(
                images,
                model=model,
                labels_from_folders=labels_from_folders,
                keep_originals=keep_originals,
                reindex=reindex,
                max_pixels=max_pixels,
                workers=workers,
                limit=limit,
                isolation=not no_isolation,
                progress=show,
            )
        total = len(database)
    if json:
        terminal.echo_json({**vars(report), "indexed": report.indexed, "total": total})
        return
    parts = {
        f"{report.encoded} encoded": report.encoded,
        terminal.count(report.copied, "copy of a known one", "copies of known ones"): report.copied,
        f"{report.moved} moved": report.moved,
        f"{report.unchanged} unchanged": report.unchanged,
        f"{report.failed} failed": report.failed,
    }
    place, said = terminal.shown(db), ", ".join(text for text, count in parts.items() if count)
    found = f"{terminal.count(report.found, 'image')} found{': ' if said else ''}{said}"
    typer.echo(f"{found}. {place} holds {total} ({report.seconds:.1f} s)")
    if report.missing:
        typer.echo(
            f"no longer where they were: {terminal.count(report.missing, 'image')}; "
            f"forget what is gone with: lookalike prune --db {place}"
        )
    if report.plain:
        typer.echo(
            f"too plain to be compared: {terminal.count(report.plain, 'image')}; "
            f"list what is with: lookalike info --db {place} --plain"
        )
    terminal.name_problems(report.problems, more=f"lookalike info --db {db} --errors")
