"""The report of a robustness run: one HTML page with all pictures inside, no script, and nothing that is fetched.

Every figure in it is computed from the `Outcome`. The first method is the one the page is about; the others are its
peers. Copies that are shown are made anew from the images, which gives the same pixels.

Shapes: Q edited images, V variants.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from string import Template

from lookalike.core import atomic
from lookalike.core.errors import ConfigError
from lookalike.imaging.edits.catalogue import EDITS
from lookalike.reports import charts
from lookalike.reports.markup import css, text
from lookalike.robustness import charts as robustness_charts
from lookalike.robustness import originals, pictures, tables
from lookalike.robustness.result import edits_of, recall, values, versions
from lookalike.robustness.run import RATES, Outcome
from lookalike.robustness.tables import one_in

SUSPECTED = "suspected.tsv"  # pairs of images that may show the same picture


def page(outcome: Outcome) -> str:
    """The whole page as HTML."""
    template = Template((files("lookalike.robustness") / "robustness.html").read_text(encoding="utf-8"))
    return template.substitute(
        style=css(),
        headline=text(headline(outcome)),
        measured=_measured(outcome),
        methods=tables.methods(outcome),
        thresholds=tables.thresholds(outcome),
        hard=tables.hard(outcome),
        shares=tables.shares(outcome),
        more=tables.more(outcome),
        charts="".join(f"<figure>{chart}</figure>" for chart in robustness_charts.by_edit(outcome).values()),
        distances=robustness_charts.distances(outcome),
        missed=pictures.missed(outcome),
        false=pictures.false(outcome),
        closest=pictures.closest(outcome),
        made=_made(outcome),
    )


def headline(outcome: Outcome) -> str:
    """What the first method found, in a sentence."""
    method = outcome.methods[0]
    count = sum(cell.own_D.sum() for cell in edits_of(method))
    return f"{method.peer.name}: {recall(method, 0):.1%} of {count:,} copies found, at {one_in(RATES[0])} false pairs"


def _measured(outcome: Outcome) -> str:
    found, count = outcome.originals, len(outcome.originals.items)
    sentences = [
        f"{len(outcome.edited):,} of {count:,} images were copied with "
        f"{len({variant.edit for variant in outcome.variants})} edits, {len(outcome.variants)} with all strengths. "
        "Each copy is compared with its original and all other images, and found if it is within the threshold. "
        "Thresholds and rates refer to all pairs of different images. All methods got the same decoded pixels, at most "
        f"{originals.SIDE} a side.",
        *_doubts(outcome),
    ]
    if found.repeated:
        sentences.append(f"Left out because another image has the same pixels: {len(found.repeated)}.")
    if found.skipped:
        named = "; ".join(f"{text(name)}: {text(reason)}" for name, reason in found.skipped[:5])
        more = " …" if len(found.skipped) > 5 else ""
        sentences.append(f"Left out because they could not be read: {len(found.skipped)}: {named}{more}")
    sentences += [f"{text(name)} was not compared: {text(reason)}." for name, reason in outcome.left_out]
    return "".join(f"<p>{sentence}</p>" for sentence in sentences)


def _doubts(outcome: Outcome) -> Iterator[str]:
    few = [one for one in outcome.methods[0].thresholds if not one.is_measured]
    if few:
        rates = " and ".join(one_in(one.rate) for one in few)
        yield (
            f"<strong>{few[0].pairs:,} pairs of different images are too few to measure a rate of {rates}.</strong> "
            "Their thresholds have no false pair; the table below gives an upper bound of the rate."
        )
    yield (
        "Pairs that share an image are not independent, so the bounds are somewhat too narrow. Figures for images that "
        "a model was trained on do not hold for others."
    )
    if outcome.suspected:
        yield (
            f"<strong>Pairs of images that may show the same picture: {len(outcome.suspected)}</strong> (listed in "
            "suspected.tsv). They count as different images, which makes thresholds too strict if they are not. Check "
            "the closest pairs below, and name those that show the same picture with --same FILE."
        )
    if outcome.same:
        yield f"Pairs named as the same picture, which do not count: {len(outcome.same)}."


def _made(outcome: Outcome) -> str:
    numbers = ", ".join(f"{name} {value}" for name, value in versions(outcome).items())
    notes = "".join(f"<li>{text(method.peer.name)}: {text(method.peer.note)}</li>" for method in outcome.methods)
    return f"<ul>{notes}<li>seed {outcome.settings.seed}</li><li>{text(numbers)}</li></ul>"


def check(folder: Path) -> None:
    """Raise `ConfigError` unless a report can be written into a folder, which need not be there yet."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; name a folder with --out")
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not (place.is_dir() and os.access(place, os.W_OK)):
        raise ConfigError(f"{folder} cannot be made, as {place} cannot be written to; name another folder with --out")


def write(outcome: Outcome, folder: Path) -> Path:
    """Write charts, suspected.tsv, result.json and report.html into a folder; the path of the last."""
    drawn, style = robustness_charts.by_edit(outcome), css()
    (folder / "charts").mkdir(parents=True, exist_ok=True)
    for edit in EDITS:
        path = folder / "charts" / f"{edit}.svg"
        if edit in drawn:
            atomic.write(path, charts.alone(drawn[edit], style).encode())
        else:
            path.unlink(missing_ok=True)  # of an earlier run
    names = outcome.originals.names
    pairs = "".join(f"{names[first]}\t{names[second]}\n" for first, second in outcome.suspected)
    atomic.write(folder / SUSPECTED, pairs.encode("utf-8", "surrogateescape"))
    atomic.write(folder / "result.json", (json.dumps(values(outcome), separators=(",", ":")) + "\n").encode())
    report = folder / "report.html"
    atomic.write(report, page(outcome).encode())
    return report
