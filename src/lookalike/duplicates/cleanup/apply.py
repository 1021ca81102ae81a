"""Doing what a plan says: files are moved into a trash folder, or become hard links to the copy that is kept.

Nothing is deleted. Each file is read again before it is touched, and the copy that is kept, too; what has changed, lies
elsewhere, or would be the last copy, is left alone with a reason. A move and the exchange of a link are single steps
of the file system, each logged before it is done: whenever this is killed, every file is in its place or in the trash.
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
    """What became of a file."""

    DONE = "done"
    WOULD = "would be done"
    BEFORE = "done before"
    GONE = "gone already"
    LEFT = "left alone"


class Step(NamedTuple):
    """A file of a plan or a log, and what became of it."""

    path: str
    outcome: Outcome
    why: str = ""  # it was left alone, or which of its companions stay
    size: int = 0  # bytes
    of: str = ""  # the photo that it is a companion of


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """How a plan is carried out."""

    log: Path
    trash: Path | None = None  # none: hard links
    dry_run: bool = False


def steps(plan: Plan, roots: Sequence[str], options: ApplyOptions) -> Iterator[Step]:
    """Carry out a plan, step by step: what became of each file that it removes.

    Raises `DataError`, `ConfigError` before anything is done.
    """
    plans.check(plan)
    trash.check(options.trash, roots)
    yield from _Applying(plan, roots, options).steps()


class Copy(NamedTuple):
    """A file that is kept."""

    path: str
    seen: FileSnapshot


class Move(NamedTuple):
    """A file that goes to the trash."""

    path: str
    seen: FileSnapshot
    to: Path


class _Applying:
    """One run of a plan."""

    def __init__(self, plan: Plan, roots: Sequence[str], options: ApplyOptions) -> None:
        self._plan, self._roots, self._options = plan, roots, options
        self._before = undo_log.read(options.log) if undo_log.is_begun(options.log) else []
        trash.check_log(self._before, roots, options.log)
        self._kept: dict[str, FileSnapshot] = {}
        self._staying = {entry.path for group in plan.groups for entry in group.of(plans.Action.KEEP)}
        self._folders = companions.Folders()
        self._folder: Path | None = None  # of this run, in the trash
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
        """What becomes of a file, and of its companions."""
        if _is_gone(entry.path):
            return [Step(entry.path, Outcome.GONE)]
        try:
            seen = self._checked(entry)
            copy = self._copy(entry, seen, group)
            self._check_way(seen, copy.seen)
            with_it = Belongings([], [])  # of what becomes a link, companions stay
            if self._options.trash is not None:
                with_it = companions.of(entry.path, seen, self._folders, self._roots, self._staying)
            if not self._options.dry_run:
                self._do(entry, seen, copy, with_it)
        except DataError as error:
            return [Step(entry.path, Outcome.LEFT, str(error))]
        except OSError as error:
            return [Step(entry.path, Outcome.LEFT, error.strerror or str(error))]
        outcome = Outcome.WOULD if self._options.dry_run else Outcome.DONE
        return [
            Step(entry.path, outcome, "; ".join(with_it.staying), seen.identity.size),
            *(Step(path, outcome, size=one.identity.size, of=entry.path) for path, one in with_it.going),
        ]

    def _checked(self, entry: Entry) -> FileSnapshot:
        """The file that is to go, as it was when the plan was made. Raises `DataError` if it is not."""
        _check_is_file(entry.path)
        if not entry.digest:
            raise DataError("was never read, so that nothing tells whether it has changed; index it")
        seen = file_identity.removable(entry.path, self._roots)
        if seen.digest != entry.digest:
            raise DataError("has changed since the plan was made")
        return seen

    def _copy(self, entry: Entry, seen: FileSnapshot, group: PlanGroup) -> Copy:
        """A copy that is kept, with the same bytes if there is one, all of which are read again.

        Raises `DataError` if one of them is not as it was when the plan was made.
        """
        copies = []
        for one in sorted(group.of(plans.Action.KEEP), key=lambda one: one.digest != entry.digest):
            try:
                copies.append(Copy(one.path, self._still(one, seen)))
            except DataError as error:
                raise DataError(f"would leave a copy that is not sure to be kept: {one.path} {error}") from None
        if self._options.trash is None and copies[0].seen.digest != seen.digest:
            raise DataError(
                "differs from the kept copy in its bytes, so it cannot become a link: use --trash, or plan with "
                "--skip-pixel-check"
            )
        return copies[0]

    def _still(self, one: Entry, gone: FileSnapshot) -> FileSnapshot:
        """A file that is kept, as it was when the plan was made. Raises `DataError` if it is not."""
        held = self._kept.get(one.path)
        if held is None or not file_identity.is_unchanged(one.path, held):
            _check_is_file(one.path)
            file_identity.check_below(one.path, self._roots)
            held = self._kept[one.path] = file_identity.snapshot(one.path)
        if held.digest != one.digest:
            raise DataError("has changed since the plan was made")
        if held.identity[:2] == gone.identity[:2]:
            raise DataError("is the same file under another name")
        return held

    def _check_way(self, seen: FileSnapshot, copy: FileSnapshot) -> None:
        if self._options.trash is None:
            if seen.identity.device != copy.identity.device:
                raise DataError("is on another file system than the copy that is kept; use --trash")
            if seen.owner != copy.owner:
                raise DataError("belongs to somebody else than the copy that is kept; use --trash")
        elif seen.identity.device != trash.nearest(self._options.trash).stat().st_dev:
            raise DataError(f"is on another file system than {self._options.trash}; name a --trash on its own")

    def _do(self, entry: Entry, seen: FileSnapshot, copy: Copy, with_it: Belongings) -> None:
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
            # the photo last: as long as it is there, the same command goes on with what else belongs to it
            moves = [Move(path, one, self._place(path)) for path, one in [*with_it.going, (entry.path, seen)]]
            moves[-1].to.parent.mkdir(parents=True, exist_ok=True)
            for one in moves:
                of = entry.path if one.path != entry.path else ""
                about = Action(
                    how=How.TRASH, path=one.path, digest=one.seen.digest, size=one.seen.identity.size,
                    to=os.fspath(one.to), of=of,
                )  # fmt: skip
                self._log.about_to(about)
            _move(moves, copy)

    def _place(self, path: str) -> Path:
        """Where a file goes in the trash: below a folder of this run, with its whole path."""
        if self._folder is None:
            assert self._options.trash is not None
            self._folder = trash.new_folder(self._options.trash)
        return trash.place(self._folder, path)


def _move(moves: Sequence[Move], copy: Copy) -> None:
    """Move files, all of them or none."""
    done: list[Move] = []
    try:
        for one in moves:
            _check_unchanged(one.path, one.seen, copy)
            if os.path.lexists(one.to):
                raise DataError(f"something lies at {one.to} already")
            os.rename(one.path, one.to)
            done.append(one)
    except BaseException:
        for one in reversed(done):
            with suppress(OSError):
                if not os.path.lexists(one.path):
                    os.rename(one.to, one.path)
        raise


def _exchange(action: Action, seen: FileSnapshot, copy: Copy) -> None:
    """Put a link to the kept file in a file's place, by way of another name."""
    os.link(copy.path, action.aside, follow_symlinks=False)
    try:
        _check_unchanged(action.path, seen, copy._replace(path=action.aside))
        os.replace(action.aside, action.path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(action.aside)
        raise


def _check_unchanged(path: str, seen: FileSnapshot, copy: Copy) -> None:
    if not (file_identity.is_unchanged(path, seen) and file_identity.is_unchanged(*copy)):
        raise DataError("changes at this moment, or its copy does")


def _is_gone(path: str) -> bool:
    """Whether there is nothing at a path, nor a table of which it is a row."""
    return not (os.path.lexists(path) or _is_row(path))


def _is_row(path: str) -> bool:
    table, mark, row = path.rpartition("#")
    return bool(mark) and row.isdigit() and os.path.isfile(table) and not os.path.lexists(path)


def _check_is_file(path: str) -> None:
    """Raises `DataError` for a row of a table, and what is gone."""
    if _is_row(path):
        raise DataError("is a row of a table; tables are not changed")
    if not os.path.lexists(path):
        raise DataError("is gone")


def is_done(action: Action) -> bool:
    """Whether what a log says was done, and nothing has come in its place."""
    if action.how is How.TRASH:
        return os.path.lexists(action.to) and not os.path.lexists(action.path)
    try:
        return os.path.samestat(os.lstat(action.path), os.lstat(action.to))
    except OSError:
        return False


def tidy(actions: Sequence[Action]) -> None:
    """Take away what a kill left of links: names beside files."""
    for action in actions:
        if not action.aside:
            continue
        with suppress(OSError):
            if os.path.samestat(os.lstat(action.aside), os.lstat(action.to)):
                os.unlink(action.aside)
