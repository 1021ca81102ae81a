"""The global stream is the code; the local streams, of groups of tokens, exist only in training.

Shapes: N images, T tokens of D numbers, K bits.
"""

from __future__ import annotations

import pytest
import torch

from research.hashing.dual_stream import GROUPS, DualStream

N, T, D, K = 3, 10, 6, 16


def network(tokens: int = T, **settings: float) -> DualStream:
    torch.manual_seed(0)
    return DualStream(tokens=tokens, width=D, bits=K, **settings)


def images(tokens: int = T) -> torch.Tensor:
    return torch.randn(N, tokens * D, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("tokens", "groups"), [(T, GROUPS), (4, 4), (3, 3), (1, 1)])
def test_shapes(tokens: int, groups: int) -> None:
    one = network(tokens)
    assert one.train()(images(tokens)).shape == (groups + 1, N, K)
    assert one.eval()(images(tokens)).shape == (N, K)


def test_the_code_is_the_global_stream_and_local_ones_leave_it_alone() -> None:
    one = network().train()
    streams = one(images())
    assert torch.allclose(one.eval()(images()), streams[0], atol=1e-6)
    with torch.no_grad():
        for weight in (*one.to_local.parameters(), *one.of_groups.parameters()):
            weight.zero_()
    assert torch.allclose(one(images()), streams[0], atol=1e-6)


def test_an_image_has_the_same_code_in_any_batch() -> None:
    one = network().eval()
    with torch.inference_mode():
        together = one(images())
        alone = torch.cat([one(image[None]) for image in images()])
        assert one(images()[:0]).shape == (0, K)
    assert torch.allclose(together, alone, atol=1e-6)


def test_a_local_stream_sees_its_own_group_besides_what_is_shared() -> None:
    """Of tokens that differ in the last group only, streams differ by the shared block alone where that is empty."""
    one = network().train()
    with torch.no_grad():
        for weight in one.shared.parameters():
            weight.zero_()  # so that tokens stay unchanged
    changed = images().reshape(N, D, T).clone()
    changed[:, :, -1] += torch.randn(D)
    before, after = one(images()), one(changed.flatten(1))
    same = [torch.allclose(a, b, atol=1e-6) for a, b in zip(before, after, strict=True)]
    assert same == [False, True, True, True, False]


def test_the_order_of_tokens_tells() -> None:
    one = network().eval()
    turned = images().reshape(N, D, T).flip(2).flatten(1)
    with torch.inference_mode():
        assert not torch.allclose(one(images()), one(turned), atol=1e-4)


def test_all_weights_are_trained() -> None:
    one = network().train()
    one(images()).square().mean().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in one.parameters())


def test_dropout_is_of_training_only() -> None:
    one = network(dropout=0.5)
    torch.manual_seed(2)
    assert not torch.allclose(one.train()(images())[0], one(images())[0])
    assert torch.equal(one.eval()(images()), one(images()))
