from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import options, terminal

if TYPE_CHECKING:
    from lookalike.metrics.measure import Evaluation


def command(
    db: Annotated[
        Path | None, typer.Option("--db", metavar="DB", envvar="LOOKALIKE_DB", help="Folder of a labelled database.")
    ] = None,
    codes: Annotated[
        Path | None,
        typer.Option("--codes", metavar="FILE.npz", help="Codes computed elsewhere, instead of a database."),
    ] = None,
    queries: Annotated[
        list[str] | None,
        typer.Option("--queries", metavar="IMAGES", help="Labelled images to search for. Repeatable."),
    ] = None,
    cutoff: Annotated[
        int, typer.Option("--cutoff", min=1, help="Ranks of mAP@R; 5,000 for NUS-WIDE and ImageNet in many papers.")
    ] = 1000,
    seed: options.Seed = 0,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", help="Also write a report with figures and charts.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Measure how well codes find images with the same label.

    Reports mAP and other metrics, each with its chance level.

    Without --queries, each image of the database is searched among the others. FILE.npz has query_codes,
    query_labels, database_codes and database_labels, or codes and labels of one collection. Codes are packed, uint8
    (N, K/8), or bits (N, K): 0 and 1, or -1 and 1. Labels are numbers or names (N,), or 0 and 1 (N, C).
    """
    if (db is None) == (codes is None):
        raise typer.BadParameter("give a database with --db, or codes with --codes, but not both", param_hint="--db")
    if codes is not None and queries:
        raise typer.BadParameter("a file of codes has its own queries", param_hint="--queries")

    if report is not None:
        from lookalike.reports import evaluation as page

        page.check(report)
    if codes is not None:
        from lookalike.metrics.measure import measure_file

        found, notes = measure_file(codes, seed=seed, cutoff=cutoff), list[str]()
    else:
        found, notes = _of_database(db, queries, seed, cutoff, max_pixels)
    if json:
        terminal.echo_json(found.values())
    else:
        for line in lines(found):
            typer.echo(line)
    for note in notes:
        terminal.say(note)
    if report is not None:
        page.write(found, report, title=os.fspath(codes or db or ""), notes=notes)
        terminal.say(f"report: {report}")


def _of_database(
    db: Path | None, queries: list[str] | None, seed: int, cutoff: int, max_pixels: int
) -> tuple[Evaluation, list[str]]:
    """The metrics of a database, and in words what they exclude."""
    from lookalike.database import Database

    with Database.open(db or "") as database, terminal.quiet_decoders():
        found = database.evaluate(queries or None, seed=seed, cutoff=cutoff, max_pixels=max_pixels)
        model = f"model: {database.hasher.info.name}, trained on {database.hasher.info.origin}"
    left_out = {
        "have no label": found.unlabelled,
        "are copies of others, byte by byte": found.copies,
        "cannot be read": found.unreadable,
    }
    return found.evaluation, [model] + [
        f"left out: {terminal.count(count, 'image')} that {why}" for why, count in left_out.items() if count
    ]


def lines(found: Evaluation) -> Iterator[str]:
    """The metrics as lines of text, each with its chance level in brackets."""
    yield f"{terminal.count(found.queries, 'query', 'queries')} among {found.database} images, {found.bits} bits"
    bounds, at, by_label = found.map, found.map_at_cutoff, found.nearest
    yield (
        f"mAP                {bounds['expected']:.4f} ({bounds['chance']:.4f}), "
        f"by the order of ties {bounds['pessimistic']:.4f} to {bounds['optimistic']:.4f}"
    )
    for denominator in ("relevant", "retrieved"):
        values = at[denominator]
        name = f"mAP@{at['cutoff']}, {denominator}"
        yield f"{name:<18} {values['expected']:.4f} ({values['chance']:.4f})"
    for k, value in found.precision_at.items():
        if k != "chance":
            yield f"P@{k:<16} {value:.4f} ({found.precision_at['chance']:.4f})"
    for radius, value in found.precision_within.items():
        empty = terminal.count(found.empty_within[radius], "query", "queries")
        yield f"P within {radius:<9} {value:.4f}, {empty} with nothing there"
    for name in ("precision", "recall", "f1", "accuracy"):
        yield f"nearest, {name:<9} {by_label[name]:.4f} ({found.nearest_chance[name]:.4f})"
    shared, use = found.collisions, found.bit_use
    yield f"collisions         {shared['ratio']:.2f} % ({shared['chance_ratio']:.2f} %), {shared['unique']} codes"
    yield f"effective bits     {use['effective']:.1f} of {found.bits}, {use['constant']} never change"
    if found.without_relevant:
        yield f"to {terminal.count(found.without_relevant, 'query', 'queries')} nothing is relevant; they count 0"
