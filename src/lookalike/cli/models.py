from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import options, terminal

if TYPE_CHECKING:
    from lookalike.hasher import ModelInfo


def command(
    model: Annotated[
        str | None, typer.Argument(metavar="[NAME|FILE]", help="A model to describe in full; else all built-in ones.")
    ] = None,
    json: options.Json = False,
) -> None:
    """List the built-in models, or describe one model."""
    from lookalike.hasher import Hasher, builtin_models

    for name in [model] if model else builtin_models():
        hasher = Hasher.load(name)
        info, size = hasher.info, Path(hasher.path).stat().st_size
        if json:
            values = {**dataclasses.asdict(info), "architecture": info.model, "model": name}
            terminal.echo_json({**values, "file": hasher.path, "size": size})
            continue
        typer.echo(f"{name}\t{hasher.name}\t{info.bits} bits\t{terminal.size(size)}\ttrained on {info.origin}")
        if model:
            typer.echo(f"\n{terminal.radii(duplicate=info.duplicate, similar=info.similar)}")
            typer.echo(_rates(info))
            if info.card:
                typer.echo(f"\n{info.card}".rstrip())


def _rates(info: ModelInfo) -> str:
    """How rare pairs within a model's thresholds are."""
    of = f"of {info.pairs} pairs of different images"
    if info.near < 0:
        return f"({of} more than 1 in {'100' if info.similar < 0 else '10,000'} have equal codes)"
    return f"({of} 1 in 100 are that similar, 1 in 10,000 within {info.near})"
