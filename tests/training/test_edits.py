"""Edits of batches: the same for the same random numbers, within the range of pixels, and hardly any in `slightly`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from lookalike.models import create
from lookalike.training.edits import Edits, edited, resized
from lookalike.training.settings import Settings
from lookalike.training.task import AutoencoderTask, to_input

R, S = 48, 32


def pictures(count: int = 64) -> Tensor:
    """Smooth pictures: a few waves each."""
    generator = torch.Generator().manual_seed(0)
    return resized(torch.rand(count, 3, 6, 6, generator=generator), R)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


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


def test_the_loss_compares_with_the_clean_image(tiny_images: npt.NDArray[np.uint8]) -> None:
    model = create("cvae", bits=8).eval()
    x_N1SS = to_input(tiny_images[:8], "cpu")
    seen_N1SS = x_N1SS.flip(3)
    plain = model.loss(x_N1SS, generator=generator(3))
    same = model.loss(x_N1SS, seen_N1SS=x_N1SS, generator=generator(3))
    changed = model.loss(x_N1SS, seen_N1SS=seen_N1SS, generator=generator(3))
    wrong = model.loss(seen_N1SS, seen_N1SS=seen_N1SS, generator=generator(3))
    assert torch.equal(plain.total, same.total)
    assert not torch.equal(plain.total, changed.total)
    assert torch.equal(changed.parts["kl"], wrong.parts["kl"])
    assert not torch.equal(changed.parts["reconstruction"], wrong.parts["reconstruction"])


def test_edited_copies_are_grey_images_that_depend_on_the_seed(tiny_images: npt.NDArray[np.uint8]) -> None:
    images_NSS = tiny_images[:16]
    first, again, other = (edited(images_NSS, seed=seed) for seed in (1, 1, 2))
    assert first.shape == images_NSS.shape
    assert first.dtype == np.uint8
    assert (first == again).all()
    assert (first != other).any()
    differs_N = (first != images_NSS).any(axis=(1, 2))
    assert differs_N.mean() > 0.9


def test_the_loss_of_edited_copies_compares_with_the_clean_image(tiny_images: npt.NDArray[np.uint8]) -> None:
    def loss(*, augment: bool, seed: int = 0) -> float:
        settings = Settings(
            images="x", limit=None, model="cvae", config={"bits": 8}, seed=0, epochs=1, batch=8, learning_rate=0.001,
            validation=0.1, augment=augment,
        )  # fmt: skip
        task = AutoencoderTask(settings, tiny_images)
        return float(task.loss(task.create().eval(), np.arange(8), step=0, generator=generator(seed)).total.item())

    assert loss(augment=True) == loss(augment=True)
    assert loss(augment=True) != loss(augment=False)
    assert loss(augment=True) != loss(augment=True, seed=1)
