from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")

from lookalike.models import create  # noqa: E402
from lookalike.training.inputs.augment import NOISE, disturb, edited  # noqa: E402
from lookalike.training.settings import Settings  # noqa: E402
from lookalike.training.task import Autoencoding, to_input  # noqa: E402


def generator(seed: int = 0) -> Any:
    return torch.Generator().manual_seed(seed)


def test_no_jitter_is_the_image_itself() -> None:
    x_N1SS = torch.rand(2, 1, 128, 128)
    assert disturb(x_N1SS, 0.0, generator=generator()) is x_N1SS


def test_scale_and_shift_are_one_an_image_and_within_the_jitter() -> None:
    x_N1SS = torch.zeros(64, 1, 128, 128)
    x_N1SS[:, :, 64:] = 1.0
    disturbed = disturb(x_N1SS, 0.1, generator=generator())
    shift, scale = (
        disturbed[:, 0, :64].mean((1, 2)),
        disturbed[:, 0, 64:].mean((1, 2)) - disturbed[:, 0, :64].mean((1, 2)),
    )
    assert 0.05 < shift.abs().max() < 0.101
    assert 0.05 < (scale - 1).abs().max() < 0.101
    assert disturbed[:, 0, :64].std((1, 2)) == pytest.approx(np.full(64, NOISE * 0.1), rel=0.05)


def test_it_depends_on_the_seed_alone() -> None:
    x_N1SS = torch.rand(2, 1, 128, 128)
    first, again, other = (disturb(x_N1SS, 0.1, generator=generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_loss_compares_with_the_undisturbed_image(tiny_images: npt.NDArray[np.uint8]) -> None:
    model = create("cvae", bits=8).eval()
    x_N1SS = to_input(tiny_images[:8], "cpu")
    seen_N1SS = disturb(x_N1SS, 0.1, generator=generator())
    plain = model.loss(x_N1SS, generator=generator(3))
    same = model.loss(x_N1SS, seen_N1SS=x_N1SS, generator=generator(3))
    disturbed = model.loss(x_N1SS, seen_N1SS=seen_N1SS, generator=generator(3))
    wrong = model.loss(seen_N1SS, seen_N1SS=seen_N1SS, generator=generator(3))
    assert torch.equal(plain.total, same.total)
    assert not torch.equal(plain.total, disturbed.total)
    assert torch.equal(disturbed.parts["kl"], wrong.parts["kl"])
    assert not torch.equal(disturbed.parts["reconstruction"], wrong.parts["reconstruction"])


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
    def loss(*, edited: bool, seed: int = 0) -> float:
        settings = Settings(
            images="x", limit=None, model="cvae", config={"bits": 8}, seed=0, epochs=1, batch=8, learning_rate=0.001,
            validation=0.1, edited=edited,
        )  # fmt: skip
        task = Autoencoding(settings, tiny_images)
        return float(task.loss(task.create().eval(), np.arange(8), step=0, generator=generator(seed)).total.item())

    assert loss(edited=True) == loss(edited=True)
    assert loss(edited=True) != loss(edited=False)
    assert loss(edited=True) != loss(edited=True, seed=1)
