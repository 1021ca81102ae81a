from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import options, terminal

if TYPE_CHECKING:
    from lookalike.database import Database, Filter, Hit
    from lookalike.database.search import Found, QueryImage
    from lookalike.database.taken import Taken

FORMATS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")  # of --since
FIELDS = ("relation", "edits", "inliers", "agreement", "transform", "verified", "distance", "bits", "label")  # of JSON


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
    taken: Annotated[
        str | None,
        typer.Option(
            "--taken", metavar="FROM..TO", help="Only images taken then (EXIF date, else file time): 2024-05..2024-06."
        ),
    ] = None,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Compare codes alone, and list the nearest images whatever they show.")
    ] = False,
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough", help="Also find pictures of which an image shows a small part. Slow the first time."
        ),
    ] = False,
    orientations: options.Turned = False,
    asymmetric: Annotated[
        bool,
        typer.Option(
            "--asymmetric", help="Weight each bit by how certain the query is of it; finds more edited copies."
        ),
    ] = False,
    engine: Annotated[str, typer.Option("--engine", hidden=True)] = "",  # all codes are compared
    no_isolation: options.NoIsolation = False,
    json: options.Json = False,
) -> None:
    """Find copies of IMAGES, also edited ones, and similar images.

    Each hit is described relative to your image: "cropped" means that it shows only part of it. "Not verified" means
    that only codes were compared, because the picture is unavailable; it may still be a copy.
    """
    from lookalike import opening
    from lookalike.database import search
    from lookalike.database import taken as dates
    from lookalike.imaging.isolation import pool
    from lookalike.imaging.isolation.limits import DecodeLimits

    _check(radius, asymmetric=asymmetric, thorough=thorough, no_verify=no_verify)
    only, verify = _filter(label, under, since), not no_verify
    period = None if taken is None else dates.period(taken)
    problems: list[tuple[str, str]] = []
    count = copies = unverified = 0
    limits = DecodeLimits.of(max_pixels)
    with (  # the worker starts while the model is loaded
        pool.make_decoders(limits, workers=2 if verify else 1, isolation=not no_isolation) as decoders,
        opening.open(db) as database,
        terminal.quiet_decoders(),
    ):
        database.decode_with(decoders)
        if not len(database):
            terminal.say_empty(db)
        if thorough:
            _prepare(database)
        read = partial(search.query_of, hasher=database.hasher, decoders=decoders, verify=verify)
        for name, query in terminal.read_images(images, read, problems):
            count += 1
            if query is None:
                continue
            find = partial(
                _find,
                database,
                query,
                radius=radius,
                only=only,
                verify=verify,
                asymmetric=asymmetric,
                thorough=thorough,
            )
            found, times = dates.within(period, find, decoders, top=top, verify=verify)
            for hit in found.hits:
                if json:
                    _print_json(name, hit, times.get(hit.id))
                elif no_verify or hit.relation != "different":
                    _print(hit, times.get(hit.id), query=name if [name] != images else "", verify=verify)
            copies += sum(hit.relation.is_copy for hit in found.hits)
            unverified += found.unverified
        if verify and not json and len(database) and count > len(problems):
            _sum_up(copies, count - len(problems), unverified, db)
    terminal.fail_if(problems, count)


def _check(radius: int | None, *, asymmetric: bool, thorough: bool, no_verify: bool) -> None:
    from lookalike.core.errors import ConfigError

    if asymmetric and radius is not None:
        raise ConfigError("--asymmetric ranks by a distance of its own; leave out --radius")
    if thorough and (asymmetric or no_verify or radius is not None):
        raise ConfigError("--thorough chooses what is verified; leave out --radius, --asymmetric and --no-verify")


def _prepare(database: Database) -> None:
    """Encode the parts of images that are new."""
    with terminal.stages() as progress:
        database.variant_search(progress=progress)


def _filter(label: str | None, below: str | None, since: datetime | None) -> Filter | None:
    from lookalike.database import Filter

    if label is None and below is None and since is None:
        return None
    return Filter(label=label, below=below, since=since.timestamp() if since else None)


def _find(
    database: Database, query: QueryImage, top: int, *, radius: int | None, only: Filter | None, verify: bool,
    asymmetric: bool, thorough: bool,
) -> Found:  # fmt: skip
    if asymmetric:
        return database.search_asymmetric_records(query, top=top, only=only, verify=verify)
    return database.search_query(query, top=top, radius=radius, only=only, verify=verify, thorough=thorough)


def _print_json(query: str, hit: Hit, taken: Taken | None) -> None:
    values = {"query": query, "path": hit.path, **{name: getattr(hit, name) for name in FIELDS}}
    weighted = {} if hit.weighted_distance is None else {"weighted_distance": hit.weighted_distance}
    times = {} if taken is None else {"taken": taken.at, "taken_by": taken.by}
    terminal.echo_json({**values, **weighted, **times})


def _print(hit: Hit, taken: Taken | None, *, query: str, verify: bool) -> None:
    """One line: the query if there are several, what the hit is to it, its path, the distance of their codes, and, if
    that was asked for, when it was taken."""
    more = f": {hit.done}" if hit.done else " (not verified)" if verify and not hit.verified else ""
    weighted = [] if hit.weighted_distance is None else [f"weighted {hit.weighted_distance:.1f}"]
    columns = [hit.relation.words + more, terminal.shown(hit.path), f"{hit.distance}/{hit.bits}", *weighted]
    if taken is not None:
        columns.append(f"{'taken' if taken.by == 'metadata' else taken.by} {taken.at}")
    typer.echo("\t".join([terminal.shown(query), *columns] if query else columns))


def _sum_up(copies: int, queries: int, unverified: int, db: str) -> None:
    """Say on stderr whether there are copies, and what is needed to verify the rest."""
    several = f" of {queries} pictures" if queries > 1 else ""
    pictures = "these pictures" if queries > 1 else "this picture"
    terminal.say(
        f"{terminal.count(copies, 'copy', 'copies')} found{several}" if copies else f"No copy of {pictures} here."
    )
    if unverified:
        candidates = terminal.count(unverified, "candidate")
        remedy = f"Mount what is missing, and index again: lookalike index IMAGES --db {db}"
        terminal.say(f"{candidates} could not be verified: {terminal.UNSEEN}. {remedy}")
