"""Searches: codes propose images, and pixels say what these are to the query.

Candidates are the images nearest to the query's own code, or to that of one of its variants (`hasher.variants`). They
are verified, nearest first; for all other hits, and where nothing can be verified, codes decide.

Shapes: N images, V variants of a query and itself, K bits, W bytes a code, T hits.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.core.codes import Codes, hamming
from lookalike.core.errors import ConfigError, ImageError
from lookalike.core.parallel import cores, in_order
from lookalike.hasher import Hasher, variants
from lookalike.imaging import files, given, thumbnails
from lookalike.imaging.decode import Array
from lookalike.search import asymmetric as weighting
from lookalike.search.hits import Hits
from lookalike.store.derived import code_array
from lookalike.store.derived.results import Hit
from lookalike.store.derived.verdicts import Pair, Verifier
from lookalike.store.folder import FolderStore
from lookalike.store.protocol import Store
from lookalike.store.records import Filter, Record
from lookalike.verification import edits, looks
from lookalike.verification.verdict import EXACT, Picture, Relation, Verdict

if TYPE_CHECKING:
    from lookalike.duplicates.variant_codes import VariantSearch
    from lookalike.imaging.isolation.decoders import Decoders, Source
    from lookalike.verification.edits import Size

# A pair takes about 13 ms of a core, the 22 codes of a query 60 ms, and decoding it 10: on two cores, 32 candidates are
# answered in 0.3 s. Smaller collections are verified as a whole.
# Where the last of them are copies, too, MORE are verified at a time, up to MOST.
CANDIDATES, MORE, MOST = 32, 16, 128
LIKELY = 12  # candidates, the nearest, for which low-information images are worth a close look
CLEAR = 10 / 64  # share of the bits within which codes of parts propose: they are near to many images beyond that
NARROW = ("part", "middle 0.62")  # the variants that this holds for
THEIRS, THEIR_REACH = "theirs", 12 / 64  # variants of images, and share of the bits within which these propose
PARTS_EACH = 4  # variants of one image that may be near a query
EITHER = 2  # bits: a candidate that is as near to the mirrored query, but for these, is compared both ways
LEAST_SIDE = 96  # pixels of an array from which it can be verified
SAME_AGREEMENT = 0.99  # from which pixels may all be the same
UNSEEN = Verdict(relation=Relation.DIFFERENT, verified=False)


class QueryImage(NamedTuple):
    """An image that is searched for."""

    code_W: Codes
    array: Array | None = None  # as the model takes it
    frames: Sequence[Array] = ()  # as verification sees it (`ImageFile.frames`); none: it cannot be verified
    digest: bytes | None = None  # of its bytes
    size: Size | None = None  # pixels
    source: Source | None = None  # what its pixels can be read from again
    record: Record | None = None  # its row, if it is an image of the database


class Limits(NamedTuple):
    """What a search may find."""

    top: int | None = 10
    radius: int | None = None  # bits, of the query's own code
    only: Filter | None = None


class Found(NamedTuple):
    """The hits of one query, the rows that they stand for by id, and how many candidates could not be verified."""

    hits: list[Hit]
    records: Mapping[int, Record]
    unverified: int = 0


Candidates = dict[int, bool | None]  # ids, nearest first, and whether each is compared with the query mirrored


def query_of(source: Source, hasher: Hasher, decoders: Decoders, *, verify: bool = True) -> QueryImage:
    """A query that is read from a file or encoded bytes. Raises `ImageError` or `OSError`."""
    with decoders.opened(source) as image:
        found, frames = image.array(hasher.spec), image.frames(looks.CLOSE) if verify else []
    code_W = hasher.encode_arrays(found.array[None])[0]
    return QueryImage(code_W, found.array, frames, image.digest, (found.width, found.height), source)


def query_of_any(image: Any, hasher: Hasher, decoders: Decoders) -> QueryImage:
    """A query that is an array of the model's shape, or what `given.source_of` takes. Raises `ImageError`."""
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.shape == hasher.spec.shape:
        code_W = hasher.encode([image])[0]
        shown = image if image.ndim == 3 else np.stack([image] * 3, axis=2)
        return QueryImage(code_W, image, [shown] if min(shown.shape[:2]) >= LEAST_SIDE else [])
    source = given.source_of(image)
    try:
        return query_of(source, hasher, decoders)
    except (OSError, ValueError, ImageError) as error:  # ValueError: a name that no file can have
        name = "" if isinstance(source, bytes) else f"{os.fspath(source)}: "
        raise ImageError(f"{name}{getattr(error, 'strerror', None) or error}") from error


def query_of_record(record: Record, verifier: Verifier) -> QueryImage:
    """A query that is an image of the database and has a code."""
    seen = verifier.seen(record)
    frames = [] if seen is None else [picture.pixels for picture in seen.frames]
    code_W = np.frombuffer(record.code or b"", np.uint8)
    size = (record.width, record.height) if record.width and record.height else None
    return QueryImage(code_W, None, frames, record.digest, size, record=record)


