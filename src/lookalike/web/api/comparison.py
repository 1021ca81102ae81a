"""What two images are to each other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query

from lookalike import answers
from lookalike.database import Database
from lookalike.database.search import hit_of
from lookalike.duplicates.cleanup.companions import Folders
from lookalike.duplicates.review import words
from lookalike.imaging.evidence import Evidence
from lookalike.store.derived.verdicts import Pair
from lookalike.store.records import Record
from lookalike.web.api.failures import failures
from lookalike.web.api.rows import Rows, named
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.state import files
from lookalike.web.state.server import Server, Shared

router = APIRouter(prefix="/api/v1/comparison", tags=["images"])
First = Annotated[int, Query(alias="a", ge=1, le=(1 << 63) - 1, description="The first image.", examples=[1])]
Second = Annotated[int, Query(alias="b", ge=1, le=(1 << 63) - 1, description="The second image.", examples=[2])]


@router.get("", responses={200: {"model": answers.Comparison}, **failures(404, 422)})
async def compare_images(server: Shared, a: First, b: Second) -> JsonResponse:
    """What the second image is to the first, where they match, and what each has that the other lacks."""
    with server.collection.use() as database:
        one, other = await server.record(database, a), await server.record(database, b)
        found = await server.collection.run(database.verifier.between, Pair(one, other, mirrored=None))
        first, second = await _evidence(server, database, one), await _evidence(server, database, other)
        size = None if one.width is None or one.height is None else (one.width, one.height)
        hit = hit_of(other, database.bits, found, bits=database.bits, similar=-1, size=size)
        folders, rows = Folders(), Rows.of(server.settings, database)
        beside = [await server.collection.run(folders.companions, record.name) for record in (one, other)]
        return JsonResponse(
            answers.Comparison(
                a=rows.image(one), b=rows.image(other), relation=named(found.relation),
                words=words(replace(found, edits=hit.edits)), edits=hit.edits, done=hit.done,
                agreement=found.agreement, inliers=found.inliers, verified=found.verified, transform=found.transform,
                loses_a=_lost(first, second) + _left(*beside),
                loses_b=_lost(second, first) + _left(*beside[::-1]),
            )
        )  # fmt: skip


async def _evidence(server: Server, database: Database, record: Record) -> Evidence | None:
    """What an image's file says of its origin; None if it cannot be read."""
    try:
        return await server.decoders.evidence(await server.collection.run(files.read, database.path, record))
    except Problem:
        return None


def _lost(one: Evidence | None, other: Evidence | None) -> list[str]:
    """What the first file has, in words, and the second lacks."""
    if one is None:
        return []
    there = () if other is None else (*other.metadata.says, *other.extras)
    words = [word for word in (*one.metadata.says, *one.extras) if word not in there]
    if other is None:
        return words
    more = {
        "resolution": one.width * one.height > other.width * other.height,
        "colour depth": one.depth > other.depth,
        "animation": one.frames > other.frames,
        "lossless quality": one.lossless > other.lossless,
    }
    return words + [word for word, is_more in more.items() if is_more]


def _left(own: Sequence[str], others: Sequence[str]) -> list[str]:
    """Names of companion files that would go with an image, of kinds that the other image has none of."""
    kinds = {os.path.splitext(path)[1].lower() for path in others}
    return [os.path.basename(path) for path in own if os.path.splitext(path)[1].lower() not in kinds]
