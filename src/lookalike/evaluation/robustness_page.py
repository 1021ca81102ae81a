"""The report of a robustness run: one HTML page with all pictures inside, no script, and nothing that is fetched.

Every figure in it is computed from the `Outcome`. The first method is the one the page is about; the others are its
peers. Copies that are shown are made anew from the images, which gives the same pixels.

Shapes: Q edited images, V variants.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

from lookalike.errors import ConfigError
from lookalike.evaluation import charts, originals, robustness_pictures
from lookalike.evaluation.copies import Threshold
from lookalike.evaluation.markup import css, text
from lookalike.evaluation.perturbations import EDITS, KINDS
from lookalike.evaluation.robustness import RATES, Cell, Method, Outcome
from lookalike.evaluation.robustness_result import by_kind, edits_of, micro_ap, recall, values, versions

KIND_WORDS = {
    "control": "unchanged",
    "codec": "recompressed or reduced",
    "tone": "values changed",
    "frame": "frame changed",
    "overlay": "overlaid or embedded",
    "chain": "chains of edits",
}
PAIR_WORDS = {
    "all": "all pairs of different images",
    "label": "pairs of one label",
    "neighbours": "neighbours in a folder",
    "look-alikes": f"miniatures correlate by {originals.ALIKE:g} or more",
}
BINS = 17  # points of a line of distances


def page(outcome: Outcome) -> str:
    """The whole page as HTML."""
    template = Template((files("lookalike.evaluation") / "robustness.html").read_text(encoding="utf-8"))
    return template.substitute(
        style=css(),
        headline=text(headline(outcome)),
        measured=_measured(outcome),
        methods=_methods(outcome),
        thresholds=_thresholds(outcome),
        hard=_hard(outcome),
        shares=_shares(outcome),
        more=_more(outcome),
        charts="".join(f"<figure>{chart}</figure>" for chart in edit_charts(outcome).values()),
        distances=_distances(outcome),
        missed=robustness_pictures.missed(outcome),
        false=robustness_pictures.false(outcome),
        closest=robustness_pictures.closest(outcome),
        made=_made(outcome),
    )


def headline(outcome: Outcome) -> str:
    """What the first method found, in a sentence."""
    method = outcome.methods[0]
    count = sum(cell.own_D.sum() for cell in edits_of(method))
    return f"{method.peer.name}: {recall(method, 0):.1%} of {count:,} copies found, at {one_in(RATES[0])} false pairs"


def one_in(rate: float) -> str:
    """A rate in words.

    >>> one_in(1e-4)
    '1 in 10,000'
    """
    return f"1 in {round(1 / rate):,}"


def _measured(outcome: Outcome) -> str:
    found, count = outcome.originals, len(outcome.originals.items)
    sentences = [
        f"Of {len(outcome.edited):,} of {count:,} images copies were made by "
        f"{len({variant.edit for variant in outcome.variants})} edits, {len(outcome.variants)} with all strengths. "
        "Each copy is compared with its original and with all other images. A copy counts as found if it lies within "
        "the threshold. Thresholds are set on the distances of all pairs of different images, which is what a rate of "
        "false pairs refers to. All methods got the same decoded pixels, at most "
        f"{originals.SIDE} a side.",
        *_doubts(outcome),
    ]
    if found.repeated:
        sentences.append(f"{len(found.repeated)} images have the pixels of another one and were left out.")
    if found.skipped:
        named = "; ".join(f"{text(name)}: {text(reason)}" for name, reason in found.skipped[:5])
        more = " …" if len(found.skipped) > 5 else ""
        sentences.append(f"{len(found.skipped)} files could not be read: {named}{more}")
    sentences += [f"{text(name)} was not compared: {text(reason)}." for name, reason in outcome.left_out]
    return "".join(f"<p>{sentence}</p>" for sentence in sentences)


def _doubts(outcome: Outcome) -> Iterator[str]:
    few = [one for one in outcome.methods[0].thresholds if not one.is_measured]
    if few:
        rates = " and ".join(one_in(one.rate) for one in few)
        yield (
            f"<strong>{few[0].pairs:,} pairs of different images are too few to measure a rate of {rates}.</strong> "
            "At those thresholds no pair is false, and all that can be said is the bound in the table below."
        )
    yield (
        "Pairs of the same images are not independent, so the bounds on rates are somewhat narrower than they should "
        "be. Whether a model was trained on these images, cannot be seen here; figures for images that it has seen are "
        "no measure of what it does with others."
    )
    if outcome.suspected:
        yield (
            f"<strong>{len(outcome.suspected)} pairs of images may show the same picture</strong> (listed in "
            "suspected.tsv). They count as different images and so raise the thresholds' price. Look at the closest "
            "pairs below; those that are the same picture can be left out with --same FILE."
        )
    if outcome.same:
        yield f"{len(outcome.same)} pairs were said to be the same picture and count neither way."


# Tables


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """A table of cells that are HTML already; the first of each row is its head, and a row of one cell a heading."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(_row(row, len(head)) for row in rows)
    titled = f"<caption>{caption}</caption>" if caption else ""
    return f'<div class="wide full"><table>{titled}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(row: Sequence[str], width: int) -> str:
    if len(row) == 1:
        return f'<tr class="kind"><th colspan="{width}">{row[0]}</th></tr>'
    return f'<tr><th scope="row">{row[0]}</th>{"".join(map(_cell, row[1:]))}</tr>'


