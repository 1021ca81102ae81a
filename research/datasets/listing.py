"""Text files that list images."""

from __future__ import annotations

import os
from pathlib import Path

from lookalike.core.errors import DataError
from lookalike.data.item import Item, Label


def lines(file: Path) -> list[str]:
    """The non-empty lines of a text file, stripped. Raises `DataError` if it is unreadable."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise DataError(f"{file} cannot be read as text ({getattr(error, 'strerror', None) or error})") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def item(root: Path, path: str, label: Label) -> Item:
    """The item of a listed file, with `path` relative to `root`. Raises `OSError` if it is absent."""
    status = os.stat(root / path)
    return Item(os.fspath(root), path, status.st_size, status.st_mtime_ns, label)
