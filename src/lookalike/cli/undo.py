from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli import options, terminal
from lookalike.cli.apply import report


def command(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="The log that `lookalike apply` wrote next to the plan.")],
    db: options.FolderDb,
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> None:
    """Undo what `lookalike apply` did: put files back where they were.

    A file whose old path is occupied stays in the trash and is reported.
    """
    from lookalike.database import Database

    with Database.open(db) as database, terminal.stages() as progress:
        steps = database.undo(log, dry_run=dry_run, progress=progress)
    report(steps, "put back", json=json)
