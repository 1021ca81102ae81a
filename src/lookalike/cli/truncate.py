from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli import options, terminal


def command(
    model: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A model trained with --matryoshka, or of pca.")],
    bits: options.Bits = 64,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The model file to write.")] = Path("short.onnx"),
) -> None:
    """Write a model that keeps only the first bits of its codes.

    That model must have been trained with --matryoshka.

    Needs the extra: lookalike[train]
    """
    from lookalike.training import truncate

    info = truncate(model, bits=bits, out=out)
    typer.echo(f"{terminal.shown(out)}: {info.name}, the first {bits} bits of the codes of {model}")
