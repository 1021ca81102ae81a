from __future__ import annotations

import time
from collections import deque
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import options, terminal

if TYPE_CHECKING:
    from lookalike.training import Progress


class Architecture(StrEnum):
    """The paper's four models."""

    VAE = "vae"
    CVAE = "cvae"
    CSVAE = "csvae"
    VTE = "vte"


def _check_minutes(minutes: float | None) -> float | None:
    if minutes is not None and not minutes > 0:
        raise typer.BadParameter(f"minutes is {minutes:g}; it must be above 0")
    return minutes


def command(
    images: options.Images,
    model: Annotated[Architecture, typer.Option("--model", help="Which of the paper's models.")] = Architecture.CSVAE,
    bits: options.Bits = 64,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="How often each image is seen.")] = 20,
    seed: options.Seed = 0,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The model file to write.")] = Path("model.onnx"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    minutes: Annotated[
        float | None, typer.Option("--minutes", callback=_check_minutes, help="Stop training after so long.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Draw so many of the images.")] = None,
    device: Annotated[str, typer.Option("--device", help="Where to train: cpu, cuda, mps.")] = "cpu",
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
) -> None:
    """Learn a model from IMAGES, without labels, and write it to one file that index and encode take.

    Beside it a folder FILE.run is kept with the log and what --resume needs. Needs the extra: lookalike[train]
    """
    from lookalike.training import train

    began = time.monotonic()
    last: deque[Progress] = deque(maxlen=1)
    with terminal.quiet_decoders():
        trained = train(
            images,
            model=model.value,
            bits=bits,
            out=out,
            epochs=epochs,
            seed=seed,
            resume=resume,
            limit=limit,
            minutes=minutes,
            device=device,
            max_pixels=max_pixels,
            on_progress=last.append,
        )
    info = trained.info
    typer.echo(
        f"{trained.path}: {info.name}, trained on {info.data_images} images of {info.data_name} "
        f"in {time.monotonic() - began:.0f} s; loss on {info.data_validation} held-out images "
        f"{info.validation_loss or 0:.1f} nats an image"
    )
    for end in last:
        if end.step < end.steps:
            typer.echo(
                f"stopped by --minutes {minutes:g} in epoch {end.epoch} of {end.epochs}, "
                f"after {terminal.count(end.step, 'step')} of {end.steps}"
            )
    for sentence in trained.collapse.sentences:
        typer.echo(f"warning: {sentence}")
    if trained.skipped:
        typer.echo(f"skipped, as they could not be read: {terminal.count(len(trained.skipped), 'image')}")
        skipped = [(one.name, one.reason) for one in trained.skipped]
        terminal.name_problems(skipped, more=f"{trained.folder / 'log.jsonl'}")
    typer.echo(f"next: lookalike index IMAGES --db DB --model {trained.path}")
