"""One trial: a command is killed or meets a fault; then the result is examined, and again after repeating it."""

from __future__ import annotations

import errno
import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from lookalike.core.errors import LookalikeError
from tests.faults import state
from tests.faults.harness import Done, Harness, Reference
from tests.faults.scenarios import Scenario
from tests.faults.shim import Fault, Mode

VERIFY = ("verify", "--db", "{w}/db")
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES)
LEFT_TO_US = "photos", "trash", "db/originals"  # possible locations of people's files
KILLS = (Mode.KILL_BEFORE, Mode.KILL_HALF)


class Broken(AssertionError):
    """A broken promise, with all details for reproducing it."""


def kills(calls: int, most: int, *, seed: int) -> list[Fault]:
    """At most a given number of kills, spread over the calls of a command: before one, or within it."""
    everywhere = [Fault(mode, at) for at in range(1, calls + 1) for mode in KILLS]
    return _spread(everywhere, most, seed)


def faults(calls: int, most: int, *, seed: int) -> list[Fault]:
    """At most a given number of faults, spread over the calls of a command and the kinds: once, or from then on."""
    modes = (Mode.FAIL, Mode.FAIL_ALWAYS)
    everywhere = [Fault(mode, at, error) for at in range(1, calls + 1) for error in ERRORS for mode in modes]
    return _spread(everywhere, most, seed)


def trial(harness: Harness, scenario: Scenario, reference: Reference, fault: Fault) -> bool:
    """Whether the fault took effect. Raises `Broken` if a promise was broken."""
    harness.reset(scenario)
    done = harness.run(scenario, fault)
    try:
        if fault.mode in KILLS:
            _check(done.was_killed or done.status == 0, f"ended with {done.status}")
        else:
            _check_said(done)
        _check_left(harness, scenario, reference, done)
        if done.status == 0:
            _check_finished(harness, scenario, reference)
        if scenario.back and fault.at % 3 == 0:
            _check_back(harness, scenario, reference)
        else:
            _check_completes(harness, scenario, reference, verify_first=fault.at % 2 == 0)
    except (AssertionError, LookalikeError) as error:
        at = done.met or fault.at
        call = reference.calls[at - 1] if at <= len(reference.calls) else "beyond the last call"
        raise Broken(
            f"{scenario.name}, {fault.mode.name} {errno.errorcode.get(fault.error, '')} at {at} ({call}): {error}"
            f"\nthe command: status {done.status}\n{done.out}{done.err}"
        ) from error
    return done.was_killed if fault.mode in KILLS else done.met > 0


def _check_said(done: Done) -> None:
    """A fault that a command cannot handle gives one line and exit code 1."""
    _check("Traceback" not in done.err, "a traceback")
    _check(done.status in (0, 1), f"ended with {done.status}")
    said = [line for line in done.err.splitlines() if line.startswith("lookalike: ")]
    _check(len(said) == done.status, f"{len(said)} lines of errors")
    _check(not any(".tmp" in line for line in said), "a temporary file is named, which nobody knows")


def _check_left(harness: Harness, scenario: Scenario, reference: Reference, done: Done) -> None:
    """No acknowledged change is lost, nothing is half written or duplicated, no image is gone."""
    found = state.of_database(harness.place / "db")
    twice = [name for name, times in state.names(found).items() if times > 1]
    _check(not twice, f"there twice: {twice}")
    least = reference.commits[len(done.commits) - 1] if done.commits else 0
    allowed = reference.states[least:]
    _check(
        state.digest(found, scenario.moves) in allowed,
        f"the database is in none of the {len(allowed)} states that it may be in",
    )
    _check_contents(harness, reference)
    for name in scenario.same_files:
        _check_whole(state.tree(harness.place / name), reference.before[name], reference.trees[name])
    if scenario.copy:
        copy = state.of_database(harness.place / scenario.copy)
        _check(copy in (state.NO_DATABASE, reference.final), "the copy is neither whole nor absent")
    if not scenario.moves:
        _check(state.looks(harness.place / "photos") == reference.looks[0], "people's files were changed")


