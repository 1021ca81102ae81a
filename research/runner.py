"""One resumable runner for all runs: models of the paper (`autoencoders`) and methods on features (`methods`).

What has a result is not run again. A run that was killed resumes from its last checkpoint and ends with the same
result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

from lookalike.core.codes import check_bits
from lookalike.core.errors import ConfigError, Interrupted
from research import autoencoders, datasets, methods
from research.experiments import AUTOENCODERS, LENGTHS, METHOD_NAMES, NESTED, Experiment
from research.results import Places

MODELS = (*AUTOENCODERS, *METHOD_NAMES)


def run_all(
    experiments: Sequence[Experiment], places: Places, *, device: str = "cpu", say: Callable[[str], None]
) -> int:
    """Run what has no result yet; how many runs that were. Raises `Interrupted` on Ctrl-C."""
    check(experiments)
    missing = [one for one in experiments if not places.result(one).exists()]
    prepared, key = None, None
    for number, experiment in enumerate(missing, start=1):
        if places.result(experiment).exists():  # made with another length of a nested code
            continue
        kind, now = _kind(experiment), (experiment.dataset, experiment.protocol, experiment.seed)
        if key != (kind, now):
            prepared, key = kind.prepare(experiment, places, prepared), (kind, now)
        say(f"run {number} of {len(missing)}: {experiment.name}")
        try:
            kind.run(experiment, prepared, places, device=device)
        except Interrupted:
            raise Interrupted(f"Stopped in {experiment.name}; the same command resumes there") from None
    return len(missing)


def check(experiments: Sequence[Experiment]) -> None:
    """Raise an error that names the first setting of a run that cannot be, before anything is run."""
    for one in experiments:
        datasets.check_name(one.dataset)
        if one.model not in MODELS:
            raise ConfigError(f"there is no model {one.model!r} here; there are {', '.join(MODELS)}")
        if one.model in NESTED and one.bits not in LENGTHS:
            raise ConfigError(f"bits is {one.bits}; {one.model} has codes of {', '.join(map(str, LENGTHS))} bits")
        check_bits(one.bits)
        if one.seed < 0 or one.epochs < 1:
            raise ConfigError(f"seed is {one.seed}, epochs {one.epochs}; they must be at least 0 and 1")


def _kind(experiment: Experiment) -> ModuleType:
    """The module that prepares and runs an experiment."""
    return autoencoders if experiment.model in AUTOENCODERS else methods
