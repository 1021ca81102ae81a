from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli import options, terminal


def command(
    images: Annotated[
        Path | None,
        typer.Argument(
            metavar="[IMAGES]", help="A folder, file or Parquet file; by default the photographs of scikit-image."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.")] = Path("demo"),
    seed: options.Seed = 0,
) -> None:
    """Show everything on example photographs, in a report.

    It indexes photographs, finds edited copies, trains a model, and writes DIR/report.html.
    """
    from lookalike.demo import run, summary

    with terminal.quiet_decoders():
        outcome = run(images, out=out, seed=seed, on_step=_say_step)
    for line in summary(outcome):
        typer.echo(line)


def _say_step(name: str) -> None:
    if sys.stderr.isatty():
        terminal.say(f"{name} …")
