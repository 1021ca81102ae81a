"""Images in folders.

Every file counts, whatever its extension: its first bytes tell what it is. Hidden files and folders, everything known
to `leaving_out`, companions of photos, links to folders, and databases of this package are left out. An unreadable
folder is reported, with the reason, and the scan continues.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lookalike.core import address
from lookalike.core.mounts import Mounts, Volume
from lookalike.data import leaving_out
from lookalike.data.item import Item
from lookalike.data.leaving_out import COUNTED, LeavingOut
from lookalike.imaging import companions
from lookalike.imaging.files import open_regular, read_whole
from lookalike.imaging.formats import kinds

DATABASE_MARK = "catalog.sqlite"


@dataclass
class Walked:
    """What a scan skipped."""

    unreadable: list[tuple[str, str]] = field(default_factory=list)  # folder, reason
    left_out: Counter[str] = field(default_factory=Counter)  # number of files by kind; see `leaving_out.COUNTED`
    companions: int = 0


class _Folder(NamedTuple):
    """A folder to be scanned."""

    path: str  # as given
    real: str  # with links resolved
    volume: Volume
    above: tuple[tuple[int, int], ...]  # device and inode of the folders above it
    only_included: bool = False  # left out itself, but may contain included files


def walk(
    root: Path,
    *,
    labels_from_folders: bool,
    leave_out: LeavingOut | None = None,
    mounts: Mounts | None = None,
    walked: Walked | None = None,
) -> Iterator[Item]:
    """The items below a folder: each folder's files by name, then those of its sub-folders."""
    leave_out, mounts, walked = leave_out or LeavingOut(), mounts or Mounts(), Walked() if walked is None else walked
    top, base = os.fspath(root), len(os.fspath(root).rstrip("/")) + 1
    waiting = [_Folder(top, os.path.realpath(top), mounts.of(top), ())]
    while waiting:
        folder = waiting.pop()
        try:
            files, subfolders = _listed(folder, leave_out, mounts, walked)
        except OSError as error:
            walked.unreadable.append((folder.path, error.strerror or str(error)))
            continue
        for entry in files:
            yield _item(top, entry.path[base:], folder.volume, entry, labels_from_folders=labels_from_folders)
        waiting += reversed(subfolders)


def single(path: Path, *, volume: Volume) -> Item:
    """The item of one file; its root is its folder."""
    return _item(os.fspath(path.parent), path.name, volume, path, labels_from_folders=False)


def read(item: Item) -> bytes:
    """A file's bytes. If it does not begin like an image, only its beginning is read."""
    with open_regular(item.name) as file:
        kinds.recognise(file.read(kinds.HEAD))
        file.seek(0)
        return read_whole(file)


def _listed(
    folder: _Folder, leave_out: LeavingOut, mounts: Mounts, walked: Walked
) -> tuple[list[os.DirEntry[str]], list[_Folder]]:
    """The files in a folder that are items, and its sub-folders to scan. Raises `OSError`."""
    status = os.stat(folder.path)
    here = status.st_dev, status.st_ino
    if here in folder.above and status.st_ino:
        raise OSError(0, "the same folder as one above it")
    with os.scandir(folder.path) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    folders = [entry for entry in entries if _is_folder(entry)]
    names = {entry.name for entry in folders}
    files = [entry for entry in entries if entry.name not in names]
    if any(entry.name == DATABASE_MARK and address.is_ours(entry.path) for entry in files):
        walked.left_out[leaving_out.DATABASES] += 1
        return [], []
    files = [entry for entry in files if _is_taken(folder, entry, leave_out, walked)]
    belonging = _companions(files)
    walked.companions += len(belonging)
    below: list[_Folder] = []
    for entry in folders:
        if not entry.is_symlink():
            below += _subfolder(folder, entry, (*folder.above, here), leave_out, mounts, walked)
    return [entry for entry in files if entry.name not in belonging], below


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # reported when it is read
        return False


def _is_taken(folder: _Folder, entry: os.DirEntry[str], leave_out: LeavingOut, walked: Walked) -> bool:
    kind = leave_out.kind(folder.path, entry.name, is_folder=False)
    if folder.only_included and not leave_out.includes(folder.path, entry.name, is_folder=False):
        kind = kind or leaving_out.EXCLUDED
    if kind is not None:
        walked.left_out[kind] += 1
    return kind is None


def _companions(files: list[os.DirEntry[str]]) -> set[str]:
    """Names of files that belong to others, including those whose owner is gone."""
    names = [entry.name for entry in files]
    candidates = {name for name in names if companions.is_companion(name)}
    if not candidates:
        return set()
    owned = {name for names_of_owner in companions.by_owner(names).values() for name in names_of_owner}
    large = {entry.name for entry in files if entry.name in owned and _size(entry) > companions.LARGEST}
    return (owned - large) | {name for name in candidates if companions.is_sidecar(name)}


def companion_names(folder: str) -> frozenset[str]:
    """Names of files in a folder that belong to others; empty if it is unreadable."""
    try:
        with os.scandir(folder) as listing:
            return frozenset(_companions([entry for entry in listing if not _is_folder(entry)]))
    except OSError:
        return frozenset()


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return 0


def _subfolder(
    folder: _Folder,
    entry: os.DirEntry[str],
    above: tuple[tuple[int, int], ...],
    leave_out: LeavingOut,
    mounts: Mounts,
    walked: Walked,
) -> Iterator[_Folder]:
    """A sub-folder, if it is to be scanned."""
    kind = leave_out.kind(folder.path, entry.name, is_folder=True)
    included = leave_out.includes(folder.path, entry.name, is_folder=True)
    only_included = not included and (folder.only_included or kind is not None)
    if only_included and not leave_out.may_hold_included(entry.path):
        _count(entry, kind or leaving_out.EXCLUDED, walked)
        return
    real = os.path.join(folder.real, entry.name)
    try:
        device = entry.stat(follow_symlinks=False).st_dev
    except OSError as error:
        walked.unreadable.append((entry.path, error.strerror or str(error)))
        return
    volume = mounts.below(folder.volume, real, device=device, parent_device=above[-1][0])
    yield _Folder(entry.path, real, volume, above, only_included)


def _count(entry: os.DirEntry[str], kind: str, walked: Walked) -> None:
    """Count the files in a folder that is left out; a hidden one counts as one."""
    if kind == leaving_out.HIDDEN:
        walked.left_out[kind] += 1
    elif walked.left_out[kind] < COUNTED:
        walked.left_out[kind] += leaving_out.count_files(entry.path, at_most=COUNTED - walked.left_out[kind])


def _item(root: str, path: str, volume: Volume, file: os.DirEntry[str] | Path, *, labels_from_folders: bool) -> Item:
    path = path.replace(os.sep, "/")
    label = path.split("/", 1)[0] if labels_from_folders and "/" in path else None
    try:
        status = file.stat()
    except OSError:  # a broken link, or removed in the meantime: reading it will report that
        return Item(root, path, -1, -1, label)
    return Item(root, path, status.st_size, status.st_mtime_ns, label).seen(status, volume)
