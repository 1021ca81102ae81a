"""Searches are correct, and nothing is lost, while other threads add and remove.

Shapes: N codes, W = 8 bytes a code.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lookalike.search import Engine
from lookalike.search.multi_index import MultiIndex
from lookalike.search.rows import Growing
from lookalike.search.scan import Scan

FIRST_NW = np.random.default_rng(1).integers(0, 256, (200, 8), np.uint8)
MAKE: dict[str, Callable[[], Engine]] = {
    "scan": lambda: Scan(64, codes_NW=FIRST_NW),
    "tables": lambda: MultiIndex(64, codes_NW=FIRST_NW, least=100),
}


@pytest.mark.parametrize("kind", MAKE)
def test_nothing_is_lost_while_threads_add_and_search(kind: str) -> None:
    engine = MAKE[kind]()
    codes_NW = np.random.default_rng(0).integers(0, 256, (4_000, 8), np.uint8)
    done = threading.Event()

    def add(part_NW: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> None:
        for start in range(0, len(part_NW), 10):
            rows = engine.add(part_NW[start : start + 10])
            assert [hits.rows[0] for hits in engine.search(part_NW[start : start + 10], top=1)] == rows.tolist()

    def search() -> None:
        while not done.is_set():
            for hits in engine.search(codes_NW[::500], top=3):
                assert (np.diff(hits.distances) >= 0).all()

    with ThreadPoolExecutor(6) as pool:
        searches = [pool.submit(search) for _ in range(2)]
        additions = [pool.submit(add, part) for part in np.split(codes_NW, 4)]
        for one in additions:
            one.result()
        done.set()
        for one in searches:
            one.result()
    assert len(engine) == 4_200
    assert all(hits.distances[0] == 0 for hits in engine.search(codes_NW, top=1))


def test_what_a_reader_was_given_stays() -> None:
    growing = Growing(np.arange(3))
    before = growing.all
    for number in range(3, 50):
        growing.append(np.array([number]))
    assert before.tolist() == [0, 1, 2]
    assert growing.all.tolist() == list(range(50))
    assert len(growing) == 50
