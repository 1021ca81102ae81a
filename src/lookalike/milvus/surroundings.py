"""What lies around the images of a database in Milvus: a row for each folder, so that machines do not meet.

Milvus keeps no volumes: which file system an image was seen on differs from machine to machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from lookalike.core.mounts import Volume
from lookalike.data import Rule
from lookalike.milvus.ids import from_text, to_text
from lookalike.milvus.metadata import Beside
from lookalike.store.surroundings import Surroundings, Unreachable

LISTED = 100  # places out of reach that are kept of a folder


class SharedSurroundings(Surroundings):
    """Rules, and what was left out or out of reach."""

    def __init__(self, beside: Beside) -> None:
        self._beside = beside

    def forget(self) -> None:
        """Nothing is held in memory."""

    def volume(self, volume: Volume) -> int | None:
        """None: no volumes are kept."""

    def known_volume(self, volume: Volume) -> int | None:
        """None: no volumes are kept."""

    def volumes(self) -> dict[int, Volume]:
        """None: no volumes are kept."""
        return {}

    def root_volumes(self) -> dict[str, Volume]:
        """None: no volumes are kept."""
        return {}

    def rules(self) -> list[Rule]:
        """What is left out of folders, or taken all the same."""
        return [
            Rule(folder, from_text(glob), include)
            for folder, about in self._read().items()
            for glob, include in sorted(about.get("rules", {}).items())
        ]

    def add_rules(self, rules: Iterable[Rule]) -> None:
        """Keep rules, in place of those with the same glob."""
        for rule in rules:
            about = self._read().get(rule.folder, {})
            self._keep(rule.folder, about, rules={**about.get("rules", {}), to_text(rule.glob): rule.include})

    def left_out(self) -> dict[str, dict[str, int]]:
        """Files that were left out of each folder when it was indexed last, by kind."""
        return {folder: about["left_out"] for folder, about in self._read().items() if about.get("left_out")}

    def set_left_out(self, folder: str, counts: Mapping[str, int]) -> None:
        """Store how many files were left out of a folder, by kind, in place of what was known of it and below."""
        for other, about in self._within(folder).items():
            self._keep(other, about, left_out={})
        self._keep(folder, self._read().get(folder, {}), left_out=dict(counts))

    def unreachable(self) -> list[Unreachable]:
        """What could not be reached when it was looked at last."""
        places = [place for about in self._read().values() for place in about.get("unreachable", [])]
        return sorted({path: Unreachable(from_text(path), why, images) for path, why, images in places}.values())

    def set_unreachable(self, places: Iterable[Unreachable], *, within: Iterable[str]) -> None:
        """Store what could not be reached, in place of what was known of these paths and all below them."""
        scopes = list(within)
        for scope in scopes:
            for folder, about in self._within(scope).items():
                self._keep(folder, about, unreachable=[])
        of: dict[str, list[list[object]]] = {}
        for path, why, images in places:
            above = [scope for scope in scopes if path == scope or path.startswith(scope.rstrip("/") + "/")]
            of.setdefault(max(above, key=len, default=path), []).append([to_text(path), why, images])
        for folder, some in of.items():
            self._keep(folder, self._read().get(folder, {}), unreachable=some[:LISTED])

    def _read(self) -> dict[str, dict[str, Any]]:
        known = [json.loads(text) for text in self._beside.around()]
        return {
            from_text(about.pop("folder")): about for about in sorted(known, key=lambda about: str(about["folder"]))
        }

    def _within(self, scope: str) -> dict[str, dict[str, Any]]:
        below = scope.rstrip("/") + "/"
        return {folder: about for folder, about in self._read().items() if folder == scope or folder.startswith(below)}

    def _keep(self, folder: str, about: dict[str, Any], **changes: object) -> None:
        if any((about.get(name) or None) != (value or None) for name, value in changes.items()):
            self._beside.set_around(folder, json.dumps({"folder": to_text(folder), **about, **changes}))
