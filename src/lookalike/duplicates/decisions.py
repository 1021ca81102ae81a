"""What people decided about a database's images: made, listed, undone."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence

from lookalike.core.errors import ConfigError, DatabaseError, DataError
from lookalike.duplicates import verdicts
from lookalike.duplicates.verdicts import Known
from lookalike.store.catalog import Catalog
from lookalike.store.decisions import Decided, Decision, Kind


class Decisions:
    """The decisions of a database in a folder. They can be made while another process indexes."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._turn = threading.Lock()  # a connection has one transaction at a time

    @property
    def version(self) -> int:
        """A number that changes whenever decisions do, whichever process makes them."""
        return self._catalog.decisions.version

    def known(self) -> Known:
        """All of them, to be asked about contents."""
        return Known(self._catalog.decisions.all())

    def count(self, kind: Kind | None = None) -> int:
        """How many there are, or of a kind."""
        return self._catalog.decisions.count(kind)

    def find(self, id_: int) -> Decision | None:
        """The one with an id."""
        return self._catalog.decisions.find(id_)

    def newest(self, *, before: int | None = None, top: int = -1, kind: Kind | None = None) -> list[Decision]:
        """At most `top` of them (−1: all), the newest first; those older than the one with an id, and of a kind, if
        these are given.
        """
        return self._catalog.decisions.page(before=before, top=top, kind=kind)

    def ids(self, images: Sequence[Decided]) -> list[int | None]:
        """The images of a decision as they are there now: by path, or else another of the same content, or none."""
        found = []
        for one in images:
            records = self._catalog.with_digest(one.digest)
            here = [record.id for record in records if record.name == one.name]
            found.append(next(iter(here or [record.id for record in records]), None))
        return found

    def make(self, kind: Kind | str, ids: Sequence[int], *, chosen: Collection[int] = ()) -> Decision:
        """Decide about images: `keep` those that are chosen, the rest of them may go; `different`: the chosen are no
        duplicates of the rest, or with none chosen, none is one of another; `later`: look at them another time.

        Raises `DataError` for images that are not there, or whose contents are not known, `ConfigError` for what is no
        decision.
        """
        if kind not in list(Kind):
            raise ConfigError(f"kind is {kind!r}; it must be one of {', '.join(Kind)}")
        records = self._catalog.records(sorted(set(ids)))
        absent = set(ids) - records.keys()
        if absent:
            raise DataError(f"there is no image {min(absent)}")
        if len(records) < 2:
            raise ConfigError("a decision is about at least two images")
        about = verdicts.images(Kind(kind), list(records.values()), set(chosen))
        with self._turn, self._catalog.transaction():
            return self._catalog.decisions.add(Kind(kind), about)

    def undo(self, id_: int) -> Decision:
        """Forget a decision; which it was. Raises `DataError` if there is none with that id."""
        found = self._catalog.decisions.find(id_)
        if found is None:
            raise DataError(f"there is no decision {id_}")
        with self._turn, self._catalog.transaction():
            self._catalog.decisions.drop([id_])
        return found


class NoDecisions(Decisions):
    """Those of a database that keeps none."""

    def __init__(self, place: str) -> None:
        self._place = place

    @property
    def version(self) -> int:
        return 0

    def known(self) -> Known:
        return Known()

    def count(self, kind: Kind | None = None) -> int:
        return 0

    def find(self, id_: int) -> Decision | None:
        return None

    def newest(self, *, before: int | None = None, top: int = -1, kind: Kind | None = None) -> list[Decision]:
        return []

    def make(self, kind: Kind | str, ids: Sequence[int], *, chosen: Collection[int] = ()) -> Decision:
        raise self._refusal()

    def undo(self, id_: int) -> Decision:
        raise self._refusal()

    def _refusal(self) -> DatabaseError:
        return DatabaseError(
            f"{self._place} is in Milvus, which keeps no decisions; use a database in a folder for them"
        )
