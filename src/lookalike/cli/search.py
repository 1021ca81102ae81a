from __future__ import annotations

import itertools
from datetime import datetime
from typing import Annotated

import typer

from lookalike.cli import calibrate, options, terminal

BATCH = 64
FORMATS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")  # of --since


def command(
    images: options.Images,
    db: options.Db,
    top: options.Top = 10,
    radius: options.Radius = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    label: Annotated[str | None, typer.Option("--label", help="Only images with this label.")] = None,
    below: Annotated[str | None, typer.Option("--below", metavar="PATH", help="Only images below this folder.")] = None,
    since: Annotated[
        datetime | None, typer.Option("--since", formats=list(FORMATS), help="Only images indexed then or later.")
    ] = None,
    turned: Annotated[bool, typer.Option("--turned", help="Find mirrored and quarter-turned copies, too.")] = False,
    engine: options.Engine = "auto",
    json: options.Json = False,
) -> None:
    """Find the images in a database that look most like IMAGES; the nearest comes first."""
    import numpy as np

    from lookalike import data
    from lookalike.database import Filter
    from lookalike.database import turned as turns
    from lookalike.database.opening import open_database
    from lookalike.errors import ImageError

    only = None
    if label is not None or below is not None or since is not None:
        only = Filter(label=label, below=below, since=since.timestamp() if since else None)
    count, problems = 0, []
    several = len(images) > 1
    with open_database(db) as database, terminal.quiet_decoders():
        database.use(engine)
        if not len(database):
            terminal.say(f"{db} holds no images; fill it with: lookalike index IMAGES --db {db}")
        if not json and database.calibration is not None:
            terminal.say(f"words for distances as {calibrate.said(database.calibration)}")
        queries = terminal.queries(images)
        while batch := list(itertools.islice(queries, BATCH)):
            codes, named = [], []
            for query, item in batch:
                count += 1
                try:
                    codes.append(turns.encode(database.hasher, data.read_bytes(item), max_pixels, turned=turned))
                    named.append(query)
                except (ImageError, OSError) as error:
                    problems.append((query, getattr(error, "strerror", None) or str(error)))
            several = several or len(batch) > 1
            found = database.search_codes(np.concatenate(codes), top=top, radius=radius, only=only) if codes else []
            for query, hits in zip(named, turns.merged(found, top=top, turned=turned), strict=True):
                for hit, turn in hits:
                    _print(query, hit, turn, json=json, several=several)
    terminal.fail_if(problems, count)


def _print(query: str, hit: object, turn: str, *, json: bool, several: bool) -> None:
    from lookalike.database import Hit

    assert isinstance(hit, Hit)
    if json:
        values = {"query": query, "path": hit.path, "distance": hit.distance, "bits": hit.bits}
        terminal.echo_json({**values, "label": hit.label, "tier": hit.tier, **({"turned": turn} if turn else {})})
    else:
        first = f"{terminal.shown(query)}\t" if several else ""
        last = f"\t{turn}" if turn else ""
        typer.echo(f"{first}{hit.distance}/{hit.bits}\t{hit.tier}\t{terminal.shown(hit.path)}{last}")
