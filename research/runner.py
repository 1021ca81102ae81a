"""One resumable runner for all runs: autoencoders, codes of pixels (`pixels`), and methods on features (`methods`).

Runs with a result are skipped. A killed run resumes from its last checkpoint and ends with the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

from lookalike.core.codes import check_bits
from lookalike.core.errors import ConfigError, Interrupted
from research import autoencoders, datasets, methods, pixels
from research.experiments import (
    AUTOENCODERS,
    LENGTHS,
    METHOD_NAMES,
    NESTED,
    OTHER_AUTOENCODERS,
    PIXEL_BASELINES,
    Experiment,
)
from research.hashing.pixels import changed
from research.results import Places

PIXELS = (*AUTOENCODERS, *OTHER_AUTOENCODERS, *PIXEL_BASELINES)
MODELS = (*PIXELS, *METHOD_NAMES)


def run_all(
    experiments: Sequence[Experiment], places: Places, *, device: str = "cpu", say: Callable[[str], None]
) -> int:
    """Run all experiments without a result, and return their number. Raises `Interrupted` on Ctrl-C."""
    if not experiments:
        raise ConfigError("there is nothing to run; name other data sets, models or a protocol of theirs")
    check(experiments)
    missing = [one for one in experiments if not places.result(one).exists()]
    prepared, key = None, None
    for number, experiment in enumerate(missing, start=1):
        if places.result(experiment).exists():  # written by a run of a longer nested code
            continue
        kind, now = _kind(experiment), (experiment.dataset, experiment.protocol, experiment.seed)
        if key != (kind, now):
            prepared, key = kind.prepare(experiment, places, prepared), (kind, now)
        say(f"run {number} of {len(missing)}: {experiment.name}")
        try:
            kind.run(experiment, prepared, places, device=device)
        except Interrupted:
            raise Interrupted(f"stopped in {experiment.name}; the same command resumes there") from None
    return len(missing)


def check(experiments: Sequence[Experiment]) -> None:
    """Raise `ConfigError` or `DataError` for the first invalid setting, before anything is run."""
    for one in experiments:
        datasets.check_name(one.dataset)
        if one.model not in MODELS:
            raise ConfigError(f"there is no model {one.model!r} here; there are {', '.join(MODELS)}")
        if one.model in NESTED and one.bits not in LENGTHS:
            raise ConfigError(f"bits is {one.bits}; {one.model} has codes of {', '.join(map(str, LENGTHS))} bits")
        check_bits(one.bits)
        changed(one.model, one.changes)
        if one.seed < 0 or one.epochs < 1:
            raise ConfigError(f"seed is {one.seed}, epochs {one.epochs}; they must be at least 0 and 1")


def _kind(experiment: Experiment) -> ModuleType:
    """The module that runs an experiment."""
    if experiment.model in PIXEL_BASELINES:
        return pixels
    return autoencoders if experiment.model in PIXELS else methods
