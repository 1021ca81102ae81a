from __future__ import annotations

import dataclasses

import typer

from lookalike.cli import options, terminal


def command(db: options.Db, radius: options.Radius = None, json: options.Json = False) -> None:
    """Print groups of images that look alike: at most RADIUS bits from the first image of their group.

    Without --radius it is a sixteenth of the bits, or less if different images come nearer than that with the model.
    Nothing is deleted.
    """
    from lookalike.database.opening import open_database

    with open_database(db) as database:
        own = database.duplicate_radius() if radius is None else None
        radius = own if radius is None else radius
        with terminal.progress("comparing", unit=" codes", scaled=True) as show:
            groups, bits = database.duplicates(radius=radius, on_rows=show), database.bits
    for number, group in enumerate(groups, start=1):
        if json:
            members = [dataclasses.asdict(member) for member in group]
            terminal.echo_json({"group": number, "radius": radius, "bits": bits, "images": members})
            continue
        for member in group:
            pixels = f"{member.width}×{member.height}"
            typer.echo(f"{member.distance}/{bits}\t{pixels}\t{terminal.size(member.size)}\t{member.path}")
        typer.echo()
    images = sum(map(len, groups))
    terminal.say(
        f"{terminal.count(len(groups), 'group')} of {terminal.count(images, 'image')}, "
        f"at most {radius} of {bits} bits from the first of each"
        + ("; 0 is this model's radius, --radius gives another" if own == 0 else "")
    )
