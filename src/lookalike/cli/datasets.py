from __future__ import annotations

from typing import Annotated

import typer

from lookalike.cli import options, terminal


def command(
    action: Annotated[str | None, typer.Argument(metavar="get", help="Fetch a data set; else list them all.")] = None,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The data set to fetch: cifar10.")] = None,
    data: options.Data = options.DATA,
    json: options.Json = False,
) -> None:
    """List the data sets that methods are measured on, or fetch one."""
    if action is None:
        _list(data, json=json)
    elif action == "get" and name is not None:
        _get(name, data)
    else:
        raise typer.BadParameter("expected nothing, or: get cifar10", param_hint="get NAME")


def _list(data: options.Data, *, json: bool) -> None:
    from lookalike.data.datasets import ABOUT, where

    for name, about in ABOUT.items():
        place = where(name, data)
        if json:
            values = {"name": name, "what": about.what, "places": [str(data / one) for one in about.places]}
            terminal.echo_json({**values, "path": None if place is None else str(place)})
            continue
        found = f"not found: {terminal.shown(data / about.places[0])}" if place is None else terminal.shown(place)
        typer.echo(f"{name}\t{about.what}\t{found}")


def _get(name: str, data: options.Data) -> None:
    from lookalike.core.errors import DataError
    from lookalike.data.datasets import ABOUT, check_name
    from lookalike.data.fetch import get_cifar10

    check_name(name)
    if name != "cifar10":
        places = " or ".join(str(data / place) for place in ABOUT[name].places)
        raise DataError(f"{name} cannot be fetched from here; get it from its makers, and put it in {places}")
    with terminal.progress("fetching CIFAR-10", unit="B", scaled=True) as show:
        place = get_cifar10(data, progress=show)
    typer.echo(terminal.shown(place))
