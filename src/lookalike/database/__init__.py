"""A database: a folder that holds a collection's catalog, its codes, and the model that made them.

    catalog.sqlite   the truth: paths, digests, labels, codes, errors
    codes.bin        derived: the codes, made to be memory-mapped; rebuilt whenever it does not fit the catalog
    tables.bin       derived: tables for searching many codes, made anew when these have changed much
    model.onnx       the model; codes of another one are refused
    originals/       the images themselves, if they are kept
    lock             held by the one process that writes

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import filelock
import numpy as np
import numpy.typing as npt

from lookalike import data, images
from lookalike.codes import Codes
from lookalike.data import codetable
from lookalike.database import evaluating, grouping, importing, indexing, pruning, radii, searching
from lookalike.database.evaluating import Measured
from lookalike.database.importing import ImportReport
from lookalike.database.indexing import IndexReport, Progress, Settings
from lookalike.database.searching import EngineName
from lookalike.engines import Engine, Hits
from lookalike.engines.server import is_address
from lookalike.errors import ConfigError, DatabaseError, DataError, Interrupted, LookalikeError, ModelError
from lookalike.hasher import DEFAULT, Hasher, builtin_models
from lookalike.images import Source
from lookalike.store import catalog as catalogs
from lookalike.store import codefile, originals
from lookalike.store.catalog import Catalog, Filter, Record

__all__ = ["Database", "Filter", "Finding", "Group", "Hit", "ImportReport", "IndexReport", "Info", "Measured", "Member"]

MODEL = "model.onnx"
LOCK = "lock"
UNFINISHED = "catalog.new"  # a catalog that is being made


@dataclass(frozen=True, slots=True)
class Hit:
    """An image that a search found."""

    path: str
    distance: int  # bits that differ
    bits: int  # length of the code
    tier: str  # "identical", "near-duplicate", "similar" or "different"
    label: data.Label
    id: int


@dataclass(frozen=True, slots=True)
class Member:
    """An image of a group of look-alikes."""

    path: str
    distance: int  # bits, to the group's first image
    width: int | None  # pixels
    height: int | None
    size: int  # bytes of the encoded image
    label: data.Label
    id: int


Group = list[Member]


@dataclass(frozen=True, slots=True)
class Info:
    """What a database holds."""

    path: str
    model: str
    bits: int
    images: int  # that can be found
    errors: int
    missing: int
    labelled: int
    originals: int
    roots: list[str]
    trained_on: str
    near: int  # bits: at most 1 in 10,000 pairs of different images is this near or nearer
    duplicate: int  # bits, up to which a hit is called near-duplicate
    similar: int  # bits


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that `verify` looked at."""

    what: str
    ok: bool
    repaired: bool = False


