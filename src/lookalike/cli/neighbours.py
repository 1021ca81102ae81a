from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli import options, terminal


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The .parquet or .npy file to write.")],
    db: options.FolderDb,
    top: Annotated[int, typer.Option("--top", min=1, help="Neighbours of each image.")] = 10,
) -> None:
    """Write the nearest images of every image to a file.

    That is a graph of the whole collection. To finish an interrupted run, run the same command again.
    """
    from lookalike.database import Database

    with Database.open(db) as database, terminal.stages() as progress:
        count = database.neighbours(file, top=top, progress=progress)
    typer.echo(f"{terminal.shown(file)}: the nearest {top} of {terminal.count(count, 'image')}")
