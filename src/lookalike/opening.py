"""One way to open a database, wherever it is: in a folder, or in Milvus."""

from __future__ import annotations

import os
from pathlib import Path

from lookalike.core.address import is_address
from lookalike.database import Database
from lookalike.hasher import DEFAULT
from lookalike.milvus.client import parse
from lookalike.milvus.database import DistributedDatabase
from lookalike.store import catalog as catalogs

AnyDatabase = Database | DistributedDatabase


def open_database(
    place: str | os.PathLike[str], *, create: bool = False, model: str | os.PathLike[str] = DEFAULT
) -> AnyDatabase:
    """The database in a folder, or at an address `milvus://HOST:PORT/NAME`; with `create`, made where there is none.

    Raises `DatabaseError` if there is none or it is damaged, `ConfigError` for an address that is none.
    """
    if is_address(place):
        return DistributedDatabase.open(parse(os.fspath(place)), create=create, model=model)
    return Database.open(place, create=create, model=model)


def exists(place: str | os.PathLike[str]) -> bool:
    """Whether there is a database. Raises as `open_database` does if a server cannot be asked."""
    if is_address(place):
        return DistributedDatabase.exists(parse(os.fspath(place)))
    return (Path(place) / catalogs.FILE).exists()
