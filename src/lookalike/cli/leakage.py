"""The report of `lookalike duplicates --between A B`: what of B has a copy in A."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from lookalike.cli import terminal

if TYPE_CHECKING:
    from lookalike.duplicates.verification import Overlaid
    from lookalike.opening import AnyDatabase


def report(
    database: AnyDatabase, first: str, second: str, *, radius: int, by_code: bool, quick: bool, json: bool
) -> None:
    """Print the images of B that have a copy in A, and say how many they are."""
    from lookalike.duplicates import between, review, same_pixels

    overlaid: list[Overlaid] = []
    with terminal.progress("comparing", unit=" codes", scaled=True) as show:
        found = between.leakage(
            database, first, second, radius=radius, by_code=by_code, on_rows=show, on_overlaid=overlaid.append
        )
    same: dict[bytes, bytes] = {}
    if not quick:
        with terminal.quiet_decoders(), terminal.progress("comparing pixels") as show:
            same = same_pixels.read(same_pixels.wanted([one.record, one.copy] for one in found.matches), on_rows=show)
    bits = database.bits
    for one in found.matches:
        tier = review.tier(one.record, [one.copy], same)
        if json:
            values = {"path": one.record.name, "copy": one.copy.name, "distance": one.distance, "bits": bits}
            terminal.echo_json({**values, "tier": tier, "copies": one.copies})
        else:
            typer.echo(
                f"{one.distance}/{bits}\t{tier}\t{terminal.shown(one.record.name)}\t{terminal.shown(one.copy.name)}"
            )
    if json:
        values = {"first": found.first, "second": found.second, "copied": len(found.matches)}
        terminal.echo_json({**values, "share": found.share, "radius": radius, "bits": bits})
    terminal.say(
        f"{len(found.matches)} of {terminal.count(found.second, 'image')} in {second} ({found.share:.1%}) have a copy "
        f"among {terminal.count(found.first, 'image')} in {first}, at most {radius} of {bits} bits away"
    )
    say_overlaid(overlaid)


def say_overlaid(overlaid: Sequence[Overlaid]) -> None:
    """What was left out since pictures differ, and what could not be laid over each other."""
    for found in overlaid:
        if found.differing:
            pairs = terminal.count(found.differing, "pair")
            terminal.say(
                f"{pairs} of near codes left out: laid over each other, their pictures seem to differ (--by-code: all)"
            )
        if found.unknown:
            images = terminal.count(found.unknown, "image")
            terminal.say(
                f"{images} went by code alone: what they show is not kept (lookalike index --reindex keeps it), or too "
                "many share a code"
            )
