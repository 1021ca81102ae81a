"""Image collections: folders, files and Parquet tables, as lists of items.

An item's name is its path; a table's row is named `table.parquet#12`. The same collection gives the same list on every
machine.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lookalike.core.errors import DataError
from lookalike.core.mounts import Mounts
from lookalike.data import folder, parquet
from lookalike.data.folder import Walked, companion_names
from lookalike.data.item import Item, Label, content_digest
from lookalike.data.leaving_out import LeavingOut, Rule, rules

__all__ = [
    "Item", "Label", "LeavingOut", "Rule", "Survey", "are_paths", "companion_names", "content_digest", "default_name",
    "exists", "find", "read_bytes", "rules", "scopes", "source", "survey",
]  # fmt: skip

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass
class Survey:
    """The items of a collection, and everything that was skipped."""

    items: list[Item]
    walked: dict[str, Walked] = field(default_factory=dict)  # by the given folder
    absent: list[tuple[str, str]] = field(default_factory=list)  # unreachable paths, and why
    leave_out: LeavingOut = field(default_factory=LeavingOut)
    is_partial: bool = False  # because of a limit

    @property
    def unreadable(self) -> list[tuple[str, str]]:
        """Unreadable paths, with the reasons."""
        return [*self.absent, *dict.fromkeys(one for walked in self.walked.values() for one in walked.unreadable)]

    @property
    def left_out(self) -> Counter[str]:
        """Numbers of files left out, by kind."""
        return sum((walked.left_out for walked in self.walked.values()), Counter())

    @property
    def companions(self) -> int:
        """Number of files that belong to photos."""
        return sum(walked.companions for walked in self.walked.values())


def find(
    images: Paths, *, labels_from_folders: bool = False, limit: int | None = None, may_be_empty: bool = False
) -> list[Item]:
    """The items of folders, files and Parquet files, without duplicates, at most `limit` (see `survey`)."""
    return survey(images, labels_from_folders=labels_from_folders, limit=limit, may_be_empty=may_be_empty).items


def survey(
    images: Paths,
    *,
    labels_from_folders: bool = False,
    limit: int | None = None,
    may_be_empty: bool = False,
    leave_out: LeavingOut | None = None,
    may_be_absent: Sequence[str] = (),
) -> Survey:
    """The items of folders, files and Parquet files, without duplicates, at most `limit`, and what was skipped.

    With `labels_from_folders`, an item's label is the name of its sub-folder in the root; a table's rows have the
    labels of its column `label_name`, `labels` or `label`. `leave_out` says what to leave out of folders.
    Raises `DataError` if a path does not exist, unless it is in `may_be_absent`, or if nothing is found, unless
    `may_be_empty`.
    """
    if limit is not None and limit < 1:
        raise DataError(f"limit is {limit}; it must be at least 1")
    paths = _as_paths(images)
    found = Survey([], leave_out=leave_out or LeavingOut(), is_partial=limit is not None)
    reasons = {path: why for path in paths if (why := _absent(path)) is not None}
    for path, why in reasons.items():
        if os.fspath(path) not in may_be_absent:
            what = "does not exist" if why == NOT_THERE else f"is unreadable ({why})"
            raise DataError(f"{path} {what}; name a folder, files or a Parquet file")
        found.absent.append((os.fspath(path), why))
    unique: dict[str, Item] = {}
    here = [path for path in paths if path not in reasons]
    for item in _all_items(here, found, labels_from_folders=labels_from_folders):
        unique.setdefault(item.name, item)
        if limit is not None and len(unique) >= limit:
            break
    if not (unique or may_be_empty):
        raise DataError(_nothing(paths, found))
    found.items = list(unique.values())
    return found


NOT_THERE = "No such file or directory"


def _absent(path: Path) -> str | None:
    """Why a path is unreachable; None if it is reachable."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None if parquet.is_row(path) else NOT_THERE
    except OSError as error:
        return error.strerror or str(error)
    return None


def _nothing(paths: Sequence[Path], found: Survey) -> str:
    """The error for a collection without images."""
    message = f"{', '.join(map(str, paths))}: there are no images here"
    if found.unreadable:
        place, why = found.unreadable[0]
        return f"{message} that can be read: {place} ({why}). Change its permissions, or name another folder"
    if found.left_out:
        kinds = ", ".join(f"{count} in {kind}" for kind, count in found.left_out.items())
        return f"{message} except files that are left out ({kinds}); add them with --include, or name their folder"
    return f"{message}; name a folder, files or a Parquet file"


def read_bytes(item: Item) -> bytes:
    """The encoded image of an item. Raises `ImageError` if it is not an image, `OSError` if it is unreadable."""
    return folder.read(item) if item.row is None else parquet.read(item)


def source(item: Item) -> str | bytes:
    """What to decode for an item: the path of its file, or the encoded bytes of a row. Raises as `read_bytes`."""
    return item.name if item.row is None else read_bytes(item)


def exists(item: Item) -> bool:
    """Whether an item is still where it was."""
    return os.path.exists(item.file) and (item.row is None or parquet.holds(item))


def are_paths(images: Any) -> bool:
    """Whether a value is a path or a sequence of paths, and not images as a program has them."""
    return isinstance(images, str | os.PathLike) or (
        isinstance(images, Sequence) and all(isinstance(one, str | os.PathLike) for one in images)
    )


def default_name(images: Paths) -> str:
    """A collection's default name: that of its folder or file, plus `and 2 more` for others."""
    first, *others = _as_paths(images)
    return first.resolve().stem + (f" and {len(others)} more" if others else "")


def scopes(images: Paths) -> list[str]:
    """The absolute paths of the given files, folders and tables."""
    return [os.fspath(path) for path in _as_paths(images)]


def _as_paths(images: Paths) -> list[Path]:
    paths = [images] if isinstance(images, str | os.PathLike) else list(images)
    if not paths:
        raise DataError("no images were given; name a folder, files or a Parquet file")
    if any("\0" in os.fspath(path) for path in paths):
        raise DataError("a path must not contain a zero byte")
    return [Path(os.path.abspath(path)) for path in paths]


def _all_items(paths: Sequence[Path], found: Survey, *, labels_from_folders: bool) -> Iterator[Item]:
    mounts = Mounts()
    for path in paths:
        if os.path.isdir(path):
            walked = found.walked.setdefault(os.fspath(path), Walked())
            yield from folder.walk(
                path,
                labels_from_folders=labels_from_folders,
                leave_out=found.leave_out,
                mounts=mounts,
                walked=walked,
            )
        else:
            yield from _single_items(path, mounts)


def _single_items(path: Path, mounts: Mounts) -> Iterator[Item]:
    """The items of a file, a table or one of its rows."""
    volume = mounts.of(path)
    if parquet.is_row(path):
        return iter([parquet.row(path, volume)])
    if path.suffix.lower() == ".parquet":
        return parquet.rows(path, volume)
    return iter([folder.single(path, volume=volume)])
