"""Applying a plan: files are moved to a trash folder, or replaced by hard links to the kept copy.

Nothing is deleted. Each file, and its kept copy, is read again before it is touched; files that have changed, are
outside the indexed folders, or would be the last copy are left alone, with a reason. Moving a file and replacing it by
a link are atomic operations of the file system, logged in advance: even after a kill every file is in place or in the
trash.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from lookalike.core.errors import DataError
from lookalike.duplicates.cleanup import companions, file_identity, trash, undo_log
from lookalike.duplicates.cleanup import plan as plans
from lookalike.duplicates.cleanup.companions import Belongings
from lookalike.duplicates.cleanup.file_identity import FileSnapshot
from lookalike.duplicates.cleanup.plan import Entry, Plan, PlanGroup
from lookalike.duplicates.cleanup.undo_log import Action, How, Log


class Outcome(StrEnum):
    """What happened to a file."""

    DONE = "done"
    WOULD = "would be done"
    BEFORE = "done before"
    GONE = "gone already"
    LEFT = "left alone"


class Step(NamedTuple):
    """A file of a plan or a log, and what happened to it."""

    path: str
    outcome: Outcome
    why: str = ""  # why it was left alone, or which companions stay
    size: int = 0  # bytes
    of: str = ""  # the photo whose companion it is


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """How a plan is applied."""

    log: Path
    trash: Path | None = None  # None: hard links
    dry_run: bool = False


def steps(plan: Plan, roots: Sequence[str], options: ApplyOptions) -> Iterator[Step]:
    """Apply a plan step by step; yields what happened to each file to remove.

    Raises `DataError` or `ConfigError` before anything is done.
    """
    plans.check(plan)
    trash.check(options.trash, roots)
    yield from _Applying(plan, roots, options).steps()


class _Copy(NamedTuple):
    """A file to keep."""

    path: str
    seen: FileSnapshot


class _Move(NamedTuple):
    """A file to move to the trash."""

    path: str
    seen: FileSnapshot
    to: Path


class _Applying:
    """One application of a plan."""

    def __init__(self, plan: Plan, roots: Sequence[str], options: ApplyOptions) -> None:
        self._plan, self._roots, self._options = plan, roots, options
        self._before = undo_log.read(options.log) if undo_log.is_begun(options.log) else []
        trash.check_log(self._before, roots, options.log)
        self._kept: dict[str, FileSnapshot] = {}
        self._staying = {entry.path for group in plan.groups for entry in group.of(plans.Action.KEEP)}
        self._folders = companions.Folders()
        self._folder: Path | None = None  # this run's folder in the trash
        self._log: Log | None = None

    def steps(self) -> Iterator[Step]:
        if not self._options.dry_run:
            tidy(self._before)
        done = {action.path for action in self._before if is_done(action)}
        try:
            for group in self._plan.groups:
                for entry in group.of(plans.Action.REMOVE):
                    yield from [Step(entry.path, Outcome.BEFORE)] if entry.path in done else self._steps(entry, group)
        finally:
            if self._log is not None:
                self._log.close()

    def _steps(self, entry: Entry, group: PlanGroup) -> list[Step]:
        """Handle a file and its companions."""
        if _is_gone(entry.path):
            return [Step(entry.path, Outcome.GONE)]
        try:
            seen = self._checked(entry)
            copy = self._copy(entry, seen, group)
            self._check_method(seen, copy.seen)
            belongings = Belongings([], [])  # companions of a file that becomes a link stay
            if self._options.trash is not None:
                belongings = companions.of(entry.path, seen, self._folders, self._roots, self._staying)
            if not self._options.dry_run:
                self._do(entry, seen, copy, belongings)
        except DataError as error:
            return [Step(entry.path, Outcome.LEFT, str(error))]
        except OSError as error:
            return [Step(entry.path, Outcome.LEFT, error.strerror or str(error))]
        outcome = Outcome.WOULD if self._options.dry_run else Outcome.DONE
        return [
            Step(entry.path, outcome, "; ".join(belongings.staying), seen.identity.size),
            *(Step(path, outcome, size=one.identity.size, of=entry.path) for path, one in belongings.going),
        ]

    def _checked(self, entry: Entry) -> FileSnapshot:
        """The file to remove, unchanged since the plan was made. Raises `DataError` otherwise."""
        _check_is_file(entry.path)
        if not entry.digest:
            raise DataError("was never read, so it is unknown whether it has changed; index it")
        seen = file_identity.removable(entry.path, self._roots)
        if seen.digest != entry.digest:
            raise DataError("has changed since the plan was made")
        return seen

    def _copy(self, entry: Entry, seen: FileSnapshot, group: PlanGroup) -> _Copy:
        """A kept copy, with the same content if there is one; all kept copies are read again.

        Raises `DataError` if one of them has changed since the plan was made.
        """
        copies = []
        for one in sorted(group.of(plans.Action.KEEP), key=lambda one: one.digest != entry.digest):
            try:
                copies.append(_Copy(one.path, self._still(one, seen)))
            except DataError as error:
                raise DataError(f"would leave a copy that may not be safe: {one.path} {error}") from None
        if self._options.trash is None and copies[0].seen.digest != seen.digest:
            raise DataError(
                "has other bytes than the kept copy, so it cannot become a link: use --trash, or plan with "
                "--skip-pixel-check"
            )
        return copies[0]

    def _still(self, one: Entry, gone: FileSnapshot) -> FileSnapshot:
        """A kept file, unchanged since the plan was made. Raises `DataError` otherwise."""
        snapshot = self._kept.get(one.path)
        if snapshot is None or not file_identity.is_unchanged(one.path, snapshot):
            _check_is_file(one.path)
            file_identity.check_below(one.path, self._roots)
            snapshot = self._kept[one.path] = file_identity.snapshot(one.path)
        if snapshot.digest != one.digest:
            raise DataError("has changed since the plan was made")
        if snapshot.identity[:2] == gone.identity[:2]:
            raise DataError("is the same file under another name")
        return snapshot

    def _check_method(self, seen: FileSnapshot, copy: FileSnapshot) -> None:
        if self._options.trash is None:
            if seen.identity.device != copy.identity.device:
                raise DataError("is on another file system than the kept copy; use --trash")
            if seen.owner != copy.owner:
                raise DataError("belongs to another user than the kept copy; use --trash")
        elif seen.identity.device != trash.nearest(self._options.trash).stat().st_dev:
            raise DataError(f"is on another file system than {self._options.trash}; choose a --trash on the file's own")

    def _do(self, entry: Entry, seen: FileSnapshot, copy: _Copy, belongings: Belongings) -> None:
        if self._log is None:
            self._log = Log(self._options.log)
        if self._options.trash is None:
            about = Action(
                how=How.HARDLINK, path=entry.path, digest=seen.digest, size=seen.identity.size, to=copy.path,
                aside=undo_log.aside(entry.path), mode=seen.mode, mtime_ns=seen.identity.mtime_ns,
            )  # fmt: skip
            self._log.about_to(about)
            _exchange(about, seen, copy)
        else:
            # move the photo last: as long as it exists, the same command can resume with its companions
            moves = [_Move(path, one, self._target(path)) for path, one in [*belongings.going, (entry.path, seen)]]
            moves[-1].to.parent.mkdir(parents=True, exist_ok=True)
            for one in moves:
                of = entry.path if one.path != entry.path else ""
                about = Action(
                    how=How.TRASH, path=one.path, digest=one.seen.digest, size=one.seen.identity.size,
                    to=os.fspath(one.to), of=of,
                )  # fmt: skip
                self._log.about_to(about)
            _move(moves, copy)

    def _target(self, path: str) -> Path:
        """A file's path in the trash: its whole path below this run's folder."""
        if self._folder is None:
            assert self._options.trash is not None
            self._folder = trash.new_folder(self._options.trash)
        return trash.path_in(self._folder, path)


def _move(moves: Sequence[_Move], copy: _Copy) -> None:
    """Move all files or none."""
    done: list[_Move] = []
    try:
        for one in moves:
            _check_unchanged(one.path, one.seen, copy)
            if os.path.lexists(one.to):
                raise DataError(f"{one.to} exists already")
            os.rename(one.path, one.to)
            done.append(one)
    except BaseException:
        for one in reversed(done):
            with suppress(OSError):
                if not os.path.lexists(one.path):
                    os.rename(one.to, one.path)
        raise


def _exchange(action: Action, seen: FileSnapshot, copy: _Copy) -> None:
    """Replace a file by a link to the kept file, via a temporary name."""
    os.link(copy.path, action.aside, follow_symlinks=False)
    try:
        _check_unchanged(action.path, seen, copy._replace(path=action.aside))
        os.replace(action.aside, action.path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(action.aside)
        raise


def _check_unchanged(path: str, seen: FileSnapshot, copy: _Copy) -> None:
    if not (file_identity.is_unchanged(path, seen) and file_identity.is_unchanged(*copy)):
        raise DataError("is being changed, or its copy is")


def _is_gone(path: str) -> bool:
    """Whether nothing exists at a path, nor the table that it is a row of."""
    return not (os.path.lexists(path) or _is_row(path))


def _is_row(path: str) -> bool:
    table, mark, row = path.rpartition("#")
    return bool(mark) and row.isdigit() and os.path.isfile(table) and not os.path.lexists(path)


def _check_is_file(path: str) -> None:
    """Raise `DataError` for a table's row, and for a missing file."""
    if _is_row(path):
        raise DataError("is a row of a table; tables are not changed")
    if not os.path.lexists(path):
        raise DataError("is gone")


def is_done(action: Action) -> bool:
    """Whether a logged action was done and nothing has replaced the file since."""
    if action.how is How.TRASH:
        return os.path.lexists(action.to) and not os.path.lexists(action.path)
    try:
        return os.path.samestat(os.lstat(action.path), os.lstat(action.to))
    except OSError:
        return False


def tidy(actions: Sequence[Action]) -> None:
    """Delete temporary links that a killed run left next to files."""
    for action in actions:
        if not action.aside:
            continue
        with suppress(OSError):
            if os.path.samestat(os.lstat(action.aside), os.lstat(action.to)):
                os.unlink(action.aside)
