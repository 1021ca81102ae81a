from __future__ import annotations

from typing import Annotated

import typer

from lookalike.cli import options, terminal


def command(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Images, folders, or Parquet files.")],
    db: options.Db,
    originals: Annotated[
        bool, typer.Option("--originals", help="Delete kept originals even of files that are not there.")
    ] = False,
) -> None:
    """Forget images, or all images below folders. Their files stay."""
    from lookalike import opening

    with opening.open(db) as database:
        count = database.remove(paths, originals=originals)
        typer.echo(f"{terminal.count(count, 'image')} forgotten; {terminal.shown(db)} has {len(database)}")
