"""The demo's steps: photographs, copies, training, index, search, figures, page.

Shapes: Q copies, C pictures in the database (the photographs first), W bytes a code, N images, S pixels a side.
"""

from __future__ import annotations

import io
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lookalike import data
from lookalike.core import atomic, codes
from lookalike.core.errors import ConfigError, DataError, Interrupted, MissingExtra
from lookalike.database import Database, Hit
from lookalike.demo import edits, photos, ranking
from lookalike.demo.edits import EDITS
from lookalike.demo.photos import Collection, Picture
from lookalike.hasher import DEFAULT, Hasher, builtin_models
from lookalike.imaging import decode

if TYPE_CHECKING:
    from lookalike.training import Trained

MARK = ".lookalike-demo"  # an empty file in a folder that this command made
WRITTEN = (
    "photos", "crops", "others", "copies", "training.parquet", "model.onnx", "model.decoder.onnx", "model.run", "db",
    "report.html",
)  # fmt: skip
NEEDED = ("torch", "onnx", "safetensors", "pyarrow", "skimage", "sklearn", "imagehash")
PACKAGES = ("scikit-image", "scikit-learn", "ImageHash")

BITS = 64
VISITS = 16_000  # images shown in training, over all epochs: one to one and a half minutes on two idle cores
MINUTES = 1.5  # of training at most; with reading and exporting it stays below two minutes
BATCH = 32
LEARNING_RATE = 2e-3
TRAINING_IMAGES = 1100  # edited variants, or four of each photograph where these are more
TRAINING_SIDE = 192  # pixels of a training image's longer side; the model takes 128
TOP = 5

OnStep = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Copy:
    """A manipulated copy of a photograph."""

    edit: str
    photo: int
    path: Path


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to make codes, and the distances that it gives."""

    name: str
    note: str
    bits: int
    distances: ranking.Distances  # (Q, C)
    right: ranking.Rows  # (Q,): each copy's original

    @cached_property
    def first(self) -> ranking.Floats:
        """Chance, (Q,), that a copy's original comes first."""
        return ranking.first(self.distances, self.right)

    @cached_property
    def rank(self) -> ranking.Floats:
        """Mean rank, (Q,), of a copy's original, from 1."""
        return ranking.rank(self.distances, self.right)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All that a run of the demo came to; the page is made of it."""

    folder: Path
    seed: int
    named: str | None  # the person's own collection
    collection: Collection
    copies: list[Copy]
    trained: Trained
    planned_epochs: int  # more than were trained where the time was up before
    methods: list[Method]  # this model first, then pHash, then the built-in model if there is one
    hits: list[list[Hit]]  # of each copy, nearest first
    arrays: decode.Array  # (N, S, S): the photographs as the model takes them
    reconstructions: ranking.Floats  # (N, S, S): of the photographs scaled to [0, 1]
    seconds: dict[str, float]  # of each step
    versions: dict[str, str]

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"


@dataclass(slots=True)
class _Clock:
    """Tells the steps and how long each takes."""

    on_step: OnStep
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.on_step(name)
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """What is asked for."""

    named: str | None
    folder: Path
    seed: int
    visits: int
    minutes: float


def run(
    named: str | os.PathLike[str] | None = None,
    *,
    out: str | os.PathLike[str] = "demo",
    seed: int = 0,
    visits: int = VISITS,
    minutes: float = MINUTES,
    on_step: OnStep = lambda _name: None,
) -> Outcome:
    """Do all of it and write `report.html` into the folder `out`, of which an earlier demo is replaced.

    `named` is a folder, file or Parquet file of one's own images; without it the photographs of installed packages
    are taken. Training shows `visits` images in all, or ends after so many minutes. Raises `MissingExtra`,
    `ConfigError`, `DataError`, and `Interrupted` after Ctrl-C.
    """
    from lookalike.demo import report  # needs the classes above

    _check_packages()
    name = None if named is None else os.fspath(named)
    plan = _Plan(named=name, folder=Path(out), seed=seed, visits=visits, minutes=minutes)
    try:
        items = None if named is None else _own(Path(named), plan.folder)
        _make_way(plan.folder)
        outcome = _run(plan, items, _Clock(on_step))
        atomic.write(outcome.report, report.page(outcome).encode())
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted(f"Stopped. The demo in {plan.folder} is not whole; the same command begins anew") from None
    return outcome


def summary(outcome: Outcome) -> list[str]:
    """What happened, in three lines."""
    collection, (model, phash) = outcome.collection, outcome.methods[:2]
    left_out = {
        f"drawn from {count(collection.found, 'file')}": len(collection.photos) == photos.MOST < collection.found,
        f"{count(len(collection.skipped), 'file')} could not be read": collection.skipped,
        f"the same picture again in {count(collection.repeated, 'file')}": collection.repeated,
    }
    said = "; ".join(words for words, is_so in left_out.items() if is_so)
    return [
        f"{count(len(collection.photos), 'photograph')}{f' ({said})' if said else ''}, "
        f"{count(collection.distractors, 'distractor')}, {len(outcome.copies):,} manipulated copies; "
        f"{outcome.trained.info.name} trained in {outcome.seconds['train']:.0f} s",
        f"the copy's original came first for {model.first.mean():.1%} of the copies "
        f"(pHash on the same files: {phash.first.mean():.1%})",
        f"report: {outcome.report}",
    ]


def count(number: int, noun: str) -> str:
    """A number of things in words.

    >>> count(1, "file"), count(2, "file")
    ('1 file', '2 files')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _check_packages() -> None:
    for package in NEEDED:
        if find_spec(package) is None:
            raise MissingExtra(f"The demo needs {package}", "demo")


