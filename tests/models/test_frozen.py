"""Principal components and ITQ: their guarantees, on features with known results.

Shapes: N images, D features, K bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.decomposition import PCA

from lookalike.core.errors import ConfigError
from lookalike.models import frozen


def features(count: int = 400, dimension: int = 24, seed: int = 0) -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, dimension)) * np.linspace(3, 0.3, dimension) + 1


def test_projections_are_those_of_scikit_learn() -> None:
    x_ND = features()
    found = frozen.pca(x_ND, 8)
    unit_ND = frozen._unit(x_ND).astype(np.float64)  # with 32 bits theirs depends on the processor
    theirs = PCA(8, svd_solver="full").fit(unit_ND).transform(unit_ND)
    ours = found.latents(x_ND)
    signs = np.sign((ours * theirs).sum(axis=0))
    assert np.allclose(ours, theirs * signs, atol=1e-5)
    assert np.allclose(ours.mean(axis=0), 0, atol=1e-6)


def test_itq_turns_projections_and_brings_them_to_their_signs() -> None:
    x_ND = features()
    pca, itq = frozen.pca(x_ND, 16), frozen._itq(x_ND, 16)
    rotation_KK = pca.weight_DK.T @ itq.weight_DK
    assert np.allclose(rotation_KK @ rotation_KK.T, np.eye(16), atol=1e-4)
    assert np.allclose(pca.latents(x_ND) @ rotation_KK, itq.latents(x_ND), atol=1e-4)

    def loss(rounds: int) -> float:
        v_NK = frozen._itq(x_ND, 16, rounds=rounds).latents(x_ND)
        return float(((np.where(v_NK < 0, -1, 1) - v_NK) ** 2).sum())

    losses = [loss(rounds) for rounds in (0, 1, 2, 5, 20, 50)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


def test_whitened_latents_are_uncorrelated_with_a_variance_of_1_however_they_are_turned() -> None:
    x_ND = features()
    pca, whitened = frozen.pca(x_ND, 16), frozen._whitened_itq(x_ND, 16)
    assert np.allclose(np.cov(whitened.latents(x_ND).T, bias=True), np.eye(16), atol=1e-3)
    scaled_NK = pca.latents(x_ND) / pca.latents(x_ND).std(axis=0)
    rotation_KK = np.linalg.lstsq(scaled_NK, whitened.latents(x_ND), rcond=None)[0]
    assert np.allclose(rotation_KK @ rotation_KK.T, np.eye(16), atol=1e-3)
    assert np.allclose(scaled_NK @ rotation_KK, whitened.latents(x_ND), atol=1e-3)  # nothing else was done
    bits_NK = whitened.latents(x_ND) > 0
    assert np.abs(np.corrcoef(bits_NK.T) - np.eye(16)).max() < np.abs(np.corrcoef((pca.latents(x_ND) > 0).T)).max()


@pytest.mark.parametrize("count", [16, 400])
def test_axes_that_the_given_features_do_not_have_say_nothing_of_others(count: int) -> None:
    x_ND = features(count, 8) @ np.random.default_rng(1).normal(size=(8, 24))  # 8 axes, of which 16 bits are made
    found = frozen._whitened_itq(x_ND, 16)
    noisy_ND = x_ND + np.random.default_rng(2).normal(size=x_ND.shape) * 1e-3
    assert np.mean((found.latents(noisy_ND) > 0) != (found.latents(x_ND) > 0)) < 0.01
    assert np.abs(found.latents(features(300, 24, seed=5))).max() < 100


def test_as_many_images_as_bits_leave_codes_of_others_apart() -> None:
    found = frozen._whitened_itq(features(16), 16)  # 15 axes: their mean takes one
    codes_NK = found.latents(features(300, seed=5)) > 0
    assert len(np.unique(codes_NK, axis=0)) > 150  # 2 if the axis that is missing was whitened, too


def test_images_that_are_all_alike_have_one_code() -> None:
    x_ND = np.ones((40, 24))
    assert np.isfinite(frozen._whitened_itq(x_ND, 16).latents(x_ND)).all()
    assert len(np.unique(frozen._whitened_itq(x_ND, 16).latents(x_ND) > 0, axis=0)) == 1


def test_the_same_seed_gives_the_same_codes() -> None:
    x_ND = features()
    assert np.array_equal(frozen._itq(x_ND, 16, seed=1).weight_DK, frozen._itq(x_ND, 16, seed=1).weight_DK)
    assert not np.array_equal(frozen._itq(x_ND, 16, seed=1).weight_DK, frozen._itq(x_ND, 16, seed=2).weight_DK)


def test_length_means_nothing_and_zero_is_no_accident() -> None:
    x_ND = features()
    found = frozen.pca(x_ND, 8)
    assert np.allclose(found.latents(x_ND), found.latents(7 * x_ND), atol=1e-6)
    assert np.isfinite(found.latents(np.zeros((1, 24)))).all()


@pytest.mark.parametrize(("count", "bits"), [(400, 32), (10, 16)])
def test_more_bits_than_axes_are_refused(count: int, bits: int) -> None:
    with pytest.raises(ConfigError, match=f"bits is {bits}; {count} images with 24 features"):
        frozen._itq(features(count), bits)