def _cell(content: str) -> str:
    return content if content.startswith("<td") else f"<td>{content}</td>"


def _methods(outcome: Outcome) -> str:
    kinds = [kind for kind in by_kind(outcome.methods[0], 0) if kind != "control"]
    head = ["method", "bits", *(KIND_WORDS[kind] for kind in kinds), "all edits", "µAP", "ms"]
    rows = []
    for method in outcome.methods:
        shares = by_kind(method, 0)
        cells = [_coloured(shares[kind], f"{shares[kind]:.1%}") for kind in kinds]
        total = _coloured(recall(method, 0), f"<b>{recall(method, 0):.1%}</b>")
        time = f"{outcome.milliseconds[method.peer.name]:.2f}"
        name = f'<span title="{text(method.peer.note)}">{text(method.peer.name)}</span>'
        rows.append([name, f"{method.peer.bits or 'vector'}", *cells, total, f"{micro_ap(method):.3f}", time])
    caption = (
        f"Recall at {one_in(RATES[0])} false pairs; means over edits and strengths. µAP: all pairs of copies and "
        f"images in one ranking; of codes without meaning {outcome.micro_chance:.4f}. ms: processor milliseconds for "
        "encoding an image from its pixels, one at a time."
    )
    return table(head, rows, caption)


def _coloured(share: float, shown: str, title: str = "") -> str:
    said = f' title="{text(title)}"' if title else ""
    return f'<td class="share" style="--by: {100 * share:.0f}%"{said}>{shown}</td>'


def _thresholds(outcome: Outcome) -> str:
    rows = [
        [text(method.peer.name), *(_threshold(one, method) for one in method.thresholds)] for method in outcome.methods
    ]
    caption = "The threshold, false pairs among all pairs of different images, and what the true rate is at most (95 %)"
    return table(["method", *(one_in(rate) for rate in RATES)], rows, caption)


def _threshold(one: Threshold, method: Method) -> str:
    doubt = "" if one.is_measured else "; too few pairs"
    where = method.peer.in_words(one.distance) if one.distance >= 0 else "none"
    return f"{where}<br>{one.false} of {one.pairs:,}<br>at most {one.bound:.1e}{doubt}"


