"""Read-only operations of a database: contents, searches, and the meaning of distances.

Modules that only some operations need are imported on demand.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

from lookalike.core.errors import ConfigError, Interrupted
from lookalike.core.limits import MAX_PIXELS
from lookalike.core.progress import Progress, silent
from lookalike.store.derived.results import Hit, Info
from lookalike.store.records import Filter, Record

if TYPE_CHECKING:
    from lookalike import data
    from lookalike.calibration.stored import Calibration
    from lookalike.core.codes import Codes
    from lookalike.database import Paths
    from lookalike.database.audit import AuditLog
    from lookalike.database.banks import Banks, Match
    from lookalike.database.evaluate import Measured
    from lookalike.database.neighbour_graph import NeighbourReport
    from lookalike.database.search import Candidates, Found, Limits, QueryImage
    from lookalike.duplicates.decisions import Decisions
    from lookalike.duplicates.variant_codes import VariantSearch
    from lookalike.hasher import Hasher
    from lookalike.imaging.isolation.decoders import Decoders
    from lookalike.imaging.listing import Listing
    from lookalike.store.derived.code_array import Ids
    from lookalike.store.derived.verdicts import Verifier
    from lookalike.store.protocol import Store
    from lookalike.store.scan_state import Unreachable

    Query = Any  # an array of the model's shape, or what `imaging.given.source_of` takes


class Reading:
    """The read-only part of an open database. Reading needs no lock."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._hasher: Hasher | None = None
        self._verifier: Verifier | None = None
        self._decoders: Decoders | None = None
        self._variants: tuple[int, VariantSearch] | None = None  # of a revision

    def close(self) -> None:
        """Release files and connections."""
        if self._verifier is not None:
            self._verifier.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Number of findable images."""
        return self.store.count()

    @property
    def path(self) -> str:
        """The folder or address."""
        return self.store.location

    @property
    def folder(self) -> Path:
        """The folder. Raises `ConfigError` for a database in Milvus."""
        return self.store.local("files of its own").folder

    @property
    def bits(self) -> int:
        """Length of a code in bits."""
        return self.store.bits

    @property
    def hasher(self) -> Hasher:
        """The model that made the codes. Raises `DatabaseError` if it is missing, damaged or another one."""
        self.store.check_model()
        if self._hasher is None:
            self._hasher = self.store.load_model()
        return self._hasher

    @cached_property
    def decisions(self) -> Decisions:
        """Users' decisions about duplicates."""
        from lookalike.duplicates.decisions import Decisions

        return Decisions(self.store)

    @cached_property
    def banks(self) -> Banks:
        """Named sets of images and of foreign hashes."""
        from lookalike.database.banks import Banks

        return Banks(self)

    # Contents: see `Store`

    def records(self) -> Iterator[Record]:
        """All rows, by id."""
        return self.store.all_records()

    def codes(self) -> tuple[Ids, Codes]:
        """Ids (N,), ascending, and codes (N, W) of all findable images."""
        found = self.store.code_array()
        return found.ids_N, found.codes_NW

    def records_of(self, ids: Sequence[int]) -> dict[int, Record]:
        """Rows by id; unknown ids are omitted."""
        return self.store.records(ids)

    def thumbnails(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Packed thumbnails (`imaging.thumbnails.unpack`) by id; images without any are omitted."""
        return self.store.thumbnails(ids)

    def labels(self) -> dict[str, int]:
        """Number of findable images by label."""
        return self.store.labels()

    @property
    def revision(self) -> int:
        """A number that grows with every change of the codes, by any process."""
        return self.store.revision

    def is_current(self) -> bool:
        """Whether the database was neither replaced nor indexed with another model since it was opened."""
        return self.store.is_current()

    def info(self) -> Info:
        """A summary of the database."""
        return Info.of(self.store, self.hasher, similar=self.similar, calibration=self.calibration)

    def unreachable(self) -> list[Unreachable]:
        """Folders and files that were unreachable or unreadable at the last scan."""
        return self.store.scan_state.unreachable()

    # Meaning of distances

    @property
    def calibration(self) -> Calibration | None:
        """The result of `calibrate` with this model; None if there is none."""
        if not self.store.get("calibration"):
            return None
        from lookalike.calibration import stored

        return stored.load(self.store)

    @property
    def similar(self) -> int:
        """The distance, in bits, up to which hits that are no copies are called similar: calibrated, or the model's."""
        found = self.calibration
        return self.hasher.info.similar if found is None else found.similar

    def duplicate_radius(self) -> int:
        """The distance, in bits, up to which images that cannot be verified count as copies.

        Raises `ConfigError` if there is none.
        """
        model = self.hasher
        if model.info.duplicate < 0:
            raise ConfigError(
                f"{model.name} gives different images equal codes, so it cannot identify copies; give --radius 0 "
                "to search anyway, or index with another model, such as the built-in one"
            )
        return model.info.duplicate

    # Searching

    @property
    def verifier(self) -> Verifier:
        """The verifier, which compares images by their pixels and caches what it has read."""
        if self._verifier is None:
            from lookalike.store.derived.verdicts import Verifier

            self._verifier = Verifier(self.store, self._decode_with())
        return self._verifier

    def decode_with(self, decoders: Decoders) -> None:
        """Decode images in these worker processes from now on."""
        self._decoders, self._verifier = decoders, None

    @overload
    def search(
        self, query: list[Any], *, top: int | None = 10, radius: int | None = None, only: Filter | None = None,
        verify: bool = True, thorough: bool = False,
    ) -> list[Listing[Hit]]: ...  # fmt: skip

    @overload
    def search(
        self, query: Query, *, top: int | None = 10, radius: int | None = None, only: Filter | None = None,
        verify: bool = True, thorough: bool = False,
    ) -> Listing[Hit]: ...  # fmt: skip

    def search(
        self, query: Any, *, top: int | None = 10, radius: int | None = None, only: Filter | None = None,
        verify: bool = True, thorough: bool = False,
    ) -> Listing[Hit] | list[Listing[Hit]]:  # fmt: skip
        """The images most closely related to a query: a path, bytes, a picture, an array (`imaging.given.source_of`).

        For a list of queries, a list with the hits of each; `search_many` also takes other iterables.
        Codes propose candidates, including mirrored, rotated, cropped and collaged ones; pixels verify them. Hits are
        sorted by relation, agreement and distance. With a `radius` (bits), only the query's own code proposes. Without
        `verify`, hits are the images with the nearest codes, nearest first. A `thorough` search also finds images of
        which the query is a part (`variant_search`).
        """
        queries = query if isinstance(query, list) else [query]
        found = self.search_many(queries, top=top, radius=radius, only=only, verify=verify, thorough=thorough)
        return found if isinstance(query, list) else found[0]

    def search_many(
        self, queries: Iterable[Query], *, top: int | None = 10, radius: int | None = None, only: Filter | None = None,
        verify: bool = True, thorough: bool = False,
    ) -> list[Listing[Hit]]:  # fmt: skip
        """Hits of `search` for each query."""
        from lookalike.database import search
        from lookalike.imaging.listing import Listing

        if verify:
            read = (search.query_of_any(query, self.hasher, self._decode_with()) for query in queries)
            limits: dict[str, Any] = {"top": top, "radius": radius, "only": only, "thorough": thorough}
            return [Listing(self.search_query(query, **limits).hits) for query in read]
        given = list(queries)
        codes_NW, digests = self.hasher.encode(given), [search.digest_of(query) for query in given]
        found, _ = search.by_codes(
            codes_NW, self.store, self._limits(top, radius, only), similar=self.similar, digests=digests
        )
        return list(map(Listing, found))

    def search_query(
        self, query: QueryImage, *, top: int | None = 10, radius: int | None = None, only: Filter | None = None,
        verify: bool = True, thorough: bool = False,
    ) -> Found:  # fmt: skip
        """Hits of `search` for a query that was already read, with their records."""
        from lookalike.database import search

        if verify:
            proposed = self.propose(query, top=top, radius=radius, only=only, thorough=thorough)
            return self.judge(query, *proposed, top=top)
        limits, similar = self._limits(top, radius, only), self.similar
        named, records = search.by_codes(
            query.code_W[None], self.store, limits, similar=similar, digests=[query.digest]
        )
        return search.Found(named[0], records)

    def propose(
        self, query: QueryImage, *, top: int | None = 10, radius: int | None = None, only: Filter | None = None,
        thorough: bool = False,
    ) -> tuple[Candidates, list[int]]:  # fmt: skip
        """Candidates to verify, and the ids of all images that the query's own code finds."""
        from lookalike.database import search

        variants = self.variant_search() if thorough else None
        return search.propose(query, self.store, self.hasher, self._limits(top, radius, only), variants)

    def variant_search(self, *, progress: Progress = silent) -> VariantSearch:
        """Finds images by the codes of their variants, which are encoded for new images (see `variant_codes`)."""
        store, revision = self.store.local("thorough searches (--thorough)"), self.revision
        if self._variants is None or self._variants[0] != revision:
            from lookalike.duplicates import variant_codes

            those = variant_codes.read(store, store.code_array(), lambda: self.hasher, progress=progress)
            self._variants = revision, variant_codes.VariantSearch(those)
        return self._variants[1]

    def judge(self, query: QueryImage, proposed: Candidates, others: Sequence[int], *, top: int | None) -> Found:
        """Hits, closest relation first: candidates judged by their pixels, others by codes."""
        from lookalike.database import search

        similar = self.similar
        found = search.verified(query, proposed, others, self.store, self.verifier, similar=similar)
        return found._replace(hits=found.hits[:top])

    def match(self, images: Any, *, banks: Iterable[str] = (), audit: AuditLog | None = None) -> Listing[Match]:
        """What images, one or many as `search` takes them, match in these banks, or in all of them; see `Match`."""
        from lookalike.imaging.listing import Listing

        return Listing(self.banks.match(images, banks, audit))

    def search_codes(
        self, codes_NW: Codes, *, top: int | None = 10, radius: int | None = None, only: Filter | None = None
    ) -> list[list[Hit]]:
        """The images nearest to each code, nearest first, equal distances in the order of indexing; not verified.

        With `only`, the `top` nearest images that pass a filter.
        """
        return self.search_records(codes_NW, top=top, radius=radius, only=only)[0]

    def search_records(
        self, codes_NW: Codes, *, top: int | None = 10, radius: int | None = None, only: Filter | None = None
    ) -> tuple[list[list[Hit]], Mapping[int, Record]]:
        """Hits of `search_codes`, and their records by id."""
        from lookalike.database import search

        return search.by_codes(codes_NW, self.store, self._limits(top, radius, only), similar=self.similar)

    def search_asymmetric(
        self, query: Query, *, top: int = 10, only: Filter | None = None, verify: bool = True
    ) -> list[Hit]:
        """Hits of `search` with bits weighted by the query's certainty (see `search.asymmetric`).

        `Hit.weighted_distance` is that distance. Every code is scanned. Raises `ConfigError` if the model file has no
        threshold.
        """
        from lookalike.database import search

        read = search.query_of_any(query, self.hasher, self._decode_with())
        return self.search_asymmetric_records(read, top=top, only=only, verify=verify).hits

    def search_asymmetric_records(
        self, query: QueryImage, *, top: int = 10, only: Filter | None = None, verify: bool = True
    ) -> Found:
        """Hits of `search_asymmetric` for a query that was already read, with their records."""
        from lookalike.database import search

        store, most = self.store.local("asymmetric search (--asymmetric)"), max(top, search.CANDIDATES)
        assert query.array is not None
        weighted = search.asymmetric(self.hasher, query.array, store, top=most if verify else top, only=only)
        proposed: Candidates = dict.fromkeys(list(weighted)[: search.CANDIDATES] if verify else [], False)
        found = self.judge(query, proposed, list(weighted), top=None)
        hits = [dataclasses.replace(hit, weighted_distance=weighted[hit.id]) for hit in found.hits]
        hits.sort(key=lambda hit: (verify and hit.relation.rank, verify and -hit.agreement, hit.weighted_distance))
        return found._replace(hits=hits[:top])

    def _limits(self, top: int | None, radius: int | None, only: Filter | None) -> Limits:
        from lookalike.core.codes import check_radius
        from lookalike.database.search import Limits
        from lookalike.search import check_limits

        check_radius(radius, self.bits)
        check_limits(top, radius)
        return Limits(top, radius, only)

    def _decode_with(self) -> Decoders:
        if self._decoders is None:
            from lookalike.imaging.isolation.decoders import Direct
            from lookalike.imaging.isolation.limits import DecodeLimits

            self._decoders = Direct(DecodeLimits.of(MAX_PIXELS))
        return self._decoders

    def neighbours(
        self, path: Paths, *, top: int = 10, verify: bool = True, progress: Progress = silent
    ) -> NeighbourReport:
        """Write the `top` nearest images of each image to a Parquet or `.npy` file (see `neighbour_graph`).

        A Parquet file includes verdicts; a `.npy` file, or one without `verify`, has only distances. Intermediate
        results are kept: after Ctrl-C, which raises `Interrupted`, or a crash, the same call resumes.
        """
        from lookalike.database import neighbour_graph
        from lookalike.store.derived.verdicts import verifying

        store = self.store.local("neighbour graphs")
        try:
            with verifying(store) if verify and Path(path).suffix == ".parquet" else nullcontext() as verifier:
                return neighbour_graph.write(
                    Path(path), store, top=top, verifier=verifier, similar=self.similar, progress=progress
                )
        except KeyboardInterrupt:
            raise Interrupted("Stopped. The same command resumes from here") from None

    def evaluate(
        self, queries: data.Paths | None = None, *, seed: int = 0, cutoff: int = 1000, max_pixels: int = MAX_PIXELS
    ) -> Measured:
        """How well codes find images with the same label: each image among the others, or labelled `queries` among all.

        Raises `DatabaseError` if no image has a label, `DataError` if no query can be used.
        """
        from lookalike import data
        from lookalike.database import evaluate

        labelled = evaluate.labelled(self.records())
        if queries is None:
            return evaluate.among(labelled, seed=seed, cutoff=cutoff)
        items = data.find(queries, labels_from_folders=True)
        return evaluate.from_outside(labelled, items, self.hasher, max_pixels=max_pixels, cutoff=cutoff)
