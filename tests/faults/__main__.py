"""All trials by hand, with a table of what was run: `python -m tests.faults [--most N] [SCENARIO …]`."""

from __future__ import annotations

import argparse
import sys
import time

from tests.faults import trials
from tests.faults.harness import harness
from tests.faults.scenarios import SCENARIOS

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("scenarios", nargs="*", default=list(SCENARIOS))
parser.add_argument("--kills", type=int, default=30, help="at most so many kills a scenario")
parser.add_argument("--faults", type=int, default=12, help="at most so many faults a scenario")
parser.add_argument("--seed", type=int, default=0)
asked = parser.parse_args()


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


say(f"{'scenario':28}{'calls':>7}{'kills':>7}{'faults':>8}{'broken':>8}{'seconds':>9}")
broken: list[str] = []
with harness() as server:
    for name in asked.scenarios:
        began, scenario, came, bad = time.monotonic(), SCENARIOS[name], [0, 0], 0
        reference = server.reference(scenario)
        count = len(reference.calls)
        kills = trials.kills(count, asked.kills, seed=asked.seed)
        for fault in [*kills, *trials.faults(count, asked.faults, seed=asked.seed)]:
            try:
                came[fault.mode not in trials.KILLS] += trials.trial(server, scenario, reference, fault)
            except trials.Broken as error:
                bad += 1
                broken.append(str(error))
        seconds = time.monotonic() - began
        say(f"{name:28}{count:7}{came[0]:7}{came[1]:8}{bad:8}{seconds:9.1f}")
say("\n\n".join(broken))
