from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli import options, terminal


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The .parquet or .npy file to write.")], db: options.Db
) -> None:
    """Export codes with paths and labels as Parquet, or alone as .npy."""
    from lookalike import opening

    with opening.open(db) as database:
        count = database.export_codes(file)
    typer.echo(f"{terminal.shown(file)}: {terminal.count(count, 'code')}")
