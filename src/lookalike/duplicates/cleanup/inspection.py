"""Inspection of the files in groups: which ones share all pixels, and facts about each copy. Each file is read once.

Only images of the same size can share pixels. A file that is unreadable, has changed since it was indexed, or cannot be
compared in full, is never called the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from types import MappingProxyType
from typing import NamedTuple

from lookalike import data
from lookalike.core.errors import LookalikeError
from lookalike.core.limits import MAX_PIXELS
from lookalike.core.parallel import cores, in_order
from lookalike.core.progress import Progress, silent
from lookalike.duplicates.cleanup.facts import Facts, of_group
from lookalike.imaging.evidence import Evidence
from lookalike.imaging.isolation import pool
from lookalike.imaging.isolation.decoders import Decoders
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.store.records import Record

WITH_SAMPLES = 48  # contents of a group whose samples are in memory at once
WORKERS = min(4, cores())


class Inspection(NamedTuple):
    """Results by content digest."""

    pixels: Mapping[bytes, bytes] = MappingProxyType({})  # pixel digests
    facts: Mapping[bytes, Facts] = MappingProxyType({})


class InspectedFile(NamedTuple):
    """Results for one file; None: not requested, or unreadable."""

    pixels: bytes | None = None
    evidence: Evidence | None = None


def to_inspect(groups: Iterable[Sequence[Record]]) -> list[list[Record]]:
    """For each group with several contents, one record of each content; other groups need not be read."""
    selected = []
    for group in groups:
        by_digest = {record.digest: record for record in reversed(group) if record.digest is not None}
        if len(by_digest) > 1:
            selected.append([by_digest[digest] for digest in sorted(by_digest)])
    return selected


def may_share_pixels(groups: Iterable[Sequence[Record]]) -> set[bytes]:
    """Contents with the same image size as another one in their group."""
    digests_found: set[bytes] = set()
    for group in groups:
        by_size: dict[tuple[int, int], set[bytes]] = {}
        for record in group:
            if record.digest and record.width and record.height:
                by_size.setdefault((record.width, record.height), set()).add(record.digest)
        digests_found.update(*(digests for digests in by_size.values() if len(digests) > 1))
    return digests_found


def read(
    groups: Iterable[Sequence[Record]],
    *,
    pixels: bool = True,
    facts: bool = True,
    max_pixels: int = MAX_PIXELS,
    progress: Progress = silent,
) -> Inspection:
    """Inspect the files of groups in worker processes, reading only what is needed."""
    groups = to_inspect(groups)
    alike = may_share_pixels(groups) if pixels else set()
    if not facts:
        groups = [members for group in groups if (members := [record for record in group if record.digest in alike])]
    if not groups:
        return Inspection()
    with pool.make_decoders(DecodeLimits.of(max_pixels), workers=WORKERS) as decoders:
        return read_with(
            groups, lambda record: _seen(record, decoders, pixels=record.digest in alike, facts=facts), progress
        )


def read_with(
    groups: Sequence[Sequence[Record]], read: Callable[[Record], InspectedFile], progress: Progress = silent
) -> Inspection:
    """Inspect groups with a given function, for one record of each content."""
    pixels: dict[bytes, bytes] = {}
    facts: dict[bytes, Facts] = {}
    done, total = 0, sum(map(len, groups))
    with closing(in_order(read, itertools.chain.from_iterable(groups), workers=WORKERS)) as seen:
        for group in groups:
            evidence: dict[bytes, Evidence] = {}
            for record, one in zip(group, seen, strict=False):
                digest = record.digest or b""
                if one.pixels is not None:
                    pixels[digest] = one.pixels
                if one.evidence is not None:
                    too_many = len(evidence) >= WITH_SAMPLES
                    evidence[digest] = one.evidence.without_samples() if too_many else one.evidence
                done += 1
                progress("inspecting files", done, total)
            facts.update(of_group(evidence))
    return Inspection(pixels, facts)


def _seen(record: Record, decoders: Decoders, *, pixels: bool, facts: bool) -> InspectedFile:
    result = InspectedFile()
    try:
        with decoders.opened(data.source(record.item)) as image:
            if image.digest != record.digest:
                return result
            if facts:
                result = result._replace(evidence=image.evidence())
            if pixels:
                result = result._replace(pixels=image.pixel_digest())
    except (OSError, LookalikeError):
        pass
    return result
