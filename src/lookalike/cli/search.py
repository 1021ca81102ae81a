from __future__ import annotations

import itertools

import typer

from lookalike.cli import options, terminal

BATCH = 64


def command(
    images: options.Images,
    db: options.Db,
    top: options.Top = 10,
    radius: options.Radius = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    engine: options.Engine = "auto",
    json: options.Json = False,
) -> None:
    """Find the images in a database that look most like IMAGES; the nearest comes first."""
    import numpy as np

    from lookalike import data
    from lookalike.database import Database
    from lookalike.errors import ImageError

    count, problems = 0, []
    several = len(images) > 1
    with Database.open(db) as database, terminal.quiet_decoders():
        database.use(engine)
        if not len(database):
            terminal.say(f"{db} holds no images; fill it with: lookalike index IMAGES --db {db}")
        queries = terminal.queries(images)
        while batch := list(itertools.islice(queries, BATCH)):
            codes, named = [], []
            for query, item in batch:
                count += 1
                try:
                    codes.append(database.hasher.encode(data.read_bytes(item), max_pixels=max_pixels))
                    named.append(query)
                except (ImageError, OSError) as error:
                    problems.append((query, getattr(error, "strerror", None) or str(error)))
            several = several or len(batch) > 1
            found = database.search_codes(np.concatenate(codes), top=top, radius=radius) if codes else []
            for query, hits in zip(named, found, strict=True):
                for hit in hits:
                    _print(query, hit, json=json, several=several)
    terminal.fail_if(problems, count)


def _print(query: str, hit: object, *, json: bool, several: bool) -> None:
    from lookalike.database import Hit

    assert isinstance(hit, Hit)
    if json:
        values = {"query": query, "path": hit.path, "distance": hit.distance, "bits": hit.bits}
        terminal.echo_json({**values, "label": hit.label, "tier": hit.tier})
    else:
        first = f"{query}\t" if several else ""
        typer.echo(f"{first}{hit.distance}/{hit.bits}\t{hit.tier}\t{hit.path}")
