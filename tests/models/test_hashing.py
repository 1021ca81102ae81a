"""A hashing network is an encoder, outputs and objectives; the first bits of nested codes are trained alone.

Shapes: B images of a batch, D features, K bits.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lookalike.core.errors import ConfigError, LookalikeError
from lookalike.models import hashing
from lookalike.models.hashing import HashingConfig
from lookalike.models.lite_encoder import SIDE, LiteEncoder
from lookalike.models.methods import METHODS, method
from tests.references.batch_norms import settle

B, D, T = 6, 8, 4
OF_FEATURES: dict[str, Any] = {"features": D, "hidden": 12, "classes": 3, "clusters": (2, 3)}


def config(name: str, **changes: Any) -> HashingConfig:
    tokens = {"tokens": T} if method(name).tokens else {}
    return HashingConfig(method=name, **OF_FEATURES | tokens | changes)


def inputs(name: str) -> Tensor:
    return torch.randn(B, D * (T if method(name).tokens else 1), generator=torch.Generator().manual_seed(1))


def target(name: str) -> Tensor:
    """Something for the method to follow."""
    x = inputs(name)
    targets = {
        "labels": torch.eye(3, dtype=torch.bool)[[0, 1, 2, 0, 1, 2]],
        "features": x,
        "view": x + 0.1,
        "clusters": torch.tensor([[0, 0], [1, 1], [0, 2], [1, 0], [0, 1], [1, 2]]),
    }
    return targets[method(name).target]


TRAINED = [name for name, one in METHODS.items() if one.objective is not None]


@pytest.mark.parametrize("name", TRAINED)
def test_twenty_steps_lower_the_loss(name: str) -> None:
    network = hashing.create(config(name, bits=16, nested=(8,)))
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    losses = []
    torch.manual_seed(0)
    for step in range(20):
        network.train()
        loss = network.loss(inputs(name), target(name), step=step).total
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        network.eval()
        with torch.inference_mode():
            losses.append(network.loss(inputs(name), target(name)).total.item())
    assert min(losses[-5:]) < losses[0]


@pytest.mark.parametrize("name", TRAINED)
def test_the_loss_of_nested_codes_is_the_mean_over_lengths(name: str) -> None:
    network = hashing.create(config(name, bits=32, nested=(16, 8))).eval()
    assert network.config.lengths == (8, 16, 32)
    followed = target(name)
    with torch.inference_mode():
        u_BK = network(inputs(name))
        found = network(followed) if method(name).target == "view" else followed
        alone = [
            objective(u_BK[:, :length], found[:, :length] if method(name).target == "view" else found).item()
            for length, objective in zip((8, 16, 32), network.objectives, strict=True)
        ]
        assert network.loss(inputs(name), followed).total.item() == pytest.approx(sum(alone) / 3)


@pytest.mark.parametrize(("name", "buffer"), [("dpn", "targets_CK"), ("orthohash", "words_CK")])
def test_targets_of_shorter_codes_are_first_bits_of_the_longest(name: str, buffer: str) -> None:
    shorter, whole = hashing.objectives(config(name, bits=32, nested=(16,)))
    (alone,) = hashing.objectives(config(name, bits=32))
    assert torch.equal(getattr(shorter, buffer), getattr(whole, buffer)[:, :16])
    assert torch.equal(getattr(whole, buffer), getattr(alone, buffer))


def test_classes_have_different_centres_at_each_length_of_nested_codes() -> None:
    for classes in (20, 202):
        found = hashing.objectives(HashingConfig(method="csq", bits=64, nested=(16, 32), features=D, classes=classes))
        for objective, length in zip(found, (16, 32, 64), strict=True):
            centres_CK = dict(objective.named_buffers())["centres_CK"]
            assert len(set(map(tuple, centres_CK.tolist()))) == classes
            assert centres_CK.sum(dim=1).abs().max() == 0  # half of the bits are one
            assert torch.equal(centres_CK, dict(found[-1].named_buffers())["centres_CK"][:, :length])


def test_weights_are_drawn_under_the_seed_and_nothing_else_is() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (hashing.create(config("dpn", seed=seed)).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["head.outputs.weight"], other["head.outputs.weight"])
    assert not torch.equal(one["objectives.0.targets_CK"], other["objectives.0.targets_CK"])


@pytest.mark.parametrize(
    ("name", "source"),
    [("dhn", "conv"), ("dhn", "vit"), ("cibhash", "conv"), ("transhash", "vit"), ("copies", "copies")],
)
def test_encoders_of_our_own_take_images(name: str, source: str) -> None:
    network = hashing.create(HashingConfig(method=name, bits=16, source=source, classes=3)).eval()
    side = hashing.ENCODERS[source].side
    images = torch.randint(0, 256, (2, side, side, 3), dtype=torch.uint8)
    with torch.inference_mode():
        assert network(images).shape == (2, 16)
    assert sum(weight.numel() for weight in network.encoder.parameters()) > 100_000


def test_a_closed_form_is_linear_in_features_of_length_one() -> None:
    weight_DK, bias_K = torch.randn(D, 16), torch.randn(16)
    network = hashing.solved(config("itq", bits=16, hidden=0), weight_DK, bias_K)
    x_BD = inputs("itq")
    with torch.inference_mode():
        z_BK = network(3 * x_BD)
    assert torch.allclose(z_BK, functional.normalize(x_BD, dim=1) @ weight_DK + bias_K, atol=1e-6)
    assert len(network.objectives) == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bits": 12}, "bits is 12"),
        ({"nested": (12,)}, "bits is 12"),
        ({"bits": 16, "nested": (16,)}, r"nested is \(16,\); shorter codes must have fewer than 16 bits"),
        ({"source": "resnet"}, "source is 'resnet'; it must be one of features, conv, vit"),
    ],
)
def test_what_no_network_can_be_made_of_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(LookalikeError, match=said):
        config("dhn", **changes)


def test_transhash_needs_tokens() -> None:
    with pytest.raises(ConfigError, match=r"transhash takes tokens; conv has none\. Take vit or a backbone"):
        hashing.create(HashingConfig(method="transhash", source="conv", classes=3))
    with pytest.raises(ConfigError, match="transhash takes tokens; features has none"):
        hashing.create(config("transhash", tokens=0))


def test_usual_lengths() -> None:
    assert [hashing.lengths_below(bits) for bits in (16, 48, 128, 256)] == [
        (),
        (16, 32),
        (16, 32, 64),
        (16, 32, 64, 128),
    ]


def test_codes_are_of_two_looks_and_one_is_learned_from() -> None:
    network = hashing.create(HashingConfig(method="copies", bits=16, source="lite"))
    images = torch.randint(0, 256, (2, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    seen: list[torch.Size] = []
    network.encoder.register_forward_pre_hook(lambda _module, given: seen.append(given[0].shape))
    settle(network, images)  # a step of training
    assert seen == [images.shape]
    assert isinstance(network.encoder, LiteEncoder)
    with torch.inference_mode():
        found = network(images)
        alone = [network.head(network.encoder(look)) for look in network.encoder.looks(images)]
    assert seen[1:3] == [look.shape for look in network.encoder.looks(images)]
    assert torch.allclose(found, (alone[0] + alone[1]) / 2, atol=1e-6)
    assert not torch.allclose(alone[0], alone[1], atol=1e-3)
