"""What a calibration found of a collection, as the catalog keeps it.

It is JSON under the key `calibration`, with the digest of the model that it was made with: of another model it says
nothing, and counts as none.
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
    """Up to which distances images are called what, and how sure that is."""

    model: str  # digest
    at: int  # seconds since 1970
    images: int  # of the collection, at that time
    compared: int  # of these, all pairs of which were compared
    edited: int  # of these, of which copies were made
    rate: float  # share of false pairs that near-duplicates may have
    is_measured: bool  # whether there were pairs enough for that
    rates: dict[str, Rate]  # by word
    recall: dict[str, dict[str, Share]] = field(default_factory=dict)  # by word, then by kind of edit
    labelled: dict[str, dict[str, Share]] = field(default_factory=dict)  # by word, of pairs said to be same, different
    equal: int = 0  # pairs with the same pixels, which are left out
    suspected: int = 0  # pairs left out that may show the same picture
    unread: int = 0  # near pairs that could not be looked at, and count as false
    merged: int = 0  # images left out at once, of a collection with many copies
    unfinished: bool = False  # whether there were too many near pairs to look at
    format: int = FORMAT

    @property
    def radii(self) -> Radii:
        """The three distances, in bits."""
        same, duplicate, similar = (self.rates[word].distance for word in WORDS)
        return Radii(same=max(0, same), duplicate=duplicate, similar=similar)

    def expected(self, word: str, *, images: int | None = None) -> tuple[float, float, float]:
        """How many false pairs are to be expected, at least and at most; in the collection as it was, or of a size."""
        count, found = self.images if images is None else images, self.rates[word]
        pairs = count * (count - 1) // 2
        return found.value * pairs, found.low * pairs, found.high * pairs

    def to_json(self) -> str:
        """What the catalog keeps."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """What the catalog kept. Raises `ValueError`, `KeyError` or `TypeError` for what is none."""
        values = json.loads(text)
        shares = {
            name: {word: {kind: Share(**one) for kind, one in kinds.items()} for word, kinds in values[name].items()}
            for name in ("recall", "labelled")
        }
        rates = {word: Rate(**values["rates"][word]) for word in WORDS}
        return cls(**{**values, **shares, "rates": rates})


def load(store: Store) -> Calibration | None:
    """The calibration that the store keeps of its model; none if there is none. Raises `DatabaseError`."""
    text = store.get(KEY)
    if not text:
        return None
    try:
        found = Calibration.from_json(text)
    except (ValueError, KeyError, TypeError) as error:
        place = store.place
        raise DatabaseError(
            f"the calibration in {place} cannot be read; drop it with: lookalike calibrate --db {place} --forget"
        ) from error
    return found if found.model == store.get("model") else None


def keep(store: FolderStore, text: str) -> None:
    """Store a calibration, or that there is none."""
    with store.changing():
        store.check_model()
        with store.transaction():
            store.set(KEY, text)
            store.touch()  # servers keep what they said until then


def replace(store: FolderStore, before: Calibration | None, found: Calibration) -> None:
    """Store a calibration. Raises `DatabaseError` if it is worth less than the one before."""
    if before is not None and before.edited and not found.edited:
        raise DatabaseError(
            f"none of the images could be read, and {store.place} was calibrated when they could; calibrate where "
            "the files are, or forget that first with: lookalike calibrate --forget. Nothing was changed"
        )
    keep(store, found.to_json())