def _hard(outcome: Outcome) -> str:
    head = ["method", *(f"{PAIR_WORDS[kind]}" for kind in originals.KINDS), "copies and other images"]
    rows = []
    for method in outcome.methods:
        cells = [_false([method.false[kind][0]]) for kind in originals.KINDS]
        rows.append([text(method.peer.name), *cells, _false([cell.false[0] for cell in method.cells])])
    caption = (
        f"Share of pairs within the threshold of {one_in(RATES[0])}, for pairs that are harder to tell apart, and for "
        "copies with images that are not their originals"
    )
    return table(head, rows, caption)


def _false(shares: Sequence[tuple[int, int, float, float]]) -> str:
    found, total = (sum(share[at] for share in shares) for at in (0, 1))
    if not total:
        return "no such pairs"
    return f"{found / total:.1e}<br>{found:,} of {total:,}" if found else f"0<br>of {total:,}"


def _shares(outcome: Outcome) -> str:
    return _by_edit(outcome, _recall_at(0), "{:.3f}", _recall_title)


def _recall_title(cell: Cell) -> str:
    one = cell.recall[0]
    return (
        f"{one.found} of {one.total}, 95 % from {one.low:.3f} to {one.high:.3f}; error {cell.error:.3f}; "
        f"µAP {cell.micro_ap:.3f}"
    )


def _more(outcome: Outcome) -> str:
    parts = [
        (f"Recall at {one_in(rate)} false pairs", _by_edit(outcome, _recall_at(at), "{:.3f}"))
        for at, rate in enumerate(RATES)
        if at
    ]
    parts.append(("µAP", _by_edit(outcome, lambda cell: cell.micro_ap, "{:.3f}")))
    errors = _by_edit(outcome, lambda cell: cell.error, "{:.3f}", good=lambda error: max(0.0, 1 - 2 * error))
    parts.append(("Bit error rate (of vectors the mean of 1 − cosine)", errors))
    return "".join(f"<details><summary>{title}</summary>{body}</details>" for title, body in parts)


def _recall_at(at: int) -> Callable[[Cell], float]:
    return lambda cell: cell.recall[at].value


def _by_edit(
    outcome: Outcome,
    value: Callable[[Cell], float],
    form: str,
    said: Callable[[Cell], str] = lambda _: "",
    good: Callable[[float], float] = lambda value: value,
) -> str:
    """A table of a value for all variants and methods, by kind of edit; `good` is how green it is, from 0 to 1."""
    rows: list[list[str]] = []
    for kind in KINDS:
        places = [at for at, variant in enumerate(outcome.variants) if EDITS[variant.edit].kind == kind]
        rows += [[KIND_WORDS[kind]]] if places else []
        for at in places:
            variant = outcome.variants[at]
            cells = [method.cells[at] for method in outcome.methods]
            coloured = [_coloured(good(value(cell)), form.format(value(cell)), said(cell)) for cell in cells]
            rows.append([f"<b>{text(variant.edit)}</b> {text(variant.words)}", *coloured])
    return table(["copy", *(text(method.peer.name) for method in outcome.methods)], rows)


# Charts


def edit_charts(outcome: Outcome) -> dict[str, str]:
    """A chart of recall by strength for each edit that has several, by its name."""
    drawn = {}
    for edit in dict.fromkeys(variant.edit for variant in outcome.variants):
        places = [at for at, variant in enumerate(outcome.variants) if variant.edit == edit]
        if len(places) > 1:
            drawn[edit] = _chart(outcome, edit, places)
    return drawn


def _chart(outcome: Outcome, edit: str, places: Sequence[int]) -> str:
    series = {
        method.peer.name: [(float(x), method.cells[at].recall[0].value) for x, at in enumerate(places)]
        for method in outcome.methods
    }
    names = [f"{outcome.variants[at].strength:g}" for at in places]
    ends = ", ".join(f"{name} {line[0][1]:.2f} to {line[-1][1]:.2f}" for name, line in series.items())
    words = f"{edit}: recall at {one_in(RATES[0])} false pairs, from the mildest strength to the hardest: {ends}"
    return charts.lines(series, across=edit, up="recall", words=words, highest=1, names=names)


