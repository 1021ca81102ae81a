from __future__ import annotations

import typer

from lookalike.cli import options, terminal


def command(db: options.FolderDb, json: options.Json = False) -> None:
    """Check a database's catalog, codes, model and originals, and repair what is derived."""
    from lookalike.database import Database
    from lookalike.errors import DatabaseError

    with Database.open(db) as database:
        findings = database.verify()
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
