from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import options, terminal

GROWN = 1.2  # growth since the calibration, as a factor, beyond which a new one is recommended

if TYPE_CHECKING:
    from lookalike.calibration.run import CalibrationReport
    from lookalike.calibration.stored import Calibration, Rate


def command(
    db: options.FolderDb,
    background: Annotated[
        Path | None,
        typer.Option(
            "--background",
            metavar="FOLDER",
            help="Search for these images, which have no copy in the database; without it, for some of its own.",
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs", metavar="FILE", help="Labelled pairs: two paths and `same` or `different`, separated by tabs."
        ),
    ] = None,
    images: Annotated[
        int, typer.Option("--images", min=1, metavar="N", help="Use at most N images of the database.")
    ] = 100,
    suspected: Annotated[
        Path | None,
        typer.Option(
            "--suspected", metavar="FILE", help="Write the pairs that were called copies, to be labelled for --pairs."
        ),
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Drop the calibration.")] = False,
    seed: options.Seed = 0,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    no_isolation: options.NoIsolation = False,
    json: options.Json = False,
) -> None:
    """Measure how often searches in a database are right.

    It searches for images that have no copy there, to count wrong matches, and for edited copies of some of its images.
    The rates, with their intervals, are stored: `info` and the page show them.
    """
    from lookalike.calibration import pairs as labelled
    from lookalike.calibration.run import CalibrationOptions
    from lookalike.core.address import is_address
    from lookalike.core.errors import ConfigError
    from lookalike.database import Database
    from lookalike.imaging.isolation import pool
    from lookalike.imaging.isolation.limits import DecodeLimits

    if is_address(db):
        raise ConfigError(f"{db} is a database in Milvus, which keeps no calibration; calibrate one in a folder")
    if forget and (background or pairs or suspected):
        raise typer.BadParameter("--forget measures nothing; omit --background, --pairs and --suspected")
    if suspected is not None:
        if pairs is not None and suspected.resolve() == pairs.resolve():
            raise typer.BadParameter(
                "it is the file of --pairs, which would be overwritten; choose another", param_hint="--suspected"
            )
        labelled.check_writable(suspected)
    with Database.open(db) as database:
        if forget:
            was = database.forget_calibration()
            terminal.say("the calibration was dropped" if was else f"{db} was not calibrated")
            return
        known = labelled.read(pairs) if pairs else ()
        calibration_options = CalibrationOptions(background=background, images=images, seed=seed)
        limits = DecodeLimits.of(max_pixels)
        with (
            pool.make_decoders(limits, workers=2, isolation=not no_isolation) as decoders,
            terminal.quiet_decoders(),
            terminal.stages() as progress,
        ):
            database.decode_with(decoders)
            report = database.calibrate(known, options=calibration_options, progress=progress)
    if suspected is not None:
        labelled.write(suspected, report.suspected)
    if json:
        pairs_found = [(pair.first, pair.second) for pair in report.suspected]
        more = {"suspected_pairs": pairs_found, "present": report.present, "unreadable": report.unreadable}
        terminal.echo_json({**dataclasses.asdict(report.calibration), **more})
        return
    for line in _lines(report.calibration):
        typer.echo(line)
    for line in _notes(report, suspected):
        terminal.say(line)


def said(found: Calibration, images: int) -> str:
    """When and on what a database was calibrated, and how often its searches are right."""
    day = datetime.fromtimestamp(found.at).strftime("%Y-%m-%d")
    if found.per_query is None:
        return f"calibrated {day} by an earlier version, which measured distances only; calibrate again"
    grown = "" if images <= GROWN * found.images else "; it has grown since, so calibrate again"
    copies = ", ".join(f"{kind} {rate.value:.0%}" for kind, rate in found.copies.items())
    wrong = f"{_in_searches(found.per_query)} among {found.images:,} images"
    return f"calibrated {day}: {wrong}; copies found: {copies}{grown}"


def _in_searches(rate: Rate) -> str:
    """A rate of wrong matches as one in N searches, with its interval.

    >>> from lookalike.calibration.rates import of_trials
    >>> _in_searches(of_trials(0, 1000))
    'at most 1 wrong match in 272 searches'
    >>> _in_searches(of_trials(2, 1000))
    'about 1 wrong match in 500 searches (1 in 139 to 1 in 4,127)'
    """
    if not rate.count:
        return f"at most 1 wrong match in {1 / rate.high:,.0f} searches"
    low, high = (f"1 in {1 / bound:,.0f}" for bound in (rate.low, rate.high))
    return f"about 1 wrong match in {1 / rate.value:,.0f} searches ({high} to {low})"


def _lines(found: Calibration) -> Iterator[str]:
    """The rates, one a line: of searches, of pairs, and of copies of each kind."""
    assert found.per_query is not None
    assert found.per_pair is not None
    whose = "none of them in the background" if found.has_background else "some of them searched for among the others"
    yield f"{_in_searches(found.per_query)}; {terminal.count(found.images, 'image')} in the collection, {whose}"
    yield f"wrong searches    {_rate(found.per_query)}"
    yield f"wrong pairs       {_rate(found.per_pair)}"
    for kind, rate in found.copies.items():
        yield f"found {kind:12}{_rate(rate)}"


def _rate(rate: Rate) -> str:
    """A rate with its counts and interval, in percent unless it is tiny.

    >>> from lookalike.calibration.stored import Rate
    >>> _rate(Rate(39, 40, 0.8684, 0.9994)), _rate(Rate(0, 300_000, 0, 1.23e-5, suspected=1))
    ('39 of 40: 97.5 % (86.8 to 99.9)', '0 of 300,000, 1 more suspected: 0 (0 to 1.2e-05)')
    """
    counts = f"{rate.count:,} of {rate.total:,}" + (f", {rate.suspected:,} more suspected" if rate.suspected else "")
    if rate.high < 1e-3:
        return f"{counts}: {rate.value:.2g} ({rate.low:.2g} to {rate.high:.2g})"
    value, low, high = (f"{100 * share:.3g}" for share in (rate.value, rate.low, rate.high))
    return f"{counts}: {value} % ({low} to {high})"


def _notes(found: CalibrationReport, written: Path | None) -> Iterator[str]:
    calibration = found.calibration
    yield "wrong: called a copy without being one; found: edited copies called copies of their images; 95 % intervals"
    if found.present:
        yield from _some(f"left out, in the collection: {terminal.count(len(found.present), 'image')}", found.present)
    if found.unreadable:
        yield from _some(f"unreadable: {terminal.count(len(found.unreadable), 'image')}", found.unreadable)
    if calibration.unverified:
        searches = terminal.count(calibration.unverified, "search", "searches")
        yield f"not all candidates of {searches} could be verified; index again where the files are"
    if found.suspected:
        how = "wrong, unless they are labelled same" if calibration.has_background else "suspected, until labelled"
        what = f"called copies, and counted as {how}: {terminal.count(len(found.suspected), 'pair')}"
        if written:
            yield f"{what}, in {written}; correct the labels there, and pass it with --pairs"
            return
        yield from _some(what, [f"{pair.first}\t{pair.second}" for pair in found.suspected])
        yield "write all with --suspected FILE, correct the labels there, and pass it with --pairs FILE"


def _some(what: str, names: Sequence[str]) -> Iterator[str]:
    """How many there are, and the first ones, one a line."""
    yield what
    yield from (f"  {name}" for name in names[: terminal.SHOWN])
    if len(names) > terminal.SHOWN:
        yield f"  and {len(names) - terminal.SHOWN} more"
