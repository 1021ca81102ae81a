"""Where a database and its images lie, and what is left out of the folders."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lookalike.core.mounts import Mounts
from lookalike.store.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Places:
    """What lies around a database's images."""

    network: str = ""  # the network file system that the database lies on; empty: it lies on a disk of this machine
    network_roots: dict[str, str] = field(default_factory=dict)  # kind of network file system, by root
    exclude: dict[str, list[str]] = field(default_factory=dict)  # globs by folder
    include: dict[str, list[str]] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)  # files by kind, when they were looked at last


def of(catalog: Catalog, folder: Path | None) -> Places:
    """What lies around the images of a catalog in a folder; none of one that lies elsewhere."""
    rules = catalog.surroundings.rules()
    counts: dict[str, int] = {}
    for kinds in catalog.surroundings.left_out().values():
        for kind, files in kinds.items():
            counts[kind] = counts.get(kind, 0) + files
    return Places(
        network="" if folder is None else network(folder),
        network_roots=_network_roots(catalog),
        exclude=_globs((rule.folder, rule.glob) for rule in rules if not rule.include),
        include=_globs((rule.folder, rule.glob) for rule in rules if rule.include),
        left_out=counts,
    )


def network(path: str | os.PathLike[str]) -> str:
    """The kind of network file system that a path lies on, such as nfs4; empty if it lies on this machine."""
    volume = Mounts().of(path)
    return volume.kind if volume.is_network else ""


def _network_roots(catalog: Catalog) -> dict[str, str]:
    """The roots on network file systems, as they are now, or were when they were seen last."""
    mounts, seen = Mounts(), catalog.surroundings.root_volumes()
    volumes = {root: mounts.of(root) if os.path.isdir(root) else seen.get(root) for root in catalog.roots()}
    return {root: volume.kind for root, volume in volumes.items() if volume is not None and volume.is_network}


def _globs(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for folder, glob in pairs:
        found.setdefault(folder, []).append(glob)
    return found
