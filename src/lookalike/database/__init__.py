"""A database: images, their codes and the model that made them, in a folder or in Milvus.

`Database` is a thin class over a `Store` (see `store.protocol`). Its methods call plain functions and import their
modules on demand: `lookalike info` needs a fifth of them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lookalike.core.address import is_address
from lookalike.core.errors import DatabaseError, Interrupted
from lookalike.core.limits import MAX_PIXELS
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
    from lookalike.duplicates.cleanup.plan import Plan, PlanOptions
    from lookalike.duplicates.leakage import Parts
    from lookalike.duplicates.request import DuplicateReport, DuplicateSearch, Judge, LeakageReport
    from lookalike.duplicates.review import Review, ReviewOptions
    from lookalike.duplicates.scenes import Scene
    from lookalike.duplicates.search import Comparison
    from lookalike.store.records import Record

__all__ = ["Database", "Filter", "Finding", "Group", "Hit", "Info", "Member"]

Paths = str | os.PathLike[str]


class Database(Reading):
    """An open database. Methods that write hold the writer's lock while they run."""

    @classmethod
    def open(cls, path: Paths, *, create: bool = False, model: Paths = DEFAULT) -> Database:
        """The database in a folder; with `create`, a new one made with `model` if there is none.

        `lookalike.open` also opens databases in Milvus. Raises `DatabaseError` if it is missing or damaged.
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
        """A new, empty database in a folder, which is created. `model` is a built-in model's name or a file."""
        from lookalike.hasher import Hasher
        from lookalike.store.folder import FolderStore

        folder = _folder(path)
        FolderStore.create(folder, Hasher.load(model))
        return cls.open(folder)

    # Adding and removing images

    def index(
        self,
        sources: data.Paths | Iterable[Any],
        options: IndexOptions | None = None,
        *,
        table: Paths | None = None,
        model: Paths | None = None,
        progress: Progress = silent,
        **changes: Any,
    ) -> IndexReport:
        """Update the database from folders, files or Parquet files; returns what became of each image.

        Images that are not in files (arrays, tensors, a data set and its labels; see `data.parquet.write`) are first
        written to the Parquet file `table`, from which they are read again to be shown and compared. Options may be
        given by name: `index(folder, reindex=True)`. Unreachable images are reported and left as they are. `model`, if
        given, must be the one that made the codes, unless `reindex` asks for all codes to be recomputed. Raises
        `DatabaseError`, `DataError`, or `Interrupted` on Ctrl-C; everything recorded until then is complete.
        """
        from lookalike.database import indexing, scopes
        from lookalike.hasher import Hasher

        options = dataclasses.replace(options or indexing.IndexOptions(), **changes)
        sources = scopes.in_files(sources, table)
        if options.keep_originals:
            self.store.local("originals (--keep-originals)")
        with self._changing("the same command resumes there"):
            survey = scopes.survey(sources, self.store, options)
            if model is not None:
                self._hasher = None
                self.store.take_model(Hasher.load(model), reindex=options.reindex)
            self.store.check_model()
            return indexing.run(survey, sources, self.store, self.hasher, options, progress)

    def import_codes(self, path: Paths, *, root: Paths = ".", progress: Progress = silent) -> ImportReport:
        """Import codes that the database's model made, from a Parquet or `.npy` file (see `data.codetable`).

        Paths are relative to `root` or below it; those of a `.npy` file are in its folder. Known codes are skipped, so
        an interrupted import can simply be repeated. Raises `DataError` for another kind of file, or codes of another
        length.
        """
        from lookalike.database import import_export

        import_export.check_name(Path(path))
        with self._changing("repeat the import to finish"):
            self.store.check_model()
            return import_export.import_file(self.store, Path(path), os.path.abspath(root), progress)

    def export_codes(self, path: Paths) -> int:
        """Write codes with paths and labels to a Parquet file, or codes alone to a `.npy` file; returns how many."""
        from lookalike.database import import_export

        return import_export.export(self.store, Path(path))

    def remove(self, paths: Iterable[Paths], *, originals: bool = False) -> int:
        """Remove images, or all images below folders, from the database; returns how many. Files are not touched.

        Kept originals of images whose files still exist are deleted, too; with `originals`, all of theirs.
        """
        from lookalike.database import absent

        with self.store.changing():
            return absent.remove(self.store, [os.path.abspath(path) for path in paths], originals=originals)

    def losses(self) -> Losses:
        """What `prune` would remove, and what is only out of reach. Changes nothing."""
        from lookalike.database import absent

        return absent.losses(self.store)[0]

    def prune(self, only: Collection[int] | None = None, *, originals: bool = False) -> int:
        """Remove images whose files are gone, optionally only those with ids in `only`; returns how many.

        Unreachable images stay (see `reachability`). Kept originals of removed images stay, too, unless `originals`.
        """
        from lookalike.database import absent

        with self.store.changing():
            return absent.prune(self.store, only, originals=originals)

    # Duplicates

    def duplicates(
        self, search: DuplicateSearch | None = None, *, radius: int | None = None, progress: Progress = silent
    ) -> DuplicateReport:
        """Groups of copies of one picture, as pixels prove it; see `DuplicateSearch`.

        A file with several names (links) appears once, because deleting "a copy" could otherwise delete the only one.
        Images marked as different never share a group. Low-information images and files that cannot be decoded are
        compared by content only. After an interruption, the same call resumes.
        """
        from lookalike.duplicates.request import DuplicateSearch

        return self.group(self.compare(search or DuplicateSearch(radius=radius), progress=progress))

    def compare(
        self, search: DuplicateSearch | None = None, *, parts: Parts | None = None, progress: Progress = silent
    ) -> Comparison:
        """The pairs of images that `duplicates` groups, before decisions are applied."""
        from lookalike.core.codes import check_radius
        from lookalike.duplicates import leakage
        from lookalike.duplicates import search as duplicate_search
        from lookalike.duplicates.request import DuplicateSearch

        store, search = self.store, search or DuplicateSearch()
        if search.reference:
            parts = leakage.parts_of(self, search.reference)
        check_radius(search.radius, self.bits)
        return duplicate_search.compare(
            store,
            store.code_array(),
            search,
            radius=self.duplicate_radius() if search.radius is None else search.radius,
            hasher=lambda: self.hasher,
            parts=parts,
            progress=progress,
        )

    def group(self, comparison: Comparison) -> DuplicateReport:
        """Groups of copies, according to current decisions."""
        from lookalike.duplicates import search

        return search.group(self.store, comparison, self.decisions.known())

    def review(
        self, report: DuplicateReport, options: ReviewOptions | None = None, *, progress: Progress = silent
    ) -> list[Review]:
        """Reviews of a report's groups: best copy, relations of the others, decisions; reads their files."""
        from lookalike.duplicates import review

        records = self.records_of([one.id for group in report for one in group])
        known, options = self.decisions.known(), options or review.ReviewOptions()
        with self.judging(max_pixels=options.max_pixels) as judge:
            return review.review_report(report, records, known, options, judge=judge, progress=progress)

    def same_scene(self, report: DuplicateReport, *, progress: Progress = silent) -> list[Scene]:
        """The bursts and series of a report, each with its sharpest image; reads their files."""
        from lookalike.duplicates import scenes

        records = self.records_of([one.id for group in report.same_scene for one in group])
        return scenes.read(report.same_scene, records, progress=progress)

    @contextmanager
    def judging(self, *, max_pixels: int = MAX_PIXELS) -> Iterator[Judge]:
        """A function that gives the verdict on two images of the database, cached or from thumbnails and files."""
        from lookalike.store.derived.verdicts import Pair, verifying

        with verifying(self.store, max_pixels=max_pixels) as verifier:
            yield lambda first, second: verifier.between(Pair(first, second, mirrored=None))

    def leakage(
        self, first: str, second: str, search: DuplicateSearch | None = None, *, progress: Progress = silent
    ) -> LeakageReport:
        """Images of one part of the collection that have a copy in another; a part is a folder or a label.

        Images in both parts count as part of the first.
        """
        from lookalike.duplicates import leakage
        from lookalike.duplicates import search as duplicate_search

        comparison = self.compare(search, parts=leakage.parts_of(self, [first], second), progress=progress)
        report = duplicate_search.leaked(self.store, comparison, self.decisions.known())
        if not comparison.search.verify:
            return report
        with self.judging(max_pixels=comparison.search.max_pixels) as judge:
            return dataclasses.replace(report, matches=leakage.judged(report.matches, judge))

    def plan(
        self, search: DuplicateSearch | None = None, options: PlanOptions | None = None, *, progress: Progress = silent
    ) -> Plan:
        """What to keep and what to remove of each group of copies, for `apply`; changes nothing.

        Decisions are followed. In other groups the best copy is kept, and copies with the same bytes or pixels go.
        """
        from lookalike.duplicates.cleanup import plan
        from lookalike.duplicates.review import ReviewOptions

        options = options or plan.PlanOptions()
        report = self.duplicates(search, progress=progress)
        review = ReviewOptions(prefer=options.prefer, inspect_files=options.include_edited)
        reviews = self.review(report, review, progress=progress)
        return plan.make(reviews, options, database=str(self.path), radius=report.radius, bits=self.bits)

    def apply(self, plan: Plan, options: ApplyOptions, *, progress: Progress = silent) -> list[Step]:
        """Carry out a plan; returns what became of each file to remove. Moved files are marked as missing.

        Raises `DataError` or `ConfigError` before anything is done, or `Interrupted` on Ctrl-C; the log then has what
        was done.
        """
        from lookalike.duplicates.cleanup import apply

        steps = apply.steps(plan, self.store.roots(), options)
        return self._change_files(steps, "applying", len(plan.removals), progress, dry_run=options.dry_run)

    def undo(self, log: Paths, *, dry_run: bool = False, progress: Progress = silent) -> list[Step]:
        """Undo a plan, according to its log; returns what became of each file.

        Raises `DataError` before anything is done if the log refers to files outside the database's folders and the
        trash.
        """
        from lookalike.duplicates.cleanup import undo

        steps = undo.steps(Path(log), self.store.roots(), dry_run=dry_run)
        return self._change_files(steps, "undoing", None, progress, dry_run=dry_run)

    def undecodable(self, only: Filter | None = None) -> dict[int, bytes]:
        """Digests, by id, of media files that cannot be decoded; with `only`, those that pass the filter."""
        from lookalike.duplicates import equal_bytes

        digests = equal_bytes.undecodable(self.store)
        if only is None or not digests:
            return digests
        passing = self.store.local("files that cannot be decoded").passing(only)
        return {id_: digest for id_, digest in digests.items() if id_ < len(passing) and passing[id_]}

    # Calibration and safety

    def calibrate(
        self, pairs: Sequence[Labelled] = (), *, options: CalibrationOptions | None = None, progress: Progress = silent
    ) -> CalibrationReport:
        """Measure and store how often this collection's searches are right.

        `pairs` are labelled as showing the same picture or not. Raises `DatabaseError` for too few images or unreadable
        files, `DataError` for a background that is of no use, or pairs that cannot be found.
        """
        from lookalike.calibration import pairs as labelled
        from lookalike.calibration import run, stored
        from lookalike.database import search

        def answer(image: bytes | Record) -> search.Found:
            if isinstance(image, bytes):
                query = search.query_of_any(image, self.hasher, decoders)
            else:
                query = search.query_of_record(image, self.verifier)
            return self.search_query(query, top=search.CANDIDATES)

        store, decoders = self.store.local("calibration"), self._decode_with()
        says, options = labelled.by_content(store, pairs), options or run.CalibrationOptions()
        try:
            report = run.run(store, self.hasher, answer, decoders, options, says=says, progress=progress)
        except KeyboardInterrupt:
            raise Interrupted("Stopped; nothing was changed") from None
        stored.keep(store, report.calibration.to_json())
        return report

    def forget_calibration(self) -> bool:
        """Drop the calibration; returns whether there was one."""
        from lookalike.calibration import stored

        store = self.store.local("calibration")
        was = store.get(stored.KEY) != ""
        if was:
            stored.keep(store, "")
        return was

    def verify(self, *, accept: bool = False) -> list[Finding]:
        """Check the whole folder: catalog, model, originals and derived files.

        Derived files are rebuilt; the rest is restored where it can be proven right, and otherwise left alone. With
        `accept`, the catalog is then taken as the truth, so known damage is no longer reported.
        """
        from lookalike.database import verify

        store = self.store.local("checks")
        with store.lock():
            findings = verify.verify(store, accept=accept)
        store.forget()  # it may have been read before settings were restored
        self._hasher = None
        return findings

    def backup(self, path: Paths, *, copy: bool = False) -> Backup:
        """Copy the database to a new or empty folder, even while another process writes; returns what was copied.

        The copy is a verified database. Kept originals become hard links where possible, unless `copy`. Raises
        `DatabaseError` and then leaves nothing behind.
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
                raise Interrupted(f"Stopped. {self.path} now has {len(self)} images; {how_to_resume}") from None

    def _change_files(
        self, steps: Iterator[Step], stage: str, total: int | None, progress: Progress, *, dry_run: bool
    ) -> list[Step]:
        """The steps, as they are done; finally marks files as missing or present, even after an error.

        This includes files moved by an earlier run that was killed before it marked them.
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
                raise Interrupted("Stopped. The log has what was done; the same command resumes there") from None
            finally:
                absent.mark_changed(store, made)


def _folder(path: Paths) -> Path:
    """The path of a database's folder. Raises `DatabaseError` for a file or an impossible name."""
    folder = Path(path)
    if "\0" in os.fspath(path):
        raise DatabaseError(
            f"{os.fspath(path)!r} contains a zero byte, which a folder's name cannot; choose another name"
        )
    if folder.is_file():
        raise DatabaseError(f"{folder} is a file, but a database is a folder; choose a new one, such as {folder}.db")
    return folder
