from __future__ import annotations

import typer

from lookalike.cli import options


def command(db: options.Db) -> None:
    """Forget images whose files are gone. Those below a folder that is gone altogether are kept."""
    from lookalike.database import Database

    with Database.open(db) as database:
        count = database.prune()
        typer.echo(f"{count} images forgotten; {db} holds {len(database)}")