def _own(named: Path, folder: Path) -> list[data.Item]:
    """The items of a person's collection, without what an earlier demo wrote."""
    if named.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{named} lies in {folder}, where the demo writes; name another folder with --out")
    inside = os.path.join(os.path.abspath(folder), "")
    items = [item for item in data.find(named) if not item.name.startswith(inside)]
    if not items:
        raise DataError(f"{named} holds nothing but {folder}; name a folder, files or a Parquet file")
    return items


def _make_way(folder: Path) -> None:
    """Make the folder, or remove what an earlier demo wrote into it."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; name a folder with --out")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise ConfigError(
            f"{folder} is not empty and was not made by this command; name a new folder with --out, or remove it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    for name in WRITTEN:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _run(plan: _Plan, items: list[data.Item] | None, clock: _Clock) -> Outcome:
    from lookalike.training import reconstruct

    with clock.step("gather"):
        collection = photos.gather(items, plan.folder, seed=plan.seed)
    with clock.step("copy"):
        copies = _write_copies(collection.photos, plan.folder / "copies", plan.seed)
    with clock.step("train"):
        trained, planned_epochs = _train(collection, plan)
    with clock.step("index"):
        stored_CW = _index(collection, plan.folder, trained.path)
    with clock.step("search"):
        queries_QW, hits = _search(copies, plan.folder / "db")
    with clock.step("compare"):
        own = _method("this model", "trained on these photographs", queries_QW, stored_CW, copies)
        methods = [own, *_compared(collection, copies)]
    with clock.step("reconstruct"):
        arrays_NSS = np.stack([decode.read(photo.path, trained.info.image) for photo in collection.photos])
        reconstructions_NSS = reconstruct(trained.folder, arrays_NSS).astype(np.float64)
    return Outcome(
        folder=plan.folder,
        seed=plan.seed,
        named=plan.named,
        collection=collection,
        copies=copies,
        trained=trained,
        planned_epochs=planned_epochs,
        methods=methods,
        hits=hits,
        arrays=arrays_NSS,
        reconstructions=reconstructions_NSS,
        seconds=clock.seconds,
        versions=trained.info.versions | {name: version(name) for name in PACKAGES},
    )


def _write_copies(pictures: list[Picture], folder: Path, seed: int) -> list[Copy]:
    """All edits of all photographs, as files in one sub-folder an edit."""
    for name in EDITS:
        (folder / name).mkdir(parents=True)

    def write(number: int) -> list[Copy]:
        picture, made = decode.thumbnail(pictures[number].path.read_bytes(), photos.SIDE), []
        for row, (name, edit) in enumerate(EDITS.items()):
            path = folder / name / pictures[number].path.name
            photos.save(edit.apply(picture, np.random.default_rng((seed, 2, number, row))), path)
            made.append(Copy(name, number, path))
        return made

    with ThreadPoolExecutor() as pool:
        return [copy for made in pool.map(write, range(len(pictures))) for copy in made]


def _train(collection: Collection, plan: _Plan) -> tuple[Trained, int]:
    """The training, and for how many epochs it was meant to go on."""
    from lookalike.training import train

    table = plan.folder / "training.parquet"
    images_in_all = _write_training_images(collection, table, plan.seed)
    epochs = max(1, round(plan.visits / images_in_all))
    trained = train(
        table,
        bits=BITS,
        out=plan.folder / "model.onnx",
        epochs=epochs,
        minutes=plan.minutes,
        seed=plan.seed,
        batch=BATCH,
        learning_rate=LEARNING_RATE,
        name=f"{len(collection.photos)} photographs of the demo, with parts and edited copies",
        card=f"Trained by `lookalike demo` on {images_in_all} pictures: {len(collection.photos)} photographs, parts of "
        "them, and edited variants of both. It shows how things work and knows little else.",
    )
    return trained, epochs


def _write_training_images(collection: Collection, path: Path, seed: int) -> int:
    """Write photographs, parts, and edited variants of both, to a table; how many there are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def opened(picture: Picture) -> Image.Image:
        return decode.thumbnail(picture.path.read_bytes(), 2 * TRAINING_SIDE)

    with ThreadPoolExecutor() as pool:
        originals = list(pool.map(opened, collection.photos))
        parts = list(pool.map(opened, collection.crops))
        count = max(TRAINING_IMAGES, 4 * len(originals))
        edited = list(pool.map(lambda number: _variant(originals, number, seed), range(count)))
        encoded = list(pool.map(_training_image, originals + parts + edited))
    pq.write_table(pa.table({"image": pa.array(encoded, pa.binary())}), path)
    return len(encoded)


