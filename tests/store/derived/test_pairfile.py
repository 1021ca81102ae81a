"""Pairs are stored as they are found: an interrupted search resumes, a finished one is not repeated.

Shapes: N codes, W = 8 bytes a code.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import filelock
import numpy as np
import pytest

from lookalike.core.codes import Codes
from lookalike.database import Database
from lookalike.duplicates.request import DuplicateSearch
from lookalike.search import all_pairs
from lookalike.search.hits import Pairs
from lookalike.store.derived import pairfile

RADIUS = 6


@pytest.fixture
def codes_NW(monkeypatch: pytest.MonkeyPatch) -> Codes:
    monkeypatch.setattr(pairfile, "LEAST", 100)
    monkeypatch.setattr(all_pairs, "BLOCK", 100)
    random = np.random.default_rng(0)
    centres = random.integers(0, 256, (50, 8), np.uint8)
    near: Codes = centres[random.integers(0, 50, 1_000)] ^ random.integers(0, 2, (1_000, 8), np.uint8)
    return near


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows at which comparisons started."""
    begins: list[int] = []
    plain = all_pairs.pairs_within

    def noted(codes_NW: Codes, *, radius: int, begin: int = 0) -> Iterator[tuple[int, Pairs]]:
        begins.append(begin)
        return plain(codes_NW, radius=radius, begin=begin)

    monkeypatch.setattr(all_pairs, "pairs_within", noted)
    return begins


def pairs_of(blocks: Iterator[tuple[int, Pairs]]) -> list[tuple[int, int, int]]:
    found = [np.stack(pairs, axis=1) for _, pairs in blocks]
    return [tuple(row) for row in np.concatenate(found).tolist()]


def test_pairs_are_those_of_comparing_and_are_kept(tmp_path: Path, codes_NW: Codes, compared: list[int]) -> None:
    expected = pairs_of(all_pairs.pairs_within(codes_NW, radius=RADIUS))
    assert len(expected) > 1_000
    for _ in range(3):
        assert pairs_of(pairfile.keeping(tmp_path)(codes_NW, RADIUS)) == expected
    assert compared == [0, 0]  # once here, once by the first of the three


def test_what_was_cut_off_goes_on(tmp_path: Path, codes_NW: Codes, compared: list[int]) -> None:
    expected = pairs_of(all_pairs.pairs_within(codes_NW, radius=RADIUS))
    blocks = pairfile.keeping(tmp_path)(codes_NW, RADIUS)
    (first, _), (second, _) = next(blocks), next(blocks)
    del blocks
    path = tmp_path / pairfile.FILE
    path.write_bytes(path.read_bytes()[:-5])  # within the second block
    assert pairs_of(pairfile.keeping(tmp_path)(codes_NW, RADIUS)) == expected
    assert (0 < first < second, compared) == (True, [0, 0, first])


def test_pairs_of_others_are_not_taken(tmp_path: Path, codes_NW: Codes, compared: list[int]) -> None:
    pairs_of(pairfile.keeping(tmp_path)(codes_NW, RADIUS))
    for other, radius in ((codes_NW, 3), (codes_NW[1:], 3), (codes_NW, RADIUS)):
        found = pairs_of(pairfile.keeping(tmp_path)(other, radius))
        assert found == pairs_of(all_pairs.pairs_within(other, radius=radius))
    assert compared == [0] * 7


@pytest.mark.parametrize("why", ["another process", "not writable"])
def test_where_nothing_can_be_kept_it_is_found_all_the_same(tmp_path: Path, codes_NW: Codes, why: str) -> None:
    expected = pairs_of(all_pairs.pairs_within(codes_NW, radius=RADIUS))
    folder = tmp_path if why == "another process" else tmp_path / "absent"
    with filelock.FileLock(tmp_path / pairfile.LOCK):
        assert pairs_of(pairfile.keeping(folder)(codes_NW, RADIUS)) == expected
    assert not (tmp_path / pairfile.FILE).exists()


def test_duplicates_of_a_database_are_kept(indexed: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    search = DuplicateSearch(radius=10, verify=False)
    expected = indexed.duplicates(search)
    assert not (indexed.folder / pairfile.FILE).exists()
    monkeypatch.setattr(pairfile, "LEAST", 2)
    for _ in range(2):
        assert indexed.duplicates(search) == expected
        assert (indexed.folder / pairfile.FILE).exists()
