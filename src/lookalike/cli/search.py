from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import calibrate, options, terminal

if TYPE_CHECKING:
    from lookalike.database import Database, Filter, Hit
    from lookalike.imaging.decode import Array

BATCH = 64
FORMATS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")  # of --since


def command(
    images: options.Images,
    db: options.Db,
    top: options.Top = 10,
    radius: options.Radius = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    label: Annotated[str | None, typer.Option("--label", help="Only images with this label.")] = None,
    under: Annotated[str | None, typer.Option("--under", metavar="PATH", help="Only images below this folder.")] = None,
    since: Annotated[
        datetime | None, typer.Option("--since", formats=list(FORMATS), help="Only images indexed since that time.")
    ] = None,
    orientations: options.Orientations = False,
    asymmetric: Annotated[
        bool,
        typer.Option(
            "--asymmetric", help="Weight each bit by how certain the query is of it; finds more edited copies."
        ),
    ] = False,
    engine: options.Engine = "auto",
    no_isolation: options.NoIsolation = False,
    json: options.Json = False,
) -> None:
    """Find the images that look most like IMAGES, nearest first."""
    from lookalike import opening
    from lookalike.core.errors import ConfigError
    from lookalike.duplicates import orientations as oriented
    from lookalike.imaging.isolation import pool
    from lookalike.imaging.isolation.limits import DecodeLimits

    if asymmetric and (orientations or radius is not None):
        raise ConfigError(
            f"--asymmetric ranks by a distance of its own; leave out {'--orientations' if orientations else '--radius'}"
        )
    only = _filter(label, under, since)
    problems: list[tuple[str, str]] = []
    count, several = 0, len(images) > 1
    limits = DecodeLimits.of(max_pixels)
    with (  # the worker starts while the model is loaded
        pool.make_decoders(limits, workers=1, isolation=not no_isolation) as decoders,
        opening.open(db) as database,
        terminal.quiet_decoders(),
    ):
        database.use(engine)
        if not len(database):
            terminal.say_empty(db)
        if not json and database.calibration is not None:
            terminal.say(f"words for distances as {calibrate.said(database.calibration)}")
        queries = terminal.arrays(images, database.hasher.spec, decoders, problems)
        while batch := list(itertools.islice(queries, BATCH)):
            count += len(batch)
            arrays = [array for _, array in batch if array is not None]
            named = [query for query, array in batch if array is not None]
            several = several or len(batch) > 1
            if asymmetric:
                found = [database.search_asymmetric(array, top=top, only=only) for array in arrays]
            else:
                found = _by_codes(database, arrays, turned=orientations, top=top, radius=radius, only=only)
            for query, hits in zip(named, oriented.merged(found, top=top, turned=orientations), strict=True):
                for hit, turn in hits:
                    _print(query, hit, turn, json=json, several=several)
    terminal.fail_if(problems, count)


def _filter(label: str | None, below: str | None, since: datetime | None) -> Filter | None:
    from lookalike.database import Filter

    if label is None and below is None and since is None:
        return None
    return Filter(label=label, below=below, since=since.timestamp() if since else None)


def _by_codes(
    database: Database, arrays: Sequence[Array], *, turned: bool, top: int, radius: int | None, only: Filter | None
) -> list[list[Hit]]:
    """What is found by the codes of images; of turned ones eight after each other."""
    import numpy as np

    from lookalike.duplicates import orientations as oriented

    if not arrays:
        return []
    codes_NW = np.concatenate([oriented.encode(database.hasher, array, turned=turned) for array in arrays])
    return database.search_codes(codes_NW, top=top, radius=radius, only=only)


def _print(query: str, hit: Hit, turn: str, *, json: bool, several: bool) -> None:
    weighted = hit.weighted_distance
    if json:
        values = {"query": query, "path": hit.path, "distance": hit.distance, "bits": hit.bits}
        more = {"orientation": turn, "weighted_distance": weighted}
        given = {name: value for name, value in more.items() if value not in ("", None)}
        terminal.echo_json({**values, "label": hit.label, "tier": hit.tier, **given})
    else:
        first = f"{terminal.shown(query)}\t" if several else ""
        last = f"\t{turn}" if turn else "" if weighted is None else f"\tweighted {weighted:.1f}"
        typer.echo(f"{first}{hit.distance}/{hit.bits}\t{hit.tier}\t{terminal.shown(hit.path)}{last}")
