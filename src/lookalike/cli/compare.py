from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import options, terminal

if TYPE_CHECKING:
    from lookalike.imaging.isolation.decoders import Decoders
    from lookalike.verification.files import Compared

NOT_THE_SAME, FAILED = 1, 2  # exit codes


def command(
    first: Annotated[str, typer.Argument(metavar="A", help="An image file.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another image file.")],
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE.png", help="Draw A, B aligned with A, and their differences (amber)."),
    ] = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    no_isolation: options.NoIsolation = False,
    json: options.Json = False,
) -> None:
    """Tell whether two image files show the same picture.

    Exit code 0: the same picture (exact copy, same pixels or edited copy); 1: another one; 2: a file cannot be read.
    """
    from lookalike.core.errors import Interrupted, LookalikeError
    from lookalike.imaging.isolation import pool
    from lookalike.imaging.isolation.limits import DecodeLimits
    from lookalike.verification import files

    try:
        with (
            pool.make_decoders(DecodeLimits.of(max_pixels), workers=2, isolation=not no_isolation) as decoders,
            terminal.quiet_decoders(),
        ):
            found = files.examine(first, second, decoders)
            if picture is not None:
                _draw(picture, first, second, found, decoders)
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
