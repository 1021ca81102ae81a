from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli import options, terminal

if TYPE_CHECKING:
    from lookalike.database.banks import Match, MatchRate

NO_MATCH, FAILED = 1, 2  # exit codes


def command(
    images: options.Images,
    db: options.FolderDb,
    bank: Annotated[
        list[str] | None, typer.Option("--bank", metavar="NAME", help="Ask this bank only. Repeatable; all by default.")
    ] = None,
    audit: Annotated[
        Path | None, typer.Option("--audit", metavar="FILE", help="Append every answer to this log, as a JSON line.")
    ] = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    no_isolation: options.NoIsolation = False,
    json: options.Json = False,
) -> None:
    """Tell whether IMAGES match entries of banks, and how surely.

    Exit code 0: at least one matches; 1: none does; 2: an image or the database cannot be read.
    """
    from lookalike.core.errors import Interrupted, LookalikeError

    try:
        matched, failed = _match(
            images, db, bank or (), audit, max_pixels=max_pixels, isolation=not no_isolation, json=json
        )
    except Interrupted:
        raise
    except (LookalikeError, OSError) as error:  # 1 would say that nothing matches
        terminal.say_error(error)
        raise typer.Exit(FAILED) from None
    raise typer.Exit(FAILED if failed else 0 if matched else NO_MATCH)


def _match(
    images: list[str], db: str, banks: list[str] | tuple[str, ...], audit: Path | None, *, max_pixels: int,
    isolation: bool, json: bool,
) -> tuple[int, int]:  # fmt: skip
    """Print the answers; returns how many images match, and how many could not be read."""
    from lookalike import opening
    from lookalike.database.audit import AuditLog
    from lookalike.imaging import files
    from lookalike.imaging.isolation import pool
    from lookalike.imaging.isolation.limits import DecodeLimits

    problems: list[tuple[str, str]] = []
    count = matched = unverified = 0
    log, limits = None if audit is None else AuditLog(audit), DecodeLimits.of(max_pixels)
    with (
        pool.make_decoders(limits, workers=2, isolation=isolation) as decoders,
        opening.open(db) as database,
        terminal.quiet_decoders(),
    ):
        database.decode_with(decoders)
        named = database.banks.named(banks)
        for name, content in terminal.read_images(
            images, lambda source: source if isinstance(source, bytes) else files.read(source), problems
        ):
            count += 1
            if content is None:
                continue
            found = database.banks.of_content(content, named, path=name)
            if log is not None:
                log.add([found], banks=named, model=database.hasher.name)
            if found.error and not found.matched:
                problems.append((name, found.error))
            matched += found.matched
            unverified += found.unverified
            _print(found, json=json)
        if not json:
            _sum_up(matched, count, unverified, database.banks.rate(named))
    for name, reason in problems:
        terminal.say(f"{terminal.shown(name)}: {reason}")
    return matched, len(problems)


def _print(found: Match, *, json: bool) -> None:
    if json:
        terminal.echo_json(as_json(found))
        return
    name = terminal.shown(found.path)
    for one in found.matches:
        typer.echo(f"{name}\tmatch\t{one.bank}\t{one.words}\t{terminal.shown(one.path)}")
    if not found.matched:
        typer.echo(f"{name}\t{'not read' if found.error else 'no match'}")


def as_json(found: Match) -> dict[str, Any]:
    """An answer as a line of JSON."""
    values = dataclasses.asdict(found)
    return {"path": values.pop("path"), "matched": found.matched, **values, "rate": found.rate._asdict()}


def _sum_up(matched: int, count: int, unverified: int, rate: MatchRate) -> None:
    """Say on stderr how many images match, and how often that is wrong."""
    terminal.say(f"{matched} of {terminal.count(count, 'image')} {'matches' if matched == 1 else 'match'}")
    if rate.high:
        value, low, high = (f"{100 * one:.3g}" for one in rate[:3])
        known = "measured here" if rate.measured == "here" else "by default; lookalike calibrate measures it here"
        terminal.say(f"Of images that are in no bank, {value} % ({low} to {high}) match all the same ({known})")
    if unverified:
        terminal.say(f"{terminal.count(unverified, 'entry', 'entries')} could not be compared: {terminal.UNSEEN}")
