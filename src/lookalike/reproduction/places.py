"""Where a reproduction keeps its things, and what every result says of the machine it was made on."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.recipes.paper import Experiment
from lookalike.training.log import versions
from lookalike.training.outputs.files import write_aside

FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """The folders of a reproduction."""

    data: Path  # data sets
    results: Path  # results, small
    work: Path  # checkpoints and decoded images

    def result(self, experiment: Experiment) -> Path:
        """The result of a run."""
        return self.results / experiment.name / "result.json"


def environment() -> dict[str, Any]:
    """Versions, system, cores."""
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def write_result(path: Path, values: dict[str, Any]) -> None:
    """Write a result whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"format": FORMAT} | values, indent=1, ensure_ascii=False)
    write_aside(path, (content + "\n").encode())
