"""Images as rows of a Milvus collection: ids, fields, text encoding, and filter expressions.

Milvus has no NULL, and its strings must be UTF-8, unlike paths.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from typing import Any, NamedTuple

from lookalike.core.errors import ConfigError, DatabaseError, DataError
from lookalike.data import Label
from lookalike.milvus import pictures
from lookalike.milvus.client import TAGS, Row, quoted
from lookalike.store.records import Filter, IndexOutcome, Record

FIELDS = {
    "path": "text", "root": "text", "table": "text", "row": "int", "size": "int", "mtime_ns": "int", "digest": "text",
    "length": "int", "labels": "texts", "several": "flag", "width": "int", "height": "int", "format": "text",
    "animated": "flag", "error": "text", "indexed_at": "int", "missing_since": "int", "quality": "int",
    "found": "flag", "thumbnail": "text",
}  # fmt: skip
INDEXED = ("digest",)
NO_INT = -1
FINDABLE = "found == true"
ID_BITS = 53  # so that JavaScript can represent ids exactly
RAW = 0xEF00  # invalid UTF-8 bytes are stored as the characters U+EF80 to U+EFFF


def row_of(id_: int, outcome: IndexOutcome, *, bits: int) -> Row:
    """The row of an existing image. Raises `DataError` if it has too many labels."""
    item, width = outcome.item, bits // 8
    row = {
        "id": id_,
        "code": outcome.code or bytes(width),
        "path": to_text(item.name),
        "root": to_text(item.root),
        "table": "" if item.row is None else to_text(item.file),
        "row": _int(item.row),
        "size": item.size,
        "mtime_ns": -1 if outcome.try_again else item.mtime_ns,
        "digest": (outcome.digest or b"").hex(),
        "length": _int(outcome.length),
        **labels_of(item.label),
        "width": _int(outcome.width),
        "height": _int(outcome.height),
        "format": outcome.format or "",
        "animated": outcome.animated,
        "error": to_text(outcome.error or ""),
        "indexed_at": int(time.time()),
        "missing_since": NO_INT,
        "quality": _int(outcome.quality),
        **pictures.fields_of(outcome),
    }
    return {**row, "found": is_findable(row)}


def record_of(row: Row) -> Record:
    """The record of a row."""
    root, path = from_text(row["root"]), from_text(row["path"])
    error = from_text(row["error"]) or None
    return Record(
        id=int(row["id"]),
        root=root,
        path=path[len(root.rstrip("/")) + 1 :],
        row=_or_none(row["row"]),
        size=int(row["size"]),
        mtime_ns=int(row["mtime_ns"]),
        digest=bytes.fromhex(row["digest"]) or None,
        length=_or_none(row["length"]),
        label=_label(row),
        code=None if error else _code(row),
        width=_or_none(row["width"]),
        height=_or_none(row["height"]),
        format=row["format"] or None,
        animated=bool(row["animated"]),
        error=error,
        missing_since=_or_none(row["missing_since"]),
        quality=_or_none(row["quality"]),
    )


def to_write(row: Row) -> Row:
    """A row that was read, in the form for writing."""
    return {**row, "code": _code(row), "labels": list(row["labels"])}


def labels_of(label: Label) -> Row:
    """A label's fields. Raises `DataError` if it has too many names."""
    names = [] if label is None else [label] if isinstance(label, str) else list(label)
    if len(names) > TAGS:
        raise DataError(f"an image has {len(names)} labels, such as {names[0]}; Milvus stores at most {TAGS}")
    return {"labels": [to_text(name) for name in names], "several": isinstance(label, tuple)}


def is_findable(row: Row) -> bool:
    """Whether searches can find a row's image."""
    return not row["error"] and row["missing_since"] < 0


def _label(row: Row) -> Label:
    names = tuple(from_text(name) for name in row["labels"])
    if row["several"]:
        return names
    return names[0] if names else None


def _code(row: Row) -> bytes:
    return bytes(row["code"][0])


def _int(value: int | None) -> int:
    return NO_INT if value is None else int(value)


def _or_none(value: Any) -> int | None:
    return None if int(value) == NO_INT else int(value)


def candidate_ids(name: str) -> tuple[int, int]:
    """The two ids that a path may have.

    >>> candidate_ids("/photos/a.jpg") == candidate_ids("/photos/a.jpg") != candidate_ids("/photos/b.jpg")
    True
    """
    digest = hashlib.blake2b(os.fsencode(name), digest_size=16).digest()
    first, second = (int.from_bytes(part) % (2**ID_BITS - 1) + 1 for part in (digest[:8], digest[8:]))
    return first, second


def passing(wanted: Filter | None) -> str:
    """The Milvus expression for findable images that pass a filter."""
    terms = [FINDABLE]
    if wanted is not None and wanted.banks:
        raise ConfigError("a database in Milvus has no banks; use a database in a folder")
    if wanted is not None and wanted.label is not None:
        terms.append(f"array_contains(labels, {quoted(to_text(wanted.label))})")
    if wanted is not None and wanted.since is not None:
        terms.append(f"indexed_at >= {int(wanted.since)}")
    if wanted is not None and wanted.below is not None:
        terms.append(below(os.path.abspath(wanted.below)))
    return " and ".join(terms)


def below(name: str) -> str:
    """The Milvus expression for a path: that file, all files below that folder, or all rows of that table."""
    path = to_text(name.rstrip("/"))
    inside = f"path >= {quoted(path + '/')} and path < {quoted(path + '0')}"  # 0 is the byte after /
    return f"(path == {quoted(path)} or ({inside}) or (row >= 0 and table == {quoted(path)}))"


def to_text(path: str) -> str:
    r"""A path as valid UTF-8, whatever its bytes.

    >>> from_text(to_text("a\udcff/\uef80")) == "a\udcff/\uef80"
    True
    """
    return re.sub("[\udc80-\udcff\uef80-\uefff]", _escaped, path)


def from_text(text: str) -> str:
    """The inverse of `to_text`."""
    return re.sub(f"[{chr(RAW + 0x80)}-{chr(RAW + 0xFF)}]+", _unescaped, text)


def _escaped(found: re.Match[str]) -> str:
    return "".join(chr(RAW + byte) for byte in found[0].encode("utf-8", "surrogateescape"))


def _unescaped(found: re.Match[str]) -> str:
    return bytes(ord(one) - RAW for one in found[0]).decode("utf-8", "surrogateescape")


class PathEntry(NamedTuple):
    """A path's row, if any, and its current or future id."""

    record: Record | None
    id: int


def entry_of(name: str, known: dict[int, Record]) -> PathEntry:
    """The entry of a path, given the rows of its candidate ids."""
    ids = candidate_ids(name)
    for id_ in ids:
        if id_ in known and known[id_].name == name:
            return PathEntry(known[id_], id_)
    for id_ in ids:
        if id_ not in known:
            return PathEntry(None, id_)
    raise DatabaseError(f"both possible ids of {name} are taken by other images; rename it")
