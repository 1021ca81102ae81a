from __future__ import annotations

from typing import Annotated

import typer

from lookalike.cli import options, terminal


def command(
    db: options.FolderDb,
    accept: Annotated[bool, typer.Option("--accept", help="Accept the catalog as it is, without lost data.")] = False,
    json: options.Json = False,
) -> None:
    """Check the files of a database, and repair what can be repaired.

    What cannot be repaired is reported and left alone; the exit code is then 1.
    """
    from lookalike.core.errors import DatabaseError
    from lookalike.database import Database

    with Database.open(db) as database:
        findings = database.verify(accept=accept)
    for finding in findings:
        if json:
            terminal.echo_json(finding)
        else:
            word = "repaired" if finding.repaired else "ok" if finding.ok else "BAD"
            typer.echo(f"{word}\t{terminal.shown(finding.what)}")
    bad = [finding.what for finding in findings if not finding.ok]
    if bad:
        faults = terminal.count(len(bad), "fault")
        raise DatabaseError(f"{db} has {faults} beyond repair; the first: {bad[0]}")
