"""What a task does to a module before training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lookalike.training.settings import Settings
from lookalike.training.task import AutoencoderTask


@pytest.mark.parametrize(
    ("model", "config", "starts"),
    [("vae", {"layers": (64, 32, 16, 16)}, True), ("cvae", {"channels": (2, 2, 2, 2)}, False)],
)
def test_a_vae_starts_from_the_training_images_and_others_do_not(
    model: str, config: dict[str, Any], starts: bool
) -> None:
    settings = Settings(
        images="", limit=None, model=model, config={"bits": 8, **config}, seed=0, epochs=1, batch=4,
        learning_rate=1e-3, validation=0.1,
    )  # fmt: skip
    images = np.random.default_rng(0).integers(0, 256, (8, 128, 128), np.uint8)
    task = AutoencoderTask(settings, images)
    network, same, untouched = (task.create() for _ in range(3))
    for one, rows in ((network, [0, 2, 4, 6]), (same, [0, 2, 4, 6])):
        task.start(one, np.array(rows))
    pairs = zip(network.parameters(), same.parameters(), untouched.parameters(), strict=True)
    kept = [(torch.equal(a, b), torch.equal(a, c)) for a, b, c in pairs]
    assert all(again for again, _ in kept)
    assert all(equal for _, equal in kept) is not starts
