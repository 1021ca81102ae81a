"""Stored calibrations: a collection's measured distance thresholds.

A calibration is JSON in the catalog under the key `calibration`. It has the digest of its model; with another model it
is void.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from lookalike.calibration.rates import Rate, Share
from lookalike.core.errors import DatabaseError
from lookalike.hasher import Radii
from lookalike.store.folder import FolderStore
from lookalike.store.protocol import Store

KEY = "calibration"
FORMAT = 1
WORDS = ("same", "near-duplicate", "similar")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Distance thresholds of the tiers, with their confidence."""

    model: str  # digest
    at: int  # seconds since 1970
    images: int  # of the collection, at that time
    compared: int  # images whose pairs were all compared
    edited: int  # images that were edited
    rate: float  # share of false pairs allowed among near-duplicates
    is_measured: bool  # whether there were enough pairs for that
    rates: dict[str, Rate]  # by tier
    recall: dict[str, dict[str, Share]] = field(default_factory=dict)  # by tier, then by kind of edit
    labelled: dict[str, dict[str, Share]] = field(default_factory=dict)  # by tier, of pairs labelled same, different
    equal: int = 0  # pairs with the same pixels, excluded
    suspected: int = 0  # pairs excluded because they may show the same picture
    unread: int = 0  # near pairs that could not be checked, counted as false
    merged: int = 0  # images excluded as copies of earlier ones
    unfinished: bool = False  # whether there were too many near pairs to check
    format: int = FORMAT

    @property
    def radii(self) -> Radii:
        """The three thresholds, in bits."""
        same, duplicate, similar = (self.rates[word].distance for word in WORDS)
        return Radii(same=max(0, same), duplicate=duplicate, similar=similar)

    def expected(self, word: str, *, images: int | None = None) -> tuple[float, float, float]:
        """Expected number of false pairs, with its lower and upper bound, in this collection or one of N images."""
        count, measured = self.images if images is None else images, self.rates[word]
        pairs = count * (count - 1) // 2
        return measured.value * pairs, measured.low * pairs, measured.high * pairs

    def to_json(self) -> str:
        """The form stored in the catalog."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """The inverse of `to_json`. Raises `ValueError`, `KeyError` or `TypeError` if it is invalid."""
        values = json.loads(text)
        shares = {
            name: {word: {kind: Share(**one) for kind, one in kinds.items()} for word, kinds in values[name].items()}
            for name in ("recall", "labelled")
        }
        rates = {word: Rate(**values["rates"][word]) for word in WORDS}
        return cls(**{**values, **shares, "rates": rates})


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


def replace(store: FolderStore, before: Calibration | None, new: Calibration) -> None:
    """Store a calibration. Raises `DatabaseError` if it is based on less evidence than the one before."""
    if before is not None and before.edited and not new.edited:
        raise DatabaseError(
            f"no image was readable, but {store.location} was calibrated when images were; calibrate where "
            "the files are, or drop that calibration first with: lookalike calibrate --forget. Nothing was changed"
        )
    keep(store, new.to_json())
