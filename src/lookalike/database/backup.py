"""Backups: a verified copy of a database, made even while it is in use.

SQLite's online backup copies the catalog at one moment. Derived files are copied if they match that state, and rebuilt
otherwise. Kept originals become hard links where the file system supports them, because an original is never modified,
only replaced.
"""

from __future__ import annotations

import os
import shutil
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from lookalike.core import atomic
from lookalike.core.errors import DatabaseError
from lookalike.database import verify
from lookalike.store import catalog as catalogs
from lookalike.store import model_file, originals
from lookalike.store.derived import code_array, codefile, leftovers
from lookalike.store.folder import FolderStore

DERIVED = (codefile.FILE, leftovers.VARIANTS)
PARTS = (catalogs.FILE, *DERIVED, model_file.FILE, originals.FOLDER)  # of a database


@dataclass(frozen=True, slots=True)
class Backup:
    """What was copied."""

    path: str  # of the new database
    images: int
    originals: int
    linked: int  # originals that are hard links, which take no space


def make(store: FolderStore, to: Path, *, copy: bool = False) -> Backup:
    """Copy a database to a new or empty folder; `copy` copies originals instead of linking them.

    The copy is verified before it gets its name. Raises `DatabaseError` and then leaves nothing behind.
    """
    folder = store.folder
    _check_free(folder, to)
    _check_nothing_is_lost(store)
    to.parent.mkdir(parents=True, exist_ok=True)
    _delete_leftovers(to)
    made = atomic.temporary_name(to)
    made.mkdir()
    try:
        with atomic.locked(made):
            store.backup(made / catalogs.FILE)
            with closing(FolderStore(made)) as copied:
                _copy_files(folder, copied)
                kept, linked = _copy_originals(folder, copied, copy=copy)
                code_array.keep(copied)
                _check(folder, copied)
                images = copied.counts()["images"]
            atomic.put_in_place(made, to)
    except DatabaseError as error:  # name the folder that the user knows
        raise DatabaseError(str(error).replace(os.fspath(made), os.fspath(to))) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return Backup(os.fspath(to), images, kept, linked)


def _check_free(folder: Path, to: Path) -> None:
    if to.is_symlink() or (to.exists() and not to.is_dir()):
        raise DatabaseError(f"{to} is not a folder; choose a new or empty one")
    if to.is_dir() and any(to.iterdir()):
        raise DatabaseError(f"{to} is not empty; choose a new or empty folder, such as {to}/backup")
    if to.resolve().is_relative_to(folder.resolve()):
        raise DatabaseError(f"{to} is inside the database; choose a folder elsewhere, preferably on another drive")


def _delete_leftovers(to: Path) -> None:
    """Delete leftovers of killed backups to the same place: folders that contain only parts of a database."""
    with suppress(OSError):
        for made in atomic.leftovers(to):
            names = os.listdir(made) if made.is_dir() else ["a file"]
            if all(name.lstrip(".").startswith(PARTS) for name in names):
                shutil.rmtree(made, ignore_errors=True)


def _check_nothing_is_lost(store: FolderStore) -> None:
    try:
        header = codefile.read_header(
            store.folder / codefile.FILE
        )  # read before the catalog, which a writer may change
    except DatabaseError:
        return
    if header.is_later(store.stamp):
        raise DatabaseError(
            f"{store.location} has lost changes, so no backup was made. See: lookalike verify --db {store.location}"
        )


def _copy_files(folder: Path, copied: FolderStore) -> None:
    """Copy the model that made the codes, and derived files; a writer may change either at any time."""
    made, digest = copied.folder, copied.get("model")
    for place in (folder / model_file.FILE, model_file.pending(folder)):
        if model_file.has_digest(place, digest):
            shutil.copyfile(place, made / model_file.FILE)
            break
    for name in DERIVED:
        with suppress(FileNotFoundError):
            shutil.copyfile(folder / name, made / name)
    with suppress(DatabaseError):
        if not codefile.read_header(made / codefile.FILE).fits(copied.stamp):
            (made / codefile.FILE).unlink()  # of a later state, because a writer was at work


def _copy_originals(folder: Path, copied: FolderStore, *, copy: bool) -> tuple[int, int]:
    """Numbers of originals copied, and of those that are links."""
    kept = linked = 0
    for digest in sorted(copied.originals()):
        source, target = originals.path(folder, digest), originals.path(copied.folder, digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # the check will report it
            linked += not copy and _linked(source, target)
            if not target.exists():
                shutil.copyfile(source, target)
            kept += 1
    return kept, linked


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        return False
    return True


def _check(folder: Path, copied: FolderStore) -> None:
    made = copied.folder
    bad = [finding.what for finding in verify.verify(copied) if not finding.ok]
    if bad:
        what = bad[0].replace(os.fspath(made), os.fspath(folder))
        raise DatabaseError(
            f"no backup was made, because its check found: {what}. If {folder} was being changed, try again;  "
            f"otherwise see: lookalike verify --db {folder}"
        )
