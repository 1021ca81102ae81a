"""Rankings with ties: closed forms against all orders, tests that catch wrong metrics, an independent library.

Shapes: Q queries, N database images, W bytes a code, C classes.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core import codes as coding
from lookalike.core.errors import CodeError, ConfigError, DataError
from lookalike.metrics import counts, nearest, precision, ranking
from lookalike.metrics.precision import Ties
from lookalike.metrics.ranking import mean_average_precision
from tests.references import bitcount
from tests.references import ranking as oracle

TIES = ("expected", "optimistic", "pessimistic", "row-order")
DENOMINATORS = ("relevant", "retrieved")
VARIANTS = list(itertools.product(TIES, DENOMINATORS, (None, 1, 2, 3, 5, 100)))
Codes = npt.NDArray[np.uint8]

SMALL = st.integers(1, 6).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from([0, 1, 3, 7]), min_size=n, max_size=n),
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
    )
)


def few_codes(rng: np.random.Generator, count: int, *, bits: int = 16, kinds: int = 40) -> Codes:
    """Codes with many ties."""
    pool = rng.integers(0, 256, (kinds, bits // 8), dtype=np.uint8)
    return pool[rng.integers(0, kinds, count)]


def problem(seed: int = 0, *, queries: int = 40, database: int = 300, bits: int = 16, classes: int = 5) -> Any:
    rng = np.random.default_rng(seed)
    return (
        few_codes(rng, queries, bits=bits),
        rng.integers(0, classes, queries),
        few_codes(rng, database, bits=bits),
        rng.integers(0, classes, database),
    )


@given(SMALL, st.sampled_from(VARIANTS))
def test_every_variant_is_what_trying_all_orders_gives(
    small: tuple[list[int], list[int]], variant: tuple[str, str, int | None]
) -> None:
    values, labels = small
    ties, denominator, cutoff = variant
    options: Any = {"cutoff": cutoff, "ties": ties, "denominator": denominator}
    database = np.array(values, np.uint8)[:, None]
    found = mean_average_precision(np.zeros((1, 1), np.uint8), [1], database, labels, **options)
    distances = [bitcount.distance([0], [value]) for value in values]
    assert found == pytest.approx(oracle.with_ties(distances, [label == 1 for label in labels], **options), abs=1e-12)


@given(SMALL, st.integers(1, 6))
def test_precision_and_recall_at_a_rank_are_expectations(small: tuple[list[int], list[int]], k: int) -> None:
    values, labels = small
    k = min(k, len(values))
    database = np.array(values, np.uint8)[:, None]
    found = counts.count(counts.check(np.zeros((1, 1), np.uint8), [1], database, labels))
    distances = [bitcount.distance([0], [value]) for value in values]
    expected = oracle.precision_recall_at(distances, [label == 1 for label in labels], k)
    assert (ranking.precision_at(found, k), ranking.recall_at(found, k)) == pytest.approx(expected)
    curve = ranking.curve_by_rank(found, [k])
    assert (curve.precision[0], curve.recall[0]) == pytest.approx(expected)


@pytest.mark.parametrize("denominator", DENOMINATORS)
@pytest.mark.parametrize("cutoff", [None, 7, 100])
def test_expected_is_the_mean_over_random_orders(denominator: Any, cutoff: int | None) -> None:
    query, query_labels, database, labels = problem(3, queries=1, database=60)
    rng = np.random.default_rng(1)
    found = mean_average_precision(query, query_labels, database, labels, cutoff=cutoff, denominator=denominator)
    values = []
    for _ in range(20_000):
        order = rng.permutation(len(database))
        distances = coding.hamming(query, database[order])[0]
        relevant = (labels[order] == query_labels[0])[np.argsort(distances, kind="stable")]
        ranks = np.flatnonzero(relevant[:cutoff]) + 1
        total = len(ranks) if denominator == "retrieved" else min(int(relevant.sum()), cutoff or len(relevant))
        values.append((np.arange(1, len(ranks) + 1) / ranks).sum() / total if total else 0.0)
    assert found == pytest.approx(np.mean(values), abs=1e-3 + 3 * np.std(values) / np.sqrt(len(values)))


@pytest.mark.parametrize("variant", list(itertools.product(("expected", "optimistic", "pessimistic"), DENOMINATORS)))
@pytest.mark.parametrize("cutoff", [None, 20])
def test_the_order_of_the_database_means_nothing(variant: tuple[Any, Any], cutoff: int | None) -> None:
    query, query_labels, database, labels = problem(1)
    options: Any = {"cutoff": cutoff, "ties": variant[0], "denominator": variant[1]}
    order = np.random.default_rng(2).permutation(len(database))
    first = mean_average_precision(query, query_labels, database, labels, **options)
    second = mean_average_precision(query, query_labels, database[order], labels[order], **options)
    assert first == second


def test_the_order_of_the_database_is_what_row_order_is_about() -> None:
    constant = np.zeros((100, 2), np.uint8)
    labels = np.repeat(np.arange(10), 10)
    first = mean_average_precision(constant[:1], [0], constant, labels, ties="row-order", cutoff=10)
    last = mean_average_precision(constant[:1], [9], constant, labels, ties="row-order", cutoff=10)
    assert (first, last) == (1.0, 0.0)


@pytest.mark.parametrize(("ties", "denominator"), list(itertools.product(TIES, DENOMINATORS)))
def test_what_classes_are_called_means_nothing(ties: Any, denominator: Any) -> None:
    query, query_labels, database, labels = problem(4)
    named_anew = np.array([3, 0, 4, 2, 1])  # a product of class numbers as relevance would change
    options: Any = {"ties": ties, "denominator": denominator, "cutoff": 50}
    first = mean_average_precision(query, query_labels, database, labels, **options)
    assert first == mean_average_precision(query, named_anew[query_labels], database, named_anew[labels], **options)


@pytest.mark.parametrize("cutoff", [None, 50])
@pytest.mark.parametrize("denominator", DENOMINATORS)
def test_codes_without_meaning_have_chance(cutoff: int | None, denominator: Any) -> None:
    rng = np.random.default_rng(5)
    labels, query_labels = rng.integers(0, 10, 5000), rng.integers(0, 10, 300)
    options: Any = {"cutoff": cutoff, "denominator": denominator}
    constant = np.zeros((5000, 8), np.uint8)
    tied = counts.count(counts.check(constant[:300], query_labels, constant, labels))
    chance = ranking.chance(tied, **options)
    assert ranking.mean_of_counts(tied, **options) == pytest.approx(chance, abs=1e-12)
    random = [rng.integers(0, 256, (n, 8), dtype=np.uint8) for n in (300, 5000)]
    found = mean_average_precision(random[0], query_labels, random[1], labels, **options)
    spread = np.std(found.per_query) / np.sqrt(len(found.per_query))
    assert found == pytest.approx(chance, abs=4 * spread)
    if cutoff is None:
        assert chance == pytest.approx(0.1, abs=0.003)


@pytest.mark.parametrize(("ties", "denominator"), list(itertools.product(TIES, DENOMINATORS)))
@pytest.mark.parametrize("cutoff", [None, 5, 1000])
def test_codes_that_are_the_labels_have_1(ties: Any, denominator: Any, cutoff: int | None) -> None:
    rng = np.random.default_rng(6)
    labels, query_labels = rng.integers(0, 4, 200), rng.integers(0, 4, 30)
    words = np.array([[0, 0], [255, 0], [0, 255], [255, 255]], np.uint8)
    options: Any = {"cutoff": cutoff, "ties": ties, "denominator": denominator}
    found = mean_average_precision(words[query_labels], query_labels, words[labels], labels, **options)
    assert float(found) == 1


@pytest.mark.parametrize("cutoff", [None, 10, 100])
def test_bounds_enclose_the_expectation_and_every_order(cutoff: int | None) -> None:
    query, query_labels, database, labels = problem(7)
    low, mean, high, rows = (
        mean_average_precision(query, query_labels, database, labels, cutoff=cutoff, ties=ties)
        for ties in ("pessimistic", "expected", "optimistic", "row-order")
    )
    assert low < mean < high
    assert low < rows < high


def test_several_labels_are_relevant_if_one_is_shared() -> None:
    rng = np.random.default_rng(8)
    query, database = few_codes(rng, 20), few_codes(rng, 100)
    query_labels, labels = rng.random((20, 6)) < 0.2, rng.random((100, 6)) < 0.2
    found = mean_average_precision(query, query_labels, database, labels, ties="row-order", cutoff=30)
    for row in range(20):
        relevant = [bool((query_labels[row] & labels[i]).any()) for i in range(100)]
        distances = [bitcount.distance(query[row].tolist(), database[i].tolist()) for i in range(100)]
        expected = oracle.with_ties(distances, relevant, cutoff=30, ties="row-order", denominator="relevant")
        assert found.per_query[row] == pytest.approx(expected)
    one_hot = [np.eye(5, dtype=bool)[labels] for labels in (problem()[1], problem()[3])]
    single = mean_average_precision(*problem())
    assert mean_average_precision(problem()[0], one_hot[0], problem()[2], one_hot[1]) == single


@pytest.mark.parametrize("bits", [8, 64, 72, 256, 512])
def test_blocks_make_no_difference(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = counts.count(counts.check(*problem(9, bits=bits)))
    by_rows = mean_average_precision(*problem(9, bits=bits), ties="row-order")
    query, _, database, _ = problem(9, bits=bits)
    for row in (0, 17):
        distances = [bitcount.distance(query[row].tolist(), code) for code in database.tolist()]
        assert np.bincount(distances, minlength=bits + 1).tolist() == whole.items_QD[row].tolist()
    monkeypatch.setattr(counts, "PART", 37)
    monkeypatch.setattr(counts, "PAIRED", 0)
    monkeypatch.setattr(precision, "BLOCK", 7)
    again = counts.count(counts.check(*problem(9, bits=bits)))
    assert np.array_equal(whole.items_QD, again.items_QD)
    assert np.array_equal(whole.relevant_QD, again.relevant_QD)
    assert mean_average_precision(*problem(9, bits=bits), ties="row-order") == by_rows
    assert ranking.mean_of_counts(again) == ranking.mean_of_counts(whole)


@pytest.mark.parametrize("cutoff", [None, 10, 100])
def test_rankings_without_ties_agree_with_pytrec_eval(cutoff: int | None) -> None:
    rng = np.random.default_rng(10)
    bits = 256
    queries, query_labels = np.zeros((25, bits // 8), np.uint8), rng.integers(0, 6, 25)
    steps = np.packbits(np.tri(bits, dtype=bool)[:, ::-1], axis=1)  # at distances 1, 2, …, 256 from zero
    order = rng.permutation(bits)
    database, labels = steps[order], rng.integers(0, 6, bits)
    found = mean_average_precision(queries, query_labels, database, labels, cutoff=cutoff)
    measure = "map" if cutoff is None else f"map_cut_{cutoff}"
    truth = {str(q): {str(i): int(labels[i] == c) for i in range(bits)} for q, c in enumerate(query_labels)}
    run = {str(q): {str(i): float(bits - order[i]) for i in range(bits)} for q in range(25)}
    theirs = pytrec_eval.RelevanceEvaluator(truth, {"map", "map_cut"}).evaluate(run)
    for q in range(25):
        total = sum(truth[str(q)].values())
        scale = 1 if cutoff is None else total / min(total, cutoff)  # trec_eval divides by all relevant ones
        assert found.per_query[q] == pytest.approx(theirs[str(q)][measure] * scale, abs=1e-9)


@pytest.mark.parametrize("ties", ["expected", "row-order"])
def test_queries_with_nothing_relevant_count_0_and_are_reported(ties: Ties) -> None:
    query, _, database, labels = problem(11)
    query_labels = np.full(len(query), 99)
    query_labels[:10] = 0
    found = mean_average_precision(query, query_labels, database, labels, ties=ties)
    assert found.without_relevant == 30
    assert found == pytest.approx(found.per_query[:10].sum() / 40)
    assert found.per_query[10:].tolist() == [0.0] * 30


def test_radius_counts_an_empty_ball_as_0() -> None:
    query = np.array([[0], [255]], np.uint8)
    database = np.array([[0], [1], [3]], np.uint8)
    found = counts.count(counts.check(query, [1, 1], database, [1, 0, 1]))
    assert ranking.precision_within(found, 1).per_query.tolist() == [0.5, 0.0]
    assert ranking.precision_within(found, 2).per_query.tolist() == pytest.approx([2 / 3, 0.0])
    assert ranking.empty_within(found, 2) == 1
    curve = ranking.curve_by_radius(found)
    assert curve.recall[[0, 2, 8]].tolist() == [0.25, 0.5, 1.0]
    assert len(curve.at) == 9


@pytest.mark.parametrize("bits", [16, 256])
def test_a_query_that_is_in_the_database_is_not_its_own_answer(bits: int) -> None:
    _, _, database, labels = problem(12, database=60, bits=bits)
    queries = np.array([0, 13, 59])
    among = counts.check_among(database, labels, queries=queries)
    found, by_rows = counts.count(among), ranking.by_rows(among, [(None, "relevant")])[0]
    for number, row in enumerate(queries):
        others = np.delete(np.arange(60), row)
        alone = counts.check(database[[row]], labels[[row]], database[others], labels[others])
        assert np.array_equal(counts.count(alone).items_QD[0], found.items_QD[number])
        assert np.array_equal(counts.count(alone).relevant_QD[0], found.relevant_QD[number])
        assert by_rows.per_query[number] == ranking.by_rows(alone, [(None, "relevant")])[0]
        for function in (nearest.of_problem, nearest.chance):
            one = counts.check_among(database, labels, queries=[row])
            assert function(one) == pytest.approx(function(alone))
    assert len(counts.check_among(database, labels).query_codes) == 60
    with pytest.raises(DataError, match="expected 2 or more, got 1"):
        counts.check_among(database[:1], labels[:1])


def test_harmonic_numbers_are_exact_where_the_series_takes_over() -> None:
    n = np.array([255, 256, 257, 300, 100_000])
    expected = [float(np.sum(1 / np.arange(1.0, k + 1)[::-1])) for k in n]
    assert precision._harmonic(n) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"ties": "random"}, ConfigError, "ties is 'random'; it must be one of expected, optimistic"),
        ({"denominator": "all"}, ConfigError, "denominator is 'all'; it must be one of relevant, retrieved"),
        ({"cutoff": 0}, ConfigError, "cutoff is 0"),
        ({"query_codes": np.zeros((40, 3), np.uint8)}, CodeError, "query codes have 24 bits, database codes 16"),
        ({"query_codes": np.zeros((40, 2))}, CodeError, "query codes are float64"),
        ({"database_codes": np.zeros((0, 2), np.uint8), "database_labels": []}, CodeError, "at least one"),
        ({"query_labels": [1, 2]}, DataError, r"query labels have shape \(2,\); for 40 codes"),
        ({"query_labels": [0.5] * 40}, DataError, "query labels are float64"),
        ({"query_labels": np.zeros((40, 5), bool)}, DataError, "both must be integers, or booleans"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(change: dict[str, Any], error: type[Exception], said: str) -> None:
    names = ("query_codes", "query_labels", "database_codes", "database_labels")
    with pytest.raises(error, match=said):
        mean_average_precision(**{**dict(zip(names, problem(), strict=True)), **change})
    with pytest.raises(ConfigError, match="order of rows"):
        precision.average_precision(counts.count(counts.check(*problem())), ties="row-order")
