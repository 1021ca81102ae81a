from __future__ import annotations

import typer

from lookalike.cli import options, terminal


def command(db: options.FolderDb) -> None:
    """Rebuild the search index (used above 200,000 images).

    Databases rebuild it by themselves once a twentieth of the images has changed.
    """
    from lookalike.database import Database

    with Database.open(db) as database:
        made, count = database.compact(), len(database)
    what = "search index rebuilt" if made else "so few need no search index"
    typer.echo(f"{terminal.shown(db)} has {terminal.count(count, 'image')}; {what}")
