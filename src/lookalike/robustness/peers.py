"""What is compared in a robustness benchmark: models of this package, and the hashes that people use today.

A `Peer` turns decoded pixels into a row: a packed code, whose distances are bits, or a vector, whose distances are
cosines. So that both are counted in the same way, 1 − cosine is counted in steps of 1/1000.

    phash-64, phash-256, dhash-64, dhash-256   of the package imagehash
    pdq                                        of the package pdqhash, 256 bits

Shapes: H, W pixels high and wide; Q, N images; X bytes of a code or numbers of a vector.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.core.codes import pack
from lookalike.core.errors import ConfigError, MissingExtra, ModelError
from lookalike.hasher import Hasher, find_model
from lookalike.imaging import decode
from lookalike.imaging.decode import Array
from lookalike.metrics.counts import Floats
from lookalike.metrics.labels import words

Row = npt.NDArray[Any]  # uint8 (X,) of a code, float32 (X,) of a vector of length 1
Distances = npt.NDArray[np.int32]

STEPS = 1000  # of the distance of vectors that are at right angles


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A way to turn an image into a code, or into a vector."""

    name: str
    bits: int  # 0 for a vector
    note: str
    encode: Callable[[Array], Row]  # of pixels uint8 (H, W, 3)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def greatest(self) -> int:
        """The greatest distance there can be, in steps."""
        return self.bits or 2 * STEPS

    @property
    def scale(self) -> int:
        """Steps that make an error of 1: all bits, or vectors at right angles."""
        return self.bits or STEPS

    def shown(self, distance: float) -> float:
        """A distance in steps as people know it: bits, or the cosine.

        >>> Peer(name="", bits=0, note="", encode=len).shown(100)
        0.9
        """
        return distance if self.bits else 1 - distance / STEPS

    def in_words(self, distance: int) -> str:
        """A distance in steps with its unit."""
        return f"{distance} of {self.bits} bits" if self.bits else f"cosine {self.shown(distance):.3f}"

    def distances(self, rows_QX: Row, others_NX: Row) -> Distances:
        """Distances (Q, N) in steps."""
        if not self.bits:
            cosines_QN = rows_QX.astype(np.float32) @ others_NX.astype(np.float32).T
            steps_QN = np.rint(STEPS * (1 - cosines_QN))
            return np.asarray(np.clip(steps_QN, 0, 2 * STEPS), np.int32)
        query_XQ, other_XN = words(rows_QX), words(others_NX)
        distances_QN = np.zeros((len(rows_QX), len(others_NX)), np.int32)
        for query_Q, other_N in zip(query_XQ, other_XN, strict=True):
            distances_QN += np.bitwise_count(query_Q[:, None] ^ other_N[None])
        return distances_QN


def of_model(model: str | os.PathLike[str]) -> Peer:
    """A built-in model, or a model file. Raises `ModelError`."""
    hasher = Hasher.load(model, threads=1)
    spec = hasher.spec

    def encode(pixels_HW3: Array) -> Row:
        return np.asarray(hasher.encode_arrays(as_read(pixels_HW3, spec)[None])[0])

    note = f"{hasher.name}, trained on {hasher.info.data_name}"
    return Peer(name=Path(model).stem, bits=hasher.bits, note=note, encode=encode)


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
    return Peer(name=name, bits=size * size, note=f"imagehash.{function}", encode=encode, versions=versions)


def _pdq(name: str) -> Peer:
    try:
        import pdqhash
    except ImportError as error:
        raise MissingExtra(f"{name} is a hash of the package pdqhash", "robustness") from error

    def encode(pixels_HW3: Array) -> Row:
        bits_K, _quality = pdqhash.compute(pixels_HW3)
        return pack(np.asarray(bits_K, np.bool_))

    return Peer(name=name, bits=256, note="pdqhash", encode=encode, versions={"pdqhash": version("pdqhash")})


PEERS: dict[str, Callable[[], Peer]] = {
    "phash-64": lambda: _imagehash("phash-64", "phash", 8),
    "phash-256": lambda: _imagehash("phash-256", "phash", 16),
    "dhash-64": lambda: _imagehash("dhash-64", "dhash", 8),
    "dhash-256": lambda: _imagehash("dhash-256", "dhash", 16),
    "pdq": lambda: _pdq("pdq"),
}
SHORT = {"phash": "phash-64", "dhash": "dhash-64"}


def find(name: str) -> Peer:
    """A peer by name: one of `PEERS`, a built-in model, or a model file. Raises `ConfigError` or `MissingExtra`."""
    known = PEERS.get(SHORT.get(name, name))
    if known:
        return known()
    try:
        find_model(name)
    except ModelError:
        raise ConfigError(
            f"there is no peer {name!r}; there are {', '.join([*SHORT, *PEERS])}, built-in models, and model files"
        ) from None
    return of_model(name)


def unit(vector_X: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """A vector scaled to length 1; one of length 0 stays."""
    floats_X: Floats = np.asarray(vector_X, np.float64)
    return np.asarray(floats_X / max(float(np.linalg.norm(floats_X)), 1e-12), np.float32)
