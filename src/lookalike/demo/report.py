"""The page of a run: one HTML file with all pictures inside, no script, and nothing that is fetched.

Every figure in it is computed from the `Outcome`. Shapes: Q copies, C pictures in the database, N photographs,
S pixels a side.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from importlib.resources import files
from string import Template
from typing import NamedTuple

import numpy as np

from lookalike.demo import photos
from lookalike.demo.edits import EDITS
from lookalike.demo.gallery import breakable, frame, pair, search
from lookalike.demo.ranking import Floats
from lookalike.demo.run import Method, Outcome, count
from lookalike.imaging import decode
from lookalike.reports import charts
from lookalike.reports.markup import css, text

ROWS = 8  # searches shown, of those that missed and of those that found
RECONSTRUCTED = 8  # photographs shown with their reconstruction


def page(outcome: Outcome) -> str:
    """The whole page as HTML."""
    template = Template((files("lookalike.demo") / "template.html").read_text(encoding="utf-8"))
    missed, found = chosen(outcome)
    return template.substitute(
        style=css(),
        headline=_headline(outcome),
        happened=_happened(outcome),
        figures=_figures(outcome),
        shares=_shares(outcome),
        edits=_edits(outcome),
        misses=_misses(outcome, missed),
        found=_found(outcome, found),
        distances=_distances(outcome),
        reconstructions=_reconstructions(outcome),
        training=_training(outcome),
        commands=_commands(outcome),
        made=_made(outcome),
    )


class Chosen(NamedTuple):
    """Rows of the copies whose searches are shown."""

    missed: list[int]
    found: list[int]


def chosen(outcome: Outcome) -> Chosen:
    """The worst misses, the worst first, and one search that found its original for each edit where there is one."""
    model = outcome.methods[0]
    order = np.lexsort((np.arange(len(outcome.copies)), -model.rank))
    missed = [int(row) for row in order if model.first[row] < 1]
    found = {}
    for offset, edit in enumerate(EDITS):
        rows = [row for row, copy in enumerate(outcome.copies) if copy.edit == edit and model.first[row] == 1]
        if rows:
            found[edit] = rows[offset * len(rows) // len(EDITS)]  # another photograph for each edit
    return Chosen(missed[:ROWS], list(found.values()))


# Text


def _headline(outcome: Outcome) -> str:
    share = outcome.methods[0].first.mean()
    return f"{share:.1%} of {len(outcome.copies):,} manipulated copies found their original first"


def _happened(outcome: Outcome) -> str:
    collection, info = outcome.collection, outcome.trained.info
    origin = f"of {text(outcome.named)}" if outcome.named else "that come with scikit-image and scikit-learn"
    taken = f"{_drawn(outcome)} {origin}"
    paragraphs = [
        f"From {taken}, at most {photos.SIDE} pixels a side, {len(EDITS)} manipulated copies each were made. "
        f"A {info.model.upper()} of {info.bits} bits was trained, without labels, in {outcome.seconds['train']:.0f} "
        "seconds. With it the photographs were put into a database, "
        f"among {collection.distractors} distractors: {len(collection.crops)} parts of the same photographs and "
        f"{len(collection.others)} other pictures. Then each copy was searched for.",
        "<strong>What these figures show, and what not.</strong> The model was trained on these very photographs, on "
        "their parts, and on edited variants of both (others than the copies that are searched for, but made in like "
        "ways). So the figures show that everything works together; they are no measure of how a model does on "
        f"photographs that it has not seen.{_unseen(outcome)}",
    ]
    return "".join(f"<p>{paragraph}</p>" for paragraph in [*paragraphs, *_left_out(outcome)])


def _drawn(outcome: Outcome) -> str:
    collection = outcome.collection
    if len(collection.photos) == photos.MOST < collection.found:
        return f"{count(photos.MOST, 'photograph')}, drawn (seed {outcome.seed}) from {count(collection.found, 'file')}"
    return count(len(collection.photos), "photograph")


def _unseen(outcome: Outcome) -> str:
    """What stands beside this model, as a sentence, where there is a built-in model."""
    return "".join(f" Beside it stands the built-in model {text(built_in.note)}." for built_in in outcome.methods[2:])


def _left_out(outcome: Outcome) -> Iterable[str]:
    skipped, repeated = outcome.collection.skipped, outcome.collection.repeated
    if skipped:
        named = "; ".join(f"{text(name)}: {text(reason)}" for name, reason in skipped[:5])
        yield f"{count(len(skipped), 'file')} could not be read: {named}{' …' if len(skipped) > 5 else ''}."
    if repeated:
        yield f"Left out for holding the same picture as another one: {count(repeated, 'file')}."


def _figures(outcome: Outcome) -> str:
    cards = [
        (
            f"{method.first.mean():.1%}",
            f"original first: {method.name}, {method.bits} bits, {method.note}",
        )
        for method in outcome.methods
    ]
    cards.append((f"{_chance(outcome):.1%}", f"chance: one of {len(outcome.collection.pictures)} pictures"))
    return "".join(f"<li><b>{text(value)}</b>{text(words)}</li>" for value, words in cards)


def _chance(outcome: Outcome) -> float:
    return 1 / len(outcome.collection.pictures)


def _shares(outcome: Outcome) -> str:
    rows = [(edit.words, _of_edit(outcome, name)) for name, edit in EDITS.items()]
    body = "".join(_share_row(words, [method.first[of].mean() for method in outcome.methods]) for words, of in rows)
    every = _share_row("all copies", [method.first.mean() for method in outcome.methods])
    chance = _share_row("chance", [_chance(outcome)] * len(outcome.methods))
    names = "".join(f'<th scope="col">{text(method.name)}</th>' for method in outcome.methods)
    return (
        f'<div class="wide"><table><caption>Share of copies whose original is the nearest of all '
        f"{len(outcome.collection.pictures)} pictures; {len(outcome.collection.photos)} copies a row</caption>"
        f'<thead><tr><th scope="col">copy</th>{names}</tr></thead><tbody>{body}</tbody>'
        f"<tfoot>{every}{chance}</tfoot></table></div>"
        '<p class="soft">The same files, the same candidates and the same rule for all: an original comes first if no '
        "other picture is nearer; where n pictures share its distance it counts as 1/n, the expectation over their "
        "order. pHash is imagehash's, of 64 bits.</p>"
    )


def _of_edit(outcome: Outcome, edit: str) -> list[int]:
    return [row for row, copy in enumerate(outcome.copies) if copy.edit == edit]


def _share_row(words: str, shares: Sequence[float]) -> str:
    cells = "".join(f"<td>{share:.1%}</td>" for share in shares)
    return f'<tr><th scope="row">{text(words)}</th>{cells}</tr>'


# Pictures


def _edits(outcome: Outcome) -> str:
    photo = outcome.collection.photos[0]
    cells = [frame(photo.path, f"the photograph {photo.name}", f"<b>{breakable(photo.name)}</b>")]
    for copy in outcome.copies[: len(EDITS)]:
        words = EDITS[copy.edit].words
        cells.append(frame(copy.path, f"copy of {photo.name}: {words}", text(words)))
    return f'<div class="row">{"".join(cells)}</div>'


def _misses(outcome: Outcome, rows: list[int]) -> str:
    every = int((outcome.methods[0].first < 1).sum())
    if not rows:
        return "<p>Nothing: every original came first.</p>"
    shown = f"The {len(rows)} worst" if every > len(rows) else "All"
    words = (
        f"{shown} of {every} searches in which the original did not come first alone, the worst first. Its place is "
        "outlined; where it is not among the nearest, it stands last."
    )
    return f"<p>{words}</p>{_searches(outcome, rows)}"


def _found(outcome: Outcome, rows: list[int]) -> str:
    if not rows:
        return "<p>Nothing: no original came first alone.</p>"
    return f"<p>One search for each kind of copy. The original is outlined.</p>{_searches(outcome, rows)}"


def _searches(outcome: Outcome, rows: Iterable[int]) -> str:
    return "".join(search(outcome, row) for row in rows)


def _reconstructions(outcome: Outcome) -> str:
    scaled_NSS = min_max(outcome.arrays)
    errors_N = squared_errors(scaled_NSS, outcome.reconstructions)
    flat = float(scaled_NSS.var(axis=(1, 2)).mean())
    rows = np.unique(np.linspace(0, len(errors_N) - 1, RECONSTRUCTED).round().astype(int))
    pairs = "".join(
        pair(scaled_NSS[row], outcome.reconstructions[row], outcome.collection.photos[row].name, errors_N[row])
        for row in rows
    )
    bits, side = outcome.trained.info.bits, outcome.trained.info.image.side
    return (
        f"<p>Above, the photograph as the model takes it: grey, {side} × {side} pixels, scaled so that its values span "
        f"0 to 1. Beneath, what the decoder makes of its {bits} latents. The mean squared error (MSE) a pixel, in "
        f"units of that scale squared, is {errors_N.mean():.4f} ± {errors_N.std():.4f} (mean and standard deviation "
        f"over all {len(errors_N)} photographs); painting each photograph in its own mean grey would give {flat:.4f}."
        "</p>"
        f'<div class="row">{pairs}</div>'
    )


def min_max(arrays_NSS: decode.Array) -> Floats:
    """Each image scaled so that its values span [0, 1], as the model scales it; one grey alone becomes 0."""
    low_N11, high_N11 = arrays_NSS.min(axis=(1, 2), keepdims=True), arrays_NSS.max(axis=(1, 2), keepdims=True)
    range_N11 = np.maximum(high_N11.astype(np.float64) - low_N11, 1.0)
    return np.asarray((arrays_NSS.astype(np.float64) - low_N11) / range_N11)


def squared_errors(one_NSS: Floats, other_NSS: Floats) -> Floats:
    """Mean squared error a pixel, (N,)."""
    return np.asarray(np.square(one_NSS - other_NSS).mean(axis=(1, 2)))


# Charts


def _distances(outcome: Outcome) -> str:
    drawn = "".join(_histogram(outcome, method) for method in outcome.methods[:2])
    info = outcome.trained.info
    return (
        "<p>Copies should lie near their originals and far from everything else. The second kind are all pairs of a "
        "copy and a picture in the database that is not its photograph or a part of it.</p>"
        f'<div class="charts">{drawn}</div>'
        f'<p class="soft">In words, this model calls a distance of 0 identical, up to {info.duplicate} bits '
        f"near-duplicate, up to {info.similar} similar: of {info.pairs:,} pairs of its training and held-out pictures "
        f"at most 1 in 100 were that similar, and 1 in 10,000 within {info.near}. Near-duplicate is at most that, and "
        "at most a sixteenth of the bits. Since many of these are variants of one photograph, the words are stricter "
        "here than with a model trained on a collection of different pictures.</p>"
    )


def _histogram(outcome: Outcome, method: Method) -> str:
    photo_C = np.array([-1 if one.photo is None else one.photo for one in outcome.collection.pictures])
    same = np.take_along_axis(method.distances, method.right[:, None], axis=1).ravel()
    different = method.distances[photo_C[None, :] != method.right[:, None]]
    words = (
        f"{method.name}: {same.size:,} pairs of a copy and its original, mean distance {same.mean():.1f} bits; "
        f"{different.size:,} pairs of different photographs, mean {different.mean():.1f} bits"
    )
    chart = charts.histogram(same, different, bits=method.bits, words=words)
    return f"<figure>{chart}<figcaption>{text(words)}</figcaption></figure>"


def _training(outcome: Outcome) -> str:
    trained = outcome.trained
    history, info = trained.history, trained.info
    series = {
        "training": [(record.epoch, record.train["total"]) for record in history],
        "validation": [(record.epoch, record.validation["total"]) for record in history],
    }
    last = history[-1]
    words = (
        f"Loss (negative evidence lower bound), nats an image, after each of {last.epoch} epochs: training "
        f"{last.train['total']:.0f} and validation {last.validation['total']:.0f} at the end"
    )
    chart = charts.lines(series, across="epoch", up="loss, nats an image", words=words)
    sentences = [*_cut_short(outcome), *trained.collapse.sentences]
    found = "".join(f"<p>{text(sentence)}</p>" for sentence in sentences)
    return (
        f"<p>{info.data_images} pictures trained and {info.data_validation} more were held out. Those held out are "
        f"variants of the same photographs, too, so the validation loss says little of others.</p>"
        f'<div class="charts"><figure>{chart}<figcaption>{text(words)}.</figcaption></figure></div>{found}'
    )


def _cut_short(outcome: Outcome) -> Iterable[str]:
    epochs, planned = outcome.trained.info.epochs, outcome.planned_epochs
    if epochs < planned:
        yield (
            f"The time for training was up in epoch {epochs} of {planned}, so the model is less than it could be; "
            "on an idle machine it gets further."
        )


# The end


def _commands(outcome: Outcome) -> str:
    example = shlex.quote(os.fspath(outcome.copies[0].path))
    db = shlex.quote(os.fspath(outcome.folder / "db"))
    commands = f"""\
lookalike search {example} --db {db}     # once more, by hand
lookalike index ~/Pictures --db pictures.db     # with the built-in model
lookalike search photo.jpg --db pictures.db
lookalike duplicates --db pictures.db
lookalike train ~/Pictures --out mine.onnx     # learn a model of your own
lookalike demo ~/Pictures --out demo-of-mine     # this page, of your photographs"""
    return f"<pre><code>{text(commands)}</code></pre>"


def _made(outcome: Outcome) -> str:
    seconds = ", ".join(f"{step} {value:.1f} s" for step, value in outcome.seconds.items())
    versions = ", ".join(f"{name} {value}" for name, value in outcome.versions.items())
    info = outcome.trained.info
    name = f"{info.name}, θ {info.theta_digest}"
    return (
        f"<ul><li>Seed {outcome.seed}; {info.epochs} epochs; model {text(name)}</li>"
        f"<li>{text(seconds)}; in all {sum(outcome.seconds.values()):.0f} s on {os.cpu_count()} cores</li>"
        f"<li>{text(versions)}</li></ul>"
    )
