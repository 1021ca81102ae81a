"""A database in Milvus: for collections that one machine does not hold, and that several machines fill and search.

It answers as `Database` does. What Milvus keeps beside the codes is in `collection`, `rows` and `naming`, the model in
`beside`. Any number of machines may write at once, as long as each indexes folders of its own.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from lookalike import data
from lookalike.calibration import radii
from lookalike.core.codes import Codes
from lookalike.core.errors import ConfigError, DatabaseError, Interrupted
from lookalike.core.progress import Progress, silent
from lookalike.data import codetable
from lookalike.database import Hit, Info, import_export, indexing, scopes
from lookalike.database import prune as pruning
from lookalike.database.engine_choice import EngineName
from lookalike.duplicates import leakage, review
from lookalike.duplicates import search as duplicate_search
from lookalike.duplicates.decisions import NoDecisions
from lookalike.duplicates.request import DuplicateReport, DuplicateSearch, LeakageReport
from lookalike.duplicates.review import Review, ReviewOptions
from lookalike.duplicates.search import Comparison
from lookalike.hasher import DEFAULT, Hasher
from lookalike.imaging import decode
from lookalike.imaging.decode import Source
from lookalike.milvus.catalog import Collection as Rows
from lookalike.milvus.client import Address, Server
from lookalike.milvus.engine import Milvus
from lookalike.milvus.ids import FOUND, from_text, passing
from lookalike.milvus.metadata import SUFFIX, Beside
from lookalike.milvus.rows import FIELDS, INDEXED
from lookalike.store import environment
from lookalike.store.catalog import Catalog, Filter, Record
from lookalike.store.derived.code_array import Held
from lookalike.store.derived.results import hits_of
from lookalike.store.rowids import RowIds
from lookalike.store.surroundings import Unreachable

FORMAT = 2  # 1: without reliefs

Ids = npt.NDArray[np.int64]


class DistributedDatabase:
    """An open database in Milvus."""

    def __init__(self, server: Server) -> None:
        """Raises `DatabaseError` if there is none at the server's address."""
        self.path = str(server.address)
        self._server, name = server, server.address.name
        self._about = self._read_about()
        self.bits = int(self._about["bits"])
        self._beside = Beside(server, name, self._about["model"])
        self._beside.open()
        self._engine = Milvus(self.bits, server)
        self._collection = Rows(server, name, self._beside, bits=self.bits, reliefs=self._about["lookalike"] > 1)
        self._hasher: Hasher | None = None
        self.decisions = NoDecisions(self.path)

    @classmethod
    def open(
        cls, address: Address, *, create: bool = False, model: str | os.PathLike[str] = DEFAULT
    ) -> DistributedDatabase:
        """The database at an address; with `create`, a new one made with `model` where there is none."""
        server = Server(address)
        try:
            if create and server.description(address.name) is None:
                _make(server, Hasher.load(model))
            return cls(server)
        except BaseException:
            server.close()
            raise

    @classmethod
    def exists(cls, address: Address) -> bool:
        """Whether there is one at an address. Raises `DatabaseError` if nobody answers there."""
        server = Server(address)
        try:
            return server.description(address.name) is not None
        finally:
            server.close()

    def close(self) -> None:
        """End the connection."""
        self._server.close()

    def __enter__(self) -> DistributedDatabase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Number of images that can be found."""
        return self._server.count(self._collection.name, FOUND)

    @property
    def hasher(self) -> Hasher:
        """The model that made the codes, as it is kept beside them. Raises `DatabaseError` if it is not that one."""
        if self._hasher is None:
            hasher = Hasher(self._beside.model(int(self._about["parts"])), path=f"{self.path} ({self._about['name']})")
            if hasher.digest != self._about["model"]:
                raise DatabaseError(f"the model that {self.path} holds is not the one that made its codes; index anew")
            self._hasher = hasher
        return self._hasher

    calibration: None = None  # none is kept in Milvus

    # Filling it

    def index(
        self,
        sources: data.Paths,
        *,
        model: str | os.PathLike[str] | None = None,
        labels_from_folders: bool = False,
        keep_originals: bool = False,
        reindex: bool = False,
        max_pixels: int = decode.MAX_PIXELS,
        workers: int = 0,
        limit: int | None = None,
        isolation: bool = True,
        exclude: Sequence[str] = (),
        include: Sequence[str] = (),
        progress: indexing.Progress | None = None,
    ) -> indexing.IndexReport:
        """Bring the database up to date with folders, files or Parquet files; what became of each image.

        `model`, if given, must be the one that made the codes. Images are decoded by worker processes, unless
        `isolation` is off. `exclude` and `include`: see `Database.index`. Raises `DatabaseError`, `DataError`, or
        `Interrupted` on Ctrl-C, after which all is whole.
        """
        if keep_originals:
            raise ConfigError(f"{self.path} is in Milvus, which keeps no originals; leave --keep-originals out")
        self._check_model(model)
        survey = scopes.survey(
            sources,
            self._as_catalog(),
            where=self.path,
            labels_from_folders=labels_from_folders,
            limit=limit,
            exclude=exclude,
            include=include,
        )
        self._collection.expect([item.name for item in survey.items])
        settings = indexing.Settings(
            folder=Path(), reindex=reindex, max_pixels=max_pixels, workers=workers, isolation=isolation
        )
        with self._stoppable("the same command goes on from there"):
            named = data.scopes(sources)
            return indexing.run(survey, named, self._as_catalog(), self.hasher, settings, progress)

    def import_codes(
        self,
        path: str | os.PathLike[str],
        *,
        root: str | os.PathLike[str] = ".",
        on_rows: import_export.OnRows = lambda done, total: None,
    ) -> import_export.ImportReport:
        """Take codes of a Parquet or `.npy` file in (see `data.codetable`), which the database's model has made."""
        codetable.check_name(Path(path))
        with self._stoppable("start the import again"):
            return import_export.take(
                self._as_catalog(), Path(path), bits=self.bits, root=os.path.abspath(root), on_rows=on_rows
            )

    def export_codes(self, path: str | os.PathLike[str]) -> int:
        """Write codes with paths and labels to a Parquet file, or the codes alone to a `.npy` file; how many."""
        codetable.check_name(Path(path))
        return codetable.write(Path(path), import_export.rows(self._as_catalog(), self.bits))

    def remove(self, paths: Iterable[str | os.PathLike[str]], *, originals: bool = False) -> int:
        """Forget images, or all images below folders; how many. Files are not touched; no originals are kept here."""
        named = [os.path.abspath(path) for path in paths]
        ids: set[int] = set()
        for path in named:
            found = self._collection.below(path)
            if not found:
                raise DatabaseError(f"{path} is not in {self.path}; paths are listed by: lookalike info --paths")
            ids.update(found)
        self._collection.surroundings.set_unreachable([], within=named)
        return self._forget(ids)

    def losses(self) -> pruning.Losses:
        """What `prune` would forget, and what is only out of reach. Changes nothing."""
        return pruning.losses(self._as_catalog())[0]

    def prune(self, only: Collection[int] | None = None, *, originals: bool = False) -> int:
        """Forget images whose files are gone, or those of `only` that are; how many. What is out of reach stays."""
        return pruning.prune(self._as_catalog(), None, only, originals=originals)

    def unreachable(self) -> list[Unreachable]:
        """Folders and files that were out of reach or unreadable when they were looked at last."""
        return self._collection.surroundings.unreachable()

    def lost(self) -> list[str]:
        """Folders, tables and files that are out of reach: moved, perhaps, or on a drive that is not plugged in."""
        return [place.path for place in self.losses().unreachable if place.images]

    # Asking it

    def search(
        self,
        query: Source | decode.Array,
        *,
        top: int | None = 10,
        radius: int | None = None,
        only: Filter | None = None,
    ) -> list[Hit]:
        """The images nearest to one image (a path, bytes, or an array of the model's shape), nearest first."""
        return self.search_codes(self.hasher.encode([query]), top=top, radius=radius, only=only)[0]

    def search_asymmetric(
        self, query: Source | decode.Array, *, top: int = 10, only: Filter | None = None
    ) -> list[Hit]:
        """Raises `ConfigError`: Milvus compares bits alone."""
        return self.search_asymmetric_records(query, top=top, only=only)[0]

    def search_asymmetric_records(
        self, query: Source | decode.Array, *, top: int = 10, only: Filter | None = None
    ) -> tuple[list[Hit], Mapping[int, Record]]:
        """Raises `ConfigError`: Milvus compares bits alone."""
        raise ConfigError(
            "an asymmetric search looks at every code, and those of this database are in Milvus, which compares bits "
            "alone; search without --asymmetric"
        )

    def search_codes(
        self, codes_NW: Codes, *, top: int | None = 10, radius: int | None = None, only: Filter | None = None
    ) -> list[list[Hit]]:
        """The images nearest to each code, nearest first. With `only`, among images that pass a filter."""
        return self.search_records(codes_NW, top=top, radius=radius, only=only)[0]

    def search_records(
        self, codes_NW: Codes, *, top: int | None = 10, radius: int | None = None, only: Filter | None = None
    ) -> tuple[list[list[Hit]], dict[int, Record]]:
        """What `search_codes` gives, and all that is known of the hits, by id."""
        radii.check_radius(radius, self.bits)
        found = self._engine.search_where(codes_NW, top=top, radius=radius, where=passing(only))
        wanted = sorted({int(row) for hits in found for row in hits.rows})
        records = self._collection.records(wanted)
        bits, tier = self.bits, self.hasher.info.tier
        hits = [hits_of(hits.rows.tolist(), hits.distances, records, bits=bits, tier=tier) for hits in found]
        return hits, records

    def duplicates(
        self, search: DuplicateSearch | None = None, *, radius: int | None = None, progress: Progress = silent
    ) -> DuplicateReport:
        """Groups of images at most `radius` bits from the first of each, whose pictures match.

        The codes are fetched, and compared here. Raises `ConfigError` for orientations, as images lie elsewhere.
        """
        return self.group(self.compare(search or DuplicateSearch(radius=radius), progress=progress))

    def compare(
        self,
        search: DuplicateSearch = DuplicateSearch(),
        *,
        parts: leakage.Parts | None = None,
        progress: Progress = silent,
    ) -> Comparison:
        """The pairs of images that `duplicates` makes groups of."""
        if search.orientations:
            raise ConfigError(f"{self.path} is in Milvus, and turned copies are looked for in a folder; leave it out")
        radii.check_radius(search.radius, self.bits)
        ids_N, codes_NW = self.codes()
        return duplicate_search.compare(
            self._as_catalog(),
            Held(RowIds(ids_N), codes_NW),
            search,
            radius=self.duplicate_radius() if search.radius is None else search.radius,
            parts=leakage.parts_of(self, search.reference) if search.reference else parts,
            progress=progress,
        )

    def group(self, found: Comparison) -> DuplicateReport:
        """Groups of copies."""
        return duplicate_search.group(self._as_catalog(), found, self.decisions.known())

    def review(
        self, report: DuplicateReport, options: ReviewOptions = ReviewOptions(), *, progress: Progress = silent
    ) -> list[Review]:
        """The best copy of each group, and how alike the others are to it; reads their files."""
        records = self.records_of([one.id for group in report for one in group])
        return review.review_report(report, records, self.decisions.known(), options, progress=progress)

    def leakage(
        self, first: str, second: str, search: DuplicateSearch = DuplicateSearch(), *, progress: Progress = silent
    ) -> LeakageReport:
        """The images of one part that have a copy in another; a part is a folder or a label."""
        found = self.compare(search, parts=leakage.parts_of(self, [first], second), progress=progress)
        return duplicate_search.leaked(self._as_catalog(), found, self.decisions.known())

    def undecodable(self, only: Filter | None = None) -> dict[int, bytes]:
        """Media files that cannot be decoded, which are not known here."""
        return {}

    def duplicate_radius(self) -> int:
        """The radius up to which the model takes images for copies, in bits. Raises `ConfigError` if it has none."""
        return radii.duplicate_radius(self.hasher)

    def records(self) -> Iterator[Record]:
        """All rows, by id."""
        return self._collection.all_records()

    def records_of(self, ids: Sequence[int]) -> dict[int, Record]:
        """The rows with these ids; of ids that are not known, nothing."""
        return self._collection.records(ids)

    def reliefs(self, ids: Sequence[int]) -> dict[int, bytes]:
        """The reliefs (see `registration`) of images with these ids; of those that have none, nothing."""
        return self._collection.reliefs(ids)

    def codes(self) -> tuple[Ids, Codes]:
        """Ids (N,), ascending, and codes (N, W) of all images that can be found."""
        blocks = list(self._engine.blocks(FOUND))
        none = (np.empty(0, np.int64), np.empty((0, self.bits // 8), np.uint8))
        ids, codes = zip(none, *blocks, strict=True)
        return np.concatenate(ids), np.concatenate(codes)

    def passing(self, only: Filter) -> Ids:
        """Ids of the images that pass a filter and can be found, ascending."""
        return np.array([row["id"] for row in self._found(["id"], passing(only))], np.int64)

    def ids_by_name(self) -> Ids:
        """Ids of all images that can be found, in the order of their names."""
        named = sorted((row["path"], int(row["id"])) for row in self._found(["id", "path"]))
        return np.array([id_ for _, id_ in named], np.int64)

    def labels(self) -> dict[str, int]:
        """The labels of images that can be found, and how many images have each."""
        rows = self._found(["id", "labels"], f"{FOUND} and array_length(labels) != 0")
        return dict(sorted(Counter(from_text(name) for row in rows for name in set(row["labels"])).items()))

    @property
    def revision(self) -> int:
        """A number that grows whenever the codes change, whichever machine changes them."""
        return self._beside.revision

    def is_current(self) -> bool:
        """Whether this is still what lies there: not made anew with another model."""
        try:
            return self._read_about() == self._about
        except DatabaseError:
            return False

    def info(self) -> Info:
        """What the database holds."""
        model = self.hasher.info
        return Info(
            path=self.path,
            model=self.hasher.name,
            bits=self.bits,
            originals=0,
            roots=sorted(self._beside.roots()),
            trained_on=model.origin,
            near=model.near,
            duplicate=model.duplicate,
            similar=model.similar,
            calibration=None,
            plain=len(self._collection.plain()),
            places=environment.of(self._as_catalog(), None),
            unreachable=self._collection.surroundings.unreachable(),
            **self._collection.counts(),
        )

    def use(self, engine: EngineName | str) -> None:
        """Milvus is the engine here: only `auto` is taken. Raises `ConfigError`."""
        if engine != EngineName.AUTO:
            raise ConfigError(f"engine is {engine!r}; {self.path} is searched by Milvus, so leave --engine out")

    # The parts

    def _forget(self, ids: Set[int] | Sequence[int]) -> int:
        with self._collection.transaction():
            self._collection.delete(ids)
            self._collection.touch()
        return len(ids)

    def _read_about(self) -> dict[str, Any]:
        """What the collection says of itself. Raises `DatabaseError` if there is none, or it is another's."""
        name = self._server.address.name
        text = self._server.description(name)
        if text is None:
            names = self._server.names()
            there = sorted({one.split(SUFFIX)[0] for one in names if SUFFIX in one} & set(names))
            raise DatabaseError(
                f"There is no database at {self.path}{': there are ' + ', '.join(there) if there else ''}. "
                f"Make one with: lookalike index FOLDER --db {self.path}"
            )
        try:
            about: dict[str, Any] = json.loads(text)
            if about["lookalike"] > FORMAT:
                raise DatabaseError(f"{self.path} was made by a later version of lookalike. Upgrade lookalike")
        except (ValueError, KeyError, TypeError) as error:
            raise DatabaseError(f"the collection {name} is no database of lookalike; name another") from error
        return about

    def _check_model(self, model: str | os.PathLike[str] | None) -> None:
        """Raise `DatabaseError` if a model is not the one that made the codes."""
        hasher = None if model is None else Hasher.load(model)
        if hasher is not None and hasher.digest != self._about["model"]:
            raise DatabaseError(
                f"{self.path} holds codes of {self._about['name']}, but {hasher.path} is {hasher.name}. "
                "Pass the first model, or index into a database of another name"
            )

    @contextmanager
    def _stoppable(self, how: str) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            raise Interrupted(f"Stopped. What is in {self.path} by now stays; {how}") from None
        finally:
            self._collection.expect([])

    def _as_catalog(self) -> Catalog:
        """The collection, which does what filling and exporting ask of a catalog."""
        return cast(Catalog, self._collection)

    def _found(self, fields: list[str], where: str = FOUND) -> Iterator[dict[str, Any]]:
        for page in self._server.pages(self._collection.name, where, fields):
            yield from page


def _make(server: Server, hasher: Hasher) -> None:
    """A new, empty database: first what lies beside it, then the collection itself, which says what made its codes."""
    name = server.address.name
    parts = Beside(server, name, hasher.digest).make(Path(hasher.path).read_bytes())
    about = {"lookalike": FORMAT, "bits": hasher.bits, "model": hasher.digest, "name": hasher.name, "parts": parts}
    server.make(name, hasher.bits, FIELDS, description=json.dumps(about), indexed=INDEXED)
