from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from lookalike.cli import options, terminal
from lookalike.cli.train import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lookalike.core.progress import Progress
    from lookalike.robustness.peers import Measure, Peer
    from lookalike.robustness.run import RobustnessResult
    from lookalike.training import TrainConfig


TRAINED = get_args(Model)  # by `lookalike train`


def command(
    images: options.Images,
    models: Annotated[
        str | None,
        typer.Option(
            "--models",
            metavar="NAMES",
            help="Comma-separated: built-in models, model files; names that `train --model` knows (csvae, itq, …), "
            "which are trained on IMAGES; phash, phash-256, dhash, dhash-256, pdq, photodna, iscc, iscc-256; "
            "efficientnet-lite0, hf:NAME.  [default: default,phash,pdq]",
        ),
    ] = None,
    bits: options.Bits = 64,
    epochs: Annotated[
        int, typer.Option("--epochs", min=1, help="Training epochs, for models that need training.")
    ] = 20,
    edits: Annotated[
        str,
        typer.Option(
            "--edits",
            metavar="NAMES",
            help="Only these edits, comma-separated, each at all its strengths (crop) or at one (crop 0.25).",
        ),
    ] = "",
    queries: Annotated[
        int, typer.Option("--queries", min=1, help="Number of images to edit; the others are distractors.")
    ] = 500,
    verified: Annotated[
        int,
        typer.Option(
            "--verified",
            min=0,
            help="Number of copies to verify, spread evenly over the edits (about 0.2 s of CPU time each); 0: none.",
        ),
    ] = 2000,
    same: Annotated[
        Path | None,
        typer.Option(
            "--same", metavar="FILE", help="Pairs that show the same picture: two names per line, tab-separated."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.")] = Path("benchmark"),
    seed: options.Seed = 0,
    limit: options.Limit = None,
    workers: options.Workers = 0,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
) -> None:
    """Compare models and hashes on your own images.

    Measures how many edited copies are found, by `duplicates` (which verifies pixels) and by codes alone. If
    sub-folders or a Parquet file give labels, it also measures how well images with the same label are found. Models
    that need training are trained first and kept in DIR; DIR/report.html has all results.

    Thresholds of codes alone allow 1 false match in 10,000, 100,000 and 1,000,000 pairs of different images. 500 images
    give 124,750 pairs, too few to measure 1 in 1,000,000.
    """
    from lookalike import data
    from lookalike.core.errors import ConfigError
    from lookalike.imaging.edits import catalogue
    from lookalike.robustness import report, run
    from lookalike.training.settings import TrainConfig

    report.check(out)
    if same and same.resolve() == (out / report.SUSPECTED).resolve():
        raise ConfigError(f"{same} would be overwritten by this run; give --same a copy of it")
    names = _names(edits)
    list(catalogue.variants(names))  # refuses wrong ones before anything is read
    items = data.find(images, labels_from_folders=True, limit=limit)
    with terminal.quiet_decoders(), terminal.stages() as progress:
        wanted = TrainConfig(bits=bits, epochs=epochs, seed=seed, limit=limit, max_pixels=max_pixels)
        peers, left_out = _peers(models, lambda name: _train(images, replace(wanted, model=name), out, progress))
        if left_out:
            terminal.say(_missing(left_out))
        settings = run.RobustnessOptions(
            edits=names, queries=queries, verified=verified, seed=seed, workers=workers, max_pixels=max_pixels
        )
        known = _pairs(same) if same else ()
        outcome = run.run(items, peers, settings=settings, same=known, left_out=left_out, progress=progress)
    written = report.write(outcome, out)
    for line in _lines(outcome):
        typer.echo(line)
    for line in _notes(outcome, out):
        terminal.say(line)
    typer.echo(f"report: {terminal.shown(written)}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _peers(models: str | None, train: Callable[[str], Path]) -> tuple[list[Peer], list[tuple[str, str]]]:
    """The models and hashes; of those nobody asked for, what cannot be had is left out, with the reason."""
    from lookalike.core.errors import ConfigError, MissingExtra
    from lookalike.hasher import DEFAULT
    from lookalike.robustness.peers import USUAL, find

    names = (DEFAULT, *USUAL) if models is None else _names(models)
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"{twice} is named twice; name each once")
    found, left_out = [], []
    for name in sorted(names, key=lambda name: name in TRAINED):  # training comes last
        try:
            found.append(find(os.fspath(train(name))) if name in TRAINED else find(name))
        except MissingExtra as error:
            if models is not None:
                raise
            left_out.append((name, str(error)))
    return sorted(found, key=lambda one: one.hasher is None), left_out  # what `duplicates` is measured with comes first


def _train(images: list[str], config: TrainConfig, out: Path, progress: Progress) -> Path:
    """The file of a model that is trained on the images, unless an earlier run has."""
    from lookalike.training import train

    path = out / f"{config.model}-{config.bits}.onnx"
    if path.exists():
        terminal.say(f"{terminal.shown(path)} was trained by an earlier run; delete it to train it again")
        return path
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    train(images, config, out=path, resume=path.with_suffix(".run").exists(), progress=progress)
    terminal.say(f"{terminal.shown(path)} trained in {time.monotonic() - began:.0f} s")
    return path


def _missing(left_out: Sequence[tuple[str, str]]) -> str:
    """One line for all peers that cannot be had."""
    (first, reason), *others = left_out
    if not others:
        return f"{first} is not compared: {reason}"
    names = ", ".join(name for name, _ in left_out)
    return f"{names} are not compared; the first: {reason}"


def _pairs(path: Path) -> list[tuple[str, str]]:
    """The pairs of names in a file."""
    from lookalike.core.errors import DataError

    pairs = []
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; --same is a file of pairs") from error
    for number, line in enumerate(lines, 1):
        names = line.split("\t")
        if line.strip() and len(names) != 2:
            raise DataError(f"{path}, line {number}: {line!r} is no pair; write two names separated by a tab")
        if line.strip():
            pairs.append((names[0], names[1]))
    return pairs


def _lines(outcome: RobustnessResult) -> Iterator[str]:
    """A table of the product and the methods: recall by kind of edit, of codes alone at the first rate; mAP; time."""
    from lookalike.robustness.report import columns, kinds_of

    kinds, shown = kinds_of(outcome), columns(outcome)
    thresholds = {one.peer.name: _threshold(one.peer.measure, one.thresholds[0].distance) for one in outcome.methods}
    labelled = {one.peer.name: one.labels for one in outcome.methods if one.labels is not None}
    width = max(len(column.name) for column in shown)
    heads = "".join(f"{kind:>9}" for kind in [*kinds, "all"]) + "     mAP" * bool(labelled)
    yield f"{'':{width}}  threshold  {heads}      ms"
    for column in shown:
        recalls = "".join(f"{column.mean(outcome.variants, kind):9.1%}" for kind in [*kinds, None])
        milliseconds, labels = outcome.milliseconds.get(column.name), labelled.get(column.name)
        mean = f"{labels.map['expected']:8.3f}" if labels else " " * 8 * bool(labelled)
        yield (
            f"{column.name:{width}} {thresholds.get(column.name, 'pixels'):>10}  {recalls}{mean} "
            f"{'' if milliseconds is None else f'{milliseconds:7.2f}'}"
        ).rstrip()


def _threshold(measure: Measure, distance: int) -> str:
    if distance < 0:
        return "none"
    return f"{measure.shown(distance):.3f}" if measure.unit == "cosine" else f"{distance}/{measure.greatest}"


def _notes(outcome: RobustnessResult, out: Path) -> Iterator[str]:
    from lookalike.robustness.report import few, one_in

    first, found, answers = outcome.methods[0].thresholds[0], outcome.originals, outcome.answers
    if answers:
        yield (
            f"{answers.name}: copies of {terminal.count(len(answers.said), 'image')}; {len(answers.false)} of "
            f"{terminal.count(answers.pairs, 'pair')} of different images called copies, at most {answers.bound:.1e}"
        )
    yield (
        f"codes alone: recall at {one_in(first.rate)} false pairs, measured on {first.pairs} pairs of "
        f"{len(found.items)} images; copies of {len(outcome.edited)} of them"
    )
    labels = next((one.labels for one in outcome.methods if one.labels is not None), None)
    if labels is not None:
        chance = f"codes without meaning have {labels.map['chance']:.3f}"
        yield f"mAP: of {labels.database} images with a label, each searched among the others; {chance}"
    if few(outcome):
        yield f"too few pairs to measure {' and '.join(few(outcome))}: more images are needed, not more --queries"
    if found.repeated:
        yield f"left out because another image has the same pixels: {terminal.count(len(found.repeated), 'image')}"
    if outcome.suspected:
        yield (
            f"{terminal.count(len(outcome.suspected), 'pair')} may show the same picture: look at the report, keep "
            f"those that do in {out / 'suspected.tsv'}, and pass a copy of it with --same"
        )
    if found.skipped:
        terminal.name_problems(found.skipped, more=f"{out / 'report.html'}")
