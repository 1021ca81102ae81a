from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli import options, terminal


def command(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILES", help="Parquet or .npy files of codes, or folders of them; with --bank, lists of hashes."
        ),
    ],
    db: options.Db,
    model: Annotated[
        str, typer.Option("--model", metavar="NAME|FILE", help="The model that made the codes; for a new database.")
    ] = "default",
    root: Annotated[
        Path, typer.Option("--root", metavar="DIR", help="The folder that paths are relative to.")
    ] = Path(),
    bank: options.Bank = None,
    hash_: options.HashKind = None,
) -> None:
    """Import codes made elsewhere, or lists of hashes into a bank.

    The database is created if needed. To finish an interrupted import, run the same command again; no row is lost or
    duplicated.
    """
    from lookalike import opening
    from lookalike.data import codetable

    if bank is not None:
        with opening.open(db, create=True, model=model) as database:
            for file in files:
                found, added, poor = database.banks.import_list(bank, file, hash_)
                left_out = f", {poor} left out for their low quality" if poor else ""
                typer.echo(
                    f"{terminal.shown(file)}: {terminal.count(found, 'hash', 'hashes')}, {added} new in the bank "
                    f"{bank}{left_out}"
                )
        return
    shards = [shard for file in files for shard in codetable.shards(file)]
    for file in shards:  # before a database is created in vain
        codetable.check_name(file)
        codetable.count(file)
    with opening.open(db, create=True, model=model) as database:
        for file in shards:
            with terminal.stages() as progress:
                report = database.import_codes(file, root=root, progress=progress)
            typer.echo(
                f"{terminal.shown(file)}: {terminal.count(report.found, 'code')}, {report.changed} of them new or "
                f"changed; {terminal.shown(db)} has {terminal.count(len(database), 'image')}"
            )
