"""Codes of pixels: components as by a full decomposition, pHash as by its sum, and what falls behind PCA.

Shapes: N images, S pixels a side, P = S² pixels, K bits.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.core.errors import ConfigError
from lookalike.imaging.decode import Array
from research import pixels, tables
from research.experiments import PIXEL_BASELINES, Experiment
from research.results import Places, Result
from research.runner import run_all
from tests.research.shared import SHARED, needs_cifar10


def pictures(count: int = 60, side: int = 16) -> Array:
    """Images of a few blurred patterns with some noise."""
    random = np.random.default_rng(0)
    patterns = np.repeat(np.repeat(random.normal(size=(8, side // 4, side // 4)), 4, axis=1), 4, axis=2)
    mixed = np.tensordot(random.normal(size=(count, 8)), patterns, axes=1) + 0.1 * random.normal(
        size=(count, side, side)
    )
    return np.asarray((127 + 40 * mixed).clip(0, 255), np.uint8)


def test_components_are_those_of_a_full_decomposition() -> None:
    images = pictures()
    x_NP = pixels.flat(images).astype(np.float64)
    centred = x_NP - x_NP.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    found = pixels.principal(images, 6)
    np.testing.assert_allclose(found.mean_P, x_NP.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(np.abs((found.axes_PK * vectors[:, :-7:-1]).sum(axis=0)), 1, atol=1e-3)
    assert values[-6] > 0
    with pytest.raises(ConfigError, match="60 components need more than 60 training images"):
        pixels.principal(images, 60)


@pytest.mark.parametrize(("bits", "rows"), [(16, 4), (32, 4), (64, 8), (128, 8)])
def test_phash_is_the_median_of_low_frequencies(bits: int, rows: int) -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 128, 128), np.uint8)
    for image, found in zip(images, pixels.low_frequencies(images, bits), strict=True):
        small = [[float(image[4 * y : 4 * y + 4, 4 * x : 4 * x + 4].mean()) for x in range(32)] for y in range(32)]
        wave = [[math.cos(math.pi * u * (x + 0.5) / 32) for x in range(32)] for u in range(32)]
        low = [
            sum(wave[u][y] * wave[v][x] * small[y][x] for y in range(32) for x in range(32))
            for u in range(rows) for v in range(bits // rows)
        ]  # fmt: skip
        middle = sorted(low)[bits // 2 - 1 : bits // 2 + 1]
        assert found.tolist() == [value > sum(middle) / 2 for value in low]
    with pytest.raises(ConfigError, match="bits is 24; pixel-phash needs a power of two"):
        pixels.low_frequencies(images, 24)


@needs_cifar10
def test_runs_have_the_results_of_the_models_and_pca_an_error(tmp_path: Path) -> None:
    places = Places(data=SHARED, results=tmp_path / "results", work=tmp_path / "work")
    wanted = [
        Experiment(dataset="cifar10", model=model, bits=16, epochs=1, protocol="smoke") for model in PIXEL_BASELINES
    ]
    assert run_all(wanted, places, say=lambda text: None) == 4
    found = {one.model: json.loads(places.result(one).read_text()) for one in wanted}
    assert [name for name, values in found.items() if "reconstruction" in values] == ["pixel-pca"]
    error = found["pixel-pca"]["reconstruction"]
    assert 0 < error["mse"] < 0.5 * error["mse_of_mean"]
    for values in found.values():
        assert values["metrics"]["bits"] == 16
        assert values["metrics"]["bit_use"]["constant"] <= 1  # the mean of an image, in pHash


def result(model: str, error: float, *, bits: int = 64) -> Result:
    settings: dict[str, Any] = {"dataset": "cifar10", "model": model, "bits": bits, "seed": 0, "epochs": 5}
    return Result(Path(), {"settings": settings, "reconstruction": {"mse": error}})


def test_a_model_worse_than_pca_is_flagged() -> None:
    found = [result("vae", 0.0276), result("cvae", 0.0057), result("pixel-pca", 0.0064), result("vte", 0.004, bits=16)]
    table = tables.against_pca(found)
    assert table.rows == (
        ("cifar10", "VAE", "64", "27.60", "6.40", "**4.31**"),
        ("cifar10", "CVAE", "64", "5.70", "6.40", "0.89"),
        ("cifar10", "VTE", "16", "4.00", "not run yet", "–"),
    )
    assert table.notes[0].startswith("Worse than PCA: VAE (cifar10, 64 bits, 4.31 ×).")
