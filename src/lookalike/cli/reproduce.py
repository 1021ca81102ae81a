from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli import options, terminal


class Table(StrEnum):
    """The paper's tables."""

    ONE = "1"
    TWO = "2"
    THREE = "3"


class Figure(StrEnum):
    """The paper's figures that show results."""

    FIVE = "5"
    SIX = "6"


def command(
    table: Annotated[Table | None, typer.Option("--table", help="Only the runs behind this table.")] = None,
    figure: Annotated[Figure | None, typer.Option("--figure", help="Only the runs behind this figure.")] = None,
    dataset: Annotated[str, typer.Option("--dataset", metavar="NAMES", help="Data sets, with commas between.")] = "",
    bits: Annotated[str, typer.Option("--bits", metavar="NUMBERS", help="Lengths of codes, with commas between.")] = "",
    models: Annotated[str, typer.Option("--models", metavar="NAMES", help="Models, with commas between.")] = "",
    protocol: Annotated[
        str, typer.Option("--protocol", metavar="NAME", help="Only this protocol of the methods that are compared.")
    ] = "",
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Epochs of each run.")] = None,
    seeds: Annotated[str, typer.Option("--seeds", metavar="NUMBERS", help="Seeds, with commas between.")] = "0",
    device: Annotated[str, typer.Option("--device", help="Where to train: cpu, cuda, mps.")] = "cpu",
    data: options.Data = options.DATA,
    results: Annotated[Path, typer.Option("--results", metavar="DIR", help="Folder of the results.")] = Path(
        "reproduction/results"
    ),
    report: Annotated[bool, typer.Option("--report", help="Run nothing; write the page of what there is.")] = False,
    page: Annotated[Path, typer.Option("--page", metavar="FILE", help="The page to write.")] = Path(
        "docs/reproduction.md"
    ),
    smoke: Annotated[bool, typer.Option("--smoke", help="One tiny run of every part, in a temporary folder.")] = False,
) -> None:
    """Run the paper's tables and figures anew: what has no result yet, from where a killed run stopped.

    Needs the data sets under --data (see: lookalike datasets) and the extra: lookalike[reproduce]
    """
    from lookalike.data.datasets import DATASETS
    from lookalike.models import MODELS
    from lookalike.recipes import comparison, paper
    from lookalike.reproduction import comparison as comparing
    from lookalike.reproduction import report as reports
    from lookalike.reproduction import run
    from lookalike.reproduction.places import Places

    if table and figure:
        raise typer.BadParameter("give a table or a figure, not both", param_hint="--table, --figure")
    if smoke and report:
        raise typer.BadParameter("writes its page by itself", param_hint="--smoke")
    if smoke:
        folder = Path(tempfile.mkdtemp(prefix="lookalike-smoke-"))
        places = Places(data=data, results=folder / "results", work=folder / "work")
        run.run_all(paper.smoke(), places, device=device, say=terminal.say)
        comparing.run_all(comparison.smoke(), places, device=device, say=terminal.say)
        written = reports.write(places.results, folder / "reproduction.md", protocol="smoke")
        typer.echo(f"all parts work; the page made of these runs means nothing: {terminal.shown(written[0])}")
        return
    if report:
        for path in reports.write(results, page):
            typer.echo(terminal.shown(path))
        return
    named, sets, lengths = _names(models), _names(dataset), _numbers(bits, "bits")
    _check(named, (*MODELS, *comparison.MODELS), "--models")
    _check(sets, tuple(DATASETS), "--dataset")
    _check(_names(protocol), sorted({one[1] for one in comparison.SETUPS}), "--protocol")
    some = named or (table, figure) != (None, None)
    chosen = {"seeds": _numbers(seeds, "seeds") or (0,)}
    wanted = paper.experiments(
        datasets=sets or (("cifar10",) if figure else ()),
        models=tuple(name for name in named if name not in comparison.MODELS) or _models(table, figure),
        bits=lengths or _bits(table, figure),
        epochs=epochs or paper.EPOCHS,
        **chosen,
    )
    compared = comparison.comparisons(
        setups=tuple(one for one in comparison.SETUPS if (not sets or one[0] in sets) and protocol in ("", one[1])),
        models=tuple(name for name in named if name in comparison.MODELS) or comparison.MODELS,
        bits=lengths or comparison.BITS,
        epochs=epochs or comparison.EPOCHS,
        **chosen,
    )
    if named and not set(named) - set(comparison.MODELS):
        wanted = []
    if some and not (set(named) & set(comparison.MODELS) or table == Table.THREE):
        compared = []
    run.check(wanted)
    comparing.check(compared)
    places = Places(data=data, results=results, work=results.parent / "work")
    count = run.run_all(wanted, places, device=device, say=terminal.say)
    count += comparing.run_all(compared, places, device=device, say=terminal.say)
    had = len(wanted) + len(compared) - count
    typer.echo(
        f"{terminal.count(count, 'run')} made, {had} there before, in {results}; next: lookalike reproduce --report"
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _check(names: Iterable[str], known: Collection[str], option: str) -> None:
    """Raise for a name that nothing has."""
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"there is no {name!r} here; there are {', '.join(known)}", param_hint=option)


def _numbers(text: str, name: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of numbers, such as 16,32", param_hint=f"--{name}") from None


def _models(table: Table | None, figure: Figure | None) -> tuple[str, ...]:
    """The models whose results a table or figure shows; nothing for all."""
    if figure == Figure.SIX:
        return ("cvae",)
    return ("csvae",) if table == Table.THREE else ()


def _bits(table: Table | None, figure: Figure | None) -> tuple[int, ...]:
    """The lengths that a table or figure shows; nothing for those of a whole reproduction."""
    if figure == Figure.FIVE:
        return (64,)
    if figure == Figure.SIX:
        return (16, 32, 64, 128)
    return (16, 32, 64) if table == Table.THREE else ()
