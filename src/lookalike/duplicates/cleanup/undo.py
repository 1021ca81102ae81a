"""Undoing a plan by its log: files return from the trash, and links become separate files again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from lookalike.core.atomic import flush
from lookalike.core.errors import DataError
from lookalike.duplicates.cleanup import apply, file_identity, trash, undo_log
from lookalike.duplicates.cleanup.apply import Outcome, Step
from lookalike.duplicates.cleanup.undo_log import Action, How


def steps(log: Path, roots: Sequence[str], *, dry_run: bool = False) -> Iterator[Step]:
    """Undo a log's actions, the last first; yields what happened to each file.

    Raises `DataError` before anything is done if the file is not such a log, or refers to files that are neither below
    `roots` nor in the trash of a run.
    """
    actions = undo_log.read(log)
    trash.check_log(actions, roots, log)
    if not dry_run:
        apply.tidy(actions)
    for action in _last(actions):
        yield _step(action, dry_run=dry_run)


def _last(actions: Sequence[Action]) -> list[Action]:
    """For each path, the action that was done, or else the last one begun; the last first."""
    chosen: dict[str, Action] = {}
    for action in reversed(actions):
        previous = chosen.get(action.path)
        if previous is None or (apply.is_done(action) and not apply.is_done(previous)):
            chosen[action.path] = action
    return list(chosen.values())


def _step(action: Action, *, dry_run: bool) -> Step:
    try:
        if not _is_to_do(action):
            return Step(action.path, Outcome.BEFORE, of=action.of)
        if not dry_run:
            (_take_out if action.how is How.TRASH else _unlink)(action)
    except DataError as error:
        return Step(action.path, Outcome.LEFT, str(error), of=action.of)
    except OSError as error:
        return Step(action.path, Outcome.LEFT, error.strerror or str(error), of=action.of)
    return Step(action.path, Outcome.WOULD if dry_run else Outcome.DONE, size=action.size, of=action.of)


def _is_to_do(action: Action) -> bool:
    """Whether a file must be restored. Raises `DataError` if it cannot be."""
    if apply.is_done(action):
        if file_identity.snapshot(action.to).digest != action.digest:
            raise DataError(f"{action.to} has changed since")
        return True
    if action.how is How.TRASH and os.path.lexists(action.to):
        raise DataError(f"another file is in its place; it stays at {action.to}")
    if not os.path.lexists(action.path):
        raise DataError("is neither in place nor in the trash")
    return False


def _take_out(action: Action) -> None:
    os.makedirs(os.path.dirname(action.path), exist_ok=True)
    if os.path.lexists(action.path):
        raise DataError(f"another file is in its place; it stays at {action.to}")
    os.rename(action.to, action.path)


def _unlink(action: Action) -> None:
    """Replace a link by a copy."""
    try:
        shutil.copyfile(action.to, action.aside, follow_symlinks=False)
        if file_identity.snapshot(action.aside).digest != action.digest:
            raise DataError("could not be copied unchanged")
        os.chmod(action.aside, action.mode)
        os.utime(action.aside, ns=(action.mtime_ns, action.mtime_ns))
        flush(Path(action.aside))
        os.replace(action.aside, action.path)
    finally:
        if os.path.lexists(action.aside):
            os.unlink(action.aside)
