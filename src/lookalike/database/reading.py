"""What an open database answers without changing: what it holds, searches, and what distances mean.

Modules that not every question needs are imported when they are needed.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from lookalike.core.errors import Interrupted
from lookalike.core.limits import MAX_PIXELS
from lookalike.core.progress import Progress, silent
from lookalike.store.derived.results import Hit, Info
from lookalike.store.records import Filter, Record

if TYPE_CHECKING:
    from lookalike import data
    from lookalike.calibration.stored import Calibration
    from lookalike.core.codes import Codes
    from lookalike.database import Paths
    from lookalike.database.evaluate import Measured
    from lookalike.database.search import Found
    from lookalike.duplicates.decisions import Decisions
    from lookalike.hasher import Hasher, Radii
    from lookalike.imaging.decode import Array, Source
    from lookalike.store.derived.code_array import Ids
    from lookalike.store.protocol import Store
    from lookalike.store.surroundings import Unreachable

    Query = Source | Array


class Reading:
    """An open database, to be read. Reading needs no lock."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._hasher: Hasher | None = None
        self._decisions: Decisions | None = None

    def close(self) -> None:
        """Release files and connections."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Number of images that can be found."""
        return self.store.count()

    @property
    def path(self) -> str:
        """The folder or address."""
        return self.store.place

    @property
    def folder(self) -> Path:
        """The folder. Raises `ConfigError` for a database in Milvus."""
        return self.store.local("files of its own").folder

    @property
    def bits(self) -> int:
        """Length of a code in bits."""
        return self.store.bits

    @property
    def hasher(self) -> Hasher:
        """The model that made the codes. Raises `DatabaseError` if it is absent, damaged or another one."""
        self.store.check_model()
        if self._hasher is None:
            self._hasher = self.store.load_model()
        return self._hasher

    @property
    def decisions(self) -> Decisions:
        """What people decided about images that look alike."""
        if self._decisions is None:
            from lookalike.duplicates.decisions import Decisions

            self._decisions = Decisions(self.store)
        return self._decisions

    # What is stored: see `Store`

    def records(self) -> Iterator[Record]:
        """All rows, by id."""
        return self.store.all_records()

    def codes(self) -> tuple[Ids, Codes]:
        """Ids (N,), ascending, and codes (N, W) of all images that can be found."""
        found = self.store.code_array()
        return found.ids_N, found.codes_NW

    def records_of(self, ids: Sequence[int]) -> dict[int, Record]:
        """Rows by id; unknown ids are left out."""
        return self.store.records(ids)

    def thumbnails(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Packed thumbnails (`imaging.thumbnails.unpack`) by id; images that have none are left out."""
        return self.store.thumbnails(ids)

    def reliefs(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Alignment thumbnails by id; images that have none are left out."""
        return self.store.reliefs(ids)

    def passing(self, only: Filter) -> Ids:
        """Ids of the images that pass a filter and can be found, ascending."""
        return self.store.passing_ids(only)

    def ids_by_name(self) -> Ids:
        """Ids of all images that can be found, in the order of their names, root by root."""
        return self.store.ids_by_name()

    def labels(self) -> dict[str, int]:
        """The labels of images that can be found, and how many images have each."""
        return self.store.labels()

    @property
    def revision(self) -> int:
        """A number that grows whenever the codes change, whoever changes them."""
        return self.store.revision

    def is_current(self) -> bool:
        """Whether this is still what lies there: neither replaced, nor indexed again with another model."""
        return self.store.is_current()

    def info(self) -> Info:
        """What the database holds."""
        from lookalike.store import originals, surroundings

        store, model, distances = self.store, self.hasher.info, self.radii
        return Info(
            path=self.path,
            model=self.hasher.name,
            bits=self.bits,
            originals=0 if store.folder is None else sum(1 for _ in originals.digests(store.folder)),
            roots=store.roots(),
            trained_on=model.origin,
            near=model.near,
            duplicate=distances.duplicate,
            similar=distances.similar,
            same=distances.same,
            calibration=self.calibration,
            plain=len(store.plain()),
            places=surroundings.environment(store),
            unreachable=self.unreachable(),
            **store.counts(),
        )

    def unreachable(self) -> list[Unreachable]:
        """Folders and files that were out of reach or unreadable when they were looked at last."""
        return self.store.surroundings.unreachable()

    # What distances mean

    @property
    def calibration(self) -> Calibration | None:
        """What `calibrate` found with this model; none if there is none."""
        if not self.store.get("calibration"):
            return None
        from lookalike.calibration import stored

        return stored.load(self.store)

    @property
    def radii(self) -> Radii:
        """Up to how many bits images are called what: as calibrated, or by the model."""
        found = self.calibration
        return self.hasher.info.radii if found is None else found.radii

    def duplicate_radius(self) -> int:
        """The radius up to which images count as copies, in bits: as calibrated, or by the model.

        Raises `ConfigError` if there is none.
        """
        from lookalike.calibration import radii

        return radii.duplicate_radius(self.hasher, self.calibration)

    # Searching

    def use(self, engine: str) -> None:
        """Search with a certain engine from now on; `auto` chooses by cost. Raises `ConfigError`."""
        self.store.use(engine)

    def search(
        self, query: Query, *, top: int | None = 10, radius: int | None = None, only: Filter | None = None
    ) -> list[Hit]:
        """The images nearest to one image (a path, bytes, or an array of the model's shape), nearest first."""
        return self.search_many([query], top=top, radius=radius, only=only)[0]

    def search_many(
        self, queries: Iterable[Query], *, top: int | None = 10, radius: int | None = None, only: Filter | None = None
    ) -> list[list[Hit]]:
        """The images nearest to each of several images, which are encoded and compared together."""
        return self.search_codes(self.hasher.encode(list(queries)), top=top, radius=radius, only=only)

    def search_codes(
        self, codes_NW: Codes, *, top: int | None = 10, radius: int | None = None, only: Filter | None = None
    ) -> list[list[Hit]]:
        """The images nearest to each code, nearest first; equal distances in the order of indexing.

        With `only`, among images that pass a filter: the `top` nearest of these.
        """
        return self.search_records(codes_NW, top=top, radius=radius, only=only)[0]

    def search_records(
        self, codes_NW: Codes, *, top: int | None = 10, radius: int | None = None, only: Filter | None = None
    ) -> tuple[list[list[Hit]], Mapping[int, Record]]:
        """What `search_codes` gives, and the rows that the hits stand for, by id."""
        from lookalike.calibration import radii
        from lookalike.database import search

        radii.check_radius(radius, self.bits)
        found = self.store.search(codes_NW, top=top, radius=radius, only=only)
        return search.with_records(found, self.store, tier=self.radii.tier)

    def search_asymmetric(self, query: Query, *, top: int = 10, only: Filter | None = None) -> list[Hit]:
        """The images nearest to one image where a bit counts as much as the query is sure of it (`search.asymmetric`).

        `Hit.weighted_distance` is that distance, by which hits are sorted; `distance` and `tier` are the codes'. Every
        code is looked at. Raises `ConfigError` if the model's file does not say its threshold.
        """
        return self.search_asymmetric_records(query, top=top, only=only).hits

    def search_asymmetric_records(self, query: Query, *, top: int = 10, only: Filter | None = None) -> Found:
        """What `search_asymmetric` gives, and the rows that the hits stand for, by id."""
        from lookalike.database import search

        store = self.store.local("asymmetric search (--asymmetric)")
        return search.asymmetric(self.hasher, query, store, top=top, only=only, tier=self.radii.tier)

    def neighbours(self, path: Paths, *, top: int = 10, progress: Progress = silent) -> int:
        """Write the `top` nearest images of each image to a Parquet or `.npy` file (`neighbour_graph`); of how many.

        What is done so far is kept next to the file: after Ctrl-C, which raises `Interrupted`, or a kill, the same call
        goes on from there.
        """
        from lookalike.database import neighbour_graph

        try:
            return neighbour_graph.write(Path(path), self.store.local("neighbour graphs"), top=top, progress=progress)
        except KeyboardInterrupt:
            raise Interrupted("Stopped. The same command goes on from here") from None

    def evaluate(self, queries: data.Paths | None = None, *, seed: int = 0, max_pixels: int = MAX_PIXELS) -> Measured:
        """How well codes find images of the same label: each image among the others, or `queries` (labelled by their
        sub-folders) among all.

        Raises `DatabaseError` if no image has a label, `DataError` if no query can be used.
        """
        from lookalike import data
        from lookalike.database import evaluate

        labelled = evaluate.labelled(self.records())
        if queries is None:
            return evaluate.among(labelled, seed=seed)
        items = data.find(queries, labels_from_folders=True)
        return evaluate.from_outside(labelled, items, self.hasher, max_pixels=max_pixels)
