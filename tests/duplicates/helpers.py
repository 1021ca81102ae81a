"""The stages of the search for duplicates, put together for images that are only codes and names."""

from __future__ import annotations

from collections.abc import Sequence

from lookalike.core.codes import Codes
from lookalike.duplicates import graph, groups
from lookalike.duplicates.groups import RowGroup


def star(codes_NW: Codes, names: Sequence[str], *, radius: int) -> list[RowGroup]:
    """Groups by code alone."""
    return groups.stars(graph.candidates(codes_NW, radius), lambda rows: [names[row] for row in rows])
