"""What scans found around the images: file systems, files left out of folders, and unreachable folders.

Paths are stored as the file system's bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from lookalike.core.mounts import Mounts, Volume
from lookalike.store.session import Session

if TYPE_CHECKING:
    from lookalike.data import Rule
    from lookalike.store.protocol import Store


class Unreachable(NamedTuple):
    """A folder or file that was unreachable at the last scan."""

    path: str
    reason: str
    images: int  # known there


class ScanState:
    """Volumes, rules, left-out files and unreachable folders."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._numbers: dict[Volume, int | None] = {Volume(): None}

    def forget(self) -> None:
        """Drop the cache after a rollback."""
        self._numbers = {Volume(): None}

    # File systems

    def volume(self, volume: Volume) -> int | None:
        """The id of a volume, created if missing; None for an unknown volume. Inside a transaction."""
        number = self.known_volume(volume)
        if number is None and volume.identity:
            sql = "INSERT INTO volumes (identity, kind) VALUES (CAST(? AS TEXT), ?)"
            number = int(self._session.run(sql, (os.fsencode(volume.identity), volume.kind)).lastrowid or 0)
            self._numbers[volume] = number
        return number

    def known_volume(self, volume: Volume) -> int | None:
        """The id of a volume; None if nothing was seen there."""
        if volume not in self._numbers:
            sql = "SELECT id FROM volumes WHERE identity = CAST(? AS TEXT)"
            row = self._session.row(sql, (os.fsencode(volume.identity),))
            if row is None:
                return None
            self._numbers[volume] = int(row[0])
        return self._numbers[volume]

    def volumes(self) -> dict[int, Volume]:
        """All volumes by number."""
        return {row[0]: Volume(row[1], row[2]) for row in self._session.rows("SELECT id, identity, kind FROM volumes")}

    def root_volumes(self) -> dict[str, Volume]:
        """The volume that each root was last seen on."""
        rows = self._session.rows("SELECT path, identity, kind FROM roots JOIN volumes ON volumes.id = roots.volume")
        return {path: Volume(identity, kind) for path, identity, kind in rows}

    # What is left out

    def rules(self) -> list[Rule]:
        """Rules that exclude files from folders, or include them anyway."""
        rows = self._session.rows("SELECT folder, glob, include FROM rules ORDER BY folder, include, glob")
        if not rows:
            return []
        from lookalike.data import Rule

        return [Rule(folder, glob, bool(include)) for folder, glob, include in rows]

    def add_rules(self, rules: Iterable[Rule]) -> None:
        """Store rules, replacing those with the same glob."""
        self._session.run_many(
            "INSERT OR REPLACE INTO rules VALUES (CAST(? AS TEXT), CAST(? AS TEXT), ?)",
            [(os.fsencode(rule.folder), os.fsencode(rule.glob), int(rule.include)) for rule in rules],
        )

    def left_out(self) -> dict[str, dict[str, int]]:
        """Numbers of files left out of each folder at the last indexing, by kind."""
        counts: dict[str, dict[str, int]] = {}
        for folder, kind, files in self._session.rows("SELECT folder, kind, files FROM left_out ORDER BY folder, kind"):
            counts.setdefault(folder, {})[kind] = files
        return counts

    def set_left_out(self, folder: str, counts: Mapping[str, int]) -> None:
        """Store how many files were left out of a folder, by kind, replacing the counts of it and its sub-folders."""
        self._clear("left_out", "folder", folder)
        self._session.run_many(
            "INSERT INTO left_out VALUES (CAST(? AS TEXT), ?, ?)",
            [(os.fsencode(folder), kind, count) for kind, count in counts.items() if count],
        )

    # What could not be reached

    def unreachable(self) -> list[Unreachable]:
        """What was unreachable at the last scan."""
        return [Unreachable(*row) for row in self._session.rows("SELECT * FROM unreachable ORDER BY path")]

    def set_unreachable(self, places: Iterable[Unreachable], *, within: Iterable[str]) -> None:
        """Store what was unreachable, replacing earlier findings at and below the paths `within`."""
        for path in within:
            self._clear("unreachable", "path", path)
        self._session.run_many(
            "INSERT OR REPLACE INTO unreachable VALUES (CAST(? AS TEXT), ?, ?)",
            [(os.fsencode(place.path), place.reason, place.images) for place in places],
        )

    def _clear(self, table: str, column: str, path: str) -> None:
        below = os.fsencode(path.rstrip("/") + "/")
        self._session.run(
            f"DELETE FROM {table} WHERE {column} = CAST(? AS TEXT)"
            f" OR ({column} >= CAST(? AS TEXT) AND {column} < CAST(? AS TEXT))",
            (os.fsencode(path), below, below[:-1] + b"0"),  # 0 is the byte after /
        )


@dataclass(frozen=True, slots=True)
class Environment:
    """The file systems and rules around a database's images."""

    network: str = ""  # network file system of the database; empty: a local disk
    network_roots: dict[str, str] = field(default_factory=dict)  # kind of network file system by root
    exclude: dict[str, list[str]] = field(default_factory=dict)  # globs by folder
    include: dict[str, list[str]] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)  # files by kind, at the last scan


def environment(store: Store) -> Environment:
    """The environment of a store and its images."""
    rules = store.scan_state.rules()
    counts: dict[str, int] = {}
    for kinds in store.scan_state.left_out().values():
        for kind, files in kinds.items():
            counts[kind] = counts.get(kind, 0) + files
    return Environment(
        network="" if store.folder is None else network(store.folder),
        network_roots=_network_roots(store),
        exclude=_globs((rule.folder, rule.glob) for rule in rules if not rule.include),
        include=_globs((rule.folder, rule.glob) for rule in rules if rule.include),
        left_out=counts,
    )


def network(path: str | os.PathLike[str]) -> str:
    """The kind of network file system that a path is on, such as nfs4; empty if it is local."""
    volume = Mounts().of(path)
    return volume.kind if volume.is_network else ""


def _network_roots(store: Store) -> dict[str, str]:
    """Roots on network file systems, now or when last seen."""
    mounts, seen = Mounts(), store.scan_state.root_volumes()
    volumes = {root: mounts.of(root) if os.path.isdir(root) else seen.get(root) for root in store.roots()}
    return {root: volume.kind for root, volume in volumes.items() if volume is not None and volume.is_network}


def _globs(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for folder, glob in pairs:
        result.setdefault(folder, []).append(glob)
    return result
