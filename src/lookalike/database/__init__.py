"""A database: a folder that holds a collection's catalog, its codes, and the model that made them.

    catalog.sqlite   the truth: paths, digests, labels, codes, errors
    codes.bin        derived: the codes, made to be memory-mapped; rebuilt whenever it does not fit the catalog
    tables.bin       derived: tables for searching many codes, made anew when these have changed much
    turned.npz       derived: codes of turned images, once somebody has asked for turned copies
    model.onnx       the model; codes of another one are refused; model.decoder.onnx: its decoder, if it has one
    originals/       the images themselves, if they are kept
    lock             held by the one process that writes

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import TracebackType

import filelock
import numpy as np
import numpy.typing as npt

from lookalike import data
from lookalike.calibration import pairs as labelled
from lookalike.calibration import radii, run, stored
from lookalike.calibration.pairs import Labelled
from lookalike.calibration.stored import Calibration
from lookalike.core.address import is_address
from lookalike.core.atomic import is_temporary, put_in_place
from lookalike.core.codes import Codes
from lookalike.core.errors import ConfigError, DatabaseError, Interrupted
from lookalike.core.progress import Progress, silent
from lookalike.data import codetable
from lookalike.database import (
    asymmetric,
    backup,
    engine_choice,
    import_export,
    indexing,
    leftovers,
    model_file,
    neighbour_graph,
    scopes,
    unseen,
)
from lookalike.database import evaluate as evaluating
from lookalike.database import prune as pruning
from lookalike.database import verify as verifying
from lookalike.database.backup import Backup
from lookalike.database.engine_choice import EngineName, Opened
from lookalike.database.evaluate import Measured
from lookalike.database.import_export import ImportReport
from lookalike.database.indexing import IndexReport, Settings
from lookalike.database.prune import Losses
from lookalike.database.reachability import Reachability
from lookalike.duplicates import equal_bytes, leakage, oriented_codes, review
from lookalike.duplicates import search as duplicate_search
from lookalike.duplicates.cleanup import apply as applying
from lookalike.duplicates.cleanup import undo as undoing
from lookalike.duplicates.cleanup.apply import ApplyOptions, Outcome, Step
from lookalike.duplicates.cleanup.plan import Plan
from lookalike.duplicates.decisions import Decisions
from lookalike.duplicates.members import by_row
from lookalike.duplicates.request import DuplicateReport, DuplicateSearch, LeakageReport
from lookalike.duplicates.review import Review, ReviewOptions
from lookalike.duplicates.search import Comparison
from lookalike.hasher import DEFAULT, Hasher, Radii
from lookalike.imaging import decode
from lookalike.imaging.decode import Source
from lookalike.search.hits import Mask
from lookalike.store import catalog as catalogs
from lookalike.store import environment, originals
from lookalike.store.catalog import Catalog, Filter, Record
from lookalike.store.derived import code_array, pairfile
from lookalike.store.derived.code_array import Held
from lookalike.store.derived.results import Finding, Group, Hit, Info, Member, hits_of
from lookalike.store.surroundings import Unreachable

__all__ = ["Database", "Filter", "Finding", "Group", "Hit", "ImportReport", "IndexReport", "Info", "Measured", "Member"]

MODEL = model_file.FILE
LOCK = "lock"
UNFINISHED = leftovers.UNFINISHED


class Database:
    """An open database. Reading needs no lock; each method that writes takes the lock for as long as it runs."""

    def __init__(self, path: Path, catalog: Catalog) -> None:
        self.path = path
        self._catalog = catalog
        self.decisions = Decisions(catalog)
        self._hasher: Hasher | None = None
        self._opened: Opened | None = None  # swapped as a whole, so that threads never mix two of them
        self._passing: tuple[object, Mask] | None = None  # which codes pass the filter of the last search
        self._engine_name = EngineName.AUTO
        self._model_digest = catalog.get("model")
        self._bits: int | None = None  # as long as the model stays; a server asks for it with each search

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, create: bool = False, model: str | os.PathLike[str] = DEFAULT
    ) -> Database:
        """The database in a folder; with `create`, a new one made with `model` where there is none.

        Raises `DatabaseError` if there is none or it is damaged.
        """
        if is_address(path):
            raise DatabaseError(f"{path} is a database in Milvus; this takes one in a folder. See: docs/scale.md")
        folder = _folder(path)
        if create and not (folder / catalogs.FILE).exists():
            return cls.create(folder, model=model)
        return cls(folder, Catalog(folder / catalogs.FILE))

    @classmethod
    def create(cls, path: str | os.PathLike[str], *, model: str | os.PathLike[str] = DEFAULT) -> Database:
        """A new, empty database in a folder, which is made; with a built-in model's name or a model file."""
        folder = _folder(path)
        hasher = Hasher.load(model)
        if (folder / catalogs.FILE).exists():
            raise DatabaseError(f"there is a database at {folder} already; open it, or name another folder")
        if folder.is_dir() and any(not _is_left_over(entry) for entry in folder.iterdir()):
            raise DatabaseError(f"{folder} is not an empty folder; name one that is new, such as {folder}/db")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            model_file.copy(hasher, folder / MODEL)
            aside = folder / UNFINISHED
            for left in folder.glob(f"{UNFINISHED}*"):  # with SQLite's files beside it, by one that was cut off
                left.unlink()
            catalog = Catalog(aside, create=True)
            with catalog.transaction():
                _set_model(catalog, hasher)
            catalog.close()
            put_in_place(aside, folder / catalogs.FILE)  # from here on there is a database
        except OSError as error:
            raise DatabaseError(f"no database can be made at {folder}: {error.strerror or error}") from error
        return cls.open(folder)

    def close(self) -> None:
        """Give the files back."""
        self._catalog.close()
        self._bits = None

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Number of images that can be found."""
        count = code_array.count(self.path, self._catalog)  # counting in the catalog takes long where there are many
        return self._catalog.counts()["images"] if count is None else count

    @property
    def bits(self) -> int:
        """Length of a code in bits."""
        if self._bits is None:
            self._bits = int(self._catalog.get("bits"))
        return self._bits

    @property
    def hasher(self) -> Hasher:
        """The model that made the codes. Raises `DatabaseError` if its file is absent, damaged or another's."""
        self._check_model_is_the_same()
        if self._hasher is None:
            self._hasher = model_file.load(self.path, self._catalog)
        return self._hasher

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
    ) -> IndexReport:
        """Bring the database up to date with folders, files or Parquet files; what became of each image.

        `exclude` and `include` are globs of what is left out of the folders, or taken all the same (see
        `data.leaving_out`); they are kept for the folders. What is out of reach is reported and stays as it is.
        `model`, if given, must be the one that made the codes, unless `reindex` says that all codes are to be made
        anew. Images are decoded by worker processes, with limits on memory and time; without `isolation` by this
        process, which is a little faster, and trusts the files. Raises `DatabaseError`, `DataError`, or `Interrupted`
        on Ctrl-C, after which all is whole.
        """
        with self._writing():
            survey = scopes.survey(
                sources,
                self._catalog,
                where=os.fspath(self.path),
                labels_from_folders=labels_from_folders,
                limit=limit,
                exclude=exclude,
                include=include,
            )
            if model is not None:
                self._take_model(Hasher.load(model), reindex=reindex)
            self._check_model_is_the_same()
            survey.items += self._owed(survey.items)
            settings = Settings(
                folder=self.path,
                keep_originals=keep_originals,
                reindex=reindex,
                max_pixels=max_pixels,
                workers=workers,
                isolation=isolation,
            )
            try:
                return indexing.run(survey, data.scopes(sources), self._catalog, self.hasher, settings, progress)
            except KeyboardInterrupt:
                raise Interrupted(
                    f"Stopped. {self.path} holds {len(self)} by now; the same command goes on from there"
                ) from None
            finally:
                self._write_codes()

    def import_codes(
        self,
        path: str | os.PathLike[str],
        *,
        root: str | os.PathLike[str] = ".",
        on_rows: import_export.OnRows = lambda done, total: None,
    ) -> ImportReport:
        """Take codes of a Parquet or `.npy` file in (see `data.codetable`), which the database's model has made.

        Paths are relative to `root`, or lie below it; those of a `.npy` file lie in its folder. What is known already
        is left alone, so that an import that was cut off can be started again. Raises `DataError` for a file that is
        none, or codes of another length.
        """
        codetable.check_name(Path(path))
        with self._writing():
            self._check_model_is_the_same()
            try:
                below = import_export.root_of(Path(path), os.path.abspath(root))
                return import_export.take(self._catalog, Path(path), bits=self.bits, root=below, on_rows=on_rows)
            except KeyboardInterrupt:
                raise Interrupted(f"Stopped. What is in {self.path} by now stays; start the import again") from None
            finally:
                self._write_codes()

    def export_codes(self, path: str | os.PathLike[str]) -> int:
        """Write codes with paths and labels to a Parquet file, or the codes alone to a `.npy` file; how many."""
        codetable.check_name(Path(path))
        bare = Path(path).suffix == ".npy"
        rows = import_export.bare(self._held().codes_NW) if bare else import_export.rows(self._catalog, self.bits)
        return codetable.write(Path(path), rows)

    def remove(self, paths: Iterable[str | os.PathLike[str]], *, originals: bool = False) -> int:
        """Forget images, or all images below folders; how many. Files are not touched.

        Originals that are kept of them go, too, where the file is there; with `originals`, all of them.
        """
        with self._writing():
            ids: set[int] = set()
            for path in paths:
                found = self._catalog.below(os.path.abspath(path))
                if not found:
                    raise DatabaseError(
                        f"{os.fspath(path)} is not in {self.path}; paths are listed by: lookalike info --paths"
                    )
                ids.update(found)
            records = self._catalog.records(sorted(ids))
            pruning.remove(self._catalog, self.path, records.values(), originals=originals)
            with self._catalog.transaction():
                self._catalog.surroundings.set_unreachable([], within=[os.path.abspath(path) for path in paths])
            self._write_codes()
            return len(ids)

    def losses(self) -> Losses:
        """What `prune` would forget, and what is only out of reach. Changes nothing."""
        return pruning.losses(self._catalog)[0]

    def prune(self, only: Collection[int] | None = None, *, originals: bool = False) -> int:
        """Forget images whose files are gone, or those with the ids of `only` that are; how many.

        What is out of reach stays (see `reachability`), and so do the originals that are kept of what is forgotten,
        unless `originals` says that they may go.
        """
        with self._writing():
            count = pruning.prune(self._catalog, self.path, only, originals=originals)
            self._write_codes()
            return count

    def apply(self, plan: Plan, options: ApplyOptions, *, progress: Progress = silent) -> list[Step]:
        """Carry out a plan of duplicates; what became of each file that it removes. What is moved is marked as missing.

        Raises `DataError` or `ConfigError` before anything is done, or `Interrupted` on Ctrl-C, after which the log
        says what was done.
        """
        steps = applying.steps(plan, self._catalog.roots(), options)
        return self._change_files(steps, "applying", len(plan.removals), progress, dry_run=options.dry_run)

    def undo(self, log: str | os.PathLike[str], *, dry_run: bool = False, progress: Progress = silent) -> list[Step]:
        """Undo what a plan did, by the log that was written; what became of each file.

        Raises `DataError` before anything is done for a log that reaches files outside the database's folders and the
        trash of a run.
        """
        steps = undoing.steps(Path(log), self._catalog.roots(), dry_run=dry_run)
        return self._change_files(steps, "undoing", None, progress, dry_run=dry_run)

    def unreachable(self) -> list[Unreachable]:
        """Folders and files that were out of reach or unreadable when they were looked at last."""
        return self._catalog.surroundings.unreachable()

    def lost(self) -> list[str]:
        """Folders, tables and files that are out of reach: moved, perhaps, or on a drive that is not plugged in."""
        return [place.path for place in self.losses().unreachable if place.images]

    # Asking it

    def use(self, engine: EngineName | str) -> None:
        """Search with a certain engine from now on; `auto` chooses by cost. Raises `ConfigError`."""
        if engine not in list(EngineName):
            raise ConfigError(f"engine is {engine!r}; it must be one of {', '.join(EngineName)}")
        self._engine_name, self._opened = EngineName(engine), None

    def compact(self) -> bool:
        """Make the tables anew, so that searches need not look at changes one by one; whether there are any."""
        with self._writing():
            self._write_codes(anew=True)
            self._opened = None
            return len(self) >= code_array.LEAST

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

    def search_codes(
        self, codes_NW: Codes, *, top: int | None = 10, radius: int | None = None, only: Filter | None = None
    ) -> list[list[Hit]]:
        """The images nearest to each code, nearest first; equal distances in the order of indexing.

        With `only`, among images that pass a filter: the `top` nearest of these.
        """
        return self.search_records(codes_NW, top=top, radius=radius, only=only)[0]

    def search_records(
        self, codes_NW: Codes, *, top: int | None = 10, radius: int | None = None, only: Filter | None = None
    ) -> tuple[list[list[Hit]], dict[int, Record]]:
        """What `search_codes` gives, and the rows of the catalog that the hits stand for, by id."""
        self._check_radius(radius)
        opened = self._open_engine()
        found = opened.engine.search(codes_NW, top=top, radius=radius, among=self._among(only, opened))
        ids = [opened.ids.of(hits.rows).tolist() for hits in found]
        records = self._catalog.records(sorted(set(itertools.chain.from_iterable(ids))))
        bits, tier = self.bits, self.radii.tier
        hits = [
            hits_of(some, hits.distances, records, bits=bits, tier=tier) for some, hits in zip(ids, found, strict=True)
        ]
        return hits, records

    def search_asymmetric(
        self, query: Source | decode.Array, *, top: int = 10, only: Filter | None = None
    ) -> list[Hit]:
        """The images nearest to one image where a bit counts as much as the query is sure of it (`engines.asymmetric`).

        `Hit.weighed` is that distance, by which hits are sorted; `distance` and `tier` are those of the codes. Every
        code is looked at. Raises `ConfigError` if the model's file does not say its threshold.
        """
        return self.search_asymmetric_records(query, top=top, only=only)[0]

    def search_asymmetric_records(
        self, query: Source | decode.Array, *, top: int = 10, only: Filter | None = None
    ) -> tuple[list[Hit], Mapping[int, Record]]:
        """What `search_asymmetric` gives, and the rows of the catalog that the hits stand for, by id."""
        self._check_model_is_the_same()
        held = self._held()
        among = None if only is None else held.ids.among(self._catalog.passing(only))
        return asymmetric.search(
            self.hasher, query, held, top=top, among=among, records=self._catalog.records, tier=self.radii.tier
        )

    def duplicates(
        self, search: DuplicateSearch | None = None, *, radius: int | None = None, progress: Progress = silent
    ) -> DuplicateReport:
        """Groups of images at most `radius` bits from the first of each, whose pictures match; see `DuplicateSearch`.

        A file that has several names (links) appears once, or whoever deletes a copy might delete the only one.
        Images that were marked as different share no group. Of low-information images, and of files that cannot be
        decoded, only the bytes are compared. Of a large collection the pairs found are kept, so that after an
        interruption the same call goes on from there.
        """
        found = self.compare(search or DuplicateSearch(radius=radius), progress=progress)
        return duplicate_search.group(self._catalog, found, self.decisions.known())

    def compare(
        self,
        search: DuplicateSearch = DuplicateSearch(),
        *,
        parts: leakage.Parts | None = None,
        progress: Progress = silent,
    ) -> Comparison:
        """The pairs of images that `duplicates` makes groups of, whatever was decided about them."""
        if search.reference:
            parts = leakage.parts_of(self, search.reference)
        if parts is not None and search.orientations:
            raise ConfigError("mirrored and turned copies are found in a whole collection, not of a reference")
        self._check_radius(search.radius)
        self._check_model_is_the_same()
        held = self._held()
        oriented = None
        if search.orientations:
            oriented = oriented_codes.read(
                self._catalog, held, self.hasher, max_pixels=search.max_pixels, progress=progress
            )
        return duplicate_search.compare(
            self._catalog,
            held,
            search,
            radius=self.duplicate_radius() if search.radius is None else search.radius,
            parts=parts,
            oriented=oriented,
            find=pairfile.keeping(self.path),
            progress=progress,
        )

    def group(self, found: Comparison) -> DuplicateReport:
        """Groups of copies, by what is decided now."""
        return duplicate_search.group(self._catalog, found, self.decisions.known())

    def review(
        self, report: DuplicateReport, options: ReviewOptions = ReviewOptions(), *, progress: Progress = silent
    ) -> list[Review]:
        """The best copy of each group, how alike the others are to it, and what was decided; reads their files."""
        records = self.records_of([one.id for group in report for one in group])
        return review.review_report(report, records, self.decisions.known(), options, progress=progress)

    def leakage(
        self, first: str, second: str, search: DuplicateSearch = DuplicateSearch(), *, progress: Progress = silent
    ) -> LeakageReport:
        """The images of one part that have a copy in another; a part is a folder or a label.

        What lies in both parts counts as of the first.
        """
        found = self.compare(search, parts=leakage.parts_of(self, [first], second), progress=progress)
        return duplicate_search.leaked(self._catalog, found, self.decisions.known())

    def undecodable(self, only: Filter | None = None) -> dict[int, bytes]:
        """Media files that cannot be decoded, by id, each with its digest; with `only`, those that pass."""
        found = equal_bytes.undecodable(self._catalog)
        if only is None or not found:
            return found
        passing = self._catalog.passing(only)
        return {id_: digest for id_, digest in found.items() if id_ < len(passing) and passing[id_]}

    def neighbours(
        self,
        path: str | os.PathLike[str],
        *,
        top: int = 10,
        on_rows: neighbour_graph.OnRows = lambda done, total: None,
    ) -> int:
        """Write the `top` nearest images of each image to a Parquet or `.npy` file (see `neighbours`); how many images.

        What is done so far is kept beside the file: after Ctrl-C, which raises `Interrupted`, or a kill, the same call
        goes on from there.
        """
        self._check_model_is_the_same()
        held = self._held()
        tables = code_array.read_tables(self.path, self._model_digest)
        names = by_row(held.ids_N, self._catalog.names)
        try:
            return neighbour_graph.write(Path(path), held, tables, top=top, names=names, on_rows=on_rows)
        except KeyboardInterrupt:
            raise Interrupted("Stopped. The same command goes on from here") from None

    def evaluate(
        self,
        queries: data.Paths | None = None,
        *,
        seed: int = 0,
        max_pixels: int = decode.MAX_PIXELS,
    ) -> Measured:
        """How well codes find images of the same label: each image among the others, or `queries` (labelled by their
        sub-folders) among all.

        Raises `DatabaseError` if no image has a label, `DataError` if no query can be used.
        """
        held = evaluating.labelled(self._catalog.all_records())
        if queries is not None:
            items = data.find(queries, labels_from_folders=True)
            return evaluating.from_outside(held, items, self.hasher, max_pixels=max_pixels)
        return evaluating.among(held, seed=seed)

    def records(self) -> Iterator[Record]:
        """All rows of the catalog, by id."""
        return self._catalog.all_records()

    def codes(self) -> tuple[npt.NDArray[np.int64], Codes]:
        """Ids (N,), ascending, and codes (N, W) of all images that can be found."""
        held = self._held()
        return held.ids_N, held.codes_NW

    def records_of(self, ids: Sequence[int]) -> dict[int, Record]:
        """The rows of the catalog with these ids; of ids that are not known, nothing."""
        return self._catalog.records(ids)

    def reliefs(self, ids: Sequence[int]) -> dict[int, bytes]:
        """The reliefs (see `registration`) of images with these ids; of those that have none, nothing."""
        return self._catalog.reliefs(ids)

    def passing(self, only: Filter) -> npt.NDArray[np.int64]:
        """Ids of the images that pass a filter and can be found, ascending."""
        ids = self._held().ids
        return ids.all[ids.among(self._catalog.passing(only))]

    def ids_by_name(self) -> npt.NDArray[np.int64]:
        """Ids of all images that can be found, in the order of their names, root by root."""
        return self._catalog.ids_by_name()

    def labels(self) -> dict[str, int]:
        """The labels of images that can be found, and how many images have each."""
        return self._catalog.labels()

    @property
    def revision(self) -> int:
        """A number that grows whenever the codes change, whichever process changes them."""
        return self._catalog.revision

    def is_current(self) -> bool:
        """Whether this is still what lies there: neither replaced, nor indexed again with another model."""
        return self._catalog.is_in_place() and self._catalog.get("model") == self._model_digest

    def info(self) -> Info:
        """What the database holds."""
        model, distances = self.hasher.info, self.radii
        return Info(
            path=os.fspath(self.path),
            model=self.hasher.name,
            bits=self.bits,
            originals=sum(1 for _ in originals.digests(self.path)),
            roots=self._catalog.roots(),
            trained_on=model.origin,
            near=model.near,
            duplicate=distances.duplicate,
            similar=distances.similar,
            same=distances.same,
            calibration=self.calibration,
            plain=len(self._catalog.plain()),
            places=environment.of(self._catalog, self.path),
            unreachable=self._catalog.surroundings.unreachable(),
            **self._catalog.counts(),
        )

    # What distances mean

    @property
    def calibration(self) -> Calibration | None:
        """What `calibrate` found with this model; none if there is none."""
        return stored.load(self._catalog)

    @property
    def radii(self) -> Radii:
        """Up to how many bits images are called what: as calibrated, or by the model."""
        found = self.calibration
        return self.hasher.info.radii if found is None else found.radii

    def calibrate(
        self,
        pairs: Sequence[Labelled] = (),
        *,
        settings: run.Settings = run.Settings(),
        on_progress: run.OnProgress = lambda what, done, total: None,
    ) -> run.Found:
        """Measure which distances mean what in this collection, and keep that: images are called by it from now on.

        `pairs` are those of which somebody knows whether they show the same picture. Raises `DatabaseError` for too few
        images and for files that cannot be read any more, `DataError` for pairs that are not in the database.
        """
        self._check_model_is_the_same()
        says = labelled.ids(self._catalog, pairs)
        try:
            found = run.run(self._catalog, self._held(), self.hasher, settings, says=says, on_progress=on_progress)
        except KeyboardInterrupt:
            raise Interrupted("Stopped; nothing was changed") from None
        before = self.calibration
        if before is not None and before.edited and not found.calibration.edited:
            raise DatabaseError(
                f"none of the images could be read, and {self.path} was calibrated when they could; calibrate where "
                "the files are, or forget that first with: lookalike calibrate --forget. Nothing was changed"
            )
        self._keep_calibration(found.calibration.to_json())
        return found

    def forget_calibration(self) -> bool:
        """Call images by what the model says again; whether anything was calibrated."""
        was = self._catalog.get(stored.KEY) != ""
        if was:
            self._keep_calibration("")
        return was

    def _keep_calibration(self, text: str) -> None:
        with self._writing():
            self._check_model_is_the_same()
            with self._catalog.transaction():
                self._catalog.set(stored.KEY, text)
                self._catalog.touch()  # servers keep what they said until then
            self._write_codes()

    def verify(self, *, accept: bool = False) -> list[Finding]:
        """Check everything in the folder: catalog, model, originals, and what is derived from them.

        What is derived is made again; of the rest, what can be proven right is restored, and nothing else is changed.
        With `accept`, the catalog as it is then becomes the truth: damage that was found is not reported again.
        """
        with self._writing(checking=True):
            findings = verifying.verify(self.path, self._catalog, accept=accept)
        self._opened = self._hasher = self._bits = None  # they may have been read before settings were restored
        self._model_digest = self._catalog.get("model")
        return findings

    def backup(self, path: str | os.PathLike[str], *, copy: bool = False) -> Backup:
        """Copy the database to a folder that is new or empty, also while another process writes; what was copied.

        The copy is a database, and has been verified. Kept originals are hard links where that is possible, unless
        `copy` is true. Raises `DatabaseError`, and leaves nothing behind then.
        """
        try:
            return backup.make(self.path, self._catalog, Path(path), copy=copy)
        except OSError as error:
            raise DatabaseError(f"no backup was made at {os.fspath(path)}: {error.strerror or error}") from error

    # The parts

    @contextmanager
    def _writing(self, *, checking: bool = False) -> Iterator[None]:
        """The writer's lock. Raises `DatabaseError` if another process holds it or the folder is read-only."""
        lock = filelock.FileLock(self.path / LOCK)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise DatabaseError(f"another process is writing to {self.path}; wait until it has ended") from None
        except OSError as error:
            raise DatabaseError(f"{self.path} cannot be written to ({error.strerror})") from error
        try:
            if not checking:
                leftovers.delete(self.path)
                verifying.note_loss(self.path, self._catalog)
            yield
        except OSError as error:
            raise DatabaseError(f"{self.path}: {error.strerror or error}") from error
        finally:
            lock.release()

    def _change_files(
        self, steps: Iterator[Step], stage: str, total: int | None, progress: Progress, *, dry_run: bool
    ) -> list[Step]:
        """The steps, one after the other; files that came or went are marked in the end, whatever ends it.

        Also those that came or went before: by a run that was killed, which did not mark them.
        """
        made: list[Step] = []
        with nullcontext() if dry_run else self._writing():
            try:
                for step in steps:
                    made.append(step)
                    progress(stage, len(made), total)
                return made
            except KeyboardInterrupt:
                raise Interrupted("Stopped. What is done is in the log; the same command goes on from there") from None
            finally:
                paths = [step.path for step in made if step.outcome is not Outcome.LEFT]
                found = [record for path in paths if (record := self._catalog.find(path)) is not None]
                unseen.mark_moved(self._catalog, found)
                if found:
                    self._write_codes()

    def _take_model(self, hasher: Hasher, *, reindex: bool) -> None:
        """Make a model the database's own: another one only if all codes may be made anew."""
        digest, name = self._catalog.get("model"), self._catalog.get("model_name")
        if hasher.digest != digest and not reindex:
            raise DatabaseError(
                f"{self.path} holds {self.bits}-bit codes of {name}@{digest[:8]}, but {hasher.path} is {hasher.name}. "
                "Index again with --reindex, or pass the first model"
            )
        place, aside = self.path / MODEL, model_file.pending(self.path)
        if hasher.digest == digest and model_file.has_digest(place, digest):
            return
        model_file.copy(hasher, aside)
        if hasher.digest != digest:
            with self._catalog.transaction():
                self._catalog.forget_codes()
                _set_model(self._catalog, hasher)
        self._hasher, self._opened, self._model_digest, self._bits = hasher, None, hasher.digest, None
        put_in_place(aside, place)

    def _check_model_is_the_same(self) -> None:
        if self._catalog.get("model") != self._model_digest:
            raise DatabaseError(f"{self.path} was indexed again with another model meanwhile; open it anew")

    def _owed(self, items: list[data.Item]) -> list[data.Item]:
        """The images that lost their codes to a change of model, are not among the items, and can be read."""
        named = {item.name for item in items}
        reach = Reachability(self._catalog)
        found = (reach.look(record) for record in self._catalog.owed() if record.name not in named)
        return [item for item in found if isinstance(item, data.Item)]

    def _held(self) -> Held:
        return code_array.held(self.path, self._catalog)

    def _write_codes(self, *, anew: bool = False) -> None:
        code_array.keep(self.path, self._catalog, anew=anew)

    def _open_engine(self) -> Opened:
        """The engine, filled anew if the catalog has changed since."""
        self._check_model_is_the_same()
        revision, opened = self._catalog.revision, self._opened
        if opened is None or revision != opened.revision:
            filled = engine_choice.open_engine(
                self.path, self._held(), model=self._model_digest, name=self._engine_name
            )
            self._opened = opened = Opened(*filled, revision)
        return opened

    def _among(self, only: Filter | None, opened: Opened) -> Mask:
        """Which codes pass a filter; that of the last search is kept, as people search several times with one."""
        if only is None:
            return None
        key, passing = (only, self._catalog.state, opened.revision), self._passing
        if passing is None or passing[0] != key:
            passing = key, opened.ids.among(self._catalog.passing(only))
            self._passing = passing
        return passing[1]

    def duplicate_radius(self) -> int:
        """The radius up to which images are taken for copies, in bits: as calibrated, or by the model.

        Raises `ConfigError` if there is none.
        """
        return radii.duplicate_radius(self.hasher, self.calibration)

    def _check_radius(self, radius: int | None) -> None:
        radii.check_radius(radius, self.bits)


def _folder(path: str | os.PathLike[str]) -> Path:
    """Where a database is or may be made. Raises `DatabaseError` for a file, or a name that no folder can have."""
    folder = Path(path)
    if "\0" in os.fspath(path):
        raise DatabaseError(f"{os.fspath(path)!r} has a zero byte, which no folder has in its name; name another")
    if folder.is_file():
        raise DatabaseError(f"{folder} is a file, and a database is a folder; name a new one, such as {folder}.db")
    return folder


def _is_left_over(path: Path) -> bool:
    """Whether a file comes from making a database that was cut off."""
    files = (MODEL, model_file.DECODER)
    return path.name in (LOCK, *files) or path.name.startswith(UNFINISHED) or any(is_temporary(path, n) for n in files)


def _set_model(catalog: Catalog, hasher: Hasher) -> None:
    catalog.set("model", hasher.digest)
    catalog.set("model_name", hasher.info.name)
    catalog.set("bits", str(hasher.bits))
    catalog.set(model_file.DECODER_KEY, model_file.decoder_digest(hasher))
    catalog.set(stored.KEY, "")  # which was of another model
    catalog.touch()
