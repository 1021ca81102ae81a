"""Description of the model that made the codes, and how its bits are used."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from lookalike.core.errors import ModelError
from lookalike.database import Database
from lookalike.hasher import Decoder, Hasher
from lookalike.metrics.bits import bit_use

MOST_CODES = 200_000  # sampled for balance and correlation


def describe(database: Database) -> dict[str, Any]:
    """Model card, θ, and bit balance."""
    hasher = database.hasher
    theta_K = hasher.theta
    return {
        "name": hasher.name,
        "card": hasher.info.card,
        "about": asdict(hasher.info),
        "theta": None if theta_K is None else [round(float(value), 6) for value in theta_K],
        "use": _use(database),
        "decoder": _has_decoder(hasher),
    }


def _use(database: Database) -> dict[str, Any] | None:
    """Balance and correlation of the bits; None without images."""
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


def _has_decoder(hasher: Hasher) -> bool:
    """Whether a usable decoder lies next to the model file."""
    try:
        return Decoder.beside(hasher) is not None
    except ModelError:
        return False
