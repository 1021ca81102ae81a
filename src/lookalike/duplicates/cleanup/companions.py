"""Companion files of photos on disk: sidecars, the video of a live photo (see `imaging.companions`)."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import NamedTuple

from lookalike.core.errors import DataError
from lookalike.duplicates.cleanup import file_identity
from lookalike.duplicates.cleanup.file_identity import FileSnapshot
from lookalike.imaging import companions


class Belongings(NamedTuple):
    """What happens to the companions of a removed photo."""

    going: list[tuple[str, FileSnapshot]]
    staying: list[str]  # in words: which ones stay, and why


class Folders:
    """Companions by folder; each folder is listed once."""

    def __init__(self) -> None:
        self._listed: dict[str, dict[str, list[str]]] = {}

    def companions(self, path: str) -> list[str]:
        """Paths of a photo's companions."""
        folder, name = os.path.split(path)
        return [os.path.join(folder, one) for one in self._by_owner(folder).get(name, [])]

    def owners(self, path: str) -> list[str]:
        """Paths of the files that a companion belongs to."""
        folder, name = os.path.split(path)
        return [os.path.join(folder, owner) for owner, owned in self._by_owner(folder).items() if name in owned]

    def _by_owner(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._listed:
            try:
                names = os.listdir(folder)
            except OSError:  # a table, or a missing folder
                names = []
            self._listed[folder] = companions.by_owner(names)
        return self._listed[folder]


def of(path: str, photo: FileSnapshot, folders: Folders, roots: Sequence[str], kept: Collection[str]) -> Belongings:
    """What happens to the companions of a photo to be removed.

    A companion of another existing photo, or one that is `kept` itself, stays. Raises `DataError` if one that should
    move cannot: then the photo stays, too.
    """
    belongings = Belongings([], [])
    for companion in folders.companions(path):
        if not os.path.lexists(companion):
            continue
        reason = _stays(companion, path, folders, kept)
        if reason:
            belongings.staying.append(f"{os.path.basename(companion)} stays: {reason}")
            continue
        try:
            belongings.going.append((companion, _checked(companion, photo, roots)))
        except DataError as error:
            raise DataError(
                f"has a companion that cannot be moved with it: {os.path.basename(companion)} {error}"
            ) from None
    return belongings


def _stays(companion: str, path: str, folders: Folders, kept: Collection[str]) -> str:
    """Why a companion stays; empty if it goes with the photo."""
    if companion in kept:
        return "it is kept"
    own = {path, *folders.companions(path)}  # the video of a live photo owns its edits, too
    others = [owner for owner in folders.owners(companion) if owner not in own and os.path.lexists(owner)]
    if others:
        return f"it belongs to {os.path.basename(others[0])}, too"
    if companions.is_video(companion) and os.lstat(companion).st_size > companions.LARGEST:
        return "a video of that size is not part of a photo"
    return ""


def _checked(companion: str, photo: FileSnapshot, roots: Sequence[str]) -> FileSnapshot:
    """A snapshot of the companion. Raises `DataError` if it may not be moved."""
    seen = file_identity.removable(companion, roots)
    if seen.identity.device != photo.identity.device:
        raise DataError("is on another file system")
    return seen
