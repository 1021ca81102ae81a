"""What can be said of the model that made the codes.

Shapes: N images, K bits, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import unpack
from lookalike.core.errors import LookalikeError, ModelError
from lookalike.hasher import Decoder, Hasher
from lookalike.imaging.decode import Array, ImageSpec
from lookalike.metrics.bits import bit_use
from lookalike.opening import AnyDatabase
from lookalike.web.http.problems import Problem
from lookalike.web.state import files
from lookalike.web.state.jobs import Report

Floats = npt.NDArray[np.floating]
Decode = Callable[[bytes, ImageSpec], Array]
LOOKED_AT = 400  # images whose latents are computed
MOST_CODES = 200_000  # of which balance and correlation are taken


class Looks(NamedTuple):
    """Images, and how far their latents lie from θ; their codes alone if their files are gone."""

    ids_N: npt.NDArray[np.int64]
    above_NK: Floats  # latent − θ; or ½ and −½ for the bits 1 and 0
    by: str


def describe(database: AnyDatabase) -> dict[str, Any]:
    """Model card, θ and the use of bits."""
    hasher = database.hasher
    theta_K = hasher.theta
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


def looks(database: AnyDatabase, report: Report, *, decode: Decode) -> Looks:
    """Some images of the database, drawn under a fixed seed, and their latents."""
    ids_N, codes_NW = database.codes()
    drawn = np.sort(np.random.default_rng(0).permutation(len(ids_N))[:LOOKED_AT])
    theta_K = database.hasher.theta
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
