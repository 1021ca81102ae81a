from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli import options, terminal

if TYPE_CHECKING:
    from lookalike.database import Info
    from lookalike.store.records import Record

IN_WORDS = (  # printed in words at the end
    "near", "duplicate", "similar", "calibration", "places", "unreachable", "without_thumbnail",
)  # fmt: skip


def command(
    db: options.Db,
    paths: Annotated[bool, typer.Option("--paths", help="List the images that can be found.")] = False,
    errors: Annotated[bool, typer.Option("--errors", help="List the files that could not be read, and why.")] = False,
    blank: Annotated[
        bool, typer.Option("--blank", help="List images with too little content to be compared by code.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Show what a database contains, or list its images."""
    from lookalike import opening

    with opening.open(db) as database:
        if paths or errors or blank:
            for record in database.records():
                _list(record, paths=paths, errors=errors, blank=blank, json=json)
            for place in database.unreachable() if errors else ():
                _line(place.path, "error", f"out of reach: {place.reason}", json=json)
            return
        info, keeps_thumbnails = database.info(), database.store.keeps_thumbnails
        banks = {} if database.store.folder is None else database.store.local().entries.counts()
    if json:
        terminal.echo_json(_as_json(info) | ({"banks": banks} if banks else {}))
        return
    for name, value in dataclasses.asdict(info).items():
        if name not in IN_WORDS:
            text = ", ".join(value) if isinstance(value, list) else str(value)
            typer.echo(f"{name.replace('_', ' ') + ':':<12} {terminal.shown(text)}")
    if info.without_thumbnail:
        images = terminal.count(info.without_thumbnail, "image")
        again = f"read the files with: lookalike index FOLDER --db {terminal.shown(db)}"
        remedy = again if keeps_thumbnails else "this version of database cannot store them, a new one can"
        typer.echo(f"no thumbnail: {images}, which cannot be verified without their files; {remedy}")
    for bank, counts in banks.items():
        entries = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        typer.echo(f"bank:        {bank} ({entries})")
    _say_places(info)
    typer.echo(terminal.radii(duplicate=info.duplicate, similar=info.similar))
    if info.calibration is not None:
        from lookalike.cli import calibrate

        typer.echo(calibrate.said(info.calibration, info.images))


def _list(record: Record, *, paths: bool, errors: bool, blank: bool, json: bool) -> None:
    """Print the requested lines about an image."""
    if errors and record.error is not None:
        _line(record.name, "error", record.error, json=json)
    can_be_found = record.code is not None and record.missing_since is None
    if paths and can_be_found:
        _line(record.name, "label", record.label, json=json)
    if blank and record.is_low_information and can_be_found:
        _line(record.name, "quality", record.quality, json=json)


def _as_json(info: Info) -> dict[str, Any]:
    values = dataclasses.asdict(info)
    unreachable = [place._asdict() for place in info.unreachable]
    places = values.pop("places")
    return {**values, **places, "unreachable": unreachable, "out_of_reach": info.out_of_reach}


def _say_places(info: Info) -> None:
    """Print where the images are, and what is excluded or unreachable."""
    places = info.places
    if places.network:
        typer.echo(f"network:     the database is on {places.network}; use it from one machine at a time")
    for root, kind in places.network_roots.items():
        typer.echo(f"network:     {terminal.shown(root)} ({kind})")
    for what, globs in (("excluded", places.exclude), ("included", places.include)):
        for folder, patterns in globs.items():
            typer.echo(f"{what}:    {terminal.shown(', '.join(patterns))} in {terminal.shown(folder)}")
    if left := terminal.left_out(places.left_out):
        typer.echo(f"left out:    {left}")
    if info.unreachable:
        typer.echo(f"out of reach: {terminal.count(info.out_of_reach, 'image')}")
        for place in info.unreachable:
            images = f" ({terminal.count(place.images, 'image')})" if place.images else ""
            typer.echo(f"  {terminal.shown(place.path)}: {place.reason}{images}")


def _line(path: str, what: str, value: object, *, json: bool) -> None:
    if json:
        terminal.echo_json({"path": path, what: value})
    else:
        typer.echo("\t".join(terminal.shown(str(one)) for one in (path, value) if one is not None))
