from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli import options, terminal


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The .parquet or .npy file to write.")],
    db: options.FolderDb,
    top: Annotated[int, typer.Option("--top", min=1, help="Neighbours of each image.")] = 10,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Write distances of codes only; compare no pictures.")
    ] = False,
) -> None:
    """Write the nearest images of every image to a file.

    With what they are to it, that is a graph of the whole collection. To finish an interrupted run, run the same
    command again.
    """
    from lookalike.database import Database

    with Database.open(db) as database, terminal.quiet_decoders(), terminal.stages() as progress:
        found = database.neighbours(file, top=top, verify=not no_verify, progress=progress)
    typer.echo(f"{terminal.shown(file)}: the nearest {top} of {terminal.count(found.images, 'image')}")
    if not no_verify and file.suffix == ".npy":
        terminal.say("A .npy file holds distances of codes only; a .parquet file also says what the images are.")
    if found.unverified:
        terminal.say(f"{terminal.count(found.unverified, 'pair')} could not be verified: {terminal.UNSEEN}")
