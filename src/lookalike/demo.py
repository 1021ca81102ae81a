"""The demo: search photographs with edited copies, and compare with pHash, PDQ and a model of the paper.

photos/, parts/   the photographs, reduced, and random parts of them
copies/           edited copies of the photographs, used as queries
photos.db/        a database of both, with the built-in model
csvae.onnx        a model of the paper, trained on photos and parts
report.html       the results
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from lookalike import data, reports
from lookalike.core.errors import ConfigError, DataError, ImageError, Interrupted, MissingExtra
from lookalike.database import Database, Hit
from lookalike.imaging import decode
from lookalike.imaging.edits.catalogue import Variant, perturb
from lookalike.robustness.peers import find

if TYPE_CHECKING:
    from lookalike.training import TrainReport

PHOTOGRAPHS = (  # of scikit-image: real photographs, no drawings, texts or masks
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png",
    "coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "microaneurysms.png", "moon.png",
    "motorcycle_left.png", "motorcycle_right.png", "retina.jpg", "rocket.jpg",
)  # fmt: skip
EDITS = (
    Variant("jpeg", 20), Variant("resize", 0.25), Variant("grey", 1), Variant("blur", 0.01), Variant("crop", 0.25),
    Variant("rotate", 15), Variant("mirror", 1), Variant("border", 0.1), Variant("caption", 0.2),
)  # fmt: skip
MARK = ".lookalike-demo"  # an empty file that marks a folder made by this command
FOLDERS = ("photos", "parts", "copies", "photos.db", "csvae.run")
FILES = ("csvae.onnx", "report.html")
NEEDED = ("torch", "skimage", "imagehash", "pdqhash")
OURS, OWN = "lookalike search", "CSVAE's codes"  # methods, besides these by hashes and codes alone:
PEERS = {"its codes alone": "default", "pHash": "phash-64", "PDQ": "pdq"}

MOST = 200  # of a user's photographs that are used
SIDE = 640  # pixels of a photograph's longer side, at most
PARTS = 600  # random parts, over all photographs
VISITS = 12_000  # images shown in training, over all epochs
SHOWN = 8  # searches in the report

Source = tuple[str, Callable[[], bytes]]  # a name, and a function that reads the file
OnStep = Callable[[str], object]
Search = tuple[Variant, Path, Path]  # an edit, a photograph, and its edited copy


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """The results of a run, shown in the report."""

    folder: Path
    photos: list[Path]
    skipped: list[tuple[str, str]]  # unreadable files, and why
    searches: list[Search]
    hits: list[list[Hit]]  # of each search with the built-in model
    first: dict[str, list[bool]]  # by method: whether each search had its photograph first
    trained: TrainReport
    seconds: dict[str, float]

    @property
    def report(self) -> Path:
        """The report's path."""
        return self.folder / "report.html"

    def share(self, method: str, edit: str = "") -> float:
        """Share of copies, of one edit or all, whose photograph came first."""
        pairs = zip(self.searches, self.first[method], strict=True)
        return float(np.mean([is_first for (variant, _, _), is_first in pairs if edit in ("", variant.edit)]))


def run(
    images: str | os.PathLike[str] | None = None,
    *,
    out: str | os.PathLike[str] = "demo",
    seed: int = 0,
    visits: int = VISITS,
    on_step: OnStep = lambda _name: None,
) -> DemoResult:
    """Run the demo in the folder `out`, replacing an earlier demo there.

    `images` is a folder, file or Parquet file; by default the photographs of scikit-image. Raises `MissingExtra`,
    `ConfigError`, `DataError`, and `Interrupted` after Ctrl-C.
    """
    if absent := next((package for package in NEEDED if find_spec(package) is None), None):
        raise MissingExtra(f"The demo needs {absent}", "demo")
    folder = Path(out)
    sources = _packaged() if images is None else _own(Path(images), folder, seed)
    _prepare(folder)
    try:
        outcome = _run(sources, folder, seed, visits, on_step)
        _write_report(outcome, seed)
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted(f"Stopped. The demo in {folder} is incomplete; the same command starts over") from None
    return outcome


def summary(outcome: DemoResult) -> list[str]:
    """A summary in three lines."""
    shares = ", ".join(f"{outcome.share(name):.1%} {name}" for name in outcome.first)
    skipped = f" ({len(outcome.skipped)} unreadable)" if outcome.skipped else ""
    return [
        f"{len(outcome.photos)} photographs{skipped}, {len(outcome.searches)} edited copies",
        f"photograph found first: {shares} (trained in {outcome.seconds['train']:.0f} s)",
        f"report: {outcome.report}",
    ]


def _run(sources: list[Source], folder: Path, seed: int, visits: int, on_step: OnStep) -> DemoResult:
    seconds: dict[str, float] = {}

    def step(name: str, work: Callable[[], Any]) -> Any:
        on_step(name)
        began = time.monotonic()
        result = work()
        seconds[name] = time.monotonic() - began
        return result

    photos, skipped = step("read", lambda: _save_photos(sources, folder / "photos"))
    searches = step("edit", lambda: list(_edited(photos, folder, seed)))
    hits = step("index and search", lambda: _search_copies(folder / "photos.db", searches))
    trained = step("train", lambda: _train(folder, len(photos), seed, visits))
    first = {OURS: [some[0].path == os.path.abspath(photo) for some, (_, photo, _) in zip(hits, searches, strict=True)]}
    others = PEERS | {OWN: str(trained.path)}
    first |= step("compare", lambda: {name: _are_nearest(peer, folder, searches) for name, peer in others.items()})
    return DemoResult(folder=folder, photos=photos, skipped=skipped, searches=searches, hits=hits, first=first,
                      trained=trained, seconds=seconds)  # fmt: skip


