"""Command line of the research code, from a clone: `python -m research COMMAND`."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli import main as run_command_line
from lookalike.cli import options, terminal

HOME = Path(__file__).resolve().parent
DATA = Path("data")

Data = Annotated[Path, typer.Option("--data", metavar="DIR", envvar="LOOKALIKE_DATA", help="Folder of data sets.")]
Results = Annotated[Path, typer.Option("--results", metavar="DIR", help="Folder of the results.")]
Page = Annotated[Path, typer.Option("--page", metavar="FILE", help="The page to write.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of a model of pixels: sigma=0.5.")
]
Device = Annotated[str, typer.Option("--device", help="Where to train: cpu, cuda, mps.")]

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="The paper's tables and figures, its data sets and protocols, and the recipe of the built-in models.",
)  # fmt: skip


class Table(StrEnum):
    """The paper's tables."""

    ONE = "1"
    TWO = "2"
    THREE = "3"


class Figure(StrEnum):
    """The paper's figures of results."""

    FIVE = "5"
    SIX = "6"


@app.command("run")
def run(
    table: Annotated[Table | None, typer.Option("--table", help="Only the runs behind this table.")] = None,
    figure: Annotated[Figure | None, typer.Option("--figure", help="Only the runs behind this figure.")] = None,
    dataset: Annotated[str, typer.Option("--dataset", metavar="NAMES", help="Data sets, separated by commas.")] = "",
    bits: Annotated[str, typer.Option("--bits", metavar="NUMBERS", help="Code lengths, separated by commas.")] = "",
    models: Annotated[str, typer.Option("--models", metavar="NAMES", help="Models, separated by commas.")] = "",
    protocol: Annotated[
        str, typer.Option("--protocol", metavar="NAME", help="Only this protocol of the compared methods.")
    ] = "",
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Epochs of each run.")] = None,
    seeds: Annotated[str, typer.Option("--seeds", metavar="NUMBERS", help="Seeds, separated by commas.")] = "0",
    changes: Set = None,
    device: Device = "cpu",
    data: Data = DATA,
    results: Results = HOME / "results",
) -> None:
    """Run experiments that have no result yet, and resume killed ones. Needs the data sets (see: datasets)."""
    from research import experiments as lists
    from research.datasets import DATASETS
    from research.datasets.protocols import PROTOCOLS
    from research.hashing.pixels import changed
    from research.results import Places
    from research.runner import MODELS, PIXELS, run_all

    if table and figure:
        raise typer.BadParameter("give a table or a figure, not both", param_hint="--table, --figure")
    named, sets, lengths = _names(models), _names(dataset), _numbers(bits, "bits")
    _check(named, MODELS, "--models")
    _check(sets, tuple(DATASETS), "--dataset")
    _check(_names(protocol), sorted({*PROTOCOLS} - {"smoke"}), "--protocol")
    if changes and not named:
        raise typer.BadParameter("name the models that have these settings with --models", param_hint="--set")
    for name in named:
        changed(name, changes or ())
    chosen_seeds = _numbers(seeds, "seeds") or (0,)
    autoencoders = tuple(name for name in named if name in PIXELS) or _models(table, figure)
    methods = tuple(name for name in named if name in lists.METHOD_NAMES)
    runs = []
    if autoencoders or not named:
        runs += lists.experiments(
            datasets=sets or (("cifar10",) if figure else ()),
            models=autoencoders,
            bits=lengths or _bits(table, figure),
            epochs=epochs or lists.EPOCHS,
            seeds=chosen_seeds,
            changes=tuple(changes or ()),
        )
    if methods or table == Table.THREE or not (named or table or figure):
        runs += lists.comparisons(
            setups=lists.setups(sets, protocol),
            models=methods or lists.METHOD_NAMES,
            bits=lengths or lists.BITS,
            epochs=epochs or lists.METHOD_EPOCHS,
            seeds=chosen_seeds,
        )
    places = Places(data=data, results=results, work=results.parent / "work")
    count = run_all(runs, places, device=device, say=terminal.say)
    typer.echo(
        f"{terminal.count(count, 'run')} made, {len(runs) - count} existed already, in {results}; next: "
        "python -m research report"
    )


@app.command("train")
def train(
    images: options.Images,
    model: Annotated[
        str,
        typer.Option("--model", metavar="NAME", help="dhn, hashnet, vts-dsh, bihalf, vit, … (see research/README.md)"),
    ],
    bits: options.Bits = 64,
    backbone: Annotated[str | None, typer.Option("--backbone", metavar="NAME|FILE", help="As lookalike train.")] = None,
    matryoshka: Annotated[bool, typer.Option("--matryoshka", help="Make the first 16, 32, … bits codes, too.")] = False,
    labels_from_folders: options.LabelsFromFolders = False,
    target: Annotated[
        list[str] | None, typer.Option("--target", metavar="IMAGES", help="dah: images of the other kind, unlabelled.")
    ] = None,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Number of passes over the images.")] = 20,
    seed: options.Seed = 0,
    changes: Set = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The model file to write.")] = Path("model.onnx"),
    resume: Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped.")] = False,
    device: Device = "cpu",
) -> None:
    """Train a compared method on your own images; writes a model file for `lookalike index`."""
    from lookalike import data, training
    from research.hashing.pixels import PIXEL_TASKS, PixelTask, changed
    from research.hashing.task import METHOD_TASKS

    tasks = {**METHOD_TASKS, **PIXEL_TASKS}
    if changes:
        tasks[model] = partial(PixelTask.of, **changed(model, changes))
    config = training.TrainConfig(
        model=model, bits=bits, backbone=backbone, matryoshka=matryoshka, epochs=epochs, seed=seed, device=device,
        name=data.default_name(images),
    )  # fmt: skip
    items = data.find(images, labels_from_folders=labels_from_folders)
    items += [replace(one, label=None) for one in data.find(target)] if target else []
    with terminal.quiet_decoders(), terminal.stages() as progress:
        report = training.train(
            items, config, out=out, resume=resume, progress=progress, tasks={**METHOD_TASKS, **PIXEL_TASKS}
        )
    best = next((one for one in reversed(report.history) if one.best), None)
    typer.echo(f"{terminal.shown(report.path)}: {report.info.name}{'' if best is None else f', {best.validation}'}")


