"""Ranking metrics in plain Python from their definitions; for ties they try every order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence


def average_precision(relevant: Sequence[bool], *, cutoff: int | None, denominator: str) -> float:
    """Average precision of one order: the sum of the precisions at the relevant ranks, divided by their number."""
    end = len(relevant) if cutoff is None else min(cutoff, len(relevant))
    found, total = 0, 0.0
    for rank, hit in enumerate(relevant[:end], start=1):
        if hit:
            found += 1
            total += found / rank
    below = found if denominator == "retrieved" else min(sum(relevant), end)
    return total / below if below else 0.0


def orders(distances: Sequence[int], relevant: Sequence[bool]) -> Iterator[list[bool]]:
    """Every order by ascending distance, with ties in any order."""
    ties = [
        list(itertools.permutations([r for d, r in zip(distances, relevant, strict=True) if d == distance]))
        for distance in sorted(set(distances))
    ]
    for parts in itertools.product(*ties):
        yield list(itertools.chain.from_iterable(parts))


def with_ties(
    distances: Sequence[int], relevant: Sequence[bool], *, cutoff: int | None, ties: str, denominator: str
) -> float:
    """Average precision by a rule for ties."""
    if ties == "expected":
        values = [average_precision(o, cutoff=cutoff, denominator=denominator) for o in orders(distances, relevant)]
        return sum(values) / len(values)
    first = {"optimistic": True, "pessimistic": False, "row-order": None}[ties]
    rows = sorted(range(len(distances)), key=lambda row: (distances[row], first is not None and relevant[row] != first))
    return average_precision([relevant[row] for row in rows], cutoff=cutoff, denominator=denominator)


def precision_recall_at(distances: Sequence[int], relevant: Sequence[bool], k: int) -> tuple[float, float]:
    """Expected precision and recall of the first k."""
    hits = [sum(order[:k]) for order in orders(distances, relevant)]
    mean = sum(hits) / len(hits)
    return mean / k, mean / sum(relevant) if any(relevant) else 0.0
