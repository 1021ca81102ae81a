"""The pictures of the demo: photographs, parts of them, and other photographs, all as files of a moderate size.

Without a folder of one's own the photographs are those that come inside the packages scikit-image and scikit-learn;
nothing is downloaded. With one, they serve as the other photographs.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from lookalike import data
from lookalike.core.errors import DataError, ImageError, MissingExtra
from lookalike.imaging import decode

PHOTOGRAPHS = {  # by package: real photographs, no drawings, texts or masks
    "skimage/data": (
        "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png",
        "coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "microaneurysms.png", "moon.png",
        "motorcycle_left.png", "retina.jpg", "rocket.jpg",
    ),
    "sklearn/datasets/images": ("china.jpg", "flower.jpg"),
}  # fmt: skip
OTHERS = {"skimage/data": ("motorcycle_right.png",)}  # the left one's stereo partner: alike, but another photograph
PATCHES = "lfw_subset.npy"  # 100 faces and 100 pieces of backgrounds, 25 × 25 pixels, of Labeled Faces in the Wild

MOST = 200  # photographs of one's own that are taken
SIDE = 800  # pixels of a photograph's longer side, at most
CROPS = 4  # parts of each photograph
CROP_SIDES = (0.4, 0.6)  # share of each side that a part has
SMALLEST = 32  # pixels; smaller photographs are not cut into parts
QUALITY = 95  # of the JPEG files that are written
CHUNK = 32


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is put into the database."""

    name: str  # for people
    path: Path
    photo: int | None  # which photograph it is, or is a part of; nothing for other photographs


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """All pictures that are put into the database; the photographs that are looked for come first."""

    photos: list[Picture]
    crops: list[Picture]
    others: list[Picture]
    found: int  # files there were to choose from
    skipped: list[tuple[str, str]]  # names of files that could not be read, and why
    repeated: int  # files that hold the same picture as another one

    @property
    def pictures(self) -> list[Picture]:
        """All of them."""
        return self.photos + self.crops + self.others

    @property
    def distractors(self) -> int:
        """How many are not looked for."""
        return len(self.crops) + len(self.others)


class Source(NamedTuple):
    """Where a picture's bytes come from."""

    name: str
    read: Callable[[], bytes]


@dataclass(slots=True)
class _Taken:
    """What was written so far, each picture once."""

    folder: Path
    pictures: list[Picture] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    repeated: int = 0


def gather(items: list[data.Item] | None, folder: Path, *, seed: int) -> Collection:
    """The pictures, written below `folder`: of a person's own `items`, or of the packages.

    Raises `DataError` if none of the items can be read.
    """
    packaged = list(_packaged(PHOTOGRAPHS))
    own = packaged if items is None else [Source(item.path, partial(data.read_bytes, item)) for item in items]
    seen: set[bytes] = set()
    photos = _take(_drawn(own, seed), folder / "photos", seen, most=MOST)
    if not photos.pictures:
        name, reason = photos.skipped[0]
        raise DataError(f"no file of {len(own)} can be read as an image; the first: {name}: {reason}")
    more = [*([] if items is None else packaged), *_packaged(OTHERS), *_patches()]
    others = _take(more, folder / "others", seen, most=len(more))
    return Collection(
        photos=[Picture(one.name, one.path, number) for number, one in enumerate(photos.pictures)],
        crops=_crops(photos.pictures, folder / "crops", seed),
        others=others.pictures,
        found=len(own),
        skipped=photos.skipped,
        repeated=photos.repeated,
    )


def save(picture: Image.Image, path: Path) -> Path:
    """The path of a picture that was written there as JPEG."""
    picture.save(path, "JPEG", quality=QUALITY, subsampling=0)
    return path


def part(picture: Image.Image, random: np.random.Generator, *, sides: tuple[float, float]) -> Image.Image:
    """A random part of a picture; each of its sides is a share, between these two, of the picture's."""
    width, height = (max(1, round(side * random.uniform(*sides))) for side in picture.size)
    left, top = int(random.integers(picture.width - width + 1)), int(random.integers(picture.height - height + 1))
    return picture.crop((left, top, left + width, top + height))


def packages_folder(package: str) -> Path:
    """The folder of an installed package, which is not imported. Raises `MissingExtra`."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra(f"The demo's photographs come with {package}", "demo")
    return Path(spec.submodule_search_locations[0])


def _packaged(names: Mapping[str, tuple[str, ...]]) -> Iterator[Source]:
    for place, files in names.items():
        package, _, rest = place.partition("/")
        paths = [packages_folder(package) / rest / file for file in files]
        yield from (Source(path.name, path.read_bytes) for path in paths if path.exists())


def _patches() -> Iterator[Source]:
    path = packages_folder("skimage") / "data" / PATCHES
    if not path.exists():
        return
    for number, grey in enumerate(np.load(path)):
        pixels = np.round(255 * np.clip(grey, 0, 1)).astype(np.uint8)
        yield Source(f"patch {number + 1} of {PATCHES}", partial(_encoded, pixels))


def _encoded(pixels: decode.Array) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _drawn(sources: list[Source], seed: int) -> list[Source]:
    """The sources in their order if all can be taken, else in a random one."""
    if len(sources) <= MOST:
        return sources
    return [sources[row] for row in np.random.default_rng((seed, 0)).permutation(len(sources))]


def _take(sources: Iterable[Source], folder: Path, seen: set[bytes], *, most: int) -> _Taken:
    """Write up to `most` pictures that were not seen before."""
    folder.mkdir(parents=True)
    taken, rest = _Taken(folder), iter(sources)
    with ThreadPoolExecutor() as pool:
        while chunk := list(itertools.islice(rest, min(CHUNK, most - len(taken.pictures)))):
            for source, picture in zip(chunk, pool.map(_reduced, chunk), strict=True):
                _add(taken, source.name, picture, seen)
    return taken


def _add(taken: _Taken, name: str, picture: Image.Image | str, seen: set[bytes]) -> None:
    if isinstance(picture, str):
        taken.skipped.append((name, picture))
        return
    digest = hashlib.blake2b(repr(picture.size).encode() + picture.tobytes(), digest_size=16).digest()
    if digest in seen:
        taken.repeated += 1
        return
    seen.add(digest)
    path = taken.folder / f"{len(taken.pictures) + 1:03}-{_file_name(name)}.jpg"
    taken.pictures.append(Picture(name, save(picture, path), None))


def _reduced(source: Source) -> Image.Image | str:
    """The picture, at most `SIDE` pixels a side, or the reason why there is none."""
    try:
        return decode.thumbnail(source.read(), SIDE)
    except (ImageError, OSError) as error:
        return getattr(error, "strerror", None) or str(error)


def _file_name(name: str) -> str:
    """What of a name can be part of a file's name everywhere.

    >>> _file_name("Österreich/<b>&.jpg")
    'b'
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", Path(name).stem).strip("-")[:40] or "photo"


def _crops(photos: list[Picture], folder: Path, seed: int) -> list[Picture]:
    """Random parts of each photograph that is large enough."""
    folder.mkdir()
    crops = []
    for number, photo in enumerate(photos):
        random = np.random.default_rng((seed, 1, number))
        with Image.open(photo.path) as file:
            whole = file.convert("RGB")
        for row in range(CROPS if min(whole.size) >= SMALLEST else 0):
            path = folder / f"{photo.path.stem}-part{row + 1}.jpg"
            crops.append(Picture(f"part of {photo.name}", save(part(whole, random, sides=CROP_SIDES), path), number))
    return crops
