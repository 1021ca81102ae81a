"""What a database asks of the place where it is stored: rows of images, codes, a model, and a search.

There are two: `store.folder.FolderStore`, a folder with an SQLite catalog, and `milvus.store.MilvusStore`. What only a
folder can do goes through `Store.local`, which is the one place where another store refuses it.

Shapes: N images that can be found, W bytes a code.
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
from lookalike.store.records import Filter, ImportedCode, Outcome, Record
from lookalike.store.surroundings import Surroundings

if TYPE_CHECKING:
    from lookalike.store.folder import FolderStore

Ids = npt.NDArray[np.int64]


def unsupported(place: str, feature: str) -> ConfigError:
    """The error of a store that cannot do something."""
    return ConfigError(f"{place} is in Milvus, which does not support {feature}; use a database in a folder")


class Store(Protocol):
    """Where a database is stored. Reading may be done by several threads."""

    @property
    def place(self) -> str:
        """The folder or address, as people write it."""

    @property
    def folder(self) -> Path | None:
        """The folder of a store on this machine."""

    @property
    def bits(self) -> int:
        """Length of a code in bits."""

    @property
    def revision(self) -> int:
        """A number that grows whenever the codes change, whoever changes them."""

    @property
    def surroundings(self) -> Surroundings:
        """Volumes, rules, and what was left out or out of reach."""

    @property
    def decisions(self) -> Decisions:
        """What people decided about images that look alike."""

    @property
    def keeps_reliefs(self) -> bool:
        """Whether rows have alignment thumbnails."""

    def local(self, feature: str = "this") -> FolderStore:
        """This store, if it is a folder. Raises `ConfigError`, which names the feature, if it is not."""

    def close(self) -> None:
        """Release files and connections."""

    def is_current(self) -> bool:
        """Whether this is still what lies at the place: neither replaced, nor made with another model."""

    # The model

    def load_model(self) -> Hasher:
        """The model that made the codes. Raises `DatabaseError` if it is absent, damaged or another one."""

    def take_model(self, hasher: Hasher, *, reindex: bool) -> None:
        """Make sure that this model makes the codes, dropping those of another one if `reindex` allows it."""

    def check_model(self) -> None:
        """Raise `DatabaseError` if the codes have been made with another model since the store was opened."""

    # Codes

    def search(
        self, codes_NW: Codes, *, top: int | None, radius: int | None = None, only: Filter | None = None
    ) -> list[Hits]:
        """The nearest images of each code among those that pass a filter; the rows of hits are ids."""

    def use(self, engine: str) -> None:
        """Search with a certain engine from now on. Raises `ConfigError`."""

    def code_array(self) -> CodeArray:
        """Ids, ascending, and codes of all images that can be found."""

    def count(self) -> int:
        """How many images can be found."""

    def passing_ids(self, only: Filter) -> Ids:
        """Ids of the images that pass a filter and can be found, ascending."""

    def ids_by_name(self) -> Ids:
        """Ids of all images that can be found, in the order of their names."""

    # Rows

    def get(self, key: str, default: str = "") -> str:
        """A value that describes the whole store."""

    def counts(self) -> dict[str, int]:
        """Numbers of rows: with a code that can be found, with an error, missing, and labelled."""

    def labels(self) -> dict[str, int]:
        """Each label of images that can be found, by name, and how many have it."""

    def plain(self) -> dict[int, bytes]:
        """The images that can be found and show too little, by id, each with its digest."""

    def undecodable(self) -> dict[int, bytes]:
        """The files that are there and could not be decoded, by id, each with its digest."""

    def roots(self) -> list[str]:
        """The folders that paths are relative to."""

    def find(self, name: str) -> Record | None:
        """The row of an image's path."""

    def records(self, ids: Sequence[int]) -> dict[int, Record]:
        """Rows by id; unknown ids are left out."""

    def all_records(self) -> Iterator[Record]:
        """All rows, by id."""

    def names(self, ids: Sequence[int]) -> dict[int, str]:
        """Paths by id."""

    def reliefs(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Alignment thumbnails by id; images that have none are left out."""

    def relief_of(self, digest: bytes) -> bytes | None:
        """The alignment thumbnail of an image with these bytes, if one is known."""

    def with_digest(self, digest: bytes) -> list[Record]:
        """The rows of images with the same bytes."""

    def one_with_digest(self, digest: bytes, *, coded: bool = False) -> Record | None:
        """A row of an image with these bytes; with `coded`, of one that has a code."""

    def on_volume(self, root: str, volume: int | None) -> Iterator[int]:
        """Ids of the images of a root that were seen on a volume last."""

    def below(self, name: str) -> list[int]:
        """Ids of the images of a path: itself, all below it if it is a folder, all rows if it is a table."""

    def any_below(self, name: str) -> bool:
        """Whether there are images of a path."""

    def owed(self) -> list[Record]:
        """The rows that should have a code and have none, since the model was changed."""

    def originals(self) -> frozenset[bytes]:
        """The digests of the images whose originals are kept."""

    def has_original(self, digest: bytes, length: int | None) -> bool:
        """Whether the original of an image is kept, with this length in bytes if one is known."""

    def keep_original(self, digest: bytes, content: bytes) -> None:
        """Keep the bytes of an image."""

    # Changes

    def changing(self) -> AbstractContextManager[None]:
        """Be the writer for as long as this lasts; then bring what is derived up to date."""

    def transaction(self) -> AbstractContextManager[None]:
        """All of the changes inside, or none."""

    def touch(self) -> None:
        """Record that the codes have changed, inside a transaction."""

    def expect(self, names: Sequence[str]) -> None:
        """Announce the paths that `find` will be asked for, in their order."""

    def write(self, outcome: Outcome, *, row: int | None = None) -> int:
        """Record an outcome, in place of the row with that id if one is given; the row's id."""

    def bulk_import(self, root: str, rows: Iterable[ImportedCode]) -> int:
        """Record codes that were made elsewhere, with paths relative to the root; how many changed."""

    def set_label(self, id_: int, label: Label) -> None:
        """Store another label."""

    def set_seen(self, items: Iterable[tuple[int, Item]]) -> None:
        """Store what the system says of the files of rows that are unchanged."""

    def set_root(self, root: str, volume: Volume) -> None:
        """Store which volume a root lies on."""

    def set_missing(self, ids: Iterable[int], *, missing: bool) -> None:
        """Mark images whose files are gone, or are back."""

    def delete(self, ids: Iterable[int]) -> None:
        """Forget images."""

    def forget_originals(self, digests: Iterable[bytes]) -> None:
        """Record that originals are not kept any more."""
