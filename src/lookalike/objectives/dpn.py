"""DPN: each bit is pushed past a margin towards the bit of its class's target code.

Source: Fan, Ng, Ju, Zhang, Chan, "Deep polarized network for supervised learning of accurate binary hashing codes",
IJCAI 2020. Margin 1, targets drawn evenly (their variant B); with several labels the sum over them, as in their code.
In use elsewhere: targets as signs of Gaussians, or drawn until they lie far apart (said to give 1 to 2 % of mAP); a
majority vote of the targets of several labels, and a mean over bits in the place of the sum (swuxyj).

Shapes: B images of a batch, K bits, C classes.
"""

from __future__ import annotations

from torch import Tensor

from lookalike.objectives.base import Objective, random_targets


class DPN(Objective):
    """The polarisation loss."""

    targets_CK: Tensor

    def __init__(self, *, bits: int, classes: int, seed: int = 0, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin
        self.register_buffer("targets_CK", random_targets(classes, bits, seed=seed))

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Mean over images of Σ_c Σ_k max(0, m − u_k t_ck) over the classes c that an image has."""
        short_BCK = (self.margin - u_BK[:, None, :] * self.targets_CK).clamp(min=0)  # eq. 2
        return (short_BCK.sum(dim=2) * target).sum(dim=1).mean()
