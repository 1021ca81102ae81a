"""When images were taken: by the metadata of their files, or else by the files' times.

The catalog does not keep metadata, so files are read, but only those of the hits that a search proposes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from lookalike import data
from lookalike.core.errors import ConfigError, LookalikeError
from lookalike.verification.verdict import Relation

if TYPE_CHECKING:
    from lookalike.database.search import Found
    from lookalike.imaging.isolation.decoders import Decoders
    from lookalike.store.records import Record

MOST = 1000  # hits of a search that are looked at
_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])([ T]([01]\d|2[0-3])(:[0-5]\d(:[0-5]\d)?)?)?)?)?")


class Taken(NamedTuple):
    """When an image was taken, as "2024-05-01 10:00:00" ("" if unknown), and what says so."""

    at: str
    by: str  # "metadata" or "file time"


class _Period(NamedTuple):
    """A period of time; its ends are dates, or beginnings of dates, and included. "" is open."""

    first: str
    last: str

    def holds(self, at: str) -> bool:
        """Whether a time is in it.

        >>> period("2024-05..2024").holds("2024-12-31 23:59:59"), period("..2023").holds("2024-01-01 00:00:00")
        (True, False)
        """
        return bool(at) and at[: len(self.first)] >= self.first and at[: len(self.last)] <= self.last


def period(text: str) -> _Period:
    """The period that a text such as `2024-05-01..2024-06` names. Raises `ConfigError`.

    >>> period("2024-05"), period("2024-05-01T10..")
    (_Period(first='2024-05', last='2024-05'), _Period(first='2024-05-01 10', last=''))
    """
    first, mark, last = text.partition("..")
    last = last if mark else first
    if not (first or last) or not all(_DATE.fullmatch(end) for end in (first, last) if end):
        raise ConfigError(
            f"--taken is {text!r}; expected dates such as 2024, 2024-05..2024-06, 2024-05-01..2024-05-14 or 2023.."
        )
    found = _Period(first.replace("T", " "), last.replace("T", " "))
    if first and last and found.first[: len(found.last)] > found.last:
        raise ConfigError(f"--taken is {text!r}, which ends before it begins; write the earlier date first")
    return found


def of(record: Record, decoders: Decoders) -> Taken:
    """When the image of a row was taken."""
    try:
        with decoders.opened(data.source(record.item)) as image:
            if at := image.taken():
                return Taken(at, "metadata")
    except (OSError, LookalikeError):  # out of reach, or damaged
        pass
    if record.mtime_ns < 0:
        return Taken("", "file time")
    return Taken(time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.mtime_ns / 1e9)), "file time")


def within(
    wanted: _Period | None, find: Callable[[int], Found], decoders: Decoders, *, top: int, verify: bool = True
) -> tuple[Found, dict[int, Taken]]:
    """The first `top` hits of a search that were taken in a period, and when each was, by id; of any time if None.

    `find` is asked for more and more hits until enough fit, or, if hits are verified, only different images follow.
    """
    known: dict[int, Taken] = {}
    if wanted is None:
        return find(top), known
    most = max(top, 10)
    while True:
        most = min(4 * most, max(MOST, top))
        found = find(most)
        for hit in found.hits:
            if hit.id not in known:
                known[hit.id] = of(found.records[hit.id], decoders)
        hits = [hit for hit in found.hits if wanted.holds(known[hit.id].at)]
        only_others = verify and bool(found.hits) and found.hits[-1].relation is Relation.DIFFERENT
        if len(hits) >= top or len(found.hits) < most or most >= MOST or only_others:
            return found._replace(hits=hits[:top]), known
