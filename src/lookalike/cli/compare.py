from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import options, terminal

if TYPE_CHECKING:
    from lookalike.database import Database
    from lookalike.imaging.isolation.decoders import Decoders
    from lookalike.store.records import Record
    from lookalike.verification.files import Compared

NOT_THE_SAME, FAILED = 1, 2  # exit codes


def command(
    first: Annotated[str, typer.Argument(metavar="A", help="An image file.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another image file.")],
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE.png", help="Draw A, B aligned with A, and their differences (amber)."),
    ] = None,
    db: Annotated[
        str | None,
        typer.Option(
            "--db",
            metavar="DB",
            help="Compare images of this database, by path or id, even while files are out of reach.",
        ),
    ] = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    no_isolation: options.NoIsolation = False,
    json: options.Json = False,
) -> None:
    """Tell whether two image files show the same picture.

    Exit code 0: the same picture (exact copy, same pixels or edited copy); 1: another one; 2: a file cannot be read.
    """
    from lookalike.core.errors import Interrupted, LookalikeError

    try:
        if db is not None:
            found = _stored(first, second, db, picture, max_pixels=max_pixels)
        else:
            found = _examined(first, second, picture, max_pixels=max_pixels, isolation=not no_isolation)
    except Interrupted:
        raise
    except (LookalikeError, OSError) as error:  # 1 would say that they are not the same
        terminal.say_error(error)
        raise typer.Exit(FAILED) from None
    verdict = found.verdict
    if json:
        names = ("relation", "edits", "transform", "overlaps", "inliers", "agreement", "verified")
        terminal.echo_json({"first": first, "second": second, **{name: getattr(verdict, name) for name in names}})
    else:
        _print(found)
    raise typer.Exit(0 if verdict.relation.is_copy else NOT_THE_SAME)


def _examined(first: str, second: str, picture: Path | None, *, max_pixels: int, isolation: bool) -> Compared:
    """The verdict on two files, which is drawn if it is asked for."""
    from lookalike.imaging.isolation import pool
    from lookalike.imaging.isolation.limits import DecodeLimits
    from lookalike.verification import files

    with (
        pool.make_decoders(DecodeLimits.of(max_pixels), workers=2, isolation=isolation) as decoders,
        terminal.quiet_decoders(),
    ):
        found = files.examine(first, second, decoders)
        if picture is not None:
            _draw(picture, first, second, found, decoders)
    return found


def _stored(first: str, second: str, db: str, picture: Path | None, *, max_pixels: int) -> Compared:
    """The verdict on two images of a database: by thumbnails, and by files if these are in reach."""
    from lookalike import opening
    from lookalike.core.errors import ConfigError
    from lookalike.verification import edits
    from lookalike.verification.files import Compared

    if picture is not None:
        raise ConfigError("--picture draws files; leave out --db, or --picture")
    with opening.open(db) as database, terminal.quiet_decoders(), database.judging(max_pixels=max_pixels) as judge:
        one, other = (_record(database, name) for name in (first, second))
        found = judge(one, other)
    if not (one.width and one.height and other.width and other.height):
        return Compared(found, None)
    sizes = (one.width, one.height), (other.width, other.height)
    return Compared(edits.with_sizes(found, sizes), sizes)


def _record(database: Database, name: str) -> Record:
    from lookalike.core.errors import DataError

    record = database.records_of([int(name)]).get(int(name)) if name.isdecimal() else None
    record = record or database.store.find(os.path.abspath(name))
    if record is None:
        raise DataError(f"{database.path} has no image {name}; name one by its path or id, or leave out --db")
    return record


def _print(found: Compared) -> None:
    """The verdict in words, then its evidence."""
    from lookalike.verification import edits

    verdict = found.verdict
    said = ", ".join(edits.words(verdict, found.sizes)) if verdict.verified else "not verified"
    typer.echo(f"{verdict.relation.words}: {said}" if said else verdict.relation.words)
    if found.sizes is not None and verdict.transform is not None:
        here, there = (f"{share:.0%}".replace("%", " %") for share in verdict.overlaps)
        typer.echo(f"overlap {here} of A, {there} of B")
        agrees = f"{verdict.agreement:.0%}".replace("%", " %")
        typer.echo(f"{terminal.count(verdict.inliers, 'matching point')}, {agrees} of the detail agrees")


def _draw(path: Path, first: str, second: str, found: Compared, decoders: Decoders) -> None:
    """Write the picture of the alignment."""
    import io

    from PIL import Image

    from lookalike.core import atomic
    from lookalike.core.errors import ConfigError
    from lookalike.verification import drawing, files

    if any(path.exists() and os.path.samefile(path, other) for other in (first, second)):
        raise ConfigError(f"--picture {path} would replace an image that is compared; name another file")
    both = [files.shown(source, drawing.SIDE, decoders) for source in (first, second)]
    out = io.BytesIO()
    Image.fromarray(drawing.aligned(both[0], both[1], found.verdict)).save(out, "PNG")
    atomic.write(path, out.getvalue())
