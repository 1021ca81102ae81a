"""Plans that the page carries out, and their history, in the folder `cleanup` of the database.

A plan is the file that `lookalike apply` reads, and its undo log lies next to it. So the history is what the logs and
the files themselves say, whatever became of the server.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from lookalike import answers
from lookalike.core import atomic
from lookalike.core.progress import Progress
from lookalike.database import Database
from lookalike.duplicates.cleanup import apply, plan_file, undo_log
from lookalike.duplicates.cleanup import plan as plans
from lookalike.duplicates.cleanup.apply import ApplyOptions, Outcome, Step
from lookalike.duplicates.cleanup.plan import Action, Plan, PlanGroup, PlanOptions
from lookalike.duplicates.decisions import State
from lookalike.duplicates.review import Review, Tier

FOLDER = "cleanup"
SHOWN = 200  # files left alone that are named
TIERS: dict[str, answers.Relation] = {Tier.BYTES: "exact", Tier.PIXELS: "same-pixels", Tier.NEAR: "edited"}


class Files(NamedTuple):
    """The files of a plan."""

    plan: Path
    about: Path  # what the server notes: the dry run, and the decisions at that time
    log: Path

    @classmethod
    def of(cls, database: Database, id_: str) -> Files:
        """The paths for an id."""
        folder = database.folder / FOLDER
        return cls(folder / f"{id_}.json", folder / f"{id_}.about", folder / f"{id_}.json.undo.jsonl")

    def note(self, **values: Any) -> dict[str, Any]:
        """Add values to what is noted; returns all."""
        known = {**self.noted(), **values}
        atomic.write(self.about, json.dumps(known).encode())
        return known

    def noted(self) -> dict[str, Any]:
        """What is noted."""
        try:
            return dict(json.loads(self.about.read_bytes()))
        except (OSError, ValueError):
            return {}


def make(reviews: Sequence[Review], relations: Collection[str], options: PlanOptions, database: Database) -> Plan:
    """A plan that follows decisions, and in undecided groups removes copies with these relations to a kept one."""
    about = {"database": str(database.path), "bits": database.bits}
    decided = plans.make([one for one in reviews if one.state is State.DECIDED], options)
    undecided = plans.make([one for one in reviews if one.state is State.UNDECIDED], options)
    restricted = [_restricted(group, relations) for group in undecided.groups]
    groups = (*decided.groups, *(one for one in restricted if one.of(Action.REMOVE)))
    return Plan(groups, spared=decided.spared + undecided.spared, **about)  # type: ignore[arg-type]


def _restricted(group: PlanGroup, relations: Collection[str]) -> PlanGroup:
    """A group that removes only copies with these relations to one that stays."""
    staying = {entry.digest for entry in group.of(Action.KEEP)}
    entries = []
    for entry in group.entries:
        if entry.action is Action.REMOVE and TIERS.get(entry.tier) not in relations:
            if "exact" in relations and entry.digest in staying:
                entry = replace(entry, tier=Tier.BYTES.value, why="exact copy")
            else:
                entry = replace(entry, action=Action.KEEP, why="not of the kind to remove", loses="", companions=())
                staying.add(entry.digest)
        entries.append(entry)
    return PlanGroup(tuple(entries))


def check(database: Database, files: Files, trash: Path, progress: Progress) -> dict[str, Any]:
    """Do a dry run, which reads every file, and note the outcome."""
    steps = database.apply(
        plan_file.read(files.plan), ApplyOptions(log=files.log, trash=trash, dry_run=True), progress=progress
    )
    would, refused = [one for one in steps if one.outcome is Outcome.WOULD], _left(steps)
    checked = {
        "count": sum(not one.of for one in would), "bytes": sum(one.size for one in would),
        "companions": sum(bool(one.of) for one in would), "refused": refused,
    }  # fmt: skip
    files.note(checked=checked)
    return {"count": checked["count"], "bytes": checked["bytes"], "refused": len(refused)}


def carry_out(database: Database, files: Files, trash: Path, progress: Progress) -> dict[str, Any]:
    """Move a plan's files into the trash; returns a summary."""
    options = ApplyOptions(log=files.log, trash=trash)
    files.note(is_whole=False)  # until nothing is left to do, also if the server is killed and its jobs are forgotten
    steps = database.apply(plan_file.read(files.plan), options, progress=progress)
    files.note(is_whole=True)
    return _summary(steps)


def undo(database: Database, files: Files, progress: Progress) -> dict[str, Any]:
    """Move a plan's files back; returns a summary."""
    files.note(is_whole=True)  # nobody waits for the rest
    return _summary(database.undo(files.log, progress=progress))


def changed(plan: Plan, files: Files) -> str | None:
    """Why a plan that was not begun is out of date; None if it is not."""
    if undo_log.is_begun(files.log):
        return None  # it is resumed
    for entry in plan.removals:
        try:
            if os.stat(entry.path).st_size != entry.size:
                return f"{entry.path} has changed"
        except OSError:
            return f"{entry.path} is gone"
    return None


def moved(files: Files) -> list[tuple[undo_log.Action, bool]]:
    """The files that a plan moved, or was about to, and whether each is in the trash now."""
    last = {action.path: action for action in undo_log.read(files.log)} if undo_log.is_begun(files.log) else {}
    return [(action, apply.is_done(action)) for action in last.values()]


def run(files: Files, job: answers.Job | None) -> answers.Run | None:
    """What became of a plan that was begun; None if it was not."""
    actions = moved(files)
    if not actions:
        return None
    there = [action for action, in_trash in actions if in_trash]
    noted = files.noted()
    state = _state(job, actions, is_whole=noted.get("is_whole", True))
    return answers.Run(
        id=files.plan.stem, at=noted.get("at", ""), trash=noted.get("trash", ""), state=state,
        count=len(actions), files=len(there), bytes=sum(one.size for one in there), job=None if job is None else job.id,
    )  # fmt: skip


def runs(database: Database, jobs: Sequence[answers.Job]) -> list[answers.Run]:
    """What became of all plans that were begun, newest first."""
    last: dict[str, answers.Job] = {}
    for job in jobs:  # newest first
        last.setdefault(job.about, job)
    logs = sorted((database.folder / FOLDER).glob("*.json.undo.jsonl"), reverse=True)
    ids = [log.name.partition(".")[0] for log in logs]
    return [found for id_ in ids if (found := run(Files.of(database, id_), last.get(id_))) is not None]


def _state(job: answers.Job | None, actions: Sequence[tuple[undo_log.Action, bool]], *, is_whole: bool) -> Any:
    there = sum(in_trash for _, in_trash in actions)
    if job is not None and not job.is_over:
        return "running"
    if not is_whole:
        return "interrupted"
    return "applied" if there == len(actions) else "partly-undone" if there else "undone"


def _summary(steps: Sequence[Step]) -> dict[str, Any]:
    done = [one for one in steps if one.outcome is Outcome.DONE]
    left = _left(steps)
    return {
        "files": sum(not one.of for one in done), "companions": sum(bool(one.of) for one in done),
        "bytes": sum(one.size for one in done), "refused": len(left), "left": left[:SHOWN],
    }  # fmt: skip


def _left(steps: Sequence[Step]) -> list[dict[str, str]]:
    return [{"path": one.path, "why": one.why} for one in steps if one.outcome is Outcome.LEFT]
