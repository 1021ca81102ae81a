"""Addresses of databases that lie elsewhere than in a folder."""

from __future__ import annotations

SCHEME = "milvus:"


def is_address(text: object) -> bool:
    """Whether this is meant as the address of a collection rather than a folder.

    >>> is_address("milvus://host:19530/photos"), is_address("photos")
    (True, False)
    """
    return str(text).startswith(SCHEME)
