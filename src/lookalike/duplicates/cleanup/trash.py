"""Trash folders: one for each run, with a marker, so that undo takes files from no other folder.

A file's path in the trash contains its whole original path.
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
    """A new folder for this run inside the trash, with the marker flushed to disk."""
    trash = trash.absolute()
    trash.mkdir(parents=True, exist_ok=True)
    name = time.strftime("lookalike-%Y%m%d-%H%M%S")
    for number in range(1, 1000):
        folder = trash / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            folder.mkdir()
            _mark(folder)
            return folder
    raise DataError(f"cannot create a folder in {trash}")


def path_in(folder: Path, path: str) -> Path:
    """A file's path in a run's folder: its whole original path."""
    return folder / Path(path).relative_to(Path(path).anchor)


def nearest(folder: Path) -> Path:
    """The folder itself, or the nearest existing one above."""
    folder = folder.absolute()
    return next(one for one in (folder, *folder.parents) if one.exists())


def check(trash: Path | None, roots: Sequence[str]) -> None:
    """Raise `ConfigError` for a trash folder that would be indexed, or that is inside a database."""
    if trash is None:
        return
    if trash.exists() and not trash.is_dir():
        raise ConfigError(f"{trash} is a file; choose a folder for --trash")
    above = nearest(trash).resolve()
    if any((folder / catalog.FILE).exists() for folder in (above, *above.parents)):
        raise ConfigError(f"{trash} is inside a database, which may be deleted; choose another folder for --trash")
    if file_identity.is_below(os.fspath(above / "x"), roots):
        raise ConfigError(
            f"{trash} is below an indexed folder, so its images would be indexed again; choose another folder"
        )


def check_log(actions: Iterable[Action], roots: Sequence[str], log: Path) -> None:
    """Raise `DataError` for a log that refers to a file which no run on this database can have touched.

    A log is plain text that anybody may have sent. So files may only be restored to indexed folders, and only from a
    folder with a run's marker, after following links to folders.
    """
    for action in actions:
        paths = [action.path] if action.how is How.TRASH else [action.path, action.to]
        outside = next((path for path in paths if not file_identity.is_below(path, roots, strict=False)), None)
        if outside is not None:
            raise DataError(
                f"{log} names {outside!r}, which is not below a folder of this database; nothing was done. Name the "
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
    """Whether a file is where a run puts it, in a folder with the marker."""
    tail = Path(action.path).relative_to(Path(action.path).anchor).parts
    folder = Path(*Path(action.to).parts[: -len(tail)])
    if path_in(folder, action.path) != Path(action.to) or NAME.fullmatch(folder.name) is None:
        return False
    marker = folder / MARKER
    return marker.is_file() and not marker.is_symlink() and file_identity.is_below(action.to, [os.fspath(folder)])
