"""Stored calibrations: how often a collection's answers were right when it was measured.

A calibration is JSON in the catalog under the key `calibration`. It has the digest of its model; with another model it
is void.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from lookalike.core.errors import DatabaseError
from lookalike.store.folder import FolderStore
from lookalike.store.protocol import Store

KEY = "calibration"
FORMAT = 2


@dataclass(frozen=True, slots=True)
class Rate:
    """A share, with its 95 % confidence interval."""

    count: int
    total: int
    low: float
    high: float  # if all that is suspected belonged to it
    suspected: int = 0  # besides `count`: may or may not belong to it

    @property
    def value(self) -> float:
        """count / total."""
        return self.count / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Rates of right and wrong answers, with their confidence."""

    model: str  # digest
    at: int  # seconds since 1970
    images: int  # of the collection, at that time
    similar: int  # bits: hits that are no copies are called similar up to here
    has_background: bool = False  # whether images from outside were searched, or else those of the collection
    per_query: Rate | None = None  # searches that call a different image a copy; None: an earlier version measured
    per_pair: Rate | None = None  # pairs of a query and an image
    copies: dict[str, Rate] = field(default_factory=dict)  # edited copies that are called copies, by kind of edit
    unverified: int = 0  # searches with candidates that could not be verified
    format: int = FORMAT

    def to_json(self) -> str:
        """The form stored in the catalog."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """The inverse of `to_json`. Raises `ValueError`, `KeyError` or `TypeError` if it is invalid."""
        values = json.loads(text)
        if values["format"] < FORMAT:  # distances of codes only
            distance = values["rates"]["similar"]["distance"]
            return cls(model=values["model"], at=values["at"], images=values["images"], similar=distance)
        rates = {name: Rate(**values[name]) if values[name] else None for name in ("per_query", "per_pair")}
        return cls(**{**values, **rates, "copies": {kind: Rate(**one) for kind, one in values["copies"].items()}})


def load(store: Store) -> Calibration | None:
    """The store's calibration for its model; None if there is none. Raises `DatabaseError`."""
    text = store.get(KEY)
    if not text:
        return None
    try:
        calibration = Calibration.from_json(text)
    except (ValueError, KeyError, TypeError) as error:
        place = store.location
        raise DatabaseError(
            f"the calibration in {place} is unreadable; drop it with: lookalike calibrate --db {place} --forget"
        ) from error
    return calibration if calibration.model == store.get("model") else None


def keep(store: FolderStore, text: str) -> None:
    """Store a calibration; an empty text removes it."""
    with store.changing():
        store.check_model()
        with store.transaction():
            store.set(KEY, text)
            store.touch()  # invalidates servers' caches
