"""Training objectives without labels equal their formulas in plain Python.

Shapes: B images of a batch, K bits.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lookalike.models import objectives
from lookalike.models.objectives import Clusters, Copies
from tests.references import objectives as oracle

B, K = 6, 8


def outputs(seed: int) -> Tensor:
    """Outputs of a batch."""
    return torch.randn(B, K, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 1.5


def test_two_views_are_contrasted() -> None:
    u_BK, v_BK = outputs(12), outputs(13)
    loss = objectives.contrast(u_BK.requires_grad_(), v_BK, temperature=0.3)
    assert torch.autograd.gradcheck(lambda u: objectives.contrast(u, v_BK, temperature=0.3), u_BK)
    assert loss.item() == pytest.approx(oracle.contrast(u_BK.tolist(), v_BK.tolist(), temperature=0.3))


def test_clusters_are_predicted_from_the_outputs_by_several_clusterings_at_once() -> None:
    u_BK = outputs(17)
    numbers_BM = torch.tensor([[0, 4], [1, 3], [2, 2], [0, 1], [1, 0], [2, 4]])
    objective = Clusters(bits=K, sizes=(3, 5)).double()
    weights = [weight.tolist() for weight in objective.parameters()]  # weight and bias of one classifier, then the next
    classifiers = list(zip(weights[::2], weights[1::2], strict=True))
    expected = oracle.clusters(u_BK.tolist(), numbers_BM.tolist(), classifiers, quantisation=0.1)
    assert objective(u_BK, numbers_BM).item() == pytest.approx(expected)
    assert torch.autograd.gradcheck(lambda u: objective(u, numbers_BM), u_BK.requires_grad_())
    objective(u_BK, numbers_BM).backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in objective.parameters())


def test_copies_are_alike_and_other_pictures_far() -> None:
    u_BK, v_BK = outputs(20), outputs(21)
    expected = oracle.copies(u_BK.tolist(), v_BK.tolist(), temperature=0.05, entropy=0.5, correlation=0.1)
    objective = Copies()
    assert objective(u_BK, v_BK, step=3).item() == pytest.approx(expected)
    assert objective(u_BK, u_BK) < objective(u_BK, v_BK)
    assert torch.autograd.gradcheck(lambda u: objective(u, v_BK), u_BK.requires_grad_())


def test_codes_spread_and_bits_say_different_things() -> None:
    u_BK = outputs(22)
    assert objectives._spread(u_BK) > objectives._spread(
        torch.cat([u_BK, u_BK])
    )  # whose nearest neighbour is at distance 0
    same = u_BK[:, :1].expand(-1, K)
    balanced = torch.tensor([[1.0, 1, 1, -1], [1, -1, -1, -1], [-1, 1, -1, 1], [-1, -1, 1, 1]])
    assert objectives.correlated(balanced[:, :3]).item() == pytest.approx(0)  # no bit tells of another
    assert objectives.correlated(balanced[:, [0, 3]]).item() == pytest.approx(1)  # of two, each tells of the other
    assert objectives.correlated(same) > objectives.correlated(u_BK)
