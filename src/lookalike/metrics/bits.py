"""How well the bits of codes are used.

    balance       share of ones of each bit; ½ is best, 0 or 1 says nothing
    correlation   mean |Pearson correlation| of two bits; bits that never change are left out
    effective     (Σλ)² / Σλ², of the covariance of bits with eigenvalues λ: how many independent balanced bits would
                  spread distances as much. For balanced bits it is what Daugman calls the degrees of freedom of
                  distances, m(1 − m)/s² of their mean m and deviation s ("How iris recognition works", 2004)

Shapes: N images, K bits, W bytes a code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import unpack
from lookalike.metrics.counts import Floats, check_codes


class BitUse(NamedTuple):
    """How the K bits of codes are used."""

    balance_K: Floats  # share of ones
    constant: int  # bits that never change
    worst_balance: float  # the share of ones furthest from ½
    correlation: float  # mean |correlation| of two bits
    effective: float  # independent bits that would spread distances as much


def bit_use(codes: npt.ArrayLike) -> BitUse:
    """How the bits of packed codes, uint8 (N, W), are used.

    >>> use = bit_use(np.array([[0b11110000], [0b00001111]], np.uint8))
    >>> use.effective, use.correlation, use.constant
    (1.0, 1.0, 0)
    """
    bits_NK = unpack(check_codes(codes, "the")).astype(np.float64)
    balance_K = bits_NK.mean(axis=0)
    centred_NK = bits_NK - balance_K
    covariance_KK = centred_NK.T @ centred_NK / len(bits_NK)
    variance_K = np.diag(covariance_KK)
    moving = variance_K > 0
    return BitUse(
        balance_K=balance_K,
        constant=int((~moving).sum()),
        worst_balance=float(balance_K[np.argmax(np.abs(balance_K - 0.5))]),
        correlation=_mean_correlation(covariance_KK[np.ix_(moving, moving)]),
        effective=float(variance_K.sum() ** 2 / max((covariance_KK**2).sum(), np.finfo(float).tiny)),
    )


def _mean_correlation(covariance_KK: Floats) -> float:
    count = len(covariance_KK)
    if count < 2:
        return 0.0
    deviation_K = np.sqrt(np.diag(covariance_KK))
    correlation_KK = np.abs(covariance_KK / np.outer(deviation_K, deviation_K))
    return float((correlation_KK.sum() - count) / (count * (count - 1)))
