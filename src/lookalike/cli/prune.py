from __future__ import annotations

import typer

from lookalike.cli import options, terminal


def command(db: options.Db) -> None:
    """Forget images whose files are gone. Those of a folder or table that is gone altogether are kept."""
    from lookalike.database.opening import open_database

    with open_database(db) as database:
        for place in database.lost():
            terminal.say(
                f"{place} is gone, so its images are kept; forget them with: lookalike remove {place} --db {db}"
            )
        count = database.prune()
        typer.echo(f"{terminal.count(count, 'image')} forgotten; {terminal.shown(db)} holds {len(database)}")
