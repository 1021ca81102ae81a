"""A database: a collection's images, their codes, and the model that made them, in a folder or in Milvus.

`Database` is a thin class over a `Store` (see `store.protocol`); its methods call plain functions.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike import data
from lookalike.calibration import pairs as labelled
from lookalike.calibration import radii, run, stored
from lookalike.calibration.pairs import Labelled
from lookalike.calibration.stored import Calibration
from lookalike.core.address import is_address
from lookalike.core.codes import Codes
from lookalike.core.errors import ConfigError, DatabaseError, Interrupted
from lookalike.core.progress import Progress, silent
from lookalike.data import codetable
from lookalike.database import absent, backup, import_export, indexing, neighbour_graph, scopes
from lookalike.database import evaluate as evaluating
from lookalike.database import search as searching
from lookalike.database import verify as verifying
from lookalike.database.absent import Losses
from lookalike.database.backup import Backup
from lookalike.database.evaluate import Measured
from lookalike.database.import_export import ImportReport
from lookalike.database.indexing import IndexOptions, IndexReport
from lookalike.database.search import Found
from lookalike.duplicates import equal_bytes, leakage, oriented_codes, review
from lookalike.duplicates import search as duplicate_search
from lookalike.duplicates.cleanup import apply as applying
from lookalike.duplicates.cleanup import undo as undoing
from lookalike.duplicates.cleanup.apply import ApplyOptions, Outcome, Step
from lookalike.duplicates.cleanup.plan import Plan
from lookalike.duplicates.decisions import Decisions
from lookalike.duplicates.graph import all_pairs_within
from lookalike.duplicates.members import by_row
from lookalike.duplicates.request import DuplicateReport, DuplicateSearch, LeakageReport
from lookalike.duplicates.review import Review, ReviewOptions
from lookalike.duplicates.search import Comparison
from lookalike.hasher import DEFAULT, Hasher, Radii
from lookalike.imaging import decode
from lookalike.imaging.decode import Source
from lookalike.store import catalog, originals, surroundings
from lookalike.store.derived import code_array, pairfile
from lookalike.store.derived.results import Finding, Group, Hit, Info, Member
from lookalike.store.folder import FolderStore
from lookalike.store.protocol import Store
from lookalike.store.records import Filter, Record
from lookalike.store.surroundings import Unreachable

__all__ = ["Database", "Filter", "Finding", "Group", "Hit", "ImportReport", "IndexReport", "Info", "Measured", "Member"]

Paths = str | os.PathLike[str]
Ids = npt.NDArray[np.int64]


class Database:
    """An open database. Reading needs no lock; each method that writes takes the lock for as long as it runs."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.decisions = Decisions(store)
        self._hasher: Hasher | None = None

    @classmethod
    def open(cls, path: Paths, *, create: bool = False, model: Paths = DEFAULT) -> Database:
        """The database in a folder; with `create`, a new one made with `model` where there is none.

        `lookalike.open` also opens one in Milvus. Raises `DatabaseError` if there is none or it is damaged.
        """
        if is_address(path):
            raise DatabaseError(f"{path} is a database in Milvus; open it with lookalike.open. See: docs/scale.md")
        folder = _folder(path)
        if create and not (folder / catalog.FILE).exists():
            return cls.create(folder, model=model)
        return cls(FolderStore(folder))

    @classmethod
    def create(cls, path: Paths, *, model: Paths = DEFAULT) -> Database:
        """A new, empty database in a folder, which is made; with a built-in model's name or a model file."""
        folder = _folder(path)
        FolderStore.create(folder, Hasher.load(model))
        return cls.open(folder)

    def close(self) -> None:
        """Release files and connections."""
        self.store.close()

    def __enter__(self) -> Database:
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

    # Adding and removing images

    def index(
        self,
        sources: data.Paths,
        options: IndexOptions = IndexOptions(),
        *,
        model: Paths | None = None,
        progress: Progress = silent,
        **changes: Any,
    ) -> IndexReport:
        """Bring the database up to date with folders, files or Parquet files; what became of each image.

        Options may also be given by name: `index(folder, reindex=True)`.

        What is out of reach is reported and stays as it is. `model`, if given, must be the one that made the codes,
        unless `options.reindex` says that all codes are to be made again. Raises `DatabaseError`, `DataError`, or
        `Interrupted` on Ctrl-C, after which everything that was recorded is whole.
        """
        options = dataclasses.replace(options, **changes)
        if options.keep_originals:
            self.store.local("originals (--keep-originals)")
        with self._changing("the same command goes on from there"):
            survey = scopes.survey(sources, self.store, options)
            if model is not None:
                self._hasher = None
                self.store.take_model(Hasher.load(model), reindex=options.reindex)
            self.store.check_model()
            survey.items += absent.owed(self.store, survey.items)
            return indexing.run(survey, data.scopes(sources), self.store, self.hasher, options, progress)

    def import_codes(self, path: Paths, *, root: Paths = ".", progress: Progress = silent) -> ImportReport:
        """Import codes that the database's model has made from a Parquet or `.npy` file (see `data.codetable`).

        Paths are relative to `root`, or lie below it; those of a `.npy` file lie in its folder. What is known already
        is left alone, so that an import that was cut off can be started again. Raises `DataError` for a file of another
        kind, or codes of another length.
        """
        codetable.check_name(Path(path))
        with self._changing("start the import again"):
            self.store.check_model()
            return import_export.import_file(self.store, Path(path), os.path.abspath(root), progress)

    def export_codes(self, path: Paths) -> int:
        """Write codes with paths and labels to a Parquet file, or the codes alone to a `.npy` file; how many."""
        return import_export.export(self.store, Path(path))

    def remove(self, paths: Iterable[Paths], *, originals: bool = False) -> int:
        """Forget images, or all images below folders; how many. Files are not touched.

        Originals that are kept of them go too, where the file is there; with `originals`, all of them.
        """
        with self.store.changing():
            return absent.remove(self.store, [os.path.abspath(path) for path in paths], originals=originals)

    def losses(self) -> Losses:
        """What `prune` would forget, and what is only out of reach. Changes nothing."""
        return absent.losses(self.store)[0]

    def prune(self, only: Collection[int] | None = None, *, originals: bool = False) -> int:
        """Forget images whose files are gone, or those with the ids of `only` that are; how many.

        What is out of reach stays (see `reachability`), and so do the originals that are kept of what is forgotten,
        unless `originals` says that they may go.
        """
        with self.store.changing():
            return absent.prune(self.store, only, originals=originals)

    def unreachable(self) -> list[Unreachable]:
        """Folders and files that were out of reach or unreadable when they were looked at last."""
        return self.store.surroundings.unreachable()

    def lost(self) -> list[str]:
        """Folders, tables and files that are out of reach: moved, perhaps, or on a drive that is not plugged in."""
        return [place.path for place in self.losses().unreachable if place.images]

    def apply(self, plan: Plan, options: ApplyOptions, *, progress: Progress = silent) -> list[Step]:
        """Carry out a plan of duplicates; what became of each file that it removes. What is moved is marked as missing.

        Raises `DataError` or `ConfigError` before anything is done, or `Interrupted` on Ctrl-C, after which the log
        says what was done.
        """
        steps = applying.steps(plan, self.store.roots(), options)
        return self._change_files(steps, "applying", len(plan.removals), progress, dry_run=options.dry_run)

    def undo(self, log: str | os.PathLike[str], *, dry_run: bool = False, progress: Progress = silent) -> list[Step]:
        """Undo what a plan did, by the log that was written; what became of each file.

        Raises `DataError` before anything is done for a log that reaches files outside the database's folders and the
        trash of a run.
        """
        steps = undoing.steps(Path(log), self.store.roots(), dry_run=dry_run)
        return self._change_files(steps, "undoing", None, progress, dry_run=dry_run)

    # Searching

    def use(self, engine: str) -> None:
        """Search with a certain engine from now on; `auto` chooses by cost. Raises `ConfigError`."""
        self.store.use(engine)

    def compact(self) -> bool:
        """Rebuild the tables, so that searches need not look at changes one by one; whether there are any."""
        return self.store.local("search tables").compact()

    def search(
        self,
        query: Source | decode.Array,
        *,
        top: int | None = 10,
        radius: int | None = None,
        only: Filter | None = None,
    ) -> list[Hit]:
        """The images nearest to one image (a path, bytes, or an array of the model's shape), nearest first."""
        return self.search_many([query], top=top, radius=radius, only=only)[0]

    def search_many(
        self,
        queries: Iterable[Source | decode.Array],
        *,
        top: int | None = 10,
        radius: int | None = None,
        only: Filter | None = None,
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
        radii.check_radius(radius, self.bits)
        found = self.store.search(codes_NW, top=top, radius=radius, only=only)
        return searching.with_records(found, self.store, tier=self.radii.tier)

    def search_asymmetric(
        self, query: Source | decode.Array, *, top: int = 10, only: Filter | None = None
    ) -> list[Hit]:
        """The images nearest to one image where a bit counts as much as the query is sure of it (`search.asymmetric`).

        `Hit.weighed` is that distance, by which hits are sorted; `distance` and `tier` are those of the codes. Every
        code is looked at. Raises `ConfigError` if the model's file does not say its threshold.
        """
        return self.search_asymmetric_records(query, top=top, only=only).hits

    def search_asymmetric_records(
        self, query: Source | decode.Array, *, top: int = 10, only: Filter | None = None
    ) -> Found:
        """What `search_asymmetric` gives, and the rows that the hits stand for, by id."""
        store = self.store.local("asymmetric search (--asymmetric)")
        return searching.asymmetric(self.hasher, query, store, top=top, only=only, tier=self.radii.tier)

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
        return duplicate_search.group(self.store, found, self.decisions.known())

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
        radii.check_radius(search.radius, self.bits)
        store, codes = self.store, self.store.code_array()
        oriented = None
        if search.orientations:
            oriented = oriented_codes.read(
                store.local("mirrored and rotated copies"), codes, self.hasher, max_pixels=search.max_pixels,
                progress=progress,
            )  # fmt: skip
        return duplicate_search.compare(
            store,
            codes,
            search,
            radius=self.duplicate_radius() if search.radius is None else search.radius,
            parts=parts,
            oriented=oriented,
            find=all_pairs_within if store.folder is None else pairfile.keeping(store.folder),
            progress=progress,
        )

    def group(self, found: Comparison) -> DuplicateReport:
        """Groups of copies, by what is decided now."""
        return duplicate_search.group(self.store, found, self.decisions.known())

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
        return duplicate_search.leaked(self.store, found, self.decisions.known())

    def undecodable(self, only: Filter | None = None) -> dict[int, bytes]:
        """Media files that cannot be decoded, by id, each with its digest; with `only`, those that pass."""
        found = equal_bytes.undecodable(self.store)
        if only is None or not found:
            return found
        passing = self.store.local("files that cannot be decoded").passing(only)
        return {id_: digest for id_, digest in found.items() if id_ < len(passing) and passing[id_]}

    def neighbours(self, path: Paths, *, top: int = 10, progress: Progress = silent) -> int:
        """Write the `top` nearest images of each image to a Parquet or `.npy` file (`neighbour_graph`); of how many.

        What is done so far is kept next to the file: after Ctrl-C, which raises `Interrupted`, or a kill, the same call
        goes on from there.
        """
        store = self.store.local("neighbour graphs")
        codes = store.code_array()
        names = by_row(codes.ids_N, store.names)
        tables = code_array.read_tables(store.folder, store.get("model"))
        try:
            return neighbour_graph.write(Path(path), codes, tables, top=top, names=names, progress=progress)
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
        held = evaluating.labelled(self.records())
        if queries is not None:
            items = data.find(queries, labels_from_folders=True)
            return evaluating.from_outside(held, items, self.hasher, max_pixels=max_pixels)
        return evaluating.among(held, seed=seed)

    # What is stored

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

    def reliefs(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Alignment thumbnails (see `verification`) by id; images that have none are left out."""
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

    # What distances mean

    @property
    def calibration(self) -> Calibration | None:
        """What `calibrate` found with this model; none if there is none."""
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
        return radii.duplicate_radius(self.hasher, self.calibration)

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
        store = self.store.local("calibration")
        says = labelled.ids(store, pairs)
        try:
            found = run.run(store, store.code_array(), self.hasher, settings, says=says, on_progress=on_progress)
        except KeyboardInterrupt:
            raise Interrupted("Stopped; nothing was changed") from None
        before = self.calibration
        if before is not None and before.edited and not found.calibration.edited:
            raise DatabaseError(
                f"none of the images could be read, and {self.path} was calibrated when they could; calibrate where "
                "the files are, or forget that first with: lookalike calibrate --forget. Nothing was changed"
            )
        stored.keep(store, found.calibration.to_json())
        return found

    def forget_calibration(self) -> bool:
        """Call images by what the model says again; whether anything was calibrated."""
        store = self.store.local("calibration")
        was = store.get(stored.KEY) != ""
        if was:
            stored.keep(store, "")
        return was

    # Safety

    def verify(self, *, accept: bool = False) -> list[Finding]:
        """Check everything in the folder: catalog, model, originals, and what is derived from them.

        What is derived is made again; of the rest, what can be proven right is restored, and nothing else is changed.
        With `accept`, the catalog as it is then becomes the truth: damage that was found is not reported again.
        """
        store = self.store.local("checks")
        with store.lock():
            findings = verifying.verify(store, accept=accept)
        store.forget()  # it may have been read before settings were restored
        self._hasher = None
        return findings

    def backup(self, path: Paths, *, copy: bool = False) -> Backup:
        """Copy the database to a folder that is new or empty, also while another process writes; what was copied.

        The copy is a database, and has been verified. Kept originals are hard links where that is possible, unless
        `copy` is true. Raises `DatabaseError`, and leaves nothing behind then.
        """
        try:
            return backup.make(self.store.local("backups"), Path(path), copy=copy)
        except OSError as error:
            raise DatabaseError(f"no backup was made at {os.fspath(path)}: {error.strerror or error}") from error

    @contextmanager
    def _changing(self, how_to_resume: str) -> Iterator[None]:
        with self.store.changing():
            try:
                yield
            except KeyboardInterrupt:
                raise Interrupted(f"Stopped. {self.path} holds {len(self)} by now; {how_to_resume}") from None

    def _change_files(
        self, steps: Iterator[Step], stage: str, total: int | None, progress: Progress, *, dry_run: bool
    ) -> list[Step]:
        """The steps, one after the other; files that came or went are marked in the end, whatever ends it.

        Also those that came or went before: by a run that was killed, which did not mark them.
        """
        store = self.store.local("plans")
        made: list[Step] = []
        with nullcontext() if dry_run else store.changing():
            try:
                for step in steps:
                    made.append(step)
                    progress(stage, len(made), total)
                return made
            except KeyboardInterrupt:
                raise Interrupted("Stopped. What is done is in the log; the same command goes on from there") from None
            finally:
                paths = [step.path for step in made if step.outcome is not Outcome.LEFT]
                absent.mark_moved(store, [one for path in paths if (one := store.find(path)) is not None])


def _folder(path: Paths) -> Path:
    """Where a database is or may be made. Raises `DatabaseError` for a file, or a name that no folder can have."""
    folder = Path(path)
    if "\0" in os.fspath(path):
        raise DatabaseError(f"{os.fspath(path)!r} has a zero byte, which no folder has in its name; name another")
    if folder.is_file():
        raise DatabaseError(f"{folder} is a file, and a database is a folder; name a new one, such as {folder}.db")
    return folder
