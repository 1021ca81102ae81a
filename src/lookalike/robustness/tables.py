"""The tables in the report of a robustness run, as HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lookalike.imaging import thumbnail
from lookalike.imaging.edits.catalogue import EDITS, KINDS
from lookalike.metrics.retrieval_stats import Share, Threshold
from lookalike.reports.markup import text
from lookalike.robustness import originals
from lookalike.robustness.result import by_kind, micro_ap, recall
from lookalike.robustness.run import RATES, Cell, Method, Outcome

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
    "look-alikes": f"thumbnails correlate by {thumbnail.ALIKE:g} or more",
}


def one_in(rate: float) -> str:
    """A rate in words.

    >>> one_in(1e-4)
    '1 in 10,000'
    """
    return f"1 in {round(1 / rate):,}"


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


def methods(outcome: Outcome) -> str:
    """Recall by kind of edit, µAP and time of all methods."""
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
        f"images in one ranking; {outcome.micro_chance:.4f} for random codes. ms: CPU time for encoding one image from "
        "its pixels."
    )
    return table(head, rows, caption)


def _coloured(share: float, shown: str, title: str = "") -> str:
    said = f' title="{text(title)}"' if title else ""
    return f'<td class="share" style="--by: {100 * share:.0f}%"{said}>{shown}</td>'


def thresholds(outcome: Outcome) -> str:
    """The thresholds of all rates, and what is known of the true rates."""
    rows = [
        [text(method.peer.name), *(_threshold(one, method) for one in method.thresholds)] for method in outcome.methods
    ]
    caption = "Threshold, false pairs among all pairs of different images, and the upper bound of the true rate (95 %)"
    return table(["method", *(one_in(rate) for rate in RATES)], rows, caption)


def _threshold(one: Threshold, method: Method) -> str:
    doubt = "" if one.is_measured else "; too few pairs"
    where = method.peer.in_words(one.distance) if one.distance >= 0 else "none"
    return f"{where}<br>{one.false} of {one.pairs:,}<br>at most {one.bound:.1e}{doubt}"


def hard(outcome: Outcome) -> str:
    """The share of false pairs among pairs that are harder to tell apart."""
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


def _false(shares: Sequence[Share]) -> str:
    found, total = (sum(share[at] for share in shares) for at in (0, 1))
    if not total:
        return "no such pairs"
    return f"{found / total:.1e}<br>{found:,} of {total:,}" if found else f"0<br>of {total:,}"


def shares(outcome: Outcome) -> str:
    """Recall of each edit at each strength."""
    return _by_edit(outcome, _recall_at(0), "{:.3f}", _recall_title)


def _recall_title(cell: Cell) -> str:
    one = cell.recall[0]
    return (
        f"{one.found} of {one.total}, 95 % from {one.low:.3f} to {one.high:.3f}; error {cell.error:.3f}; "
        f"µAP {cell.micro_ap:.3f}"
    )


def more(outcome: Outcome) -> str:
    """The same for other rates, µAP and bit errors, folded."""
    parts = [
        (f"Recall at {one_in(rate)} false pairs", _by_edit(outcome, _recall_at(at), "{:.3f}"))
        for at, rate in enumerate(RATES)
        if at
    ]
    parts.append(("µAP", _by_edit(outcome, lambda cell: cell.micro_ap, "{:.3f}")))
    errors = _by_edit(outcome, lambda cell: cell.error, "{:.3f}", good=lambda error: max(0.0, 1 - 2 * error))
    parts.append(("Bit error rate (for vectors, the mean of 1 − cosine)", errors))
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