def digest_of(image: Any) -> bytes | None:
    """The digest of an image's bytes; None for what is not encoded. Raises `OSError`."""
    if isinstance(image, str | os.PathLike):
        return files.content_digest(files.read(image))
    return files.content_digest(image) if isinstance(image, bytes) else None


def propose(
    query: QueryImage, store: Store, hasher: Hasher, limits: Limits, variant_search: VariantSearch | None = None
) -> tuple[Candidates, list[int]]:
    """The images to be verified, and the ids of all that the query's own code finds.

    With a `variant_search`, images whose variants are like the query are proposed, too, unless there is a radius.
    """
    most = None if limits.top is None else max(limits.top, CANDIDATES)
    (own,) = store.search(query.code_W[None], top=most, radius=limits.radius, only=limits.only)
    ids = own.rows.tolist()
    if limits.radius is not None:
        return dict.fromkeys(ids[:CANDIDATES], False), ids
    return _candidates(query, store, hasher, limits.only, variant_search), ids


def _candidates(
    query: QueryImage, store: Store, hasher: Hasher, only: Filter | None, variant_search: VariantSearch | None
) -> Candidates:
    """What the codes of a query and of its variants propose: copies of its bytes, then the nearest."""
    codes_VW = query.code_W[None]
    if query.frames:
        picture = np.ascontiguousarray(query.frames[0][..., :3])
        codes_VW = np.concatenate([codes_VW, hasher.encode_arrays(variants.variants(picture, hasher.spec))])
    found: Candidates = dict.fromkeys(_with_digest(store, query.digest, only), False)
    names, hits = ["", *variants.VARIANTS][: len(codes_VW)], store.search(codes_VW, top=MOST, only=only)
    if variant_search is not None:
        among = None if only is None else store.passing_ids(only)
        names += [THEIRS, f"mirrored {THEIRS}"]
        hits += variant_search.nearest(
            query.code_W, top=PARTS_EACH * CANDIDATES, radius=int(THEIR_REACH * store.bits), among=among
        )
    nearest = _merged(dict(zip(names, hits, strict=True)), bits=store.bits)
    return dict(itertools.islice((found | nearest).items(), MOST))


def verified(
    query: QueryImage, proposed: Candidates, others: Iterable[int], store: Store, verifier: Verifier, *, similar: int
) -> Found:
    """Hits, the closest relation first: candidates are verified, and codes decide about others.

    `similar`: bits up to which images are called similar if they are nothing more.
    """
    verdicts = _verdicts(query, proposed, store, verifier) if query.frames else {}
    seen = verdicts or list(proposed)[:CANDIDATES]
    records = store.records(list(dict.fromkeys([*seen, *others])))
    codes = {id_: np.frombuffer(record.code, np.uint8) for id_, record in records.items() if record.code is not None}
    distances_T = hamming(query.code_W[None], np.stack(list(codes.values())))[0] if codes else np.empty(0, np.int32)
    hits = [
        hit_of(records[id_], distance, verdicts.get(id_, UNSEEN), bits=store.bits, similar=similar, size=query.size)
        for id_, distance in zip(codes, distances_T.tolist(), strict=True)
    ]
    hits.sort(key=lambda hit: (hit.relation.rank, -_shared(verdicts.get(hit.id, UNSEEN)), hit.distance, hit.id))
    return Found(hits, records, sum(not verdict.verified for verdict in verdicts.values()))


def _verdicts(query: QueryImage, proposed: Candidates, store: Store, verifier: Verifier) -> dict[int, Verdict]:
    """Verdicts on the nearest candidates by id, and on more of them as long as the last ones are copies."""
    judge, likely = _judge(query, verifier), frozenset(itertools.islice(proposed, LIKELY))
    verdicts = dict[int, Verdict]()
    for start in (0, *range(CANDIDATES, MOST, MORE)):
        ids = list(proposed)[start : start + (MORE if start else CANDIDATES)]
        records = store.records(ids)
        verifier.load(records)
        there = [records[id_] for id_ in ids if id_ in records]
        found = list(in_order(lambda one: judge(one, proposed[one.id], one.id in likely), there, workers=cores()))
        verdicts |= {record.id: verdict for record, verdict in zip(there, found, strict=True)}
        if not any(verdict.relation.is_copy for verdict in found[-MORE:]):
            break
    return verdicts


def by_codes(
    codes_NW: Codes, store: Store, limits: Limits, *, similar: int, digests: Sequence[bytes | None] = ()
) -> tuple[list[list[Hit]], Mapping[int, Record]]:
    """Hits by codes alone, nearest first, and their rows by id; with the digests of queries, equal files are exact."""
    found = store.search(codes_NW, top=limits.top, radius=limits.radius, only=limits.only)
    records = store.records(sorted({id_ for hits in found for id_ in hits.rows.tolist()}))
    known = digests or [None] * len(found)
    named = [
        [
            hit_of(
                record,
                distance,
                EXACT if digest is not None and digest == record.digest else UNSEEN,
                bits=store.bits,
                similar=similar,
            )
            for id_, distance in zip(hits.rows.tolist(), hits.distances.tolist(), strict=True)
            if (record := records.get(id_)) is not None  # else it was removed in the meantime
        ]
        for hits, digest in zip(found, known, strict=True)
    ]
    return named, records


