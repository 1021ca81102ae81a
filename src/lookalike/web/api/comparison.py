"""Two images, aligned.

Shapes: H, W pixels.
"""

from __future__ import annotations

import io
from typing import Annotated, Any

import cv2
import numpy as np
from fastapi import APIRouter, Query
from PIL import Image
from starlette.responses import Response

from lookalike import answers
from lookalike.database import Database
from lookalike.duplicates.review import words
from lookalike.store.derived.verdicts import Pair
from lookalike.store.records import Record
from lookalike.verification.files import UNMOVED
from lookalike.verification.verdict import Relation, Verdict
from lookalike.web.api.failures import failures
from lookalike.web.api.images import binary
from lookalike.web.api.rows import Rows, named
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.state import files
from lookalike.web.state.server import Server, Shared

router = APIRouter(prefix="/api/v1/comparison", tags=["images"])
QUALITY = 85  # of the aligned picture
SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
First = Annotated[int, Query(alias="a", ge=1, le=(1 << 63) - 1, description="The first image.", examples=[1])]
Second = Annotated[int, Query(alias="b", ge=1, le=(1 << 63) - 1, description="The second image.", examples=[2])]


@router.get("", responses={200: {"model": answers.Comparison}, **failures(404, 422)})
async def compare_images(server: Shared, a: First, b: Second) -> JsonResponse:
    """What the second image is to the first, where they match, and what each has that the other lacks."""
    with server.collection.use() as database:
        one, other = await server.record(database, a), await server.record(database, b)
        found = await server.collection.run(_verdict, database, one, other)
        first, second = await _said(server, database, one), await _said(server, database, other)
        rows = Rows.of(server.settings, database)
        back = None if found.transform is None else np.linalg.inv(np.array(found.transform).reshape(3, 3))
        return JsonResponse(
            answers.Comparison(
                a=rows.image(one), b=rows.image(other), relation=named(found.relation), words=words(found),
                edits=found.edits, agreement=found.agreement, inliers=found.inliers, verified=found.verified,
                transform=found.transform, outline_a=None if back is None else _outline(back),
                outline_b=None if back is None else _outline(np.linalg.inv(back)),
                loses_a=[word for word in first if word not in second],
                loses_b=[word for word in second if word not in first],
            )
        )  # fmt: skip


@router.get("/aligned", response_class=Response, responses={**binary("image/webp"), **failures(404, 422)})
async def align_images(
    server: Shared,
    a: First,
    b: Second,
    side: Annotated[
        int, Query(ge=64, le=2048, description="Maximum pixels of the longer side.", examples=[1024])
    ] = 1024,
) -> Response:
    """The second image, moved onto the first; transparent where it shows nothing of it."""
    with server.collection.use() as database:
        one, other = await server.record(database, a), await server.record(database, b)
        found = await server.collection.run(_verdict, database, one, other)
        if found.transform is None:
            raise Problem(404, "these images do not align")
        pictures = [await _picture(server, database, record, side) for record in (one, other)]
    return Response(await server.collection.run(_moved, *pictures, found.transform), media_type="image/webp")


def _verdict(database: Database, one: Record, other: Record) -> Verdict:
    found = database.verifier.between(Pair(one, other, mirrored=None))
    if found.transform is None and found.relation in (Relation.EXACT, Relation.SAME_PIXELS):
        return Verdict(relation=found.relation, transform=UNMOVED, overlaps=(1.0, 1.0), agreement=1.0)
    return found


def _outline(matrix: Any) -> list[answers.Point] | None:
    """The part of a picture that the other one shows; `matrix` maps the other's points to it."""
    points = np.hstack([SQUARE, np.ones((4, 1))]) @ matrix.T
    if (points[:, 2] <= 1e-9).any():
        return None
    corners = np.asarray(points[:, :2] / points[:, 2:], np.float32)
    area, shared = cv2.intersectConvexConvex(corners, SQUARE.astype(np.float32))
    if area <= 0 or shared is None:
        return None
    return [(round(float(x), 5), round(float(y), 5)) for x, y in np.clip(shared.reshape(-1, 2), 0, 1)]


def _moved(first_HW: Any, second_HW: Any, transform: tuple[float, ...]) -> bytes:
    """The second picture as WebP, moved onto the first."""
    height, width = first_HW.shape[:2]
    sizes = [np.diag([picture.shape[1], picture.shape[0], 1.0]) for picture in (first_HW, second_HW)]
    back = sizes[0] @ np.linalg.inv(np.array(transform).reshape(3, 3)) @ np.linalg.inv(sizes[1])
    inside = np.full((*second_HW.shape[:2], 1), 255, np.uint8)
    moved = cv2.warpPerspective(np.concatenate([second_HW[..., :3], inside], axis=2), back, (width, height))
    out = io.BytesIO()
    Image.fromarray(np.asarray(moved, np.uint8)).save(out, "WEBP", quality=QUALITY)
    return out.getvalue()


async def _picture(server: Server, database: Database, record: Record, side: int) -> Any:
    content = await server.collection.run(files.read, database.path, record)
    return await server.decoders.picture(content, side)


async def _said(server: Server, database: Database, record: Record) -> tuple[str, ...]:
    """What an image's file says of how it was taken; nothing if it cannot be read."""
    try:
        content = await server.collection.run(files.read, database.path, record)
        return (await server.decoders.evidence(content)).metadata.says
    except Problem:
        return ()