def _check_contents(harness: Harness, reference: Reference) -> None:
    was = {one for folder in ("photos", "trash") for one in reference.before[folder].values()}
    here = state.contents(*(harness.place / name for name in LEFT_TO_US))
    _check(was <= here.keys(), f"{len(was - here.keys())} pictures are gone")


def _check_whole(found: dict[str, str], before: dict[str, str], after: dict[str, str]) -> None:
    """A file to be written has its old or its new content, never a part."""
    half = [
        name
        for name, one in found.items()
        if name in after and ".run/" not in name and one not in (before.get(name), after[name])
    ]
    _check(not half, f"half written: {half}")


def _check_completes(harness: Harness, scenario: Scenario, reference: Reference, *, verify_first: bool) -> None:
    """Repeating the command ends as if nothing had happened, and the database is sound before or after that."""
    if verify_first:
        _check_sound(harness, scenario, may_repair=True)
    again = harness.run(scenario)
    was_done = bool(scenario.again) and again.status == 1 and scenario.again in again.err
    _check(again.status == 0 or was_done, f"the same command then fails: {again.out}{again.err}")
    _check_finished(harness, scenario, reference)
    _check_sound(harness, scenario, may_repair=was_done)
    names = state.tree(harness.place / "db").keys() ^ reference.trees["db"]
    names = {name for name in names if not name.startswith(".variants.npz.")}  # deleted once nobody can be writing it
    left = set() if was_done else names  # a command with nothing left to do does not clean up
    _check(not left, f"left in db: {sorted(left)}")
    beside = [one.name for one in harness.place.iterdir() if one.name.endswith(".tmp")]
    _check(not beside, f"left beside the backup: {beside}")


def _check_finished(harness: Harness, scenario: Scenario, reference: Reference) -> None:
    """Everything is as after an undisturbed run."""
    _check(state.of_database(harness.place / "db") == reference.final, "the database is another one")
    if scenario.copy:
        _check(state.of_database(harness.place / scenario.copy) == reference.final, "the copy is another one")
    _check_contents(harness, reference)
    if "trash" in scenario.name:
        was = Counter([*reference.before["photos"].values(), *reference.before["trash"].values()])
        now = state.contents(harness.place / "photos", harness.place / "trash")
        _check({one: now[one] for one in was} == was, "files were lost or doubled between photos and trash")
    else:
        _check_same(state.looks(harness.place / "photos"), reference.looks[1], "photos")
    for name in scenario.same_files:
        _check_same(state.tree(harness.place / name), reference.trees[name], f"files in {name}")


def _check_back(harness: Harness, scenario: Scenario, reference: Reference) -> None:
    """Undoing a killed command restores everything."""
    assert scenario.back is not None
    if (harness.place / "out/plan.json.undo.jsonl").exists():
        undone = harness.run(scenario, command=scenario.back)
        _check(undone.status == 0, f"undoing fails: {undone.out}{undone.err}")
    _check_same(state.looks(harness.place / "photos"), reference.looks[0], "files after undoing")
    _check_sound(harness, scenario, may_repair=True)


def _check_sound(harness: Harness, scenario: Scenario, *, may_repair: bool) -> None:
    if not (harness.place / "db/catalog.sqlite").exists():
        return
    checked = harness.run(scenario, command=VERIFY)
    _check(checked.status == 0, f"verify: {checked.out}{checked.err}")
    _check(may_repair or "repaired" not in checked.out, f"verify repairs what a whole run has left: {checked.out}")


def _check_same(found: dict[str, str], expected: dict[str, str], what: str) -> None:
    names = {one for one in found.keys() | expected if ".run/" not in one}  # a training's log contains times
    differ = sorted(name for name in names if found.get(name) != expected.get(name))
    _check(not differ, f"{what} differ: {differ}")


def _check(holds: bool, why: str) -> None:
    if not holds:
        raise AssertionError(why)


def _spread(everywhere: Sequence[Fault], most: int, seed: int) -> list[Fault]:
    """At most this many, spread evenly."""
    draw, parts = random.Random(seed), min(most, len(everywhere))
    bounds = [len(everywhere) * part // parts for part in range(parts + 1)] if parts else [0]
    return [everywhere[draw.randrange(low, high)] for low, high in pairwise(bounds)]