class Database:
    """An open database. Reading needs no lock; each method that writes takes the lock for as long as it runs."""

    def __init__(self, path: Path, catalog: Catalog) -> None:
        self.path = path
        self._catalog = catalog
        self._hasher: Hasher | None = None
        self._revision = -1  # of the codes that the engine holds
        self._ids = np.empty(0, np.int64)
        self._engine: Engine | None = None
        self._engine_name = EngineName.AUTO
        self._model_digest = catalog.get("model")

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, create: bool = False, model: str | os.PathLike[str] = DEFAULT
    ) -> Database:
        """The database in a folder; with `create`, a new one made with `model` where there is none.

        Raises `DatabaseError` if there is none or it is damaged.
        """
        if is_address(path):
            raise DatabaseError(f"{path} is a database in Milvus; this takes one in a folder. See: docs/scale.md")
        folder = Path(path)
        if create and not (folder / catalogs.FILE).exists():
            return cls.create(folder, model=model)
        return cls(folder, Catalog(folder / catalogs.FILE))

    @classmethod
    def create(cls, path: str | os.PathLike[str], *, model: str | os.PathLike[str] = DEFAULT) -> Database:
        """A new, empty database in a folder, which is made; with a built-in model's name or a model file."""
        folder = Path(path)
        hasher = Hasher.load(model)
        if (folder / catalogs.FILE).exists():
            raise DatabaseError(f"there is a database at {folder} already; open it, or name another folder")
        if folder.is_file():
            raise DatabaseError(f"{folder} is a file, and a database is a folder; name a new one, such as {folder}.db")
        if folder.is_dir() and any(not _is_left_over(entry) for entry in folder.iterdir()):
            raise DatabaseError(f"{folder} is not an empty folder; name one that is new, such as {folder}/db")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _copy_model(hasher, folder / MODEL)
            aside = folder / UNFINISHED
            aside.unlink(missing_ok=True)
            catalog = Catalog(aside, create=True)
            with catalog.transaction():
                _set_model(catalog, hasher)
            catalog.close()
            aside.replace(folder / catalogs.FILE)  # from here on there is a database
        except OSError as error:
            raise DatabaseError(f"no database can be made at {folder}: {error.strerror or error}") from error
        return cls.open(folder)

    def close(self) -> None:
        """Give the files back."""
        self._catalog.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Number of images that can be found."""
        try:  # from the file of codes, since counting in the catalog takes long where there are many
            header = codefile.read(self.path / codefile.FILE)[0]
        except DatabaseError:
            return self._catalog.counts()["images"]
        return header.count if header.revision == self._catalog.revision else self._catalog.counts()["images"]

    @property
    def bits(self) -> int:
        """Length of a code in bits."""
        return int(self._catalog.get("bits"))

    @property
    def hasher(self) -> Hasher:
        """The model that made the codes. Raises `DatabaseError` if its file is absent, damaged or another's."""
        self._check_model_is_the_same()
        if self._hasher is None:
            self._hasher = self._load_hasher()
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
        max_pixels: int = images.MAX_PIXELS,
        workers: int = 0,
        limit: int | None = None,
        progress: Progress | None = None,
    ) -> IndexReport:
        """Bring the database up to date with folders, files or Parquet files; what became of each image.

        `model`, if given, must be the one that made the codes, unless `reindex` says that all codes are to be made
        anew. Raises `DatabaseError`, `DataError`, or `Interrupted` on Ctrl-C, after which all is whole.
        """
        with self._writing():
            scopes = data.scopes(sources)
            known = self._knows(scopes)  # a folder that was emptied is no mistake
            items = data.find(sources, labels_from_folders=labels_from_folders, limit=limit, may_be_empty=known)
            if model is not None:
                self._take_model(Hasher.load(model), reindex=reindex)
            self._check_model_is_the_same()
            items += self._owed(items)
            settings = Settings(
                folder=self.path,
                keep_originals=keep_originals,
                reindex=reindex,
                max_pixels=max_pixels,
                workers=workers,
            )
            try:
                return indexing.run(items, scopes, self._catalog, self.hasher, settings, progress)
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
        on_rows: importing.OnRows = lambda done, total: None,
    ) -> ImportReport:
        """Take codes of a Parquet or `.npy` file in (see `data.codetable`), which the database's model has made.

        Paths are relative to `root`, or lie below it. What is known already is left alone, so that an import that was
        cut off can be started again. Raises `DataError` for a file that is none, or codes of another length.
        """
        codetable.check_name(Path(path))
        with self._writing():
            self._check_model_is_the_same()
            try:
                return importing.take(
                    self._catalog, Path(path), bits=self.bits, root=os.path.abspath(root), on_rows=on_rows
                )
            except KeyboardInterrupt:
                raise Interrupted(f"Stopped. What is in {self.path} by now stays; start the import again") from None
            finally:
                self._write_codes()

    def export_codes(self, path: str | os.PathLike[str]) -> int:
        """Write codes with paths and labels to a Parquet file, or the codes alone to a `.npy` file; how many."""
        codetable.check_name(Path(path))
        return codetable.write(Path(path), importing.rows(self._catalog, self.bits))

    def remove(self, paths: Iterable[str | os.PathLike[str]]) -> int:
        """Forget images, or all images below folders; how many. Files are not touched."""
        with self._writing():
            ids: set[int] = set()
            for path in paths:
                found = self._catalog.below(os.path.abspath(path))
                if not found:
                    raise DatabaseError(
                        f"{os.fspath(path)} is not in {self.path}; paths are listed by: lookalike info --paths"
                    )
                ids.update(found)
            self._forget(ids)
            return len(ids)

    def prune(self) -> int:
        """Forget images whose files are gone; how many. Those of folders and tables that `lost` names are kept."""
        with self._writing():
            gone = pruning.gone(self._catalog)
            self._forget(gone)
            return len(gone)

    def lost(self) -> list[str]:
        """Folders and tables that are gone altogether: moved, perhaps, or on a drive that is not plugged in."""
        return pruning.lost(self._catalog.all_records())

    # Asking it

    def use(self, engine: EngineName | str) -> None:
        """Search with a certain engine from now on; `auto` chooses by cost. Raises `ConfigError`."""
        if engine not in list(EngineName):
            raise ConfigError(f"engine is {engine!r}; it must be one of {', '.join(EngineName)}")
        self._engine_name, self._engine = EngineName(engine), None

    def compact(self) -> bool:
        """Make the tables anew, so that searches need not look at changes one by one; whether there are any."""
        with self._writing():
            self._write_codes(anew=True)
            self._engine = None
            return len(self) >= searching.LEAST

    def search(
        self,
        query: Source | images.Array,
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
        self._check_radius(radius)
        engine = self._current_engine()
        among = None
        if only is not None:
            among = searching.among(self._ids, self._catalog.passing(only))
        found = engine.search(codes_NW, top=top, radius=radius, among=among)
        wanted = {int(self._ids[row]) for hits in found for row in hits.rows}
        records = self._catalog.records(sorted(wanted))
        return [list(self._hits(hits, records)) for hits in found]

    def duplicates(
        self, *, radius: int | None = None, on_rows: grouping.OnRows = lambda done, total: None
    ) -> list[Group]:
        """Groups of images at most `radius` bits from the first of each; by default `ModelInfo.duplicate`.

        A file that has several names (links) is there once, or whoever deletes a copy might delete the only one.
        `on_rows` is told how many of the different codes have been compared.
        """
        self._check_radius(radius)
        self._current_engine()
        ids, codes_NW = self._codes()
        records = self._catalog.records([int(id_) for id_ in ids])
        kept = [row for row, id_ in enumerate(ids) if int(id_) in records]
        rows = [records[int(ids[row])] for row in kept]
        groups = grouping.star(
            np.asarray(codes_NW)[kept],
            [record.name for record in rows],
            radius=self.duplicate_radius() if radius is None else radius,
            on_rows=on_rows,
        )
        members = [[_member(rows[row], distance) for row, distance in group] for group in groups]
        return [group for group in map(_once_a_file, members) if len(group) > 1]

    def evaluate(
        self,
        queries: data.Paths | None = None,
        *,
        protocol: str = evaluating.AMONG,
        seed: int = 0,
        max_pixels: int = images.MAX_PIXELS,
    ) -> Measured:
        """How well codes find images of the same label: each image among the others, or divided by a protocol
        (`data.splits.PROTOCOLS`), or `queries` (labelled by their sub-folders) among all.

        Raises `DatabaseError` if no image has a label, `DataError` if queries or protocol do not fit.
        """
        held = evaluating.labelled(self._catalog.all_records())
        if queries is not None:
            items = data.find(queries, labels_from_folders=True)
            return evaluating.from_outside(held, items, self.hasher, max_pixels=max_pixels)
        if protocol == evaluating.AMONG:
            return evaluating.among(held, seed=seed)
        return evaluating.divided(held, protocol, seed=seed)

    def records(self) -> Iterator[Record]:
        """All rows of the catalog, by id."""
        return self._catalog.all_records()

    def codes(self) -> tuple[npt.NDArray[np.int64], Codes]:
        """Ids (N,), ascending, and codes (N, W) of all images that can be found."""
        return self._codes()

    def records_of(self, ids: Sequence[int]) -> dict[int, Record]:
        """The rows of the catalog with these ids; of ids that are not known, nothing."""
        return self._catalog.records(ids)

    def passing(self, only: Filter) -> npt.NDArray[np.int64]:
        """Ids of the images that pass a filter and can be found, ascending."""
        ids_N = self._codes()[0]
        return ids_N[searching.among(ids_N, self._catalog.passing(only))]

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
        model = self.hasher.info
        return Info(
            path=os.fspath(self.path),
            model=self.hasher.name,
            bits=self.bits,
            originals=sum(1 for _ in originals.digests(self.path)),
            roots=self._catalog.roots(),
            trained_on=f"{model.data_images} images of {model.data_name}",
            near=model.near,
            duplicate=model.duplicate,
            similar=model.similar,
            **self._catalog.counts(),
        )

    def verify(self) -> list[Finding]:
        """Check catalog, model, code file and originals; what is derived is repaired."""
        with self._writing():
            problems = self._catalog.problems()
            findings = [Finding(f"catalog: {problems}", problems == "ok"), self._verify_model()]
            findings.append(self._verify_codes())
            findings.extend(self._verify_tables())
            findings.extend(self._verify_originals())
            return findings

    # The parts

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The writer's lock. Raises `DatabaseError` if another process holds it or the folder is read-only."""
        lock = filelock.FileLock(self.path / LOCK)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise DatabaseError(f"another process is writing to {self.path}; wait until it has ended") from None
        except OSError as error:
            raise DatabaseError(f"{self.path} cannot be written to ({error.strerror})") from error
        try:
            yield
        except OSError as error:
            raise DatabaseError(f"{self.path}: {error.strerror or error}") from error
        finally:
            lock.release()

    def _load_hasher(self) -> Hasher:
        path, digest = self.path / MODEL, self._catalog.get("model")
        aside = path.with_name(MODEL + ".tmp")  # left by a change of model that was cut off before its last step
        candidates: list[str | Path] = [path, aside, *builtin_models()]  # a built-in model is always at hand
        for candidate in candidates:
            with suppress(ModelError):
                if (hasher := Hasher.load(candidate)).digest == digest:
                    return hasher
        name = self._catalog.get("model_name")
        raise DatabaseError(
            f"{path} is absent, damaged, or not the model that made the codes of {self.path} ({name}@{digest[:8]}). "
            "Put that file there, or encode all images again with: lookalike index IMAGES --model MODEL --reindex"
        )

    def _take_model(self, hasher: Hasher, *, reindex: bool) -> None:
        """Make a model the database's own: another one only if all codes may be made anew."""
        digest, name = self._catalog.get("model"), self._catalog.get("model_name")
        if hasher.digest != digest and not reindex:
            raise DatabaseError(
                f"{self.path} holds {self.bits}-bit codes of {name}@{digest[:8]}, but {hasher.path} is {hasher.name}. "
                "Index again with --reindex, or pass the first model"
            )
        place, aside = self.path / MODEL, self.path / f"{MODEL}.tmp"
        if hasher.digest == digest and _has_digest(place, digest):
            return
        _copy_model(hasher, aside)
        if hasher.digest != digest:
            with self._catalog.transaction():
                self._catalog.forget_codes()
                _set_model(self._catalog, hasher)
        self._hasher, self._engine, self._model_digest = hasher, None, hasher.digest
        aside.replace(place)

    def _check_model_is_the_same(self) -> None:
        if self._catalog.get("model") != self._model_digest:
            raise DatabaseError(f"{self.path} was indexed again with another model meanwhile; open it anew")

    def _knows(self, scopes: list[str]) -> bool:
        """Whether there are images of what was named. Raises `DataError` if there are, and it is gone itself."""
        known = [scope for scope in scopes if self._catalog.below(scope)]
        for scope in known:
            record = self._catalog.find(scope)  # a file, or a row of a table
            if not (os.path.exists(scope) or (record is not None and os.path.exists(record.item.file))):
                raise DataError(
                    f"{scope} does not exist any more; forget its images with: lookalike remove {scope} "
                    f"--db {self.path}"
                )
        return bool(known)

    def _owed(self, items: list[data.Item]) -> list[data.Item]:
        """The images that lost their codes to a change of model and are not among the items; the gone are marked."""
        owed = self._catalog.owed()
        indexing.mark_missing(self._catalog, owed)
        named = {item.name for item in items}
        return [record.item for record in owed if record.name not in named and data.exists(record.item)]

    def _forget(self, ids: Iterable[int]) -> None:
        with self._catalog.transaction():
            self._catalog.delete(ids)
            self._catalog.touch()
        self._write_codes()
        for digest in originals.digests(self.path):
            if not self._catalog.with_digest(digest):
                originals.drop(self.path, digest)

    def _codes(self) -> tuple[npt.NDArray[np.int64], Codes]:
        """Ids and codes: from the code file if it fits the catalog, else from the catalog."""
        try:
            header, ids, codes_NW = codefile.read(self.path / codefile.FILE)
            if (header.revision, header.model) == (self._catalog.revision, self._catalog.get("model")):
                return ids, codes_NW
        except DatabaseError:
            pass  # it is derived: the catalog has the same
        return self._catalog.codes(self.bits // 8)

    def _write_codes(self, *, anew: bool = False) -> None:
        revision, model = self._catalog.revision, self._catalog.get("model")
        if not anew and self._is_written(revision, model):
            return
        ids, codes_NW = self._catalog.codes(self.bits // 8)
        codefile.write(self.path / codefile.FILE, ids, codes_NW, model=model, revision=revision)
        searching.keep_tables(self.path, ids, codes_NW, model=model, revision=revision, anew=anew)

    def _is_written(self, revision: int, model: str) -> bool:
        try:
            header = codefile.read(self.path / codefile.FILE)[0]
        except DatabaseError:
            return False
        return (header.revision, header.model) == (revision, model)

    def _current_engine(self) -> Engine:
        """The engine, filled anew if the catalog has changed since."""
        self._check_model_is_the_same()
        revision = self._catalog.revision
        if self._engine is None or revision != self._revision:
            ids, codes_NW = self._codes()
            self._engine, self._ids = searching.open_engine(
                self.path, ids, codes_NW, model=self._model_digest, revision=revision, name=self._engine_name
            )
            self._revision = revision
        return self._engine

    def duplicate_radius(self) -> int:
        """The radius up to which the model takes images for copies, in bits. Raises `ConfigError` if it has none."""
        return radii.duplicate_radius(self.hasher)

    def _check_radius(self, radius: int | None) -> None:
        radii.check_radius(radius, self.bits)

    def _hits(self, hits: Hits, records: dict[int, Record]) -> Iterator[Hit]:
        info = self.hasher.info
        for row, distance in zip(hits.rows, hits.distances, strict=True):
            record = records.get(int(self._ids[row]))
            if record is not None:  # else it was removed a moment ago
                yield Hit(record.name, int(distance), self.bits, info.tier(int(distance)), record.label, record.id)

    def _verify_model(self) -> Finding:
        try:
            hasher = self._load_hasher()
        except LookalikeError as error:
            return Finding(f"model: {error}", False)
        place = self.path / MODEL
        if hasher.path != os.fspath(place):
            _copy_model(hasher, place)
            place.with_name(MODEL + ".tmp").unlink(missing_ok=True)
            return Finding(f"model: {hasher.name}, put in its place", True, repaired=True)
        return Finding(f"model: {hasher.name}", True)

    def _verify_codes(self) -> Finding:
        path = self.path / codefile.FILE
        try:
            ids, codes_NW = self._catalog.codes(self.bits // 8)
        except DatabaseError as error:
            return Finding(f"codes: {error}", False)
        try:
            header, stored_ids, stored_NW = codefile.read(path)
            same = np.array_equal(ids, stored_ids) and np.array_equal(codes_NW, stored_NW)
            why = "" if same and header.revision == self._catalog.revision else "does not fit the catalog"
            why = why if codefile.is_intact(path) else "damaged"
        except DatabaseError as error:
            why = str(error)
        if not why:
            return Finding(f"codes: {len(ids)} in {codefile.FILE}, as in the catalog", True)
        self._write_codes(anew=True)
        return Finding(f"codes: {why}; written again from the catalog", True, repaired=True)

    def _verify_tables(self) -> Iterator[Finding]:
        ids, codes_NW = self._codes()
        problem = searching.table_problem(self.path, ids, codes_NW, model=self._model_digest)
        if problem is not None:
            self._write_codes(anew=True)
            yield Finding(f"tables: {problem}; made anew", True, repaired=True)
        elif len(ids) >= searching.LEAST:
            yield Finding("tables: as they must be", True)

    def _verify_originals(self) -> Iterator[Finding]:
        bad = [digest.hex() for digest in originals.digests(self.path) if not originals.is_intact(self.path, digest)]
        for name in bad:
            yield Finding(
                f"originals: {name} is damaged; delete it and index its image again with --keep-originals",
                False,
            )


def _is_left_over(path: Path) -> bool:
    """Whether a file comes from making a database that was cut off."""
    return path.name in (LOCK, MODEL, f"{MODEL}.part") or path.name.startswith(UNFINISHED)


def _set_model(catalog: Catalog, hasher: Hasher) -> None:
    catalog.set("model", hasher.digest)
    catalog.set("model_name", hasher.info.name)
    catalog.set("bits", str(hasher.bits))
    catalog.touch()


def _has_digest(path: Path, digest: str) -> bool:
    return path.exists() and hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest() == digest


def _copy_model(hasher: Hasher, place: Path) -> None:
    aside = place.with_name(place.name + ".part")
    with aside.open("wb") as file:
        file.write(Path(hasher.path).read_bytes())
        file.flush()
        os.fsync(file.fileno())
    aside.replace(place)


def _once_a_file(group: Group) -> Group:
    """The group without further names of a file; a name that is no link is preferred."""
    kept: dict[object, Member] = {}
    for member in group:
        try:
            status = os.stat(member.path)
        except OSError:  # a row of a table, or gone
            kept[member.path] = member
            continue
        file = (status.st_dev, status.st_ino)
        if file not in kept or (os.path.islink(kept[file].path) and not os.path.islink(member.path)):
            kept[file] = member
    return sorted(kept.values(), key=lambda member: (member.distance, member.path))


def _member(record: Record, distance: int) -> Member:
    return Member(record.name, distance, record.width, record.height, record.length or 0, record.label, record.id)
