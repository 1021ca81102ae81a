"""Each loss equals its formula in plain Python, and its gradient is that of the formula.

Shapes: B images of a batch, K bits, C classes, D features, M streams.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lookalike.models.objectives import Objective
from research.hashing import pairs, supervised, unsupervised
from research.hashing.pairs import Stateless
from research.hashing.supervised import CSQ, DPN, GreedyHash, OrthoHash
from research.hashing.unsupervised import BiHalf, CIBHash, GreedyHashUnsupervised
from tests.references import objectives as oracle

B, K, C, D = 6, 8, 4, 5
Reference = Callable[[Objective, list[list[float]], list[list[bool]]], float]


def batch(seed: int, *, several: bool = False) -> tuple[Tensor, Tensor]:
    """Outputs, none near the kinks of the losses, and labels."""
    generator = torch.Generator().manual_seed(seed)
    u_BK = torch.randn(B, K, generator=generator, dtype=torch.float64) * 1.5
    u_BK = torch.where((u_BK.abs() - 1).abs() < 0.05, u_BK * 1.2, u_BK)
    u_BK = torch.where(u_BK.abs() < 0.05, u_BK + 0.2, u_BK)
    labels_BC = torch.eye(C, dtype=torch.bool)[torch.randint(0, C, (B,), generator=generator)]
    if several:
        labels_BC = labels_BC | (torch.rand(B, C, generator=generator) < 0.3)
    return u_BK, labels_BC


def backward(loss: Tensor) -> None:
    loss.backward()  # type: ignore[no-untyped-call]


def make(name: str) -> Objective:
    makers: dict[str, Callable[[], Objective]] = {
        "dhn": lambda: Stateless(pairs.dhn),
        "hashnet": lambda: Stateless(pairs.hashnet),
        "dsh": lambda: Stateless(pairs.dsh),
        "idhn": lambda: Stateless(pairs.idhn),
        "dpn": lambda: DPN(bits=K, classes=C),
        "csq": lambda: CSQ(bits=K, classes=C),
        "orthohash": lambda: OrthoHash(bits=K, classes=C),
        "greedyhash": lambda: GreedyHash(bits=K, classes=C).double(),
        "transhash": lambda: Stateless(pairs.transhash),
    }
    return makers[name]()


REFERENCES: dict[str, Reference] = {
    "dhn": lambda o, u, y: oracle.dhn(u, y, quantisation=0.1),
    "hashnet": lambda o, u, y: oracle.hashnet(u, y, step=0),
    "dsh": lambda o, u, y: oracle.dsh(u, y, quantisation=0.1),
    "idhn": lambda o, u, y: oracle.idhn(u, y, alpha=0.1, gamma=0.1),
    "dpn": lambda o, u, y: oracle.dpn(u, y, o.targets_CK.tolist()),  # type: ignore[operator]
    "csq": lambda o, u, y: oracle.csq(u, y, o.centres_CK.tolist(), o.ties_K.tolist(), quantisation=0.05),  # type: ignore[operator]
    "orthohash": lambda o, u, y: oracle.orthohash(u, y, o.words_CK.tolist(), scale=8, margin=0.2),  # type: ignore[operator]
    "greedyhash": lambda o, u, y: oracle.greedyhash(
        u, y, o.classifier.weight.tolist(), o.classifier.bias.tolist(), penalty=0.1,  # type: ignore[operator, union-attr]
    ),
    "transhash": lambda o, u, y: oracle.transhash([u], y, quantisation=0.1),
}  # fmt: skip


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("name", list(REFERENCES))
def test_a_loss_is_its_formula(name: str, several: bool) -> None:
    u_BK, labels_BC = batch(1, several=several)
    objective = make(name)
    expected = REFERENCES[name](objective, u_BK.tolist(), labels_BC.tolist())
    assert objective(u_BK, labels_BC).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", [name for name in REFERENCES if name != "greedyhash"])
def test_its_gradient_is_that_of_the_number(name: str) -> None:
    u_BK, labels_BC = batch(2)
    objective = make(name).double()
    assert torch.autograd.gradcheck(lambda u: objective(u, labels_BC), u_BK.requires_grad_())


def test_signs_pass_gradients_as_they_are() -> None:
    u = torch.tensor([-2.0, 0.0, 0.3], requires_grad=True)
    assert supervised.sign(u).tolist() == [-1, 1, 1]
    backward(supervised.sign(u).mul(torch.tensor([3.0, 4.0, 5.0])).sum())
    assert u.grad is not None
    assert u.grad.tolist() == [3, 4, 5]


def test_greedyhash_trains_its_classifier_too() -> None:
    u_BK, labels_BC = batch(3)
    objective = make("greedyhash")
    backward(objective(u_BK.requires_grad_(), labels_BC))
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in objective.parameters())
    assert u_BK.grad is not None
    assert u_BK.grad.abs().min() > 0


def test_hashnet_grows_beta_every_200_steps() -> None:
    assert [round(pairs.beta(step), 3) for step in (0, 199, 200, 10_000)] == [1.0, 1.0, 1.414, 7.141]
    u_BK, labels_BC = batch(4)
    expected = oracle.hashnet(u_BK.tolist(), labels_BC.tolist(), step=450)
    assert pairs.hashnet(u_BK, labels_BC, step=450).item() == pytest.approx(expected)


def test_transhash_adds_the_mean_of_local_streams() -> None:
    streams = torch.stack([batch(seed)[0] for seed in (5, 6, 7)])
    labels_BC = batch(5)[1]
    expected = oracle.transhash(streams.tolist(), labels_BC.tolist(), quantisation=0.1)
    assert pairs.transhash(streams, labels_BC).item() == pytest.approx(expected)


@pytest.mark.parametrize("same", [True, False])
def test_a_batch_of_one_kind_of_pairs_is_no_accident(same: bool) -> None:
    u_BK, _ = batch(8)
    labels_BC = torch.zeros(B, B, dtype=torch.bool)
    labels_BC[range(B), 0 if same else range(B)] = True
    for loss in (pairs.dhn, pairs.hashnet, pairs.transhash, pairs.dsh, pairs.idhn):
        assert torch.isfinite(loss(u_BK, labels_BC))


def test_images_without_a_label_are_similar_to_none() -> None:
    u_BK, _ = batch(9)
    nothing_BC = torch.zeros(B, C, dtype=torch.bool)
    for loss in (pairs.dsh, pairs.idhn):
        u = u_BK.clone().requires_grad_()
        backward(loss(u, nothing_BC))
        assert u.grad is not None
        assert torch.isfinite(u.grad).all()


@pytest.mark.parametrize(("bits", "classes"), [(8, 16), (64, 10), (24, 5), (16, 33)])
def test_hash_centres_lie_about_half_the_bits_apart(bits: int, classes: int) -> None:
    centres = supervised.centres(classes, bits, torch.Generator().manual_seed(0))
    assert set(centres.abs().flatten().tolist()) == {1.0}
    distances = (bits - centres @ centres.T) / 2
    apart = distances[~torch.eye(classes, dtype=torch.bool)]
    if bits & (bits - 1) == 0 and classes <= 2 * bits:
        assert set(apart.tolist()) <= {bits / 2, float(bits)}
    else:
        assert apart.mean() == pytest.approx(bits / 2, rel=0.15)


def test_targets_are_the_same_for_the_same_seed() -> None:
    assert torch.equal(DPN(bits=64, classes=9, seed=3).targets_CK, DPN(bits=64, classes=9, seed=3).targets_CK)
    assert not torch.equal(DPN(bits=64, classes=9, seed=3).targets_CK, DPN(bits=64, classes=9, seed=4).targets_CK)


def test_codes_follow_features_or_another_view() -> None:
    u_BK, v_BK = batch(14)[0], batch(15)[0]
    features_BD = torch.randn(B, D, generator=torch.Generator().manual_seed(16), dtype=torch.float64)
    u, v, x = u_BK.tolist(), v_BK.tolist(), features_BD.tolist()
    halved = oracle.follow(oracle.halves(u), x)
    assert BiHalf()(u_BK, features_BD).item() == pytest.approx(halved)
    greedy = oracle.greedyhash_without_labels(u, x, penalty=0.1)
    assert GreedyHashUnsupervised()(u_BK, features_BD).item() == pytest.approx(greedy)
    contrasted = oracle.cibhash(u, v, temperature=0.3, beta=1e-3)
    assert CIBHash()(u_BK, v_BK, step=7).item() == pytest.approx(contrasted)


def test_half_of_each_bit_is_one_and_gradients_draw_outputs_to_it() -> None:
    u_BK, _ = batch(11)
    b_BK = unsupervised.halves(u_BK.requires_grad_(), gamma=6.0)
    assert b_BK.detach().sum(dim=0).tolist() == [0.0] * K
    backward(b_BK.sum())
    assert u_BK.grad is not None
    expected = 1 + 6 * (u_BK - b_BK) / (B * K)
    assert torch.allclose(u_BK.grad, expected.detach())


def test_two_views_are_contrasted() -> None:
    u_BK, v_BK = batch(12)[0], batch(13)[0]
    objective = CIBHash()
    assert objective(u_BK, u_BK) < objective(u_BK, v_BK)


def test_log_cosh_neither_overflows_nor_loses() -> None:
    x = torch.tensor([0.0, 1e-4, -3.0, 1000.0], dtype=torch.float64)
    assert torch.allclose(pairs.log_cosh(x)[:3], torch.log(torch.cosh(x[:3])), atol=1e-12)
    assert pairs.log_cosh(x)[3] == pytest.approx(1000 - 0.6931471805599453)
