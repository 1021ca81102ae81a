"""The results of runs: where they are stored, how they are written and read, and which of them a table cell shows."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import DataError
from lookalike.training.files import write_aside
from lookalike.training.log import versions
from research.experiments import Experiment

FORMAT = 1
MEASURED_ON = {  # data sets that a column of the paper's tables may show, the paper's own first
    "cifar10": ("cifar10",),
    "imagenet": ("imagenet", "tiny_imagenet"),
    "nuswide": ("nuswide81", "nuswide21", "tagged_food"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """The folders of a reproduction."""

    data: Path  # data sets
    results: Path  # result files, small
    work: Path  # checkpoints and decoded images

    def result(self, experiment: Experiment) -> Path:
        """Path of a run's result."""
        return self.results / experiment.name / "result.json"


def environment() -> dict[str, Any]:
    """Versions of packages and Python, system, number of cores."""
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def write_result(path: Path, values: dict[str, Any]) -> None:
    """Write a result atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"format": FORMAT} | values, indent=1, ensure_ascii=False)
    write_aside(path, (content + "\n").encode())


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one run."""

    folder: Path
    values: dict[str, Any]  # result.json

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return str(self.values["settings"]["dataset"])

    @property
    def model(self) -> str:
        """Name of the model."""
        return str(self.values["settings"]["model"])

    @property
    def bits(self) -> int:
        """Length of a code."""
        return int(self.values["settings"]["bits"])

    @property
    def protocol(self) -> str:
        """Name of the protocol."""
        return str(self.values["settings"]["protocol"])

    @property
    def epochs(self) -> int:
        """Length of the run."""
        return int(self.values["settings"]["epochs"])

    @property
    def seed(self) -> int:
        """Seed of the draw and of the training."""
        return int(self.values["settings"]["seed"])

    def number(self, *path: str) -> float:
        """A number of the result, such as `number("metrics", "map", "expected")`."""
        value: Any = self.values
        for name in path:
            value = value[name]
        return float(value)

    def codes(self) -> dict[str, npt.NDArray[Any]]:
        """Codes and labels of queries and database, and of the training images if they were stored."""
        found: dict[str, npt.NDArray[Any]] = {}
        for path in sorted(self.folder.glob("*.npz")):
            with np.load(path) as file:
                found |= {name: file[name] for name in file.files}
        return found


def load(folder: Path, *, protocol: str | None = None) -> list[Result]:
    """All results below a folder, optionally of one protocol only."""
    found = []
    for path in sorted(folder.rglob("result.json")):
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path} is not a result ({error}); delete it, then: python -m research run") from error
        if protocol in (None, values["settings"]["protocol"]):
            found.append(Result(path.parent, values))
    return found


def select(results: Iterable[Result], *, dataset: str, model: str, bits: int) -> list[Result]:
    """The longest runs for a cell, one per seed, with the usual settings; of a stand-in if the data set has none."""
    fitting = [one for one in results if (one.model, one.bits) == (model, bits)]
    fitting = [one for one in fitting if not one.values["settings"].get("changes")]
    for name in MEASURED_ON[dataset]:
        here = [one for one in fitting if one.dataset == name]
        if here:
            longest = max(one.epochs for one in here)
            return sorted((one for one in here if one.epochs == longest), key=lambda one: one.seed)
    return []


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Mean, and standard deviation if there are several values.

    >>> spread([0.12]), spread([0.11, 0.13])
    ('0.120', '0.120 ± 0.014')
    """
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"
