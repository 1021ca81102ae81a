"""Opening a database, in a folder or in Milvus."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lookalike.core.address import is_address
from lookalike.database import Database
from lookalike.hasher import DEFAULT
from lookalike.store.catalog import FILE

if TYPE_CHECKING:
    from lookalike.duplicates.request import DuplicateReport


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


def find_duplicates(
    folder: str | os.PathLike[str], *, db: str | os.PathLike[str] | None = None,
    strictness: Literal["strict", "normal", "thorough"] = "normal",
) -> DuplicateReport:  # fmt: skip
    """Groups of copies in a folder, in one call. With a `db`, its database is kept there, and the next call is quick.

    Raises `DataError` if the folder does not exist.
    """
    from lookalike.duplicates.request import DuplicateSearch

    with tempfile.TemporaryDirectory() as temporary, open(db or Path(temporary) / "db", create=True) as database:
        database.index(folder)
        search = DuplicateSearch(strictness=strictness)
        return database.duplicates(search)
