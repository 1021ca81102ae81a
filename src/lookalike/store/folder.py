"""A store in a folder: the catalog, the model, and files derived for searching.

    catalog.sqlite   the truth: paths, digests, labels, codes, errors
    codes.bin        derived: the codes, for memory-mapping; rebuilt whenever it does not match the catalog
    variants.npz     derived: codes of mirrored, rotated and cropped variants of images, once duplicates were searched
    model.onnx       the model; codes of other models are refused
    originals/       the images themselves, if they are kept
    lock             held by the one writing process

Shapes: N findable images, W bytes a code.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import filelock

from lookalike.core.atomic import is_temporary, put_in_place
from lookalike.core.codes import Codes
from lookalike.core.errors import DatabaseError
from lookalike.hasher import Hasher
from lookalike.search.hits import Hits, Mask
from lookalike.store import model_file, originals
from lookalike.store.catalog import FILE, Catalog
from lookalike.store.derived import code_array, codefile
from lookalike.store.derived.code_array import CodeArray, Ids
from lookalike.store.records import Filter

if TYPE_CHECKING:
    from lookalike.search.scan import Scan

LOCK = "lock"
LOST = "lost"  # key in the catalog's `meta`: the revision that it fell back to


class _OpenEngine(NamedTuple):
    """An engine and the image ids of its rows."""

    engine: Scan
    ids_N: Ids  # of its rows
    revision: int  # of the catalog that the codes come from


class FolderStore(Catalog):
    """A catalog with its surrounding files, which several threads may share."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / FILE)
        self._model_digest = self.get("model")
        self._bits: int | None = None  # cached as long as the model stays: a server needs it for each search
        self._engine: _OpenEngine | None = None  # replaced as a whole, so that threads never mix two of them
        self._mask: tuple[object, Mask] | None = None  # codes that pass the last search's filter

    @classmethod
    def create(cls, folder: Path, hasher: Hasher) -> None:
        """Create an empty store in a folder, creating the folder too. Raises `DatabaseError`."""
        from lookalike.store.derived import leftovers

        if (folder / FILE).exists():
            raise DatabaseError(f"there is already a database at {folder}; open it, or choose another folder")
        if folder.is_dir() and any(not _is_leftover(entry) for entry in folder.iterdir()):
            raise DatabaseError(f"{folder} is not empty; choose a new folder, such as {folder}/db")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            model_file.copy(hasher, folder / model_file.FILE)
            aside = folder / leftovers.UNFINISHED
            for leftover in folder.glob(f"{leftovers.UNFINISHED}*"):  # and SQLite's files, left by an interruption
                leftover.unlink()
            catalog = Catalog(aside, create=True)
            with catalog.transaction():
                _set_model(catalog, hasher)
            catalog.close()
            put_in_place(aside, folder / FILE)  # from here on the database exists
        except OSError as error:
            raise DatabaseError(f"cannot create a database at {folder}: {error.strerror or error}") from error

    @property
    def location(self) -> str:
        return os.fspath(self.folder)

    @property
    def bits(self) -> int:
        if self._bits is None:
            self._bits = super().bits
        return self._bits

    def local(self, feature: str = "this") -> FolderStore:
        return self

    def close(self) -> None:
        super().close()
        self._bits = None

    def forget(self) -> None:
        """Discard all caches, because rows were restored."""
        super().forget()
        self._engine = self._bits = None
        with suppress(DatabaseError):
            self._model_digest = self.get("model")

    def is_current(self) -> bool:
        return self.is_in_place() and self.get("model") == self._model_digest

    # Writing

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the writer's lock. Raises `DatabaseError` if another process holds it or the folder is read-only."""
        lock = filelock.FileLock(self.folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise DatabaseError(f"another process is writing to {self.folder}; wait until it has finished") from None
        except OSError as error:
            raise DatabaseError(f"{self.folder} cannot be written to ({error.strerror})") from error
        try:
            yield
        except OSError as error:
            raise DatabaseError(f"{self.folder}: {error.strerror or error}") from error
        finally:
            lock.release()

    @contextmanager
    def changing(self) -> Iterator[None]:
        from lookalike.store.derived import leftovers

        with self.lock():
            leftovers.delete(self.folder)
            self.note_loss()
            try:
                yield
            finally:
                code_array.keep(self)

    def note_loss(self) -> None:
        """Record, before anything is written, that the catalog is older than the codes derived from it."""
        with suppress(DatabaseError):
            if codefile.read_header(self.folder / codefile.FILE).is_later(self.stamp) and not self.get(LOST):
                with self.transaction():
                    self.set(LOST, str(self.revision))

    def expect(self, names: Sequence[str]) -> None:
        """Does nothing: the catalog finds paths one by one."""

    # Originals

    def has_original(self, digest: bytes, length: int | None) -> bool:
        return originals.has(self.folder, digest, length) and self.records_original(digest)

    def keep_original(self, digest: bytes, content: bytes) -> None:
        originals.keep(self.folder, digest, content)

    # The model

    def load_model(self) -> Hasher:
        self.check_model()
        return model_file.load(self)

    def check_model(self) -> None:
        if self.get("model") != self._model_digest:
            raise DatabaseError(f"{self.folder} was indexed with another model in the meantime; open it again")

    def take_model(self, hasher: Hasher, *, reindex: bool) -> None:
        digest, name = self.get("model"), self.get("model_name")
        if hasher.digest != digest and not reindex:
            raise DatabaseError(
                f"{self.folder} holds {self.bits}-bit codes of {name}@{digest[:8]}, but {hasher.path} is {hasher.name}."
                " Index again with --reindex, or pass the first model"
            )
        path, aside = self.folder / model_file.FILE, model_file.pending(self.folder)
        if hasher.digest == digest and model_file.has_digest(path, digest):
            return
        model_file.copy(hasher, aside)
        if hasher.digest != digest:
            with self.transaction():
                self.forget_codes()
                _set_model(self, hasher)
        self._engine, self._model_digest, self._bits = None, hasher.digest, None
        put_in_place(aside, path)

    # Searching

    def code_array(self) -> CodeArray:
        self.check_model()
        return code_array.read(self)

    def count(self) -> int:
        count = code_array.count(self)  # counting in the catalog is slow for large collections
        return self.counts()["images"] if count is None else count

    def passing_ids(self, only: Filter) -> Ids:
        ids_N = code_array.read(self).ids_N
        return ids_N[code_array.passing(ids_N, self.passing(only))]

    def search(
        self, codes_NW: Codes, *, top: int | None, radius: int | None = None, only: Filter | None = None
    ) -> list[Hits]:
        current = self._open_engine()
        results = current.engine.search(codes_NW, top=top, radius=radius, among=self._passing(only, current))
        return [Hits(current.ids_N[hits.rows], hits.distances) for hits in results]

    def _open_engine(self) -> _OpenEngine:
        """The engine, refilled if the catalog has changed."""
        from lookalike.search.scan import Scan

        self.check_model()
        revision, current = self.revision, self._engine
        if current is None or revision != current.revision:
            ids_N, codes_NW = code_array.read(self)
            self._engine = current = _OpenEngine(Scan(8 * codes_NW.shape[1], codes_NW=codes_NW), ids_N, revision)
        return current

    def _passing(self, only: Filter | None, opened: _OpenEngine) -> Mask:
        """Codes that pass a filter; the last filter's result is cached, because people repeat searches with one."""
        if only is None:
            return None
        key, passing = (only, self.state, opened.revision), self._mask
        if passing is None or passing[0] != key:
            passing = key, code_array.passing(opened.ids_N, self.passing(only))
            self._mask = passing
        return passing[1]


def _is_leftover(path: Path) -> bool:
    """Whether a file was left by an interrupted creation of a database."""
    from lookalike.store.derived import leftovers

    is_unfinished = path.name in (LOCK, model_file.FILE) or path.name.startswith(leftovers.UNFINISHED)
    return is_unfinished or is_temporary(path, model_file.FILE)


def _set_model(catalog: Catalog, hasher: Hasher) -> None:
    catalog.set("model", hasher.digest)
    catalog.set("model_name", hasher.info.name)
    catalog.set("bits", str(hasher.bits))
    catalog.set("calibration", "")  # it belongs to the previous model
    catalog.touch()
