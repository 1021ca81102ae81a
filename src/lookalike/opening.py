"""Opening a database, in a folder or in Milvus."""

from __future__ import annotations

import os
from pathlib import Path

from lookalike.core.address import is_address
from lookalike.database import Database
from lookalike.hasher import DEFAULT
from lookalike.store.catalog import FILE


def open(  # noqa: A001 as `lookalike.open`
    address: str | os.PathLike[str], *, create: bool = False, model: str | os.PathLike[str] = DEFAULT
) -> Database:
    """The database in a folder, or at an address `milvus://HOST:PORT/NAME`; with `create`, a new one if needed.

    Raises `DatabaseError` if it is missing or damaged, `ConfigError` for an invalid address.
    """
    if not is_address(address):
        return Database.open(address, create=create, model=model)
    from lookalike.milvus import client, store

    return Database(store.MilvusStore.open(client.parse(os.fspath(address)), create=create, model=model))


def exists(address: str | os.PathLike[str]) -> bool:
    """Whether a database exists. Raises as `open` does if a server is unreachable."""
    if not is_address(address):
        return (Path(address) / FILE).exists()
    from lookalike.milvus import client, store

    return store.MilvusStore.exists(client.parse(os.fspath(address)))