def _variant(originals: list[Image.Image], number: int, seed: int) -> Image.Image:
    """An edited variant of a photograph, or, every other time, of a new random part of it."""
    random = np.random.default_rng((seed, 3, number))
    picture = originals[number // 2 % len(originals)]
    return edits.vary(photos.part(picture, random, sides=(0.4, 0.9)) if number % 2 else picture, random)


def _training_image(picture: Image.Image) -> bytes:
    file, small = io.BytesIO(), picture.copy()
    small.thumbnail((TRAINING_SIDE, TRAINING_SIDE))
    small.save(file, "JPEG", quality=90)
    return file.getvalue()


def _index(collection: Collection, folder: Path, model: Path) -> codes.Codes:
    """Fill the database; the codes (C, W) that it holds, in the order of the pictures."""
    with Database.create(folder / "db", model=model) as database:
        database.index([folder / name for name in ("photos", "crops", "others")])
        ids, codes_NW = database.codes()
        names = {record.id: record.name for record in database.records()}
    code_of = {names[int(id_)]: code_W for id_, code_W in zip(ids, codes_NW, strict=True)}
    return np.stack([code_of[os.path.abspath(picture.path)] for picture in collection.pictures])


def _search(copies: list[Copy], db: Path) -> tuple[codes.Codes, list[list[Hit]]]:
    """The codes (Q, W) of the copies, and what a search with each finds."""
    with Database.open(db) as database:
        queries_QW = database.hasher.encode([copy.path for copy in copies])
        return queries_QW, database.search_codes(queries_QW, top=TOP)


def _compared(collection: Collection, copies: list[Copy]) -> Iterator[Method]:
    """pHash, and the built-in model if there is one, on the same files."""
    pictures, queries = [picture.path for picture in collection.pictures], [copy.path for copy in copies]
    yield _method("pHash", "needs no training", _phashes(queries), _phashes(pictures), copies)
    if DEFAULT in builtin_models():
        hasher = Hasher.load(DEFAULT)
        note = f"{hasher.name}, trained on {hasher.info.data_name}"
        yield _method("built-in model", note, hasher.encode(queries), hasher.encode(pictures), copies)


def _method(name: str, note: str, queries_QW: codes.Codes, pictures_CW: codes.Codes, copies: list[Copy]) -> Method:
    right_Q = np.array([copy.photo for copy in copies])
    distances_QC = codes.hamming(queries_QW, pictures_CW)
    return Method(name=name, note=note, bits=8 * queries_QW.shape[1], distances=distances_QC, right=right_Q)


def _phashes(paths: list[Path]) -> codes.Codes:
    """The codes (N, 8) of imagehash's pHash."""
    import imagehash

    def bits(path: Path) -> codes.Bits:
        with Image.open(path) as picture:
            return np.asarray(imagehash.phash(picture, hash_size=8).hash.ravel(), np.bool_)

    with ThreadPoolExecutor() as pool:
        return codes.pack(np.stack(list(pool.map(bits, paths))))
