from __future__ import annotations

import typer

from lookalike.cli import options, terminal


def command(db: options.FolderDb) -> None:
    """Make the tables of a database anew, so that searches need not look one by one at what has changed since.

    They are also made by themselves, once a twentieth of the images has changed.
    """
    from lookalike.database import Database

    with Database.open(db) as database:
        made, count = database.compact(), len(database)
    what = "tables made" if made else "so few need no tables"
    typer.echo(f"{terminal.shown(db)} holds {terminal.count(count, 'image')}; {what}")
