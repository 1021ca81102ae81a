"""Closed-form codes of given features: signs of principal components, optionally rotated, or whitened and rotated.

Features are first scaled to unit length, as in a model's graph; z = x·weight + bias, and the code is z > θ, with θ the
mean latent of the training images, here 0.

PCA: the signs of the first K principal components. ITQ: Gong & Lazebnik, "Iterative quantization: a procrustean
approach to learning binary codes", CVPR 2011: a rotation of these components that brings them close to their signs.
Whitened: components are divided by their standard deviations before the rotation (Jégou & Chum, "Negative evidences and
co-occurrences in image retrieval: the benefit of PCA and whitening", ECCV 2012), so that all count equally; latents are
then uncorrelated with unit variance, under any rotation.

Shapes: N images, D features, K bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import check_bits
from lookalike.core.errors import ConfigError

Floats = npt.NDArray[np.floating]
ROUNDS = 50  # of alternating optimisation, as in the paper
LEAST = 1e-4  # lower bound of a component's standard deviation, as a share of the largest; below it is rounding noise


class Linear(NamedTuple):
    """z = x·weight + bias, for features x of unit length."""

    weight_DK: npt.NDArray[np.float32]
    bias_K: npt.NDArray[np.float32]

    def latents(self, features_ND: Floats) -> npt.NDArray[np.float32]:
        """z, (N, K)."""
        return np.asarray(_unit(features_ND) @ self.weight_DK + self.bias_K)


def _unit(features_ND: Floats) -> npt.NDArray[np.float32]:
    """Features scaled to unit length; zero vectors stay zero."""
    length_N1 = np.linalg.norm(features_ND, axis=1, keepdims=True)
    return np.asarray(features_ND / np.maximum(length_N1, 1e-12), np.float32)


def pca(features_ND: Floats, bits: int) -> Linear:
    """Principal components, largest variance first. Raises `ConfigError` if there are too few."""
    check_bits(bits)
    if bits > min(features_ND.shape):
        raise ConfigError(
            f"bits is {bits}; {features_ND.shape[0]} images with {features_ND.shape[1]} features have fewer components"
        )
    x_ND = _unit(features_ND).astype(np.float64)
    mean_D = x_ND.mean(axis=0)
    centred_ND = x_ND - mean_D
    variance_D, axes_DD = np.linalg.eigh(centred_ND.T @ centred_ND / len(x_ND))
    axes_DK = axes_DD[:, np.argsort(-variance_D)[:bits]]
    axes_DK *= np.where(
        axes_DK[np.abs(axes_DK).argmax(axis=0), np.arange(bits)] < 0, -1, 1
    )  # the same on every machine
    return Linear(axes_DK.astype(np.float32), (-mean_D @ axes_DK).astype(np.float32))


def _itq(features_ND: Floats, bits: int, *, seed: int = 0, rounds: int = ROUNDS) -> Linear:
    """Principal components, rotated to be close to their signs."""
    return _turned(pca(features_ND, bits), features_ND, seed, rounds)


def _whitened_itq(features_ND: Floats, bits: int, *, seed: int = 0, rounds: int = ROUNDS) -> Linear:
    """Principal components with unit variance, rotated to be close to their signs.

    Components without variance are dropped, because the scale of other features along them is unknown.
    """
    projected = pca(features_ND, bits)
    deviation_K = projected.latents(features_ND).std(axis=0, dtype=np.float64)
    divisor_K = np.where(deviation_K > LEAST * deviation_K.max(), deviation_K, np.inf)
    whitened = Linear(*((part / divisor_K).astype(np.float32) for part in projected))
    return _turned(whitened, features_ND, seed, rounds)


def _turned(projected: Linear, features_ND: Floats, seed: int, rounds: int) -> Linear:
    rotation_KK = rotation(projected.latents(features_ND).astype(np.float64), seed=seed, rounds=rounds)
    weight_DK = projected.weight_DK.astype(np.float64) @ rotation_KK
    return Linear(weight_DK.astype(np.float32), (projected.bias_K.astype(np.float64) @ rotation_KK).astype(np.float32))


def rotation(v_NK: npt.NDArray[np.float64], *, seed: int = 0, rounds: int = ROUNDS) -> npt.NDArray[np.float64]:
    """The rotation (K, K) that brings centred components close to their signs."""
    bits = v_NK.shape[1]
    rotation_KK = np.linalg.qr(np.random.default_rng(seed).normal(size=(bits, bits)))[0]
    for _ in range(rounds):
        b_NK = np.where(v_NK @ rotation_KK < 0, -1.0, 1.0)  # fix R, update B (their section 2.2)
        left_KK, _, right_KK = np.linalg.svd(b_NK.T @ v_NK)
        rotation_KK = (left_KK @ right_KK).T  # fix B, update R: the orthogonal Procrustes problem
    return rotation_KK


TURNED = {"itq": _itq, "whitened-itq": _whitened_itq}  # methods whose first bits are not codes
