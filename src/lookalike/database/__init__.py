"""A database: a collection's images, their codes, and the model that made them, in a folder or in Milvus.

`Database` is a thin class over a `Store` (see `store.protocol`); its methods call plain functions, whose modules are
imported when they are called: `lookalike info` needs a fifth of them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lookalike.core.address import is_address
from lookalike.core.errors import ConfigError, DatabaseError, Interrupted
from lookalike.core.progress import Progress, silent
from lookalike.database.reading import Reading
from lookalike.hasher.paths import DEFAULT
from lookalike.store.catalog import FILE
from lookalike.store.derived.results import Finding, Group, Hit, Info, Member
from lookalike.store.records import Filter

if TYPE_CHECKING:
    from lookalike import data
    from lookalike.calibration.pairs import Labelled
    from lookalike.calibration.run import CalibrationOptions, CalibrationReport
    from lookalike.database.absent import Losses
    from lookalike.database.backup import Backup
    from lookalike.database.import_export import ImportReport
    from lookalike.database.indexing import IndexOptions, IndexReport
    from lookalike.duplicates.cleanup.apply import ApplyOptions, Step
    from lookalike.duplicates.cleanup.plan import Plan
    from lookalike.duplicates.leakage import Parts
    from lookalike.duplicates.request import DuplicateReport, DuplicateSearch, LeakageReport
    from lookalike.duplicates.review import Review, ReviewOptions
    from lookalike.duplicates.search import Comparison

__all__ = ["Database", "Filter", "Finding", "Group", "Hit", "Info", "Member"]

Paths = str | os.PathLike[str]


class Database(Reading):
    """An open database. Each method that writes takes the writer's lock for as long as it runs."""

    @classmethod
    def open(cls, path: Paths, *, create: bool = False, model: Paths = DEFAULT) -> Database:
        """The database in a folder; with `create`, a new one made with `model` where there is none.

        `lookalike.open` also opens one in Milvus. Raises `DatabaseError` if there is none or it is damaged.
        """
        from lookalike.store.folder import FolderStore

        if is_address(path):
            raise DatabaseError(f"{path} is a database in Milvus; open it with lookalike.open. See: docs/scale.md")
        folder = _folder(path)
        if create and not (folder / FILE).exists():
            return cls.create(folder, model=model)
        return cls(FolderStore(folder))

    @classmethod
    def create(cls, path: Paths, *, model: Paths = DEFAULT) -> Database:
        """A new, empty database in a folder, which is made; with a built-in model's name or a model file."""
        from lookalike.hasher import Hasher
        from lookalike.store.folder import FolderStore

        folder = _folder(path)
        FolderStore.create(folder, Hasher.load(model))
        return cls.open(folder)

    # Adding and removing images

    def index(
        self,
        sources: data.Paths,
        options: IndexOptions | None = None,
        *,
        model: Paths | None = None,
        progress: Progress = silent,
        **changes: Any,
    ) -> IndexReport:
        """Bring the database up to date with folders, files or Parquet files; what became of each image.

        Options may also be given by name: `index(folder, reindex=True)`. What is out of reach is reported and stays as
        it is. `model`, if given, must be the one that made the codes, unless `reindex` says that all codes are to be
        made again. Raises `DatabaseError`, `DataError`, or `Interrupted` on Ctrl-C, after which everything that was
        recorded is whole.
        """
        from lookalike.database import indexing, scopes
        from lookalike.hasher import Hasher

        options = dataclasses.replace(options or indexing.IndexOptions(), **changes)
        if options.keep_originals:
            self.store.local("originals (--keep-originals)")
        with self._changing("the same command goes on from there"):
            survey = scopes.survey(sources, self.store, options)
            if model is not None:
                self._hasher = None
                self.store.take_model(Hasher.load(model), reindex=options.reindex)
            self.store.check_model()
            return indexing.run(survey, sources, self.store, self.hasher, options, progress)

    def import_codes(self, path: Paths, *, root: Paths = ".", progress: Progress = silent) -> ImportReport:
        """Import codes that the database's model has made from a Parquet or `.npy` file (see `data.codetable`).

        Paths are relative to `root`, or lie below it; those of a `.npy` file lie in its folder. What is known already
        is left alone, so that an import that was cut off can be started again. Raises `DataError` for a file of another
        kind, or codes of another length.
        """
        from lookalike.database import import_export

        import_export.check_name(Path(path))
        with self._changing("start the import again"):
            self.store.check_model()
            return import_export.import_file(self.store, Path(path), os.path.abspath(root), progress)

    def export_codes(self, path: Paths) -> int:
        """Write codes with paths and labels to a Parquet file, or the codes alone to a `.npy` file; how many."""
        from lookalike.database import import_export

        return import_export.export(self.store, Path(path))

    def remove(self, paths: Iterable[Paths], *, originals: bool = False) -> int:
        """Forget images, or all images below folders; how many. Files are not touched.

        Originals that are kept of them go too, where the file is there; with `originals`, all of them.
        """
        from lookalike.database import absent

        with self.store.changing():
            return absent.remove(self.store, [os.path.abspath(path) for path in paths], originals=originals)

    def losses(self) -> Losses:
        """What `prune` would forget, and what is only out of reach. Changes nothing."""
        from lookalike.database import absent

        return absent.losses(self.store)[0]

    def prune(self, only: Collection[int] | None = None, *, originals: bool = False) -> int:
        """Forget images whose files are gone, or those with the ids of `only` that are; how many.

        What is out of reach stays (see `reachability`), and so do the originals that are kept of what is forgotten,
        unless `originals` says that they may go.
        """
        from lookalike.database import absent

        with self.store.changing():
            return absent.prune(self.store, only, originals=originals)

    def lost(self) -> list[str]:
        """Folders, tables and files that are out of reach: moved, perhaps, or on a drive that is not plugged in."""
        return [place.path for place in self.losses().unreachable if place.images]

    def compact(self) -> bool:
        """Rebuild the tables, so that searches need not look at changes one by one; whether there are any."""
        return self.store.local("search tables").compact()

    # Duplicates

    def duplicates(
        self, search: DuplicateSearch | None = None, *, radius: int | None = None, progress: Progress = silent
    ) -> DuplicateReport:
        """Groups of images at most `radius` bits from the first of each, whose pictures match; see `DuplicateSearch`.

        A file that has several names (links) appears once, or whoever deletes a copy might delete the only one.
        Images that were marked as different share no group. Of low-information images, and of files that cannot be
        decoded, only the bytes are compared. Of a large collection the pairs found are kept, so that after an
        interruption the same call goes on from there.
        """
        from lookalike.duplicates.request import DuplicateSearch

        return self.group(self.compare(search or DuplicateSearch(radius=radius), progress=progress))

    def compare(
        self, search: DuplicateSearch | None = None, *, parts: Parts | None = None, progress: Progress = silent
    ) -> Comparison:
        """The pairs of images that `duplicates` makes groups of, whatever was decided about them."""
        from lookalike.calibration import radii
        from lookalike.duplicates import leakage, oriented_codes
        from lookalike.duplicates import search as duplicate_search
        from lookalike.duplicates.request import DuplicateSearch
        from lookalike.search.all_pairs import pairs_within
        from lookalike.store.derived import pairfile

        store, search = self.store, search or DuplicateSearch()
        if search.reference:
            parts = leakage.parts_of(self, search.reference)
        if parts is not None and search.orientations:
            raise ConfigError("mirrored and turned copies are found in a whole collection, not of a reference")
        radii.check_radius(search.radius, self.bits)
        codes, oriented = store.code_array(), None
        if search.orientations:
            local = store.local("mirrored and rotated copies")
            oriented = oriented_codes.read(local, codes, self.hasher, max_pixels=search.max_pixels, progress=progress)
        return duplicate_search.compare(
            store,
            codes,
            search,
            radius=self.duplicate_radius() if search.radius is None else search.radius,
            parts=parts,
            oriented=oriented,
            find=pairs_within if store.folder is None else pairfile.keeping(store.folder),
            progress=progress,
        )

    def group(self, found: Comparison) -> DuplicateReport:
        """Groups of copies, by what is decided now."""
        from lookalike.duplicates import search

        return search.group(self.store, found, self.decisions.known())

    def review(
        self, report: DuplicateReport, options: ReviewOptions | None = None, *, progress: Progress = silent
    ) -> list[Review]:
        """The best copy of each group, how alike the others are to it, and what was decided; reads their files."""
        from lookalike.duplicates import review

        records = self.records_of([one.id for group in report for one in group])
        known = self.decisions.known()
        return review.review_report(report, records, known, options or review.ReviewOptions(), progress=progress)

    def leakage(
        self, first: str, second: str, search: DuplicateSearch | None = None, *, progress: Progress = silent
    ) -> LeakageReport:
        """The images of one part that have a copy in another; a part is a folder or a label.

        What lies in both parts counts as of the first.
        """
        from lookalike.duplicates import leakage
        from lookalike.duplicates import search as duplicate_search

        found = self.compare(search, parts=leakage.parts_of(self, [first], second), progress=progress)
        return duplicate_search.leaked(self.store, found, self.decisions.known())

    def apply(self, plan: Plan, options: ApplyOptions, *, progress: Progress = silent) -> list[Step]:
        """Carry out a plan of duplicates; what became of each file that it removes. What is moved is marked as missing.

        Raises `DataError` or `ConfigError` before anything is done, or `Interrupted` on Ctrl-C, after which the log
        says what was done.
        """
        from lookalike.duplicates.cleanup import apply

        steps = apply.steps(plan, self.store.roots(), options)
        return self._change_files(steps, "applying", len(plan.removals), progress, dry_run=options.dry_run)

    def undo(self, log: Paths, *, dry_run: bool = False, progress: Progress = silent) -> list[Step]:
        """Undo what a plan did, by the log that was written; what became of each file.

        Raises `DataError` before anything is done for a log that reaches files outside the database's folders and the
        trash of a run.
        """
        from lookalike.duplicates.cleanup import undo

        steps = undo.steps(Path(log), self.store.roots(), dry_run=dry_run)
        return self._change_files(steps, "undoing", None, progress, dry_run=dry_run)

    def undecodable(self, only: Filter | None = None) -> dict[int, bytes]:
        """Media files that cannot be decoded, by id, each with its digest; with `only`, those that pass."""
        from lookalike.duplicates import equal_bytes

        found = equal_bytes.undecodable(self.store)
        if only is None or not found:
            return found
        passing = self.store.local("files that cannot be decoded").passing(only)
        return {id_: digest for id_, digest in found.items() if id_ < len(passing) and passing[id_]}

    # Calibration and safety

    def calibrate(
        self,
        pairs: Sequence[Labelled] = (),
        *,
        options: CalibrationOptions | None = None,
        progress: Progress = silent,
    ) -> CalibrationReport:
        """Measure which distances mean what in this collection, and keep that: images are called by it from now on.

        `pairs` are those of which somebody knows whether they show the same picture. Raises `DatabaseError` for too few
        images and for files that cannot be read any more, `DataError` for pairs that are not in the database.
        """
        from lookalike.calibration import pairs as labelled
        from lookalike.calibration import run, stored

        store = self.store.local("calibration")
        says = labelled.ids(store, pairs)
        try:
            found = run.run(
                store,
                store.code_array(),
                self.hasher,
                options or run.CalibrationOptions(),
                says=says,
                progress=progress,
            )
        except KeyboardInterrupt:
            raise Interrupted("Stopped; nothing was changed") from None
        stored.replace(store, self.calibration, found.calibration)
        return found

    def forget_calibration(self) -> bool:
        """Call images by what the model says again; whether anything was calibrated."""
        from lookalike.calibration import stored

        store = self.store.local("calibration")
        was = store.get(stored.KEY) != ""
        if was:
            stored.keep(store, "")
        return was

    def verify(self, *, accept: bool = False) -> list[Finding]:
        """Check everything in the folder: catalog, model, originals, and what is derived from them.

        What is derived is made again; of the rest, what can be proven right is restored, and nothing else is changed.
        With `accept`, the catalog as it is then becomes the truth: damage that was found is not reported again.
        """
        from lookalike.database import verify

        store = self.store.local("checks")
        with store.lock():
            findings = verify.verify(store, accept=accept)
        store.forget()  # it may have been read before settings were restored
        self._hasher = None
        return findings

    def backup(self, path: Paths, *, copy: bool = False) -> Backup:
        """Copy the database to a folder that is new or empty, also while another process writes; what was copied.

        The copy is a database, and has been verified. Kept originals are hard links where that is possible, unless
        `copy` is true. Raises `DatabaseError`, and leaves nothing behind then.
        """
        from lookalike.database import backup

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
        from lookalike.database import absent

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
                absent.mark_changed(store, made)


def _folder(path: Paths) -> Path:
    """Where a database is or may be made. Raises `DatabaseError` for a file, or a name that no folder can have."""
    folder = Path(path)
    if "\0" in os.fspath(path):
        raise DatabaseError(f"{os.fspath(path)!r} has a zero byte, which no folder has in its name; name another")
    if folder.is_file():
        raise DatabaseError(f"{folder} is a file, and a database is a folder; name a new one, such as {folder}.db")
    return folder
