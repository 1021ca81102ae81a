"""A reproduction that is killed at any time ends with the same results."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from research import results
from research.experiments import Experiment
from research.results import Places
from research.runner import run_all
from tests.research.shared import ROOT, SHARED, needs_cifar10

pytestmark = needs_cifar10
KILLED = [Experiment(dataset="cifar10", model=m, bits=16, epochs=3, protocol="smoke") for m in ("csvae", "cvae")]


@pytest.mark.parametrize("seed", [0])
def test_killed_three_times_it_ends_with_the_same_results(seed: int, tmp_path: Path) -> None:
    undisturbed, broken = (Places(data=SHARED, results=tmp_path / n, work=tmp_path / f"{n}-work") for n in "ab")
    run_all(KILLED, undisturbed, say=lambda text: None)
    draw = random.Random(seed)
    for _ in range(3):
        _start(broken, kill_after=draw.uniform(0.5, 6))
    _start(broken)
    for experiment in KILLED:
        one, two = (json.loads(p.result(experiment).read_text()) for p in (undisturbed, broken))
        assert without_times(one) == without_times(two)
        first, second = (results.Result(p.result(experiment).parent, {}).codes() for p in (undisturbed, broken))
        assert all(np.array_equal(first[name], second[name]) for name in first)


def _start(places: Places, *, kill_after: float | None = None) -> None:
    """Run the killed experiments in their own process, to the end or until it is killed after some seconds."""
    code = (
        "import sys; from pathlib import Path; from research.results import Places\n"
        "from research.runner import run_all\n"
        "from tests.research.test_killed import KILLED\n"
        "print('began', flush=True); data, results, work = map(Path, sys.argv[1:])\n"
        "run_all(KILLED, Places(data=data, results=results, work=work), say=print)\n"
    )
    command = [sys.executable, "-c", code, *map(str, (places.data, places.results, places.work))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"began\n"
        if kill_after is not None:
            time.sleep(kill_after)
            process.send_signal(signal.SIGKILL)
        process.stdout.read()
        assert process.wait() in ({0, -signal.SIGKILL} if kill_after is not None else {0})


def without_times(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "seconds"}