def _distance_chart(outcome: Outcome, edit: str) -> str:
    """How far the first method puts copies of an edit from their originals, a line for each strength."""
    method = outcome.methods[0]
    width = -(-len(method.cells[0].own_D) // BINS)  # distances a point of the line stands for
    starts, series = np.arange(0, len(method.cells[0].own_D), width), {}
    for cell in method.cells:
        if cell.variant.edit == edit:
            shares = np.add.reduceat(cell.own_D, starts) * (100 / cell.own_D.sum())
            places = ((starts + (width - 1) / 2) / method.peer.scale).tolist()
            series[f"{cell.variant.strength:g}"] = list(zip(places, shares.tolist(), strict=True))
    words = f"{edit}: distances of copies from their originals, by {method.peer.name}, for each strength"
    return charts.lines(series, across=f"{edit}: share of bits that differ", up="% of copies", words=words, highest=100)


def _distances(outcome: Outcome) -> str:
    drawn = []
    for method in outcome.methods:
        own_D = np.sum([cell.own_D for cell in edits_of(method)], axis=0)
        different_D = method.pairs.by_kind["all"]
        across = "distance, bits"
        if not method.peer.bits:  # so many steps would be too fine to see
            own_D, different_D = (np.add.reduceat(one, np.arange(0, len(one), 25)) for one in (own_D, different_D))
            across = "(1 − cosine) · 40"
        words = f"{method.peer.name}: {own_D.sum():,} copies and {different_D.sum():,} pairs of different images"
        chart = charts.histogram_of_counts(own_D, different_D, words=words, across=across)
        drawn.append(f"<figure>{chart}<figcaption>{text(words)}</figcaption></figure>")
    edits = dict.fromkeys(variant.edit for variant in outcome.variants)
    each = "".join(f"<figure>{_distance_chart(outcome, edit)}</figure>" for edit in edits)
    return (
        f'<div class="charts">{"".join(drawn)}</div><details><summary>Copies of each edit, by '
        f'{text(outcome.methods[0].peer.name)}</summary><div class="charts">{each}</div></details>'
    )


def _made(outcome: Outcome) -> str:
    numbers = ", ".join(f"{name} {value}" for name, value in versions(outcome).items())
    notes = "".join(f"<li>{text(method.peer.name)}: {text(method.peer.note)}</li>" for method in outcome.methods)
    return f"<ul>{notes}<li>seed {outcome.settings.seed}</li><li>{text(numbers)}</li></ul>"


# Files


def check(folder: Path) -> None:
    """Raise `ConfigError` unless a report can be written into a folder, which is made if it is not there."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; name a folder with --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made ({error.strerror}); name another folder with --out") from error


def write(outcome: Outcome, folder: Path) -> Path:
    """Write charts, suspected.tsv, result.json and report.html into a folder; the path of the last."""
    check(folder)
    drawn, style = edit_charts(outcome), css()
    (folder / "charts").mkdir(exist_ok=True)
    for edit in EDITS:
        path = folder / "charts" / f"{edit}.svg"
        if edit in drawn:
            path.write_text(charts.alone(drawn[edit], style), encoding="utf-8")
        else:
            path.unlink(missing_ok=True)  # of an earlier run
    names = outcome.originals.names
    pairs = "".join(f"{names[first]}\t{names[second]}\n" for first, second in outcome.suspected)
    (folder / "suspected.tsv").write_text(pairs, encoding="utf-8", errors="surrogateescape")
    (folder / "result.json").write_text(json.dumps(values(outcome), separators=(",", ":")) + "\n", encoding="utf-8")
    report = folder / "report.html"
    report.write_text(page(outcome), encoding="utf-8")
    return report
