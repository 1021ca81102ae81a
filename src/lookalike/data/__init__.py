"""Collections of images: folders, files and Parquet tables, all as lists of items.

An item's name is its path; a row of a table is named `table.parquet#12`, one of a CIFAR-10 batch
`data_batch_1.bin#12`. The same collection gives the same list on every machine.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from lookalike.data import cifar10, folder, parquet
from lookalike.data.item import Item, Label, content_digest
from lookalike.errors import DataError

__all__ = ["Item", "Label", "content_digest", "default_name", "exists", "find", "read_bytes", "scopes", "source"]

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def find(
    images: Paths, *, labels_from_folders: bool = False, limit: int | None = None, may_be_empty: bool = False
) -> list[Item]:
    """The items of folders, files and Parquet files, each once, at most `limit`.

    With `labels_from_folders` an item's label is the name of the sub-folder of its root that it lies in; the rows
    of a table have the labels of its column `label_name`, `labels` or `label`, those of the folder
    `cifar-10-batches-bin` the names of their classes.
    Raises `DataError` if a path does not exist, or if nothing is found and that must not be.
    """
    if limit is not None and limit < 1:
        raise DataError(f"limit is {limit}; it must be at least 1")
    paths = _as_paths(images)
    for path in paths:
        if not (os.path.exists(path) or parquet.is_row(path) or cifar10.is_row(path)):
            raise DataError(f"{path} does not exist; name a folder, files or a Parquet file")
    unique: dict[str, Item] = {}
    for item in itertools.chain.from_iterable(_items(path, labels_from_folders) for path in paths):
        unique.setdefault(item.name, item)
        if limit is not None and len(unique) >= limit:
            break
    if not (unique or may_be_empty):
        raise DataError(
            f"{', '.join(map(str, paths))}: there are no images here; name a folder, files or a Parquet file"
        )
    return list(unique.values())


def read_bytes(item: Item) -> bytes:
    """The encoded image of an item. Raises `ImageError` for what is no image, `OSError` for what cannot be read."""
    if item.row is None:
        return folder.read(item)
    return cifar10.read(item) if _is_cifar10(item) else parquet.read(item)


def source(item: Item) -> str | bytes:
    """What decodes an item: the path of its file, or the encoded bytes of a row. Raises as `read_bytes` does."""
    return item.name if item.row is None else read_bytes(item)


def exists(item: Item) -> bool:
    """Whether an item is still where it was."""
    if not os.path.exists(item.file):
        return False
    return item.row is None or (cifar10.holds(item) if _is_cifar10(item) else parquet.holds(item))


def default_name(images: Paths) -> str:
    """What a collection is called where nobody named it: its folder's or file's name, `and 2 more` if there are."""
    first, *others = _as_paths(images)
    return first.resolve().stem + (f" and {len(others)} more" if others else "")


def scopes(images: Paths) -> list[str]:
    """The absolute paths of what was named: files, folders, tables."""
    return [os.fspath(path) for path in _as_paths(images)]


def _as_paths(images: Paths) -> list[Path]:
    paths = [images] if isinstance(images, str | os.PathLike) else list(images)
    if not paths:
        raise DataError("no images were named; name a folder, files or a Parquet file")
    if any("\0" in os.fspath(path) for path in paths):
        raise DataError("a path with a zero byte names no file")
    return [Path(os.path.abspath(path)) for path in paths]


def _is_cifar10(item: Item) -> bool:
    return item.file.endswith(".bin")


def _items(path: Path, labels_from_folders: bool) -> Iterator[Item]:
    if parquet.is_row(path):
        return iter([parquet.row(path)])
    if cifar10.is_row(path):
        return iter([cifar10.row(path)])
    if path.is_dir() and cifar10.is_here(path):
        return cifar10.rows(path)
    if path.is_dir():
        return folder.walk(path, labels_from_folders=labels_from_folders)
    if path.suffix.lower() == ".parquet":
        return parquet.rows(path)
    return iter([folder.single(path)])
