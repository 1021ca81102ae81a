"""The stages of the search for duplicates, put together for images that are only codes, names and thumbnails."""

from __future__ import annotations

from collections.abc import Sequence

from lookalike.core.codes import Codes
from lookalike.core.progress import Progress, silent
from lookalike.duplicates import graph, groups
from lookalike.duplicates.groups import RowGroup
from lookalike.duplicates.verification import Thumbnails, Verified, verify


def star(codes_NW: Codes, names: Sequence[str], *, radius: int) -> list[RowGroup]:
    """Groups by code alone."""
    return groups.stars(graph.candidates(codes_NW, radius), lambda rows: [names[row] for row in rows])


def verified(
    codes_NW: Codes, names: Sequence[str], thumbnails: Thumbnails, *, radius: int, progress: Progress = silent
) -> tuple[list[RowGroup], Verified]:
    """Groups of images whose pictures match, and what verification came to."""
    found = verify(graph.candidates(codes_NW, radius), thumbnails, progress=progress)
    return groups.stars(found.graph, lambda rows: [names[row] for row in rows]), found