def _packaged() -> list[Source]:
    spec = find_spec("skimage")
    place = Path(str(spec and spec.origin)).parent / "data"
    return [(name, (place / name).read_bytes) for name in PHOTOGRAPHS if (place / name).exists()]


def _own(images: Path, folder: Path, seed: int) -> list[Source]:
    """A user's images, at most `MOST`, without files of an earlier demo."""
    if images.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{images} is inside {folder}, where the demo writes; choose another folder with --out")
    inside = os.path.join(os.path.abspath(folder), "")
    items = [item for item in data.find(images) if not item.name.startswith(inside)]
    if not items:
        raise DataError(f"{images} contains nothing but {folder}; name a folder, files or a Parquet file")
    rows = np.random.default_rng((seed, 0)).permutation(len(items))[:MOST]
    return [(items[row].path, partial(data.read_bytes, items[row])) for row in sorted(rows)]


def _prepare(folder: Path) -> None:
    """Create the folder, or delete an earlier demo in it."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; choose a folder with --out")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise ConfigError(
            f"{folder} is not empty and not an earlier demo; choose a new folder with --out, or delete it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    for name in FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in FILES:
        (folder / name).unlink(missing_ok=True)


def _save_photos(sources: list[Source], folder: Path) -> tuple[list[Path], list[tuple[str, str]]]:
    """Save the photographs, reduced and without duplicates; returns their paths, and the unreadable files."""
    folder.mkdir()
    saved: dict[bytes, Path] = {}
    skipped = []
    for name, read in sources:
        try:
            picture = decode.thumbnail(read(), SIDE)
        except (ImageError, OSError) as error:
            skipped.append((name, getattr(error, "strerror", None) or str(error)))
            continue
        stem = re.sub(r"[^A-Za-z0-9_]+", "-", Path(name).stem).strip("-")[:40] or "photo"
        path = folder / f"{len(saved) + 1:03}-{stem}.jpg"
        if saved.setdefault(picture.tobytes(), path) == path:
            picture.save(path, "JPEG", quality=95)
    if not saved:
        raise DataError(f"none of the {len(skipped)} files is a readable image; the first: {': '.join(skipped[0])}")
    return list(saved.values()), skipped


def _edited(photos: list[Path], folder: Path, seed: int) -> Iterator[Search]:
    """Save all edits of all photographs, and random parts to index and train on; yields edit, photograph and copy."""
    (folder / "copies").mkdir()
    (folder / "parts").mkdir()
    for number, photo in enumerate(photos):
        picture = decode.thumbnail(photo.read_bytes(), SIDE)
        for variant in EDITS:
            copy = folder / "copies" / f"{photo.stem}-{variant.edit}.jpg"
            pixels_HW3 = perturb(np.array(picture), *variant, seed=seed + number)
            Image.fromarray(pixels_HW3).save(copy, "JPEG", quality=95)
            yield variant, photo, copy
        random = np.random.default_rng((seed, 1, number))
        for row in range(max(1, PARTS // len(photos))):
            width, height = (max(1, round(side * random.uniform(0.4, 0.6))) for side in picture.size)
            left, top = (int(random.integers(a - b + 1)) for a, b in zip(picture.size, (width, height), strict=True))
            part = picture.crop((left, top, left + width, top + height))
            part.thumbnail((192, 192))
            part.save(folder / "parts" / f"{photo.stem}-{row:03}.jpg", "JPEG", quality=90)


def _search_copies(db: Path, searches: list[Search]) -> list[list[Hit]]:
    """Index photographs and parts, and search with each copy."""
    with Database.create(db) as database:
        database.index([db.parent / "photos", db.parent / "parts"])
        return list(database.search_many([copy for _, _, copy in searches], top=5))


def _are_nearest(name: str, folder: Path, searches: list[Search]) -> list[bool]:
    """Whether each copy's photograph is nearest by a hash or a model's code, and nothing else is as near."""
    peer = find(name)
    collection = sorted([*(folder / "photos").iterdir(), *(folder / "parts").iterdir()])
    rows_NX = np.stack([peer.encode(np.asarray(Image.open(path).convert("RGB"))) for path in collection])
    copies_QX = np.stack([peer.encode(np.asarray(Image.open(copy).convert("RGB"))) for _, _, copy in searches])
    distances_QN = peer.measure.distances(copies_QX, rows_NX)
    own_Q = [collection.index(photo) for _, photo, _ in searches]
    least_Q1 = distances_QN[np.arange(len(searches)), own_Q][:, None]
    return [bool(count == 1) for count in (distances_QN <= least_Q1).sum(axis=1)]


def _train(folder: Path, count: int, seed: int, visits: int) -> TrainReport:
    from lookalike.training import TrainConfig, train

    config = TrainConfig(
        bits=64, seed=seed, batch=32, learning_rate=2e-3, epochs=max(1, round(visits / (count + PARTS))), minutes=1.0,
        name=f"{count} photographs of the demo and parts of them",
        card="Trained by `lookalike demo` on a few photographs. It shows how training works, and knows little else.",
    )  # fmt: skip
    return train([folder / "photos", folder / "parts"], config, out=folder / "csvae.onnx")


def _write_report(outcome: DemoResult, seed: int) -> None:
    rows = np.unique(np.linspace(0, len(outcome.searches) - 1, SHOWN).round().astype(int))

    def small(path: str | Path) -> str:
        return reports.picture(decode.thumbnail(Path(path).read_bytes(), 180))

    reports.write(
        outcome.report, "demo", outcome=outcome, edits=EDITS, seed=seed, small=small, ours=OURS,
        searches=[(*outcome.searches[row], outcome.hits[row]) for row in rows],
    )  # fmt: skip
