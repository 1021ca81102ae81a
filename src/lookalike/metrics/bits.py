"""How well the bits of codes are used.

    balance       share of ones of each bit; ½ is best, 0 or 1 carries no information
    correlation   mean |Pearson correlation| of two bits, without constant bits
    effective     (Σλ)² / Σλ², for the eigenvalues λ of the bits' covariance: the number of independent balanced bits
                  that would spread distances as much. For balanced bits it is what Daugman calls the degrees of freedom
                  of distances, m(1 − m)/s² for their mean m and deviation s ("How iris recognition works", 2004)

Shapes: N images, K bits, W bytes a code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import unpack
from lookalike.metrics.counts import Floats, check_codes


class _BitUse(NamedTuple):
    """Statistics of the K bits of codes."""

    balance_K: Floats  # share of ones
    constant: int  # constant bits
    worst_balance: float  # the share of ones furthest from ½
    correlation: float  # mean |correlation| of two bits
    effective: float  # number of independent bits that would spread distances as much


def bit_use(codes: npt.ArrayLike) -> _BitUse:
    """Bit statistics of packed codes, uint8 (N, W).

    >>> use = bit_use(np.array([[0b11110000], [0b00001111]], np.uint8))
    >>> use.effective, use.correlation, use.constant
    (1.0, 1.0, 0)
    """
    bits_NK = unpack(check_codes(codes, "the")).astype(np.float64)
    balance_K = bits_NK.mean(axis=0)
    centred_NK = bits_NK - balance_K
    covariance_KK = centred_NK.T @ centred_NK / len(bits_NK)
    variance_K = np.diag(covariance_KK)
    varying = variance_K > 0
    return _BitUse(
        balance_K=balance_K,
        constant=int((~varying).sum()),
        worst_balance=float(balance_K[np.argmax(np.abs(balance_K - 0.5))]),
        correlation=_mean_correlation(covariance_KK[np.ix_(varying, varying)]),
        effective=float(variance_K.sum() ** 2 / max((covariance_KK**2).sum(), np.finfo(float).tiny)),
    )


def _mean_correlation(covariance_KK: Floats) -> float:
    count = len(covariance_KK)
    if count < 2:
        return 0.0
    deviation_K = np.sqrt(np.diag(covariance_KK))
    correlation_KK = np.abs(covariance_KK / np.outer(deviation_K, deviation_K))
    return float((correlation_KK.sum() - count) / (count * (count - 1)))
