"""Exact search on a Milvus server, for collections too large for one machine.

The index is BIN_FLAT: Milvus compares a query with every code, on as many machines as the collection is spread over.
That is exact, as an engine promises.

Milvus returns at most 16,384 hits. Searches for more are done here, on a stream of the codes.

Shapes: N codes, Q queries, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes, check_bits
from lookalike.milvus.client import LARGEST, MilvusServer
from lookalike.search import check_codes, check_limits
from lookalike.search.hits import NONE, Hits, merged
from lookalike.search.scan import scan

FIRST = 1024  # hits requested at first by a search for everything within a radius
ANSWER = 1 << 18  # hits of all queries of a call, at most

Ids = npt.NDArray[np.int64]


class MilvusEngine:
    """Codes in a collection of a Milvus server; a row's number is its id there."""

    def __init__(self, bits: int, server: MilvusServer, name: str | None = None) -> None:
        """Opens the collection of that name (by default the address's), creating it if needed."""
        self.bits, self.server, self.name = check_bits(bits), server, name or server.address.name
        if server.description(self.name) is None:
            server.make(self.name, bits, {})
        server.load(self.name)

    def __len__(self) -> int:
        return self.server.count(self.name)

    def search(self, queries_QW: Codes, *, top: int | None, radius: int | None = None, where: str = "") -> list[Hits]:
        """The `top` nearest codes for each query, or all (`top=None`), within `radius` bits.

        `where` is a Milvus expression for those that may be found. Among equally distant codes at the end of `top`
        hits, any may be returned.
        """
        check_limits(top, radius)
        queries_QW, limit = check_codes(queries_QW, self.bits), self._limit(radius)
        most = None if top is None else int(top)
        found = self._asked(queries_QW, FIRST if most is None else min(most, LARGEST), most, limit, where)
        if most is None:
            self._complete(found, queries_QW, LARGEST, most, limit, where)
        open_ = [row for row, hits in enumerate(found) if hits is None]
        streamed = self._streamed(queries_QW[open_], most, limit, where) if open_ else []
        for row, hits in zip(open_, streamed, strict=True):
            found[row] = hits
        return [hits for hits in found if hits is not None]

    def blocks(self, where: str = "") -> Iterator[tuple[Ids, Codes]]:
        """Ids (N,), ascending, and codes (N, W) for which an expression holds, some thousands at a time."""
        for page in self.server.pages(self.name, where, ["id", "code"]):
            joined = b"".join(row["code"][0] for row in page)
            ids = np.fromiter((int(row["id"]) for row in page), np.int64, len(page))
            yield ids, np.frombuffer(joined, np.uint8).reshape(len(page), self.bits // 8)

    def _limit(self, radius: int | None) -> int:
        return self.bits if radius is None else min(int(radius), self.bits)

    def _asked(self, queries_QW: Codes, ask: int, top: int | None, limit: int, where: str) -> list[Hits | None]:
        """Results of a Milvus search for `ask` hits; None where there may be more."""
        found: list[Hits | None] = []
        step = max(1, ANSWER // ask)
        for start in range(0, len(queries_QW), step):
            queries = [query.tobytes() for query in queries_QW[start : start + step]]
            for pairs in self.server.nearest(self.name, queries, limit=ask, where=where):
                whole = len(pairs) < ask or ask == top or pairs[-1][1] > limit
                found.append(_hits(pairs, limit) if whole else None)
        return found

    def _complete(
        self, found: list[Hits | None], queries_QW: Codes, ask: int, top: int | None, limit: int, where: str
    ) -> None:
        """Search again where there may be more."""
        rows = [row for row, hits in enumerate(found) if hits is None]
        for row, hits in zip(rows, self._asked(queries_QW[rows], ask, top, limit, where), strict=True):
            found[row] = hits

    def _streamed(self, queries_QW: Codes, top: int | None, limit: int, where: str) -> list[Hits]:
        """Results of scanning the codes as a stream."""
        found = [NONE] * len(queries_QW)
        for ids, codes_NW in self.blocks(where):
            here = scan(codes_NW, queries_QW, top=top, radius=limit)
            found = [
                merged([before, Hits(ids[hits.rows], hits.distances)], top=top)
                for before, hits in zip(found, here, strict=True)
            ]
        return found


def _hits(pairs: list[tuple[int, int]], limit: int) -> Hits:
    """Ids and distances up to a limit, sorted by distance, then id."""
    kept = sorted((distance, id_) for id_, distance in pairs if distance <= limit)
    return Hits(np.array([id_ for _, id_ in kept], np.int64), np.array([distance for distance, _ in kept], np.int32))
