from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import options, terminal
from lookalike.core.errors import ConfigError

if TYPE_CHECKING:
    from lookalike.database.absent import Losses

MUCH = 0.1  # share of a root's images above which the user must confirm


def command(
    db: options.Db,
    dry_run: options.DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, even if much is gone.")] = False,
    originals: Annotated[
        bool, typer.Option("--originals", help="Delete the kept originals of forgotten images, too.")
    ] = False,
) -> None:
    """Forget images whose files are gone. Images out of reach, such as on an unplugged drive, are kept."""
    from lookalike import opening

    with opening.open(db) as database:
        losses = database.losses()
        terminal.name_unreachable([place for place in losses.unreachable if place.images], db)
        for loss in losses.roots:
            rest = loss.gone - len(loss.names)
            names = ", ".join(name[len(loss.root.rstrip("/")) + 1 :] for name in loss.names)
            typer.echo(
                f"{terminal.shown(loss.root)}: {loss.gone} of {terminal.count(loss.known, 'image')} gone "
                f"({loss.share:.0%}): {terminal.shown(names)}{f' and {rest} more' if rest else ''}"
            )
        if dry_run:
            typer.echo(f"{terminal.count(len(losses.ids), 'image')} would be forgotten; nothing was changed")
            return
        if not (yes or _agreed(losses)):
            typer.echo("Nothing was changed")
            return
        count = database.prune(losses.ids, originals=originals)
        typer.echo(f"{terminal.count(count, 'image')} forgotten; {terminal.shown(db)} has {len(database)}")


def _agreed(losses: Losses) -> bool:
    """Whether the user agrees to remove many images. Raises `ConfigError` if nobody can be asked."""
    much = [loss for loss in losses.roots if loss.share > MUCH]
    if not much:
        return True
    if not sys.stdin.isatty():
        raise ConfigError(
            f"{much[0].share:.0%} of the images in {much[0].root} are gone; if they were deleted on purpose, run "
            "prune again with --yes. Nothing was changed"
        )
    return typer.confirm(f"Forget {terminal.count(len(losses.ids), 'image')}?", err=True)
