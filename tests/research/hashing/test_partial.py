"""Objectives of tags, categories with attributes, and two domains: each is its formula in plain Python.

Shapes: B images of a batch, K bits, V numbers of a tag vector.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from research.hashing.partial import DPH, WDHT, dah
from research.hashing.unsupervised import CroVCA
from tests.references import objectives as oracle

B, K, V = 8, 6, 5
GENERATOR = torch.Generator()


def outputs(width: int = K, *, seed: int = 0) -> Tensor:
    return torch.randn(B, width, generator=GENERATOR.manual_seed(seed), dtype=torch.float64)


def words() -> Tensor:
    """Unit vectors of tags; the third image has none."""
    found = functional.normalize(outputs(V, seed=1), dim=1)
    found[2] = 0
    return found


def flags(*rows: str) -> Tensor:
    return torch.tensor([[letter == "1" for letter in row] for row in rows])


LABELS = flags("100", "100", "010", "000", "000", "010", "000", "000")  # half of them unlabelled
KINDS = flags(
    "10000", "01000", "00101", "00000", "10011", "00010", "01111", "00100"
)  # two categories, three attributes


@pytest.mark.parametrize("width", [K, K + V])  # without and with outputs of tags
def test_wdht(width: int) -> None:
    u = outputs(width)
    expected = oracle.wdht(u.tolist(), words().tolist(), bits=K, hinge=10, margin=0.2)
    assert WDHT(bits=K)(u, words()).item() == pytest.approx(expected)
    assert torch.autograd.gradcheck(lambda u: WDHT(bits=K)(u, words()), u.requires_grad_())


@pytest.mark.parametrize("labels", [KINDS, KINDS & flags("00111"), KINDS & flags("11000"), KINDS & flags("00000")])
def test_dph(labels: Tensor) -> None:
    torch.manual_seed(0)
    objective, u = DPH(bits=K, categories=2, attributes=3).double(), outputs()
    layers = [
        (one.weight.tolist(), one.bias.tolist()) for one in (objective.to_category, objective.to_attributes) if one
    ]
    expected = oracle.dph(u.tolist(), labels.tolist(), 2, *layers, quantisation=0.1)
    assert objective(u, labels).item() == pytest.approx(expected)
    assert torch.autograd.gradcheck(lambda u: objective(u, labels), u.requires_grad_())


def test_dph_of_one_kind_of_labels_has_one_classifier() -> None:
    for categories, attributes in ((5, 0), (0, 5)):
        objective = DPH(bits=K, categories=categories, attributes=attributes).double()
        assert len(list(objective.parameters())) == 2
        assert torch.isfinite(objective(outputs(), KINDS))


def test_dah() -> None:
    u = outputs()
    expected = oracle.dah(u.tolist(), LABELS.tolist(), similar_weight=10, gamma=5000)
    assert dah(u, LABELS).item() == pytest.approx(expected)
    whole = torch.autograd.gradcheck(lambda u: dah(u, LABELS & flags("000")) + dah(u, KINDS), u.requires_grad_())
    assert whole  # the width of the kernels is a constant to the gradient: without quadruples all of it can be checked


def test_dah_draws_domains_together_and_targets_to_a_class() -> None:
    torch.manual_seed(0)
    u = (outputs() + 2 * (~LABELS.any(dim=1))[:, None]).requires_grad_()
    optimiser = torch.optim.Adam([u], lr=0.05)
    apart = []
    for _ in range(60):
        optimiser.zero_grad()
        dah(u, LABELS).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        labelled = LABELS.any(dim=1)
        apart.append((torch.tanh(u[labelled]).mean(dim=0) - torch.tanh(u[~labelled]).mean(dim=0)).norm().item())
    assert apart[-1] < apart[0] / 2


def test_crovca() -> None:
    u, v = outputs(), outputs(seed=2)
    expected = oracle.crovca(u.tolist(), v.tolist(), epsilon=0.05, weight=0.1)
    assert CroVCA()(u, v).item() == pytest.approx(expected)
    assert torch.autograd.gradcheck(CroVCA(), (u.requires_grad_(), v.requires_grad_()))


def test_crovca_of_equal_outputs_is_worse_than_of_spread_ones() -> None:
    same = outputs()[:1].expand(B, K)
    assert CroVCA()(same, same) > CroVCA()(outputs(), outputs())
