"""A hashing network is an encoder, outputs and objectives; the first bits of nested codes are trained alone.

Shapes: B images of a batch, D features, K bits.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lookalike.models import hashing
from lookalike.models.copy_encoder import FEATURES, SIDE, CopyEncoder
from lookalike.models.frozen import Linear
from lookalike.models.hashing import HashingNetwork, Head
from lookalike.models.objectives import Clusters, Copies, Objective
from tests.references.batch_norms import settle

B, D = 6, 8
CLUSTERS_BM = torch.tensor([[0, 0], [1, 1], [0, 2], [1, 0], [0, 1], [1, 2]])


def objective(name: str, bits: int) -> Objective:
    return Copies() if name == "copies" else Clusters(bits=bits, sizes=(2, 3))


def network(name: str, *lengths: int, seed: int = 0) -> HashingNetwork:
    head = {"features": D, "bits": lengths[-1], "hidden": 12}
    made = lambda: HashingNetwork(Head(**head), {bits: objective(name, bits) for bits in lengths})  # noqa: E731
    return hashing.seeded(made, seed)


def inputs() -> Tensor:
    return torch.randn(B, D, generator=torch.Generator().manual_seed(1))


def target(name: str) -> Tensor:
    """Something to follow: another view, or clusters."""
    return inputs() + 0.1 if name == "copies" else CLUSTERS_BM


@pytest.mark.parametrize("name", ["copies", "clusters"])
def test_twenty_steps_lower_the_loss(name: str) -> None:
    made = network(name, 8, 16)
    optimiser = torch.optim.Adam(made.parameters(), lr=5e-3)
    losses = []
    for step in range(20):
        loss = made.train().loss(inputs(), target(name), step=step).total
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        with torch.inference_mode():
            losses.append(made.eval().loss(inputs(), target(name)).total.item())
    assert min(losses[-5:]) < losses[0]


@pytest.mark.parametrize("name", ["copies", "clusters"])
def test_the_loss_of_nested_codes_is_the_mean_over_lengths(name: str) -> None:
    made, followed = network(name, 8, 16, 32).eval(), target(name)
    assert made.lengths == (8, 16, 32)
    with torch.inference_mode():
        u_BK = made(inputs())
        found = made(followed) if name == "copies" else followed
        alone = [
            one(u_BK[:, :length], found[:, :length] if name == "copies" else found).item()
            for length, one in zip((8, 16, 32), made.objectives, strict=True)
        ]
        assert made.loss(inputs(), followed).total.item() == pytest.approx(sum(alone) / 3)


def test_weights_are_drawn_under_the_seed_and_nothing_else_is() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (network("clusters", 16, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["head.outputs.weight"], other["head.outputs.weight"])


def test_a_closed_form_is_linear_in_features_of_length_one() -> None:
    random = np.random.default_rng(0)
    found = Linear(*(random.normal(size=shape).astype(np.float32) for shape in ((D, 16), (16,))))
    made = hashing.linear(found)
    with torch.inference_mode():
        z_BK = made(3 * inputs())
    expected = functional.normalize(inputs(), dim=1).numpy() @ found.weight_DK + found.bias_K
    assert np.allclose(z_BK.numpy(), expected, atol=1e-6)
    assert len(made.objectives) == 0


def test_codes_are_of_two_looks_and_one_is_learned_from() -> None:
    made = HashingNetwork(Head(features=FEATURES, bits=16), encoder=CopyEncoder())
    images = torch.randint(0, 256, (2, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    seen: list[torch.Size] = []
    made.encoder.register_forward_pre_hook(lambda _module, given: seen.append(given[0].shape))
    settle(made, images)  # a step of training
    assert seen == [images.shape]
    assert isinstance(made.encoder, CopyEncoder)
    with torch.inference_mode():
        found = made(images)
        alone = [made.head(made.encoder(view)) for view in made.encoder.views(images)]
    assert seen[1:3] == [view.shape for view in made.encoder.views(images)]
    assert torch.allclose(found, (alone[0] + alone[1]) / 2, atol=1e-6)
    assert not torch.allclose(alone[0], alone[1], atol=1e-3)
