from __future__ import annotations

import os
from typing import Annotated

import typer

from lookalike.cli import options, terminal


def command(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="Images, folders, or Parquet files; with --bank also lists and ids."),
    ],
    db: options.Db,
    originals: Annotated[
        bool, typer.Option("--originals", help="Delete kept originals even of files that are not there.")
    ] = False,
    bank: options.Bank = None,
    hash_: options.HashKind = None,
) -> None:
    """Forget images, or take entries out of a bank. Files stay."""
    from lookalike import opening

    with opening.open(db) as database:
        if bank is not None:
            entries = [int(one) if one.isdecimal() and not os.path.exists(one) else one for one in paths]
            removed = database.banks.remove(bank, entries, hash_)
            typer.echo(f"bank {bank}: {terminal.count(removed, 'entry', 'entries')} removed")
            return
        count = database.remove(paths, originals=originals)
        typer.echo(f"{terminal.count(count, 'image')} forgotten; {terminal.shown(db)} has {len(database)}")
