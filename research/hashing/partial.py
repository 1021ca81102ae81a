"""Objectives of labels that are weak, of several kinds, or known for some of the images only.

Shapes: B images of a batch, K bits, C classes, V numbers of a tag vector, S source and T target images.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lookalike.models.objectives import Objective, pairs
from research.hashing.pairs import shared

KERNELS = 2.0 ** torch.arange(-8, 9)  # DAH: factors of the Gaussian kernels' widths


class WDHT(Objective):
    """Distances of codes follow distances of tag vectors, and images find their own tag vector among others'.

    Source: Gattupalli, Zhuo, Li, "Weakly supervised deep image hashing through tag embeddings", CVPR 2019, and the
    authors' code. Outputs (B, K + V) are those of bits and, in training only, of a tag vector (`heads.TagHead`).
    λ₁ = 10, m = 0.2, λ₂ = 1. The hinge is a mean over pairs, as in their code. Departures: tag vectors are `tags`'
    instead of word2vec's; images without tags are left out; the first bits of nested codes have no hinge of their own.
    """

    def __init__(self, *, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Squared differences of distances, λ₁ times the hinge, less λ₂ times the mean of (h − ½)², h = σ(u)."""
        h_BK, f_BV = torch.sigmoid(u_BK[:, : self.bits]), u_BK[:, self.bits :]
        tagged_B = target.any(dim=1)
        chosen_BB = pairs(len(h_BK), h_BK.device) & tagged_B & tagged_B[:, None]
        differ_BB = (h_BK[:, None] - h_BK[None]).square().mean(dim=2)
        cosine_BB = target @ target.T  # of unit vectors
        pairwise = _mean((differ_BB - (1 - cosine_BB)).square(), chosen_BB)
        spread = -(h_BK - 0.5).square().mean()
        if f_BV.shape[1] == 0:  # outside of training
            return pairwise + spread
        own_BB = f_BV @ target.T
        hinge = _mean((0.2 - own_BB.diagonal()[:, None] + own_BB).clamp(min=0), chosen_BB)
        return pairwise + 10 * hinge + spread


class DPH(Objective):
    """Linear classifiers tell an image's category and its attributes from the same code.

    Source: Liu, Wang, Shan, Chen, "Learning multifunctional binary codes for both category and attribute oriented
    retrieval tasks", CVPR 2017. After the description: only the abstract could be read. A sigmoid layer h, a softmax of
    categories, a sigmoid for each attribute, and a gate that leaves out what an image's labels do not say. Our choice
    are the mean over attributes, the weight 1 of attributes, and 0.1 for the mean of ½ − |h − ½|, which makes h binary.
    The first `categories` columns of the target are categories, the others attributes.
    """

    def __init__(self, *, bits: int, categories: int, attributes: int) -> None:
        super().__init__()
        self.categories = categories
        self.to_category = nn.Linear(bits, categories) if categories else None
        self.to_attributes = nn.Linear(bits, attributes) if attributes else None

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Cross-entropy of the category and of the attributes where they are known, and 0.1 times the mean above."""
        h_BK = torch.sigmoid(u_BK)
        category_BC, attributes_BC = target.to(u_BK.dtype).tensor_split([self.categories], dim=1)
        loss = 0.1 * (0.5 - (h_BK - 0.5).abs()).mean()
        if self.to_category is not None:
            count_B = category_BC.sum(dim=1)
            even_BC = category_BC / count_B.clamp(min=1)[:, None]
            found_B = functional.cross_entropy(self.to_category(h_BK), even_BC, reduction="none")
            loss = loss + _mean(found_B, count_B > 0)
        if self.to_attributes is not None:
            found_BC = functional.binary_cross_entropy_with_logits(
                self.to_attributes(h_BK), attributes_BC, reduction="none"
            )
            loss = loss + _mean(found_BC.mean(dim=1), attributes_BC.any(dim=1))
        return loss


def dah(u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
    """DHN's likelihood of labelled images, entropy of unlabelled ones, distance of the two domains, quantisation.

    Source: Venkateswara, Eusebio, Chakraborty, Panchanathan, "Deep hashing network for unsupervised domain adaptation"
    (DAH), CVPR 2017, and the authors' code, with its weights: 10 for similar pairs, 5,000 for the kernels, 1 for the
    rest; the sum is divided by the number of pairs. Images without a label are of the target domain. Departures: u =
    tanh of the output, without batch normalisation; domains are compared by u alone, since only the layers behind the
    frozen backbone are trained; batches are random draws instead of 5 images of each class, so that an image is near a
    class by the mean over the class's images in the batch.
    """
    u_BK = torch.tanh(u_BK)
    labelled_B = target.any(dim=1)
    u_SK, u_TK, labels_SC = u_BK[labelled_B], u_BK[~labelled_B], target[labelled_B]
    s_SS, theta_SS = shared(labels_SC), 0.5 * u_SK @ u_SK.T
    likelihood_SS = (1 + 9 * s_SS) * (functional.softplus(theta_SS) - s_SS * theta_SS)  # eq. 3
    hashed = likelihood_SS[pairs(len(u_SK), u_SK.device)].sum()
    entropy = _entropy(u_TK, u_SK, labels_SC)  # eqs. 5, 6
    quantised = (u_BK.abs() - 1).square().sum()
    return (hashed + entropy + quantised + 5e3 * _discrepancy(u_SK, u_TK)) / max(1, len(u_SK) ** 2)


def _entropy(u_TK: Tensor, u_SK: Tensor, labels_SC: Tensor) -> Tensor:
    """−Σ_t Σ_c p log p, p the share of class c in the mean of e^⟨u_t, u_s⟩ over its images."""
    present_SC = labels_SC[:, labels_SC.any(dim=0)].to(u_SK.dtype)
    if not present_SC.numel() or not len(u_TK):
        return u_TK.sum() * 0
    inner_TS = u_TK @ u_SK.T
    members_SC = torch.log(present_SC / present_SC.sum(dim=0))  # −∞ for images of other classes
    logits_TC = torch.logsumexp(inner_TS[:, :, None] + members_SC, dim=1)
    return -(logits_TC.softmax(dim=1) * logits_TC.log_softmax(dim=1)).sum()


def _discrepancy(u_SK: Tensor, u_TK: Tensor) -> Tensor:
    """Linear-time maximum mean discrepancy: a sum over quadruples, of the mean over 17 Gaussian kernels (eq. 2)."""
    half = min(len(u_SK), len(u_TK)) // 2
    if half == 0:
        return u_TK.sum() * 0
    s, more_s, t, more_t = u_SK[:half], u_SK[half : 2 * half], u_TK[:half], u_TK[half : 2 * half]
    d_4H = torch.stack([(a - b).square().sum(dim=1) for a, b in ((s, more_s), (t, more_t), (s, more_t), (more_s, t))])
    width = d_4H.detach().median().clamp(min=1e-6)
    kernels_Q4H = torch.exp(-KERNELS.to(d_4H)[:, None, None] * d_4H / width)
    return (kernels_Q4H[:, :2].sum() - kernels_Q4H[:, 2:].sum()) / len(KERNELS)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """The mean of the chosen values; 0 if there are none."""
    return (values * chosen).sum() / chosen.sum().clamp(min=1)
