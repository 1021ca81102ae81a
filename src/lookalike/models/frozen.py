"""Codes of given features, in closed form: the signs of principal components, as they are, turned, or whitened too.

Features are scaled to length 1 first, as the graph of a model does; z = x·weight + bias, and the code is z > θ with θ
the mean latent of the training images, here 0.

PCA: the signs of the projections on the K main axes. ITQ: Gong & Lazebnik, "Iterative quantization: a procrustean
approach to learning binary codes", CVPR 2011: a rotation of these projections is sought for which they lie close to
their signs. Whitened: each projection is divided by its deviation before it is turned, after Jégou & Chum, "Negative
evidences and co-occurrences in image retrieval: the benefit of PCA and whitening", ECCV 2012, so that all axes count
alike; latents are then uncorrelated, with a variance of 1, and stay so however they are turned.

Shapes: N images, D features, K bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import check_bits
from lookalike.core.errors import ConfigError

Floats = npt.NDArray[np.floating]
ROUNDS = 50  # of the alternation, as in the paper
LEAST = 1e-4  # the least deviation of an axis, as a share of the greatest; what is less is noise of the arithmetic


class Linear(NamedTuple):
    """z = x·weight + bias, of features x of length 1."""

    weight_DK: npt.NDArray[np.float32]
    bias_K: npt.NDArray[np.float32]

    def latents(self, features_ND: Floats) -> npt.NDArray[np.float32]:
        """z, (N, K)."""
        return np.asarray(unit(features_ND) @ self.weight_DK + self.bias_K)


def unit(features_ND: Floats) -> npt.NDArray[np.float32]:
    """Features scaled to length 1; those of length 0 stay."""
    length_N1 = np.linalg.norm(features_ND, axis=1, keepdims=True)
    return np.asarray(features_ND / np.maximum(length_N1, 1e-12), np.float32)


def pca(features_ND: Floats, bits: int) -> Linear:
    """Projections on the main axes, the greatest variance first. Raises `ConfigError` if there are too few."""
    check_bits(bits)
    if bits > min(features_ND.shape):
        raise ConfigError(
            f"bits is {bits}; {features_ND.shape[0]} images with {features_ND.shape[1]} features have fewer axes"
        )
    x_ND = unit(features_ND).astype(np.float64)
    mean_D = x_ND.mean(axis=0)
    centred_ND = x_ND - mean_D
    variance_D, axes_DD = np.linalg.eigh(centred_ND.T @ centred_ND / len(x_ND))
    axes_DK = axes_DD[:, np.argsort(-variance_D)[:bits]]
    axes_DK *= np.where(
        axes_DK[np.abs(axes_DK).argmax(axis=0), np.arange(bits)] < 0, -1, 1
    )  # the same on every machine
    return Linear(axes_DK.astype(np.float32), (-mean_D @ axes_DK).astype(np.float32))


def itq(features_ND: Floats, bits: int, *, seed: int = 0, rounds: int = ROUNDS) -> Linear:
    """Projections on the main axes, turned so that they lie close to their signs."""
    return _turned(pca(features_ND, bits), features_ND, seed, rounds)


def whitened_itq(features_ND: Floats, bits: int, *, seed: int = 0, rounds: int = ROUNDS) -> Linear:
    """Projections on the main axes, each of variance 1, turned so that they lie close to their signs.

    Axes along which these features do not differ are left out, as nothing is known of how far others lie along them.
    """
    projected = pca(features_ND, bits)
    deviation_K = projected.latents(features_ND).std(axis=0, dtype=np.float64)
    divisor_K = np.where(deviation_K > LEAST * deviation_K.max(), deviation_K, np.inf)
    whitened = Linear(*((part / divisor_K).astype(np.float32) for part in projected))
    return _turned(whitened, features_ND, seed, rounds)


def _turned(projected: Linear, features_ND: Floats, seed: int, rounds: int) -> Linear:
    bits = len(projected.bias_K)
    v_NK = projected.latents(features_ND).astype(np.float64)
    rotation_KK = np.linalg.qr(np.random.default_rng(seed).normal(size=(bits, bits)))[0]
    for _ in range(rounds):
        b_NK = np.where(v_NK @ rotation_KK < 0, -1.0, 1.0)  # fix R, update B (their section 2.2)
        left_KK, _, right_KK = np.linalg.svd(b_NK.T @ v_NK)
        rotation_KK = (left_KK @ right_KK).T  # fix B, update R: the orthogonal Procrustes problem
    weight_DK = projected.weight_DK.astype(np.float64) @ rotation_KK
    return Linear(weight_DK.astype(np.float32), (projected.bias_K.astype(np.float64) @ rotation_KK).astype(np.float32))


TURNED = {"itq": itq, "whitened-itq": whitened_itq}  # whose first bits are no codes
