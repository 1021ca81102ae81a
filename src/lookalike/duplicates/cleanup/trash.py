"""Trash folders: one for each run of a plan, with a marker, so that undoing takes files from no other folder.

A file lies there with its whole path, so where it belongs can be read off where it is.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from lookalike.core.errors import ConfigError, DataError
from lookalike.duplicates.cleanup import file_identity
from lookalike.duplicates.cleanup.undo_log import Action, How
from lookalike.store import catalog

MARKER = ".lookalike-trash"
NAME = re.compile(r"lookalike-\d{8}-\d{6}(-\d{1,3})?")


def new_folder(trash: Path) -> Path:
    """A new folder of this run below the trash folder, with the marker on disk."""
    trash = trash.absolute()
    trash.mkdir(parents=True, exist_ok=True)
    name = time.strftime("lookalike-%Y%m%d-%H%M%S")
    for number in range(1, 1000):
        folder = trash / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            folder.mkdir()
            _mark(folder)
            return folder
    raise DataError(f"no folder can be made in {trash}")


def place(folder: Path, path: str) -> Path:
    """Where a file lies in the folder of a run: with its whole path."""
    return folder / Path(path).relative_to(Path(path).anchor)


def nearest(folder: Path) -> Path:
    """The folder itself, or the nearest above it that exists."""
    folder = folder.absolute()
    return next(one for one in (folder, *folder.parents) if one.exists())


def check(trash: Path | None, roots: Sequence[str]) -> None:
    """Raises `ConfigError` for a trash whose images would be indexed the next time, or that is part of a database."""
    if trash is None:
        return
    if trash.exists() and not trash.is_dir():
        raise ConfigError(f"{trash} is a file; name a folder for --trash")
    above = nearest(trash).resolve()
    if any((folder / catalog.FILE).exists() for folder in (above, *above.parents)):
        raise ConfigError(f"{trash} lies in the folder of a database, which may be deleted; name another for --trash")
    if file_identity.is_below(os.fspath(above / "x"), roots):
        raise ConfigError(f"{trash} lies below a folder that was indexed, which would index it again; name another")


def check_log(actions: Iterable[Action], roots: Sequence[str], log: Path) -> None:
    """Raises `DataError` for a log that reaches a file which no run on this database can have touched.

    A log is only a text that somebody may have sent: files go to indexed folders only, and come from a folder with the
    marker of a run only, links to folders followed.
    """
    for action in actions:
        places = [action.path] if action.how is How.TRASH else [action.path, action.to]
        outside = next((path for path in places if not file_identity.is_below(path, roots, strict=False)), None)
        if outside is not None:
            raise DataError(
                f"{log} names {outside!r}, which lies below no folder of this database; nothing was done. Name the "
                "database that the plan was made for with --db"
            )
        if action.how is How.TRASH and os.path.lexists(action.to) and not _is_of_a_run(action):
            raise DataError(
                f"{log} takes {action.to!r} from a folder that is not the trash of a run (it has no {MARKER}); "
                "nothing was done"
            )


def _mark(folder: Path) -> None:
    with (folder / MARKER).open("x", encoding="ascii") as file:
        file.write(json.dumps({"lookalike_trash": 1}) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _is_of_a_run(action: Action) -> bool:
    """Whether a file lies where a run puts the one of this path, in a folder with the marker."""
    tail = Path(action.path).relative_to(Path(action.path).anchor).parts
    folder = Path(*Path(action.to).parts[: -len(tail)])
    if place(folder, action.path) != Path(action.to) or NAME.fullmatch(folder.name) is None:
        return False
    marker = folder / MARKER
    return marker.is_file() and not marker.is_symlink() and file_identity.is_below(action.to, [os.fspath(folder)])
