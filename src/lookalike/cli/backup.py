from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli import options, terminal


def command(
    to: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to create, best on another drive.")],
    db: options.FolderDb,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy kept originals, even where hard links would take no space.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Copy a database to a new folder and check the copy.

    The database may be in use. The copy is a database, too: to restore it, use it as --db, or move it to the old path.
    """
    from lookalike.database import Database

    with Database.open(db) as database:
        made = database.backup(to, copy=copy)
    if json:
        terminal.echo_json(made)
        return
    kept = f" and {terminal.count(made.originals, 'original')}" if made.originals else ""
    how = f" ({made.linked} as hard links)" if made.linked else ""
    typer.echo(f"{terminal.shown(made.path)} has {terminal.count(made.images, 'image')}{kept}{how}; verified")
