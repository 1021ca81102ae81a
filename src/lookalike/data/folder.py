"""Images as files in a folder.

Every file counts, whatever its ending: what it is, its first bytes tell. Left out are hidden files and folders (a
name that begins with a dot), what systems leave behind, links to folders, and databases of this package.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lookalike.data.item import Item
from lookalike.imaging import formats
from lookalike.imaging.files import open_regular, read_whole

LEFT_OUT = frozenset({"__MACOSX", "@eaDir", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN"})
DATABASE_MARK = "catalog.sqlite"


def walk(root: Path, *, labels_from_folders: bool) -> Iterator[Item]:
    """The items below a folder: the files of each folder by name, then those of its sub-folders."""
    for folder, subfolders, files in os.walk(root):
        if DATABASE_MARK in files:
            subfolders.clear()
            continue
        subfolders[:] = sorted(filter(_is_wanted, subfolders))
        for name in sorted(filter(_is_wanted, files)):
            path = os.path.relpath(os.path.join(folder, name), root)
            yield _item(os.fspath(root), path, labels_from_folders=labels_from_folders)


def single(path: Path) -> Item:
    """The item of one file; its root is the folder that it lies in."""
    return _item(os.fspath(path.parent), path.name, labels_from_folders=False)


def read(item: Item) -> bytes:
    """The bytes of a file, of which only the first are read if they are not those of an image."""
    with open_regular(item.name) as file:
        formats.recognise(file.read(formats.HEAD))
        file.seek(0)
        return read_whole(file)


def _is_wanted(name: str) -> bool:
    return not name.startswith(".") and name not in LEFT_OUT


def _item(root: str, path: str, *, labels_from_folders: bool) -> Item:
    path = path.replace(os.sep, "/")
    label = path.split("/", 1)[0] if labels_from_folders and "/" in path else None
    try:
        status = os.stat(os.path.join(root, path))
    except OSError:  # a broken link, or gone meanwhile: whoever reads it will say so
        return Item(root, path, -1, -1, label)
    return Item(root, path, status.st_size, status.st_mtime_ns, label)
