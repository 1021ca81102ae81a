"""Kills and faults by hand, with a table of the runs: `python -m tests.faults [SCENARIO …]`."""

from __future__ import annotations

import argparse
import sys
import time
from typing import NamedTuple

from tests.faults import trials
from tests.faults.harness import Harness, harness
from tests.faults.scenarios import SCENARIOS, Scenario


def main() -> int:
    """Print a table, then each broken promise; return 1 if there is one, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("scenarios", nargs="*", default=list(SCENARIOS), metavar="SCENARIO")
    parser.add_argument("--kills", type=int, default=28, help="at most so many kills of a scenario")
    parser.add_argument("--faults", type=int, default=12, help="at most so many faults of a scenario")
    parser.add_argument("--seed", type=int, default=1, help="of which calls are drawn")
    asked = parser.parse_args()
    began, totals, broken = time.monotonic(), [0, 0], list[str]()
    say("| command | calls that change files | kills | faults | not kept |\n|---|---:|---:|---:|---:|")
    with harness() as server:
        for name in asked.scenarios:
            scenario = SCENARIOS[name]
            most = (asked.kills // scenario.weight, asked.faults // scenario.weight)
            ran = attempt(server, scenario, *most, seed=asked.seed)
            broken += ran.broken
            totals = [totals[0] + ran.kills, totals[1] + ran.faults]
            say(f"| {name} | {ran.calls} | {ran.kills} | {ran.faults} | {len(ran.broken)} |")
    say(f"| all | | {totals[0]} | {totals[1]} | {len(broken)} |\n\n{time.monotonic() - began:.0f} s")
    say("\n\n".join(broken))
    return int(bool(broken))


class Attempt(NamedTuple):
    """The trials of a scenario."""

    calls: int  # number of calls that change files
    kills: int  # that took effect
    faults: int
    broken: list[str]  # promises broken


def attempt(server: Harness, scenario: Scenario, kills: int, faults: int, *, seed: int) -> Attempt:
    """At most a given number of kills and faults of a scenario."""
    came, broken, reference = [0, 0], list[str](), server.reference(scenario)
    calls = len(reference.calls)
    for fault in [*trials.kills(calls, kills, seed=seed), *trials.faults(calls, faults, seed=seed)]:
        try:
            came[fault.mode not in trials.KILLS] += trials.trial(server, scenario, reference, fault)
        except trials.Broken as error:
            broken.append(str(error))
    return Attempt(calls, came[0], came[1], broken)


def say(text: str) -> None:
    """Print without buffering."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
