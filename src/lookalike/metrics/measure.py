"""All metrics of labelled codes at once, as `lookalike evaluate` prints them.

Shapes: Q queries, N database images, W bytes a code, D distances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from lookalike.core.display import printable
from lookalike.core.errors import CodeError, DataError
from lookalike.data import arrays
from lookalike.metrics import nearest, ranking
from lookalike.metrics.bits import bit_use
from lookalike.metrics.collisions import collisions
from lookalike.metrics.counts import Counts, Problem, check, check_among, check_codes, count
from lookalike.metrics.precision import Denominator, Ties

CUTOFF = 1_000  # of the mAP in most hashing papers; 5,000 for NUS-WIDE
RANKS = (1, 10, 100, 1_000)
RADII = (0, 1, 2)
QUERIES = 10_000  # sample size if every image of a collection could be a query
DENOMINATORS: tuple[Denominator, ...] = get_args(Denominator)
DIGITS = 6  # of every number
FOUR = ("query_codes", "query_labels", "database_codes", "database_labels")  # arrays in a file

Values = dict[str, Any]  # JSON-compatible


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Metrics of labelled codes; fields named `chance` are for meaningless codes."""

    queries: int
    database: int
    bits: int
    without_relevant: int  # queries without relevant images; they count as 0
    map: Values  # over the whole database, by each tie rule, and chance
    map_at_cutoff: Values  # over the first ranks, with both denominators, and chance
    precision_at: Values  # by rank
    recall_at: Values
    precision_within: Values  # by radius
    empty_within: Values  # queries with no image within the radius
    nearest: Values  # the paper's precision, recall and F1, and the share of agreement
    nearest_chance: Values
    collisions: Values  # among queries and database together
    bit_use: Values
    curve_by_rank: Values
    curve_by_radius: Values
    distances: Values  # number of pairs at each distance, relevant and other

    def values(self) -> Values:
        """A JSON-compatible dictionary, with six digits a number."""
        rounded: Values = _rounded(asdict(self))
        return rounded


def measure(
    query_codes: npt.ArrayLike,
    query_labels: npt.ArrayLike,
    database_codes: npt.ArrayLike,
    database_labels: npt.ArrayLike,
    *,
    cutoff: int = CUTOFF,
) -> Evaluation:
    """All metrics of packed codes, uint8 (Q, W) and (N, W), with labels as in `ranking.mean_average_precision`.

    `cutoff` is that of the mAP@R in hashing papers.
    """
    return _of_problem(check(query_codes, query_labels, database_codes, database_labels), cutoff=cutoff)


def measure_among(codes: npt.ArrayLike, labels: npt.ArrayLike, *, seed: int = 0, cutoff: int = CUTOFF) -> Evaluation:
    """All metrics of one collection, each image searched among the others; samples at most `QUERIES` queries."""
    count = len(check_codes(codes, "the"))
    queries = np.random.default_rng(seed).permutation(count)[:QUERIES] if count > QUERIES else np.arange(count)
    return _of_problem(check_among(codes, labels, queries=np.sort(queries)), cutoff=cutoff)


def measure_file(path: Path, *, seed: int = 0, cutoff: int = CUTOFF) -> Evaluation:
    """All metrics of the codes in an `.npz` file.

    It must contain query_codes, query_labels, database_codes and database_labels, or codes and labels of one
    collection, as `arrays.codes_of` and `arrays.labels_of` take them. Raises `DataError` otherwise.
    """
    loaded = arrays.read_arrays(path, (*FOUR, "codes", "labels"))
    try:
        if set(FOUR) <= set(loaded):
            queries, database = (arrays.codes_of(loaded[f"{name}_codes"], name) for name in ("query", "database"))
            query_labels, labels = arrays.labels_of(loaded["query_labels"], loaded["database_labels"])
            return measure(queries, query_labels, database, labels, cutoff=cutoff)
        if {"codes", "labels"} <= set(loaded):
            (labels,) = arrays.labels_of(loaded["labels"])
            return measure_among(arrays.codes_of(loaded["codes"], "the"), labels, seed=seed, cutoff=cutoff)
    except (CodeError, DataError) as error:
        raise type(error)(f"{path}: {error}") from error
    raise DataError(
        f"{path} contains {', '.join(map(printable, arrays.array_names(path)[:10])) or 'nothing'}; expected "
        f"{', '.join(FOUR)}, or codes and labels of one collection"
    )


def _of_problem(problem: Problem, *, cutoff: int = CUTOFF) -> Evaluation:
    """All metrics of validated codes and labels."""
    counts = count(problem)
    parts = [problem.database_codes] if problem.own_Q is not None else [problem.query_codes, problem.database_codes]
    everything = np.concatenate(parts)
    found, use = collisions(everything), bit_use(everything)
    last = counts.total
    ranks = [rank for rank in RANKS if rank <= last]
    radii = [radius for radius in RADII if radius <= problem.bits]
    cutoff = min(cutoff, last)
    by_rows = ranking.by_rows(problem, [(None, "relevant"), *((cutoff, one) for one in DENOMINATORS)])
    return Evaluation(
        queries=len(problem.query_codes),
        database=last,
        bits=problem.bits,
        without_relevant=ranking.chance(counts).without_relevant,
        map=_map(counts, by_rows[0]),
        map_at_cutoff=_map_at_cutoff(counts, cutoff, dict(zip(DENOMINATORS, by_rows[1:], strict=True))),
        precision_at={str(k): float(ranking.precision_at(counts, k)) for k in ranks}
        | {"chance": float((counts.relevant_Q / last).mean())},
        recall_at={str(k): float(ranking.recall_at(counts, k)) for k in ranks},
        precision_within={str(r): float(ranking.precision_within(counts, r)) for r in radii},
        empty_within={str(r): ranking.empty_within(counts, r) for r in radii},
        nearest=nearest.of_problem(problem)._asdict(),
        nearest_chance=nearest.chance(problem)._asdict(),
        collisions=found._asdict() | {"ratio": found.ratio, "chance_ratio": found.chance_ratio},
        bit_use={name: value for name, value in use._asdict().items() if name != "balance_K"},
        curve_by_rank=_curve(ranking.curve_by_rank(counts)),
        curve_by_radius=_curve(ranking.curve_by_radius(counts)),
        distances={
            "relevant": counts.relevant_QD.sum(axis=0).tolist(),
            "other": (counts.items_QD - counts.relevant_QD).sum(axis=0).tolist(),
        },
    )


def _map(counts: Counts, by_rows: float) -> Values:
    rules: tuple[Ties, ...] = ("expected", "optimistic", "pessimistic")
    return {
        **{ties: float(ranking.mean_of_counts(counts, ties=ties)) for ties in rules},
        "row-order": float(by_rows),
        "chance": float(ranking.chance(counts)),
    }


def _map_at_cutoff(counts: Counts, cutoff: int, by_rows: Mapping[Denominator, float]) -> Values:
    values: Values = {"cutoff": cutoff}
    for denominator in DENOMINATORS:
        values[denominator] = {
            "expected": float(ranking.mean_of_counts(counts, cutoff=cutoff, denominator=denominator)),
            "row-order": float(by_rows[denominator]),
            "chance": float(ranking.chance(counts, cutoff=cutoff, denominator=denominator)),
        }
    return values


def _curve(curve: ranking.Curve) -> Values:
    return {name: values.tolist() for name, values in curve._asdict().items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(value, DIGITS) if isinstance(value, float) else value
