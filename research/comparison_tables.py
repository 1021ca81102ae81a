"""The extended Table III: mAP of all methods on features of one backbone, by length, with lower and upper bound."""

from __future__ import annotations

from collections.abc import Sequence

from research.experiments import BITS, LABEL_FREE, METHOD_EPOCHS, METHOD_NAMES, NESTED, SETUPS, SUPERVISED
from research.hashing.methods import METHODS
from research.results import Result, spread
from research.tables import NOT_RUN, Table

LOSS = 0.01  # of mAP that is acceptable for the first bits of a nested code
REFERENCE = "linear-classifier"
PROTOCOLS = {"paper": "the paper's protocol", "cifar10-1": "protocol cifar10-1"}


def tables(results: Sequence[Result]) -> list[Table]:
    """A table for each data set and protocol."""
    return [_table(results, dataset, protocol) for dataset, protocol in _setups(results)]


def nested(results: Sequence[Result]) -> Table:
    """Nested codes, trained once for all lengths, compared with codes trained for one length."""
    rows = []
    for dataset, protocol in _setups(results):
        here = [one for one in results if (one.dataset, one.protocol) == (dataset, protocol)]
        for name, alone in NESTED.items():
            for bits in BITS:
                found = [_map(here, model, bits) for model in (name, alone)]
                if all(found):
                    means = [sum(values) / len(values) for values in found]
                    rows.append((
                        dataset, _by(protocol), title(alone), str(bits), *map(spread, found),
                        f"{means[0] - means[1]:+.3f}",
                    ))  # fmt: skip
    header = ("data set", "protocol", "method", "bits", "first bits of a nested code", "trained alone", "difference")
    return Table("One training for all lengths", header, tuple(rows))


def nested_losses(results: Sequence[Result]) -> str:
    """Where the first bits of a nested code lose too much mAP against codes trained for that length."""
    found = []
    for dataset, protocol, method, bits, first, alone, difference in nested(results).rows:
        if float(difference) < -LOSS:
            found.append(f"- {dataset}, {protocol}, {method}, {bits} bits: {first} compared with {alone}")
    return "\n".join(found) or "Nowhere."


def shortfalls(results: Sequence[Result]) -> str:
    """Which supervised methods have a lower mAP than the codes of a linear classifier, and where."""
    found = []
    for dataset, protocol in _setups(results):
        here = [one for one in results if (one.dataset, one.protocol) == (dataset, protocol)]
        for bits in BITS:
            reference = _map(here, REFERENCE, bits)
            below = [
                title(model)
                for model in SUPERVISED
                if (values := _map(here, model, bits)) and reference and _mean(values) < _mean(reference)
            ]
            if below:
                found.append(f"- {dataset}, {_by(protocol)}, {bits} bits: {', '.join(below)}")
    return "\n".join(found) or "None."


def _setups(results: Sequence[Result]) -> list[tuple[str, str]]:
    """The usual data sets with their protocols, and others that were run."""
    run = {(one.dataset, one.protocol) for one in results if one.model in METHOD_NAMES and one.protocol != "smoke"}
    return [*SETUPS, *sorted(run - set(SETUPS))]


def _by(protocol: str) -> str:
    return PROTOCOLS.get(protocol, f"protocol {protocol}")


def title(model: str) -> str:
    """Display name of a method."""
    return METHODS[model].title if model in METHODS else model


def _table(results: Sequence[Result], dataset: str, protocol: str) -> Table:
    here = [one for one in results if (one.dataset, one.protocol) == (dataset, protocol)]
    groups = (("learns from labels", SUPERVISED), ("learns without labels", LABEL_FREE))
    run = {one.model for one in here} or {*SUPERVISED, *LABEL_FREE}
    rows = [
        (group, title(model), *(_cell(here, model, bits) for bits in BITS), _seconds(here, model))
        for group, models in groups
        for model in models
        if model in run
    ]
    left = [title(model) for _, models in groups for model in models if model not in run]
    rows.append(("reference", "a random code for each class of a linear classifier",
                 *(_cell(here, REFERENCE, bits) for bits in BITS), _seconds(here, REFERENCE)))  # fmt: skip
    cosines = [one for one in here if one.model == "cosine"]
    for group, what, name in (
        ("no codes", "the features themselves, cosine", "expected"),
        ("chance", "a random order", "chance"),
    ):
        cell = spread([one.number("metrics", "map", name) for one in cosines]) if cosines else NOT_RUN
        rows.append((group, what, *[cell] * len(BITS), "–"))
    head = ("", "method", *(f"{bits} bits" for bits in BITS), "seconds a run")
    about = here[0].values["settings"]["backbone"] if here else ""
    where = here[0].values["settings"]["title"] if here else dataset
    command = (
        f"`python -m research run --dataset {dataset} --protocol {protocol} --models NAMES --epochs {METHOD_EPOCHS}`"
    )
    notes = [f"Features: {about}. mAP over the whole database, expected ties. {command}"]
    if left:
        notes.append(f"Not run here: {', '.join(left)}.")
    return Table(f"{where}, {_by(protocol)}", head, tuple(rows), tuple(notes))


def _cell(results: Sequence[Result], model: str, bits: int) -> str:
    values = _map(results, model, bits)
    return spread(values) if values else NOT_RUN


def _map(results: Sequence[Result], model: str, bits: int) -> list[float]:
    """mAP of the longest runs, by seed."""
    found = [one for one in results if (one.model, one.bits) == (model, bits)]
    longest = max((one.epochs for one in found), default=0)
    return [one.number("metrics", "map", "expected") for one in found if one.epochs == longest]


def _seconds(results: Sequence[Result], model: str) -> str:
    found = [one.number("seconds", "training") for one in results if one.model == model]
    return f"{_mean(found):.0f}" if found else "–"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
