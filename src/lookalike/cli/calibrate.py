from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import options, terminal

GROWN = 1.2  # growth since the calibration, as a factor, beyond which a new one is recommended

if TYPE_CHECKING:
    from lookalike.calibration.rates import Rate, Share
    from lookalike.calibration.run import CalibrationReport
    from lookalike.calibration.stored import Calibration


def command(
    db: options.FolderDb,
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs", metavar="FILE", help="Labelled pairs: two paths and `same` or `different`, separated by tabs."
        ),
    ] = None,
    fpr: Annotated[float, typer.Option("--fpr", metavar="RATE", help="Accepted rate of false near-duplicates.")] = 1e-6,
    images: Annotated[int, typer.Option("--images", min=1, metavar="N", help="Make copies of at most N images.")] = 200,
    suspected: Annotated[
        Path | None,
        typer.Option(
            "--suspected",
            metavar="FILE",
            help="Write near pairs that may show the same picture, to be labelled for --pairs.",
        ),
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Use the distances of the model again.")] = False,
    seed: options.Seed = 0,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    json: options.Json = False,
) -> None:
    """Measure which distances mean copy or similar in a database.

    It compares all pairs of the images (at most 20,000 images), and edited copies of some of them. `search`,
    `duplicates`, `info` and the page then use the measured distances for "same", "near-duplicate" and "similar".
    """
    from lookalike.calibration import pairs as labelled
    from lookalike.calibration.run import CalibrationOptions
    from lookalike.core.address import is_address
    from lookalike.core.errors import ConfigError
    from lookalike.database import Database

    if is_address(db):
        raise ConfigError(f"{db} is a database in Milvus, which keeps no calibration; calibrate one in a folder")
    if forget and (pairs or suspected):
        raise typer.BadParameter("--forget measures nothing; omit --pairs and --suspected")
    if suspected is not None:
        if pairs is not None and suspected.resolve() == pairs.resolve():
            raise typer.BadParameter(
                "it is the file of --pairs, which would be overwritten; choose another", param_hint="--suspected"
            )
        labelled.check_writable(suspected)
    calibration_options = CalibrationOptions(rate=fpr, edited=images, seed=seed, max_pixels=max_pixels)
    with Database.open(db) as database:
        if forget:
            was = database.forget_calibration()
            terminal.say("the distances of the model are used again" if was else f"{db} was not calibrated")
            return
        known = labelled.read(pairs) if pairs else ()
        with terminal.quiet_decoders(), terminal.stages() as progress:
            report = database.calibrate(known, options=calibration_options, progress=progress)
        bits = database.bits
    if suspected is not None:
        labelled.write(suspected, report.suspected)
    if json:
        terminal.echo_json(_values(report))
        return
    for line in _table(report.calibration, bits):
        typer.echo(line)
    for line in _notes(report, suspected):
        terminal.say(line)


def said(found: Calibration) -> str:
    """When and on what a database was calibrated."""
    day = datetime.fromtimestamp(found.at).strftime("%Y-%m-%d")
    more = "" if found.images == found.compared else f" of {found.images:,}"
    return f"calibrated {day} on {found.compared:,}{more} images and copies of {found.edited}"


def rate_said(found: Calibration, images: int) -> str:
    """The rate of false near-duplicates, and their expected number in the collection today."""
    rate = found.rates["near-duplicate"]
    grown = "" if images <= GROWN * found.images else "; it has grown since, so calibrate again"
    here = f"{_expected(found, 'near-duplicate', images)}, among {terminal.count(images, 'image')}"
    return f"false near-duplicates among pairs of different images: {_rate(rate)}, {here}{grown}"


def _values(found: CalibrationReport) -> dict[str, object]:
    expected = {word: found.calibration.expected(word) for word in found.calibration.rates}
    suspected = [(pair.first, pair.second) for pair in found.suspected]
    return {**dataclasses.asdict(found.calibration), "expected": expected, "suspected_pairs": suspected}


def _table(found: Calibration, bits: int) -> Iterator[str]:
    """One line a tier: its distance, recall on copies, and rate of false pairs."""
    kinds = list(next(iter(found.recall.values())))
    yield f"{'':15}{'up to':>8}  {''.join(f'{kind:>20}' for kind in kinds)}   false pairs"
    for word, rate in found.rates.items():
        distance = "none" if rate.distance < 0 else f"{rate.distance}/{bits}"
        recalls = "".join(f"{_share(found.recall[word][kind]):>20}" for kind in kinds)
        yield f"{word:15}{distance:>8}  {recalls}   {_rate(rate)}, {_expected(found, word, found.images)}"
    for word, kinds_of in found.labelled.items():
        counts = ", ".join(f"{one.found} of {one.copies} labelled {kind}" for kind, one in kinds_of.items())
        yield f"{word}: {counts}"


def _share(share: Share) -> str:
    if not share.copies:
        return "no copies"
    return f"{share.value:.1%} ({100 * share.low:.0f}–{100 * share.high:.0f})"


def _rate(rate: Rate) -> str:
    if not rate.false:
        return f"at most {rate.high:.1e} with 95 % confidence (none of {rate.pairs:,})"
    return f"{rate.value:.1e} ({rate.low:.1e} to {rate.high:.1e})"


def _expected(found: Calibration, word: str, images: int) -> str:
    """Expected number of false pairs in a collection of that size."""
    value, low, high = found.expected(word, images=images)
    if not found.rates[word].false:
        return f"at most {_number(high)} here"
    return f"{_number(value)} here ({_number(low)} to {_number(high)})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _notes(found: CalibrationReport, suspected: Path | None) -> Iterator[str]:
    calibration = found.calibration
    near = calibration.rates["near-duplicate"]
    more = "" if calibration.images == calibration.compared else f" (of {calibration.images:,})"
    yield (
        f"false: share of {near.pairs:,} pairs of {calibration.compared:,} different images{more}, and how many pairs "
        "of the whole collection; copies: share that lies within, of each kind; 95 % intervals"
    )
    if not calibration.is_measured:
        yield (
            f"too few images to measure {calibration.rate:g}: {_images(calibration.rate):,} are needed; no false pair "
            "is accepted, and the model's own distance is the maximum"
        )
    if not calibration.edited:
        yield "no image could be read, so copies were not measured; calibrate where the files are"
    if calibration.merged:
        yield f"left out as copies of others: {terminal.count(calibration.merged, 'image')}"
    if calibration.equal:
        yield f"left out as same pixels, or labelled same: {terminal.count(calibration.equal, 'pair')}"
    if calibration.suspected:
        yield from _suspected(found, suspected)
    if calibration.unread:
        yield f"near but unreadable, counted as different: {terminal.count(calibration.unread, 'pair')}"
    if calibration.unfinished:
        yield "too many near pairs to check; those that were not checked count as different"


def _suspected(found: CalibrationReport, written: Path | None) -> Iterator[str]:
    near = found.calibration.rates["near-duplicate"]
    yield (
        f"left out because they may show the same picture: {terminal.count(len(found.suspected), 'pair')}, "
        f"{near.suspected} of them near-duplicates; if all of those are different, the rate is {near.worst:.1e}"
    )
    if written:
        yield f"they are in {written}: change same to different where needed, and pass it with --pairs"
        return
    for pair in found.suspected[: terminal.SHOWN]:
        yield f"  {pair.first}\t{pair.second}"
    yield "write all with --suspected FILE, label the different ones there, and pass it with --pairs FILE"


def _images(rate: float) -> int:
    """The number of images that have one false pair at this rate."""
    return int((1 + (1 + 8 / rate) ** 0.5) / 2) + 1
