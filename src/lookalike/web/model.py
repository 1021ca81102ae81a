"""What can be said of the model that made the codes.

Shapes: N images, K bits, W bytes a code.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.codes import unpack
from lookalike.database.opening import AnyDatabase
from lookalike.errors import LookalikeError, ModelError
from lookalike.evaluation.bits import bit_use
from lookalike.hasher import Decoder, Hasher
from lookalike.images import Array, ImageSpec
from lookalike.web import files
from lookalike.web.jobs import Report
from lookalike.web.problems import Problem

Floats = npt.NDArray[np.floating]
Decode = Callable[[bytes, ImageSpec], Array]
LOOKED_AT = 400  # images whose latents are computed
MOST_CODES = 200_000  # of which balance and correlation are taken
BYTES, VARINT, EIGHT, FOUR = 2, 0, 1, 5  # wire types of protocol buffers
GRAPH, INITIALIZER, RAW, FLOATS = 7, 5, 9, 4  # fields of ONNX's ModelProto, GraphProto and TensorProto


class Looks(NamedTuple):
    """Images, and how far their latents lie from θ; their codes alone if their files are gone."""

    ids_N: npt.NDArray[np.int64]
    above_NK: Floats  # latent − θ; or ½ and −½ for the bits 1 and 0
    by: str


def describe(database: AnyDatabase) -> dict[str, Any]:
    """Model card, θ and the use of bits."""
    hasher = database.hasher
    theta_K = _theta(hasher)
    return {
        "name": hasher.name,
        "card": hasher.info.card,
        "about": asdict(hasher.info),
        "theta": None if theta_K is None else [round(float(value), 6) for value in theta_K],
        "use": use(database),
        "decoder": _draws(hasher),
    }


def use(database: AnyDatabase) -> dict[str, Any] | None:
    """How the bits of the codes, or of many of them, are used."""
    codes_NW = database.codes()[1]
    if not len(codes_NW):
        return None
    found = bit_use(np.asarray(codes_NW[:: -(-len(codes_NW) // MOST_CODES)]))
    return {
        "balance": [round(float(value), 6) for value in found.balance_K],
        "constant": found.constant,
        "correlation": found.correlation,
        "effective": found.effective,
        "images": len(codes_NW),
    }


def _draws(hasher: Hasher) -> bool:
    """Whether there is a decoder beside it that can be used."""
    try:
        return Decoder.beside(hasher) is not None
    except ModelError:
        return False


def theta(model: bytes, digest: str, bits: int) -> Floats | None:
    """The threshold (K,) in a model file: the constant with the digest that the file's description names.

    Of a model whose codes are the first bits of another's it is the first part of that one's, and the digest says so.
    """
    whole, _, _ = digest.partition("[:")
    graphs = (graph for field, graph in _fields(model) if field == GRAPH)
    tensors = (tensor for graph in graphs for field, tensor in _fields(graph) if field == INITIALIZER)
    for values in map(_floats, tensors):
        if len(values) >= 4 * bits and hashlib.blake2b(values, digest_size=16).hexdigest() == whole:
            return np.frombuffer(values, "<f4")[:bits]
    return None


def _theta(hasher: Hasher) -> Floats | None:
    try:
        return theta(Path(hasher.path).read_bytes(), hasher.info.theta_digest, hasher.bits)
    except OSError:  # the model of a database in Milvus is no file
        return None


def looks(database: AnyDatabase, report: Report, *, decode: Decode) -> Looks:
    """Some images of the database, drawn under a fixed seed, and their latents."""
    ids_N, codes_NW = database.codes()
    drawn = np.sort(np.random.default_rng(0).permutation(len(ids_N))[:LOOKED_AT])
    theta_K = _theta(database.hasher)
    if theta_K is not None:
        found, latent_NK = _latents(database, ids_N[drawn].tolist(), decode, report)
        if len(found) > len(drawn) // 4:  # else nearly all files are gone
            return Looks(np.array(found), latent_NK - theta_K, "latent")
    return Looks(np.asarray(ids_N[drawn]), unpack(np.asarray(codes_NW[drawn])) - 0.5, "code")


def extremes(seen: Looks, bit: int, top: int) -> tuple[list[int], list[int]]:
    """Ids of the images furthest above and furthest below θ in a bit."""
    above_N = seen.above_NK[:, bit]
    order_N = np.argsort(-above_N, kind="stable")
    high = [int(seen.ids_N[row]) for row in order_N[:top] if above_N[row] > 0]
    low = [int(seen.ids_N[row]) for row in order_N[::-1][:top] if above_N[row] <= 0]
    return high, low


def _latents(database: AnyDatabase, ids: list[int], decode: Decode, report: Report) -> tuple[list[int], Floats]:
    """Ids of the images that can be read, and their latents."""
    records, hasher = database.records_of(ids), database.hasher
    found, latents = [], [np.empty((0, hasher.bits), np.float32)]
    for number, record in enumerate(records.values()):
        report(number, len(records))
        with suppress(LookalikeError, Problem):
            array = decode(files.read(database.path, record), hasher.spec)
            latents.append(hasher.latents(array[None]))
            found.append(record.id)
    return found, np.concatenate(latents)


def _floats(tensor: bytes) -> bytes:
    """The values of an ONNX tensor, as bytes."""
    return b"".join(value for field, value in _fields(tensor) if field in (RAW, FLOATS))


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each field of a protocol buffer that has a length, or four bytes."""
    view, at = memoryview(message), 0
    while at < len(view):
        key, at = _varint(view, at)
        kind, length = key & 7, 0
        if kind == VARINT:
            _, at = _varint(view, at)
            continue
        if kind == BYTES:
            length, at = _varint(view, at)
        elif kind in (EIGHT, FOUR):
            length = 8 if kind == EIGHT else 4
        else:
            return
        if kind != EIGHT:
            yield key >> 3, bytes(view[at : at + length])
        at += length


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in itertools.count(0, 7):
        if at >= len(view):
            return value, at
        value |= (view[at] & 127) << shift
        at += 1
        if view[at - 1] < 128:
            return value, at
    return value, at
