"""Comparable forms of a database and people's folders: before a kill, after it, after repair."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lookalike.store.catalog import FILE, Catalog
from lookalike.store.session import Session

MISSING = -1  # an image that is missing
NO_DATABASE = "no database"
META = ("model", "bits", "calibration")  # the catalog's other values to compare; counters are not compared


def rows(catalog: Catalog) -> list[Any]:
    """All rows and decisions of a catalog, without ids and times."""
    images = [
        [
            one.name, _hex(one.digest), _hex(one.code), one.label, one.width, one.height, one.format, one.error,
            one.quality, one.missing_since is not None,
        ]
        for one in catalog.all_records()
    ]  # fmt: skip
    decided = [
        [str(one.kind), [[i.digest.hex(), i.name, i.part] for i in one.images]] for one in catalog.decisions.all()
    ]
    return [sorted(images, key=json.dumps), sorted(decided, key=json.dumps), [_meta(catalog.get(key)) for key in META]]


def of_database(folder: Path) -> list[Any] | str:
    """The rows of a database as seen by another process, read from a copy so that nothing changes."""
    if not (folder / FILE).exists():
        return NO_DATABASE
    with tempfile.TemporaryDirectory(prefix="lookalike-state-") as aside:
        for name in (FILE, f"{FILE}-wal"):
            if (folder / name).exists():
                shutil.copyfile(folder / name, Path(aside, name))
        with _opened(Path(aside, FILE)) as catalog:
            return rows(catalog)


def names(state: list[Any] | str) -> Counter[str]:
    """How often each image occurs in a state."""
    return Counter() if isinstance(state, str) else Counter(row[0] for row in state[0])


def digest(state: list[Any] | str, moves: bool) -> str:
    """Short name of a state; for scenarios that move files it ignores which are missing."""
    if moves and not isinstance(state, str):
        state = [[row[:MISSING] for row in state[0]], *state[1:]]
    return hashlib.blake2b(json.dumps(state).encode(), digest_size=8).hexdigest()


def tree(folder: Path) -> dict[str, str]:
    """The digest of each file below a folder, by its relative path."""
    return {name: one.split()[0] for name, one in _tree(folder)}


def looks(folder: Path) -> dict[str, str]:
    """The digest, mode and time of each file below a folder, by its relative path."""
    return dict(_tree(folder))


def contents(*folders: Path) -> Counter[str]:
    """Number of files with each content."""
    return Counter(digest for folder in folders for digest in tree(folder).values())


def acknowledge(log: Path, *, states_of: str | None, moves: bool) -> None:
    """Append a line to a log at each commit in this process, with the state of the database if it is given."""
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    plain_init, plain_run, plain_many = Session.__init__, Session.run, Session.run_many
    inner = False

    def committed(session: Session) -> None:
        nonlocal inner
        if inner or session.connection.in_transaction or session.path.name != FILE:
            return
        text = "-"
        if states_of:
            inner = True
            text = digest(of_database(Path(states_of)), moves)
            inner = False
        os.write(fd, text.encode() + b"\n")

    def init(session: Session, path: Path, **options: Any) -> None:
        plain_init(session, path, **options)
        committed(session)  # by whoever wrote it before

    def run(session: Session, sql: str, values: Any = ()) -> Any:
        cursor = plain_run(session, sql, values)
        if not sql.lstrip().upper().startswith(("SELECT", "PRAGMA", "BEGIN", "WITH")):
            committed(session)
        return cursor

    def run_many(session: Session, sql: str, values: Any) -> None:
        plain_many(session, sql, values)
        committed(session)

    for name, method in {"__init__": init, "run": run, "run_many": run_many}.items():
        setattr(Session, name, method)


def _tree(folder: Path) -> Iterator[tuple[str, str]]:
    for place, _, files in os.walk(folder):
        for name in files:
            path = Path(place, name)
            status, digest = path.lstat(), hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
            yield os.path.relpath(path, folder), f"{digest} {status.st_mode:o} {status.st_mtime_ns}"


@contextmanager
def _opened(path: Path) -> Iterator[Catalog]:
    catalog = Catalog(path)
    try:
        yield catalog
    finally:
        catalog.close()


def _meta(text: str) -> Any:
    """A value of the table `meta`, without its time."""
    if not text.startswith("{"):
        return text
    return {key: value for key, value in json.loads(text).items() if key != "at"}


def _hex(data: bytes | None) -> str | None:
    return None if data is None else data.hex()
