"""How images of a collection in Milvus are named: ids and texts that stand for paths, expressions that find them."""

from __future__ import annotations

import hashlib
import os
import re

from lookalike.milvus.client import quoted
from lookalike.store.catalog import Filter

FOUND = "found == true"
ID_BITS = 53  # so that ids are also numbers of JavaScript
RAW = 0xEF00  # bytes that are no UTF-8 stand as characters from U+EF80 to U+EFFF


def candidates(name: str) -> tuple[int, int]:
    """The two ids that an image of a path may have.

    >>> candidates("/photos/a.jpg") == candidates("/photos/a.jpg") != candidates("/photos/b.jpg")
    True
    """
    digest = hashlib.blake2b(os.fsencode(name), digest_size=16).digest()
    first, second = (int.from_bytes(part) % (2**ID_BITS - 1) + 1 for part in (digest[:8], digest[8:]))
    return first, second


def passing(wanted: Filter | None) -> str:
    """The expression of Milvus that holds for the images that pass a filter and can be found."""
    terms = [FOUND]
    if wanted is not None and wanted.label is not None:
        terms.append(f"array_contains(labels, {quoted(to_text(wanted.label))})")
    if wanted is not None and wanted.since is not None:
        terms.append(f"indexed_at >= {int(wanted.since)}")
    if wanted is not None and wanted.below is not None:
        terms.append(below(os.path.abspath(wanted.below)))
    return " and ".join(terms)


def below(name: str) -> str:
    """The expression that holds for the images of a path, of a folder, or of a table."""
    path = to_text(name.rstrip("/"))
    inside = f"path >= {quoted(path + '/')} and path < {quoted(path + '0')}"  # 0 is the byte behind /
    return f"(path == {quoted(path)} or ({inside}) or (row >= 0 and table == {quoted(path)}))"


def to_text(path: str) -> str:
    r"""A path as text that is UTF-8, whatever its bytes are.

    >>> from_text(to_text("a\udcff/\uef80")) == "a\udcff/\uef80"
    True
    """
    return re.sub("[\udc80-\udcff\uef80-\uefff]", _escaped, path)


def from_text(text: str) -> str:
    """The path that `to_text` was given."""
    return re.sub(f"[{chr(RAW + 0x80)}-{chr(RAW + 0xFF)}]+", _unescaped, text)


def _escaped(found: re.Match[str]) -> str:
    return "".join(chr(RAW + byte) for byte in found[0].encode("utf-8", "surrogateescape"))


def _unescaped(found: re.Match[str]) -> str:
    return bytes(ord(one) - RAW for one in found[0]).decode("utf-8", "surrogateescape")