def hit_of(
    record: Record, distance: int, verdict: Verdict, *, bits: int, similar: int, size: Size | None = None
) -> Hit:
    """A hit; where pixels find no relation, or were not looked at, its distance says whether it is similar.

    `size`: that of the query, if it is known.
    """
    relation, sizes = verdict.relation, None
    if relation is Relation.EDITED and size is not None and record.width and record.height:
        sizes = size, (record.width, record.height)
        verdict = edits.with_sizes(verdict, sizes)
    if relation is Relation.DIFFERENT and distance <= similar:
        relation = Relation.SIMILAR
    return Hit(
        path=record.name, distance=distance, bits=bits, relation=relation, label=record.label, id=record.id,
        edits=verdict.edits, done=", ".join(edits.words(verdict, sizes)), inliers=verdict.inliers,
        agreement=verdict.agreement, transform=verdict.transform, verified=verdict.verified,
    )  # fmt: skip


def asymmetric(hasher: Hasher, array: Array, store: FolderStore, *, top: int, only: Filter | None) -> dict[int, float]:
    """The images nearest by weighted distance, nearest first, and that distance."""
    codes = store.code_array()
    mask = None if only is None else code_array.passing(codes.ids_N, store.passing(only))
    found = weighting.nearest(codes.codes_NW, above_threshold(hasher, array), top=top, among=mask)
    return dict(zip(codes.ids_N[found.rows].tolist(), found.distances.tolist(), strict=True))


def above_threshold(hasher: Hasher, array: Array) -> npt.NDArray[np.float32]:
    """How far an image's latent lies above the threshold in each bit, (K,)."""
    if hasher.theta is None:
        raise ConfigError(
            f"the file of {hasher.name} does not say its threshold, which an asymmetric search needs; search without it"
        )
    return np.asarray(hasher.latents(array[None])[0] - hasher.theta, np.float32)


def _shared(verdict: Verdict) -> float:
    """How much of both pictures is the same: a whole copy comes before one of a part."""
    return round(verdict.agreement * min(verdict.overlaps), 2)


def _judge(query: QueryImage, verifier: Verifier) -> Callable[[Record, bool | None, bool], Verdict]:
    """A function that says what an image is to the query, which may have to be mirrored (None: either way).

    Its last argument: whether low-information images are worth a close look (`looks.verdict`).
    """
    if (own := query.record) is not None:
        return lambda record, mirrored, insist: verifier.between(Pair(own, record, mirrored, insist))
    small = [np.asarray(thumbnails.within(Image.fromarray(frame), thumbnails.SIDE)) for frame in query.frames]
    close = Picture(query.frames[0])
    seen = looks.Seen(small, lambda: close)

    def judge(record: Record, mirrored: bool | None, insist: bool) -> Verdict:
        if query.digest is not None and query.digest == record.digest:
            return EXACT
        found = verifier.of_query(seen, record, mirrored=mirrored, insist=insist)
        may_be_same = found.relation is Relation.EDITED and found.agreement >= SAME_AGREEMENT
        if may_be_same and query.source is not None and query.size == (record.width, record.height):
            return verifier.same_pixels(found, query.source, record)
        return found

    return judge


def _with_digest(store: Store, digest: bytes | None, only: Filter | None) -> list[int]:
    """Ids of images that have the bytes of a query: where many have equal codes, they may not be among the nearest."""
    rows = [] if digest is None else store.with_digest(digest)
    ids = [row.id for row in rows if row.code is not None and row.missing_since is None]
    return ids if only is None or not ids else np.intersect1d(ids, store.passing_ids(only)).tolist()


def _merged(found: Mapping[str, Hits], *, bits: int) -> Candidates:
    """What the codes of a query and its variants found, by their names: each image once, the nearest first."""
    nearest, mirrored = dict[int, int](), dict[int, int]()
    for name, hits in found.items():
        most = int(CLEAR * bits) if name.startswith(NARROW) else bits
        best = mirrored if name.startswith("mirrored") else nearest
        for id_, distance in zip(hits.rows.tolist(), hits.distances.tolist(), strict=True):
            if distance <= min(most, best.get(id_, bits)):
                best[id_] = distance
    both = {id_: (nearest.get(id_, bits + EITHER), mirrored.get(id_, bits + EITHER)) for id_ in nearest | mirrored}
    return {
        id_: None if abs(upright - turned) <= EITHER else turned < upright
        for id_, (upright, turned) in sorted(both.items(), key=lambda one: (min(one[1]), one[0]))
    }
