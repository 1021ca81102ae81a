from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from lookalike.cli import calibrate, options, terminal

SAID = ("near", "duplicate", "similar", "same", "calibration")  # in words, at the end


def command(
    db: options.Db,
    paths: Annotated[bool, typer.Option("--paths", help="List the images that can be found.")] = False,
    errors: Annotated[bool, typer.Option("--errors", help="List the files that could not be read, and why.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="List images too plain to be compared.")] = False,
    json: options.Json = False,
) -> None:
    """Say what a database holds."""
    from lookalike.database.opening import open_database

    with open_database(db) as database:
        if paths or errors or plain:
            for record in database.records():
                if errors and record.error is not None:
                    _line(record.name, "error", record.error, json=json)
                if paths and record.code is not None and record.missing_since is None:
                    _line(record.name, "label", record.label, json=json)
                if plain and record.is_plain and record.code is not None and record.missing_since is None:
                    _line(record.name, "quality", record.quality, json=json)
            return
        info = database.info()
    if json:
        terminal.echo_json(info)
        return
    for name, value in dataclasses.asdict(info).items():
        if name not in SAID:
            said = ", ".join(value) if isinstance(value, list) else str(value)
            typer.echo(f"{name.replace('_', ' ') + ':':<12} {terminal.shown(said)}")
    typer.echo(terminal.radii(duplicate=info.duplicate, similar=info.similar, same=info.same))
    if info.calibration is not None:
        typer.echo(f"{calibrate.said(info.calibration)}; {calibrate.rate_said(info.calibration, info.images)}")


def _line(path: str, what: str, value: object, *, json: bool) -> None:
    if json:
        terminal.echo_json({"path": path, what: value})
    else:
        typer.echo("\t".join(terminal.shown(str(one)) for one in (path, value) if one is not None))
