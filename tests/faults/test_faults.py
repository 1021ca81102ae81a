"""Killed commands, and commands whose disk fails, lose nothing and are completed by repeating them.

A short set runs with the quick tests, the full set of some 500 kills and 200 faults with the slow ones. More by hand:
`python -m tests.faults --help`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import shim, trials
from tests.faults.harness import Harness, harness
from tests.faults.scenarios import INDEX, SCENARIOS, Scenario

pytestmark = pytest.mark.skipif(shim.why_not() is not None, reason=str(shim.why_not()))
MOST_AT_STAKE = (
    "index again", "index, keeping originals", "prune", "apply, into a trash", "apply, as hard links",
    "undo, from the trash", "undo, of hard links",
)  # fmt: skip
SHORT = (3, 3)  # kills and faults of a scenario
WHOLE = (28, 12)


@pytest.fixture(scope="module")
def server() -> Iterator[Harness]:
    """A workspace, and a process that forks a child for each command."""
    with harness() as opened:
        yield opened


@pytest.mark.parametrize("name", MOST_AT_STAKE)
def test_a_few_kills_and_faults(name: str, server: Harness) -> None:
    _try(server, SCENARIOS[name], *SHORT, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_kills_and_faults_all_over(name: str, server: Harness) -> None:
    scenario = SCENARIOS[name]
    _try(server, scenario, *(most // scenario.weight for most in WHOLE), seed=1)


@pytest.mark.slow
def test_there_are_enough_of_them() -> None:
    kills, faults = (sum(most // one.weight for one in SCENARIOS.values()) for most in WHOLE)
    assert kills >= 500
    assert faults >= 200


@pytest.mark.parametrize(
    ("function", "path", "kills", "faults", "found"),
    [
        ("write_in_place", "out/new", 6, 0, "half written"),
        ("rewrite_a_photo", "photos/dogs/0.png", 6, 0, "pictures are gone|photos differ"),
        ("hide_an_error", "out/new", 0, 6, "files in out differ"),
        ("fail_without_words", "out/new", 0, 6, "a traceback"),
    ],
)
def test_a_broken_promise_is_found(
    function: str, path: str, kills: int, faults: int, found: str, server: Harness
) -> None:
    command = (f"tests.faults.planted:{function}", f"{{w}}/{path}")
    scenario = Scenario(name=function, prepare=(INDEX,), command=command)
    with pytest.raises(trials.Broken, match=found):
        _try(server, scenario, kills, faults, seed=0)


def _try(server: Harness, scenario: Scenario, kills: int, faults: int, *, seed: int) -> None:
    """Raise if a promise was broken, or if most kills and faults did not take effect."""
    reference = server.reference(scenario)
    calls = len(reference.calls)
    wanted = [*trials.kills(calls, kills, seed=seed), *trials.faults(calls, faults, seed=seed)]
    came = [trials.trial(server, scenario, reference, fault) for fault in wanted]
    assert sum(came) >= 0.8 * len(wanted), f"{sum(came)} of {len(wanted)} came to be"
