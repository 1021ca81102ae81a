"""Positions in the plane keep similar codes together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.web.state import layout


def clusters(sizes: int, count: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    random = np.random.default_rng(0)
    centres = random.integers(0, 256, (count, 8), np.uint8)
    label_N = np.repeat(np.arange(count), sizes)
    flips = np.packbits(random.random((len(label_N), 64)) < 0.06, axis=1)
    return centres[label_N] ^ flips, label_N


def test_clusters_come_apart() -> None:
    codes_NW, label_N = clusters(60, 6)
    position_N2 = layout.positions(codes_NW)
    apart_NN = np.linalg.norm(position_N2[:, None] - position_N2[None], axis=2)
    np.fill_diagonal(apart_NN, np.inf)
    nearest_N = apart_NN.argmin(axis=1)
    assert (label_N[nearest_N] == label_N).mean() > 0.97
    assert position_N2.min() >= 0
    assert position_N2.max() <= 1
    assert np.array_equal(position_N2, layout.positions(codes_NW))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_few_codes(count: int) -> None:
    codes_NW = np.random.default_rng(count).integers(0, 256, (count, 4), np.uint8)
    position_N2 = layout.positions(codes_NW)
    assert position_N2.shape == (count, 2)
    assert np.isfinite(position_N2).all()


def test_images_of_one_code_do_not_hide_each_other() -> None:
    codes_NW = np.repeat(clusters(20, 3)[0], 5, axis=0)
    position_N2 = layout.positions(codes_NW)
    assert len(np.unique(position_N2.round(6), axis=0)) == len(codes_NW)
    same_N = np.linalg.norm(position_N2[1::5] - position_N2[::5], axis=1)
    assert same_N.mean() < 0.2


def test_all_codes_equal() -> None:
    position_N2 = layout.positions(np.zeros((50, 8), np.uint8))
    assert np.isfinite(position_N2).all()
    assert len(np.unique(position_N2, axis=0)) == 50


def test_progress_is_reported_and_may_stop_it() -> None:
    seen: list[int] = []
    layout.positions(clusters(5, 3)[0], report=lambda done, total: seen.append(done))
    assert seen == sorted(seen)
    assert len(seen) == layout.STEPS

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        layout.positions(clusters(5, 3)[0], report=stop)
