"""DHN: the likelihood of which pairs are similar, and outputs close to −1 or 1.

Source: Zhu, Long, Wang, Cao, "Deep hashing network for efficient similarity retrieval", AAAI 2016, with θ = ½⟨u, u'⟩ as
in DPSH and most code since. In use elsewhere: a memory of the outputs of all training images in the place of the batch
(swuxyj), and α·cos(u, u') with α = 10, similar pairs weighted and (|u| − 1)² in the place of log cosh (thulab's own
script, where its weight is 0).

Shapes: B images of a batch, K bits, C classes.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from lookalike.objectives.base import Objective, log_cosh, pairs, shared


class DHN(Objective):
    """Pairwise cross-entropy and quantisation."""

    def __init__(self, *, quantisation: float = 0.1) -> None:
        super().__init__()
        self.quantisation = quantisation  # λ

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Mean over pairs of log(1 + e^θ) − sθ, and λ times the mean of log cosh(|u| − 1)."""
        theta_BB = 0.5 * u_BK @ u_BK.T
        likelihood_BB = functional.softplus(theta_BB) - shared(target) * theta_BB  # eq. 4
        quantisation = log_cosh(u_BK.abs() - 1).mean()  # eq. 5
        return likelihood_BB[pairs(len(u_BK), u_BK.device)].mean() + self.quantisation * quantisation  # eq. 6
