"""The same tests for every engine, against counting bits in plain Python.

Shapes: N codes, Q queries, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.codes import Codes
from lookalike.core.errors import CodeError, ConfigError
from lookalike.milvus.client import MilvusServer, parse
from lookalike.milvus.engine import MilvusEngine
from lookalike.search import Hits, check_limits
from lookalike.search.multi_index import MultiIndex
from lookalike.search.scan import Scan
from tests.milvus_server import Running
from tests.references import bitcount

Engine = Scan | MilvusEngine
Make = Callable[[Codes], Engine]
LOCAL: dict[str, Make] = {
    "scan": lambda codes_NW: Scan(8 * codes_NW.shape[1], codes_NW=codes_NW),
    "tables": lambda codes_NW: MultiIndex(8 * codes_NW.shape[1], codes_NW=codes_NW, least=0),
}
INEXACT_ENDS = (MultiIndex, MilvusEngine)  # may return any of the codes tied for the last places
WIDTHS = (1, 2, 8, 9, 16, 64)
LIMITS: list[tuple[int | None, int | None]] = [
    (1, None), (3, None), (1000, None), (None, 0), (None, 3), (None, 10_000), (5, 4), (1000, 0), (2, 600), (1, 0),
]  # fmt: skip


def assert_same(engine: Engine, codes_NW: Codes, queries_QW: Codes, top: int | None, radius: int | None) -> None:
    found = engine.search(queries_QW, top=top, radius=radius)
    assert len(found) == len(queries_QW)
    for hits, query in zip(found, queries_QW.tolist(), strict=True):
        assert hits.rows.dtype == np.int64
        assert hits.distances.dtype == np.int32
        numbered = list(enumerate(codes_NW.tolist()))
        expected = bitcount.search(numbered, query, top=top, radius=radius)
        every = bitcount.search(numbered, query, top=None, radius=8 * len(query))
        assert_are_nearest(hits, expected, every, any_of_last=isinstance(engine, INEXACT_ENDS))


def assert_are_nearest(
    hits: Hits, expected: list[tuple[int, int]], every: list[tuple[int, int]], *, any_of_last: bool
) -> None:
    """The expected hits; with `any_of_last`, hits at the largest distance may be others at that distance."""
    found = list(zip(hits.rows.tolist(), hits.distances.tolist(), strict=True))
    if not any_of_last or found == expected:
        assert found == expected
        return
    last = expected[-1][1]
    assert [distance for _, distance in found] == [distance for _, distance in expected]
    assert [one for one in found if one[1] < last] == [one for one in expected if one[1] < last]
    assert found == sorted(set(found), key=lambda one: (one[1], one[0]))
    assert set(found) <= set(every)


def near_copies(count: int, width: int, *, seed: int = 0, flips: int = 3) -> Codes:
    """Codes around a few centres, so that there are many ties and small distances."""
    random = np.random.default_rng([seed, count, width])
    codes_NW = random.integers(0, 256, (4, width), np.uint8)[random.integers(0, 4, count)]
    for _ in range(flips):
        codes_NW[np.arange(count), random.integers(0, width, count)] ^= np.uint8(1) << random.integers(
            0, 8, count
        ).astype(np.uint8)
    return codes_NW


@pytest.fixture(scope="module")
def remote(milvus: Running) -> Make:
    """Engines on a Milvus server that share one collection in turn, since a new one takes seconds."""
    server = MilvusServer(parse(milvus.address("contract")))

    def make(codes_NW: Codes) -> Engine:
        bits = 8 * codes_NW.shape[1]
        name = f"contract_{bits}"
        if server.description(name) is not None:
            server.remove(name, "id >= 0")
        engine = MilvusEngine(bits, server, name)
        server.put(name, ({"id": row, "code": code.tobytes()} for row, code in enumerate(codes_NW)))
        return engine

    return make


@pytest.fixture(params=[*LOCAL, pytest.param("milvus", marks=pytest.mark.slow)])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.getfixturevalue("remote") if request.param == "milvus" else LOCAL[request.param]
    return made


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_every_limit(make: Make, count: int, width: int) -> None:
    codes_NW = near_copies(count, width)
    engine = make(codes_NW)
    assert (len(engine), engine.bits) == (count, 8 * width)
    queries_QW = np.concatenate([codes_NW[:2], near_copies(3, width, seed=1), np.zeros((1, width), np.uint8)])
    for top, radius in LIMITS:
        assert_same(engine, codes_NW, queries_QW, top, radius)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("byte", [0, 255, 0x5A])
def test_equal_codes_come_in_the_order_of_their_rows(make: Make, byte: int, width: int) -> None:
    codes_NW = np.full((300, width), byte, np.uint8)
    engine = make(codes_NW)
    for top, radius in [(1, None), (10, None), (299, None), (10_000, None), (None, 0), (None, 8 * width), (4, 0)]:
        assert_same(engine, codes_NW, codes_NW[:1], top, radius)
        assert_same(engine, codes_NW, ~codes_NW[:1], top, radius)


def test_many_ties_in_a_large_collection(make: Make) -> None:
    random = np.random.default_rng(3)
    codes_NW = random.integers(0, 4, (20_000, 2), np.uint8)
    engine = make(codes_NW)
    for query in codes_NW[:4]:
        distances = np.bitwise_count(codes_NW ^ query).sum(1)
        order = np.lexsort((np.arange(20_000), distances))
        (hits,) = engine.search(query[None], top=3000)
        every = list(zip(order.tolist(), distances[order].tolist(), strict=True))
        assert_are_nearest(hits, every[:3000], every, any_of_last=isinstance(engine, INEXACT_ENDS))
        (all_hits,) = engine.search(query[None], top=None, radius=1)
        assert np.array_equal(all_hits.rows, order[: int((distances <= 1).sum())])


def test_no_queries_give_no_hits(make: Make) -> None:
    assert make(near_copies(3, 8)).search(np.empty((0, 8), np.uint8), top=3) == []


def test_codes_that_lie_apart_in_memory(make: Make) -> None:
    codes_NW = near_copies(30, 16)[::-1, ::2]
    assert not codes_NW.flags.c_contiguous
    assert_same(make(codes_NW), codes_NW, codes_NW[::3], 4, None)


@pytest.mark.parametrize("kind", [Scan, MultiIndex])
def test_codes_are_searched_where_they_are(kind: type[Scan | MultiIndex]) -> None:
    codes_NW = near_copies(30, 8)
    wrong: list[Any] = [codes_NW[:, :7], codes_NW.astype(np.int8)]
    for wrong_NW in wrong:
        with pytest.raises(CodeError, match=r"expected uint8 of shape \(N, 8\)"):
            kind(64, codes_NW=wrong_NW)
    engine = kind(64, codes_NW=codes_NW[:1])
    codes_NW[0] ^= 255
    (hits,) = engine.search(codes_NW[:1], top=1)
    assert hits.distances.tolist() == [0]


@pytest.mark.parametrize("kind", [Scan, MultiIndex])
def test_only_rows_that_are_asked_for_are_found(kind: type[Scan | MultiIndex]) -> None:
    codes_NW = near_copies(30, 8)
    engine, among = kind(64, codes_NW=codes_NW), np.arange(30) % 3 == 0
    numbered = [(row, code) for row, code in enumerate(codes_NW.tolist()) if among[row]]
    for top, radius in ((4, None), (1000, None), (None, 12)):
        found = engine.search(codes_NW[:3], top=top, radius=radius, among=among)
        for hits, query in zip(found, codes_NW[:3].tolist(), strict=True):
            every = bitcount.search(numbered, query, top=None, radius=64)
            expected = bitcount.search(numbered, query, top=top, radius=radius)
            assert_are_nearest(hits, expected, every, any_of_last=isinstance(engine, INEXACT_ENDS))


@pytest.mark.parametrize("wrong", [np.ones(29, bool), np.ones(30, np.uint8), np.ones((30, 1), bool)])
def test_a_mask_of_another_shape_or_type_is_refused(wrong: npt.NDArray[Any]) -> None:
    engine = Scan(64, codes_NW=near_copies(30, 8))
    with pytest.raises(CodeError, match=r"expected booleans of shape \(30,\)"):
        engine.search(near_copies(1, 8), top=1, among=wrong)


@pytest.mark.parametrize("radius", [64, 65, 10**6, 2**31 - 1, 2**31, 10**20])
def test_any_radius_beyond_the_length_finds_all(make: Make, radius: int) -> None:
    codes_NW = near_copies(9, 8)
    engine = make(codes_NW)
    assert_same(engine, codes_NW, codes_NW[:2], None, radius)
    assert_same(engine, codes_NW, codes_NW[:2], 3, radius)


def test_limits_may_be_numbers_of_numpy(make: Make) -> None:
    codes_NW = near_copies(9, 8)
    engine = make(codes_NW)
    top: Any = np.int64(4)
    radius: Any = np.int32(5)
    for limits in ((top, None), (None, radius), (top, radius)):
        assert_same(engine, codes_NW, codes_NW[:2], *limits)


WRONG: list[Any] = [
    np.zeros((1, 7), np.uint8), np.zeros((1, 9), np.uint8), np.zeros(8, np.uint8), np.zeros((1, 1, 8), np.uint8),
    np.zeros((1, 8), np.int8), np.zeros((1, 8), np.float32), np.zeros((1, 64), bool), [[0] * 8], "code",
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_codes_of_another_shape_or_type_are_refused(make: Make, wrong: Any) -> None:
    with pytest.raises(CodeError, match=r"expected uint8 of shape \(N, 8\)"):
        make(near_copies(3, 8)).search(wrong, top=1)


@pytest.mark.parametrize(
    ("top", "radius", "message"),
    [
        (None, None, "needs top, radius, or both"), (0, None, "top is 0; it must be at least 1"), (-3, 5, "top is -3"),
        (None, -1, "radius is -1 bits; it must be at least 0"), (5, -1, "radius is -1"),
    ],
)  # fmt: skip
def test_impossible_limits_are_refused(make: Make, top: int | None, radius: int | None, message: str) -> None:
    for count in (0, 3):
        engine = make(near_copies(count, 8))
        with pytest.raises(CodeError, match=message):
            engine.search(near_copies(1, 8), top=top, radius=radius)
    with pytest.raises(CodeError, match=message):
        check_limits(top, radius)


@pytest.mark.parametrize("bits", [0, 4, 12, 520])
def test_impossible_lengths_are_refused(bits: int) -> None:
    with pytest.raises(ConfigError):
        Scan(bits, codes_NW=near_copies(1, 8))


@pytest.mark.parametrize("name", LOCAL)
@given(
    values=st.lists(st.integers(0, 2**16 - 1), max_size=20), queries=st.lists(st.integers(0, 2**16 - 1), max_size=3),
    top=st.integers(1, 30), radius=st.integers(0, 20), width=st.sampled_from([2, 8, 9]),
)  # fmt: skip
def test_random_codes(name: str, values: list[int], queries: list[int], top: int, radius: int, width: int) -> None:
    codes_NW, queries_QW = _codes(values, width), _codes(queries, width)
    engine = LOCAL[name](codes_NW)
    for limits in ((top, None), (None, radius), (top, radius)):
        assert_same(engine, codes_NW, queries_QW, *limits)


def _codes(values: list[int], width: int) -> Codes:
    codes_NW: npt.NDArray[np.uint8] = np.zeros((len(values), width), np.uint8)
    codes_NW[:, 0] = [value >> 8 for value in values]
    codes_NW[:, -1] = [value & 255 for value in values]
    return codes_NW
