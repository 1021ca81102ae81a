from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import options, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lookalike.robustness.peers import Measure, Peer
    from lookalike.robustness.run import RobustnessResult


def command(
    images: Annotated[
        list[str],
        typer.Option("--images", metavar="IMAGES", help="A folder, image file or Parquet file. Repeatable."),
    ],
    model: options.Model = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="NAMES",
            help="Peers, comma-separated: phash, phash-256, dhash, dhash-256, pdq (these five by default), photodna, "
            "iscc, iscc-256, efficientnet-lite0, hf:NAME, model files; or none.",
        ),
    ] = None,
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
    same: Annotated[
        Path | None,
        typer.Option(
            "--same", metavar="FILE", help="Pairs that show the same picture: two names per line, tab-separated."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.")] = Path("robustness"),
    seed: options.Seed = 0,
    labels_from_folders: options.LabelsFromFolders = False,
    limit: options.Limit = None,
    workers: options.Workers = 0,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
) -> None:
    """Measure how well a model finds edited copies of IMAGES.

    Compares it with other hashes and writes DIR/report.html.

    Thresholds allow 1 false match in 10,000, 100,000 and 1,000,000 pairs of different images. 500 images make 124,750
    pairs, too few for the last; more images with the same --queries cost little.
    """
    from lookalike import data
    from lookalike.core.errors import ConfigError
    from lookalike.imaging.edits import catalogue
    from lookalike.robustness import report, run

    report.check(out)
    if same and same.resolve() == (out / report.SUSPECTED).resolve():
        raise ConfigError(f"{same} would be overwritten by this run; give --same a copy of it")
    names = _names(edits)
    list(catalogue.variants(names))  # refuses wrong ones before anything is read
    items = data.find(images, labels_from_folders=labels_from_folders, limit=limit)
    with terminal.quiet_decoders(), terminal.stages() as progress:
        peers, left_out = _peers(model, against)
        if left_out:
            terminal.say(_missing(left_out))
        settings = run.RobustnessOptions(
            edits=names, queries=queries, seed=seed, workers=workers, max_pixels=max_pixels
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


def _peers(model: str | None, against: str | None) -> tuple[list[Peer], list[tuple[str, str]]]:
    """The model and its peers; of those nobody asked for, what cannot be had is left out, with the reason."""
    from lookalike.core.errors import MissingExtra
    from lookalike.hasher import DEFAULT
    from lookalike.robustness.peers import USUAL, find, of_model

    found, left_out = [of_model(model or DEFAULT)], []
    named = USUAL if against is None else [name for name in _names(against) if name != "none"]
    for name in named:
        try:
            found.append(find(name))
        except MissingExtra as error:
            if against is not None:
                raise
            left_out.append((name, str(error)))
    return found, left_out


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
    """A table of the methods: recall by kind of edit at the first rate, µAP and time."""
    from lookalike.robustness.report import by_kind, micro_ap, recall

    kinds = [kind for kind in by_kind(outcome.methods[0], 0) if kind != "control"]
    width = max(len(method.peer.name) for method in outcome.methods)
    yield f"{'':{width}}  threshold  {''.join(f'{kind:>9}' for kind in [*kinds, 'all'])}      µAP      ms"
    for method in outcome.methods:
        shares = by_kind(method, 0)
        at, peer = method.thresholds[0].distance, method.peer
        threshold = "none" if at < 0 else _threshold(peer.measure, at)
        recalls = "".join(f"{share:9.1%}" for share in [*(shares[kind] for kind in kinds), recall(method, 0)])
        yield (
            f"{peer.name:{width}} {threshold:>10}  {recalls} {micro_ap(method):8.3f} "
            f"{outcome.milliseconds[peer.name]:7.2f}"
        )


def _threshold(measure: Measure, distance: int) -> str:
    return f"{measure.shown(distance):.3f}" if measure.unit == "cosine" else f"{distance}/{measure.greatest}"


def _notes(outcome: RobustnessResult, out: Path) -> Iterator[str]:
    from lookalike.robustness.report import one_in

    first, found = outcome.methods[0].thresholds[0], outcome.originals
    yield (
        f"recall at {one_in(first.rate)} false pairs, measured on {first.pairs} pairs of {len(found.items)} images; "
        f"copies of {len(outcome.edited)} of them"
    )
    few = [one_in(one.rate) for one in outcome.methods[0].thresholds if not one.is_measured]
    if few:
        yield f"too few pairs to measure {' and '.join(few)}: more images are needed, not more --queries"
    if found.repeated:
        yield f"left out because another image has the same pixels: {terminal.count(len(found.repeated), 'image')}"
    if outcome.suspected:
        yield (
            f"{terminal.count(len(outcome.suspected), 'pair')} may show the same picture: look at the report, keep "
            f"those that do in {out / 'suspected.tsv'}, and pass a copy of it with --same"
        )
    if found.skipped:
        terminal.name_problems(found.skipped, more=f"{out / 'report.html'}")
