from __future__ import annotations

import os

import typer

from lookalike.cli import options, terminal


def command(db: options.Db) -> None:
    """Forget images whose files are gone. Those below a folder that is gone altogether are kept."""
    from lookalike.database import Database

    with Database.open(db) as database:
        for root in database.info().roots:
            if not os.path.isdir(root):
                terminal.say(
                    f"{root} is gone, so its images are kept; forget them with: lookalike remove {root} --db {db}"
                )
        count = database.prune()
        typer.echo(f"{terminal.count(count, 'image')} forgotten; {db} holds {len(database)}")
