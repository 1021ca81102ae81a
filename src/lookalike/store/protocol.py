"""The storage that a database needs: rows of images, codes, a model, and search.

There are two implementations: `store.folder.FolderStore`, a folder with an SQLite catalog, and
`milvus.store.MilvusStore`. Folder-only features go through `Store.local`, the one place where other stores refuse them.

Shapes: N findable images, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes
from lookalike.core.errors import ConfigError
from lookalike.core.mounts import Volume
from lookalike.data import Item, Label
from lookalike.hasher import Hasher
from lookalike.search.hits import Hits
from lookalike.store.decisions import Decisions
from lookalike.store.derived.code_array import CodeArray
from lookalike.store.records import Filter, ImportedCode, IndexOutcome, Record
from lookalike.store.scan_state import ScanState

if TYPE_CHECKING:
    from lookalike.store.folder import FolderStore

Ids = npt.NDArray[np.int64]


def unsupported(place: str, feature: str) -> ConfigError:
    """The error for a feature that a store lacks."""
    return ConfigError(f"{place} is in Milvus, which does not support {feature}; use a database in a folder")


class Store(Protocol):
    """Storage of a database. Several threads may read."""

    @property
    def location(self) -> str:
        """The folder or address, as a user would write it."""

    @property
    def folder(self) -> Path | None:
        """The folder of a local store; None for others."""

    @property
    def bits(self) -> int:
        """Length of a code in bits."""

    @property
    def revision(self) -> int:
        """A number that grows with every change of the codes, by any process."""

    @property
    def scan_state(self) -> ScanState:
        """Volumes, rules, and what was left out or out of reach."""

    @property
    def decisions(self) -> Decisions:
        """Users' decisions about duplicates."""

    @property
    def keeps_thumbnails(self) -> bool:
        """Whether rows have thumbnails."""

    def local(self, feature: str = "this") -> FolderStore:
        """This store, if it is a folder. Raises `ConfigError`, naming the feature, otherwise."""

    def close(self) -> None:
        """Release files and connections."""

    def is_current(self) -> bool:
        """Whether the database was neither replaced nor indexed with another model since it was opened."""

    # The model

    def load_model(self) -> Hasher:
        """The model that made the codes. Raises `DatabaseError` if it is missing, damaged or another one."""

    def take_model(self, hasher: Hasher, *, reindex: bool) -> None:
        """Switch to a model, dropping the codes of another one if `reindex` allows it."""

    def check_model(self) -> None:
        """Raise `DatabaseError` if the codes were made with another model since the store was opened."""

    # Codes

    def search(
        self, codes_NW: Codes, *, top: int | None, radius: int | None = None, only: Filter | None = None
    ) -> list[Hits]:
        """The nearest images for each code among those that pass a filter; the rows of hits are ids."""

    def code_array(self) -> CodeArray:
        """Codes of all findable images, with their ids in ascending order."""

    def count(self) -> int:
        """Number of findable images."""

    def passing_ids(self, only: Filter) -> Ids:
        """Ids of findable images that pass a filter, ascending."""

    def ids_by_name(self) -> Ids:
        """Ids of all findable images, ordered by name."""

    # Rows

    def get(self, key: str, default: str = "") -> str:
        """A value from the store's metadata."""

    def counts(self) -> dict[str, int]:
        """Numbers of rows: findable, with an error, missing, labelled, and findable without a thumbnail."""

    def labels(self) -> dict[str, int]:
        """Number of findable images by label, sorted by label."""

    def low_information(self) -> dict[int, bytes]:
        """Digests, by id, of findable images with too little detail for their codes to mean anything."""

    def undecodable(self) -> dict[int, bytes]:
        """Digests, by id, of existing files that could not be decoded."""

    def roots(self) -> list[str]:
        """Folders that paths are relative to."""

    def find(self, name: str) -> Record | None:
        """The row of an image's path; None if it is unknown."""

    def records(self, ids: Sequence[int]) -> dict[int, Record]:
        """Rows by id; unknown ids are omitted."""

    def all_records(self) -> Iterator[Record]:
        """All rows, by id."""

    def names(self, ids: Sequence[int]) -> dict[int, str]:
        """Paths by id."""

    def thumbnails(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Packed thumbnails (`imaging.thumbnails`) by id; images without any are omitted."""

    def thumbnail_of(self, digest: bytes) -> bytes | None:
        """Packed thumbnails of an image with this digest; None if unknown."""

    def lacks_thumbnail(self, id_: int) -> bool:
        """Whether an image has no thumbnail and would get one if its file were read again."""

    def with_digest(self, digest: bytes) -> list[Record]:
        """Rows of images with this digest."""

    def one_with_digest(self, digest: bytes, *, coded: bool = False) -> Record | None:
        """A row of an image with this digest; with `coded`, of one that has a code."""

    def on_volume(self, root: str, volume: int | None) -> Iterator[int]:
        """Ids of a root's images that were last seen on a volume."""

    def below(self, name: str) -> list[int]:
        """Ids of a path's images: the file itself, all files below the folder, or all rows of the table."""

    def any_below(self, name: str) -> bool:
        """Whether a path has images."""

    def lacking_codes(self) -> list[Record]:
        """Rows that lack a code since the model was changed."""

    def originals(self) -> frozenset[bytes]:
        """Digests of the images whose originals are kept."""

    def has_original(self, digest: bytes, length: int | None) -> bool:
        """Whether an image's original is kept, with this length in bytes if known."""

    def keep_original(self, digest: bytes, content: bytes) -> None:
        """Keep an image's bytes."""

    # Changes

    def changing(self) -> AbstractContextManager[None]:
        """Hold the writer's lock, and update derived files at the end."""

    def transaction(self) -> AbstractContextManager[None]:
        """Apply all changes made inside, or none."""

    def touch(self) -> None:
        """Record that the codes have changed, inside a transaction."""

    def expect(self, names: Sequence[str]) -> None:
        """Announce the paths that `find` will be called with, in order."""

    def write(self, outcome: IndexOutcome, *, row: int | None = None) -> int:
        """Record an outcome, optionally replacing a row; returns the row's id."""

    def bulk_import(self, root: str, rows: Iterable[ImportedCode]) -> int:
        """Record codes computed elsewhere, with paths relative to the root; returns how many changed."""

    def set_label(self, id_: int, label: Label) -> None:
        """Replace an image's label."""

    def set_seen(self, items: Iterable[tuple[int, Item]]) -> None:
        """Update the file status of unchanged rows."""

    def set_root(self, root: str, volume: Volume) -> None:
        """Record the volume of a root."""

    def set_missing(self, ids: Iterable[int], *, missing: bool) -> None:
        """Mark images whose files are gone, or have reappeared."""

    def delete(self, ids: Iterable[int]) -> None:
        """Delete images."""

    def forget_originals(self, digests: Iterable[bytes]) -> None:
        """Record that originals are no longer kept."""
