"""Edits of batches: the same for the same random numbers, within the range of pixels, and hardly any in `slightly`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lookalike.training.inputs.edits import Edits, resized

R, S = 48, 32


def pictures(count: int = 64) -> Tensor:
    """Smooth pictures: a few waves each."""
    generator = torch.Generator().manual_seed(0)
    return resized(torch.rand(count, 3, 6, 6, generator=generator), R)


def edits(seed: int = 1) -> Edits:
    return Edits(torch.Generator().manual_seed(seed), side=S)


@pytest.mark.parametrize("name", ["edited", "slightly"])
def test_the_same_random_numbers_make_the_same_copies(name: str) -> None:
    one, same, other = (getattr(edits(seed), name)(pictures()) for seed in (1, 1, 2))
    assert one.shape == (64, 3, S, S)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.min() >= 0
    assert one.max() <= 1


def test_copies_differ_more_than_what_is_slightly_changed() -> None:
    plain = resized(pictures(), S)
    slight = (edits().slightly(pictures()) - plain).abs().mean(dim=(1, 2, 3))
    edited = (edits().edited(pictures()) - plain).abs().mean(dim=(1, 2, 3))
    assert (slight == 0).float().mean() > 0.3
    assert slight.max() < 0.25
    assert edited.mean() > 2 * slight.mean()
    assert edited.min() < 0.06  # hardly at all is an edit, too


def test_a_copy_is_nearer_to_its_picture_than_to_the_others_most_often() -> None:
    x = pictures()
    plain = resized(x, S).flatten(1)
    plain = plain - plain.mean(dim=1, keepdim=True)
    copies = edits(3).edited(x).flatten(1)
    copies = copies - copies.mean(dim=1, keepdim=True)
    cosines = torch.nn.functional.normalize(copies, dim=1) @ torch.nn.functional.normalize(plain, dim=1).T
    found = (cosines.argmax(dim=1) == torch.arange(len(x))).float().mean().item()
    assert 0.3 < found < 0.98  # neither beyond recognition nor untouched


def test_smaller_pictures_are_smoothed_and_others_are_left() -> None:
    stripes = (torch.arange(R) % 2).float().expand(1, 3, R, R)
    assert resized(stripes, R) is stripes
    small = resized(stripes, R // 4)
    assert small.shape == (1, 3, R // 4, R // 4)
    assert (small[..., 1:-1] - 0.5).abs().max() < 0.1