@app.command("report")
def report(results: Results = HOME / "results", page: Page = HOME / "reproduction.md") -> None:
    """Write the page of all results, as Markdown and as HTML, with its figures."""
    from research import report as reports

    for path in reports.write(results, page):
        typer.echo(terminal.shown(path))


@app.command("smoke")
def smoke(data: Data = DATA, device: Device = "cpu") -> None:
    """Make one tiny run of every kind in a temporary folder, and a page of these runs."""
    from research import experiments
    from research import report as reports
    from research.results import Places
    from research.runner import run_all

    folder = Path(tempfile.mkdtemp(prefix="lookalike-smoke-"))
    places = Places(data=data, results=folder / "results", work=folder / "work")
    run_all(experiments.smoke(), places, device=device, say=terminal.say)
    written = reports.write(places.results, folder / "reproduction.md", protocol="smoke")
    typer.echo(f"all parts work; the figures on this page are meaningless: {terminal.shown(written[0])}")


@app.command("datasets")
def datasets(data: Data = DATA, json: options.Json = False) -> None:
    """List the data sets: description, and where each was found or is expected."""
    from research.datasets import ABOUT, where

    for name, about in ABOUT.items():
        place = where(name, data)
        if json:
            values = {"name": name, "what": about.what, "places": [str(data / one) for one in about.places]}
            terminal.echo_json({**values, "path": None if place is None else str(place)})
            continue
        found = f"not found: {terminal.shown(data / about.places[0])}" if place is None else terminal.shown(place)
        typer.echo(f"{name}\t{about.what}\t{found}")


@app.command("fetch")
def fetch(name: Annotated[str, typer.Argument(help="The data set: cifar10.")], data: Data = DATA) -> None:
    """Download a data set from its authors: CIFAR-10, 170 MB."""
    from lookalike.core.errors import DataError
    from research.datasets import ABOUT, check_name
    from research.datasets import fetch as fetching

    check_name(name)
    if name != "cifar10":
        places = " or ".join(str(data / place) for place in ABOUT[name].places)
        raise DataError(f"{name} cannot be downloaded automatically; get it from its authors, and put it in {places}")
    with terminal.stages() as progress:
        place = fetching.get_cifar10(data, progress=lambda done, total: progress("fetching CIFAR-10", done, total))
    typer.echo(terminal.shown(place))


@app.command("evaluate")
def evaluate(
    db: options.Db,
    protocol: Annotated[str, typer.Option("--protocol", help="How to divide the images of the database.")],
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Evaluate a labelled database, split by a protocol of the literature (see also: lookalike evaluate)."""
    from lookalike.cli.evaluate import lines
    from research.evaluate import by_protocol

    evaluation = by_protocol(db, protocol, seed=seed)
    if json:
        terminal.echo_json(evaluation.values())
        return
    for line in lines(evaluation):
        typer.echo(line)


@app.command("builtin-models")
def builtin_models(
    data: Annotated[Path, typer.Argument(help="Folder of data sets.")],
    out: Annotated[Path, typer.Argument(help="Folder to write into.")],
    resume: Annotated[bool, typer.Option("--resume", help="Resume a run that was stopped.")] = False,
) -> None:
    """Train the built-in models `default` and `default-128` again."""
    from research import builtin_models

    trained = builtin_models.run(builtin_models.default(), data, out, resume=resume)
    typer.echo(f"{trained.path}: loss {trained.info.validation_loss:.2f}")


def main() -> None:
    """Run the command line; an error becomes one line and an exit code."""
    run_command_line(app)


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _check(names: Iterable[str], known: Collection[str], option: str) -> None:
    """Raise `BadParameter` for the first unknown name."""
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"there is no {name!r} here; there are {', '.join(known)}", param_hint=option)


def _numbers(text: str, name: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a list of numbers such as 16,32", param_hint=f"--{name}") from None


def _models(table: Table | None, figure: Figure | None) -> tuple[str, ...]:
    """The paper's models shown in a table or figure; empty for all."""
    if figure == Figure.SIX:
        return ("cvae",)
    return ("csvae",) if table == Table.THREE else ()


def _bits(table: Table | None, figure: Figure | None) -> tuple[int, ...]:
    """The lengths shown in a table or figure; empty for all."""
    if figure == Figure.FIVE:
        return (64,)
    if figure == Figure.SIX:
        return (16, 32, 64, 128)
    return (16, 32, 64) if table == Table.THREE else ()


if __name__ == "__main__":
    main()
