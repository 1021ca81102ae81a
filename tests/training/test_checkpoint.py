"""Checkpoints restore everything, and damaged ones are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from lookalike.core.errors import TrainingError
from lookalike.models import create
from lookalike.training.checkpoint import (
    State,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
    weights_of,
)
from lookalike.training.files import write_aside
from lookalike.training.log import EpochRecord
from lookalike.training.settings import Settings

SETTINGS = Settings(
    images="abc",
    limit=None,
    model="cvae",
    config={"bits": 8, "sigma": 0.3, "beta": 1.0, "channels": (2, 2, 4, 4)},
    seed=3,
    epochs=5,
    batch=8,
    learning_rate=1e-3,
    validation=0.1,
)

RECORD = EpochRecord(
    epoch=1, step=2, train={"total": 2.0}, validation={"total": 1 / 3}, bits_alive=8, best=True, seconds=0.5,
    images_per_second=16.0,
)  # fmt: skip


def state_after(steps: int) -> State[Any]:
    model = create("cvae", seed=1, **SETTINGS.config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = State(model=model, optimiser=torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True))
    advance(state, steps)
    return state


def advance(state: State[Any], steps: int) -> None:
    for _ in range(steps):
        noise = torch.Generator().manual_seed(state.step)
        x = torch.rand(4, 1, 128, 128, generator=noise)
        state.optimiser.zero_grad()
        state.model.loss(x, generator=noise).total.backward()
        state.optimiser.step()
        state.step += 1


def test_a_checkpoint_brings_weights_moments_and_counters_back(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    state = state_after(2)
    state.sums, state.history = {"total": 0.1 + 0.2, "batches": 2.0}, [RECORD]
    save_checkpoint(path, state, SETTINGS)
    again = state_after(0)
    load_checkpoint(path, again, SETTINGS)
    assert (again.step, again.sums, again.history) == (2, state.sums, [RECORD])
    advance(state, 2)
    advance(again, 2)
    assert all(torch.equal(a, b) for a, b in zip(state.model.parameters(), again.model.parameters(), strict=True))


def test_weights_bring_the_model_back(tmp_path: Path) -> None:
    model = state_after(1).model.eval()
    save_weights(tmp_path / "best.safetensors", model, SETTINGS, epoch=1, loss=2.0)
    x = torch.rand(2, 1, 128, 128)
    for place in (tmp_path, tmp_path / "best.safetensors"):
        again = load_weights(weights_of(place), create("cvae", seed=2, **SETTINGS.config))
        torch.testing.assert_close(again.reconstruct(x), model.reconstruct(x))


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"c\.safetensors is damaged .* without --resume"):
        load_weights(path, torch.nn.Linear(1, 1))


GOOD: dict[str, Any] = {"step": 1, "sums": {"total": 1.0}, "history": []}


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"settings": 3, "done": GOOD},
        {"settings": {"config": {}}, "done": GOOD},
        {"settings": SETTINGS.values() | {"epochs": "many"}, "done": GOOD},
        {"settings": SETTINGS.values(), "done": {**GOOD, "step": -1}},
        {"settings": SETTINGS.values(), "done": {**GOOD, "model": 1}},
        {"settings": SETTINGS.values(), "done": {**GOOD, "sums": {"total": "x"}}},
        {"settings": SETTINGS.values(), "done": {**GOOD, "history": [{"epoch": 1}]}},
        {"settings": SETTINGS.values(), "done": GOOD},  # without weights
    ],
)
def test_a_strangers_checkpoint_is_one_line_that_names_it(metadata: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes(save({"other": torch.zeros(2)}, {"lookalike": json.dumps(metadata)}))
    state = state_after(0)
    with pytest.raises(TrainingError, match=r"c\.safetensors is damaged, or of another model") as caught:
        load_checkpoint(path, state, SETTINGS)
    assert "\n" not in str(caught.value)
    assert state.step == 0


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"there is no .*best\.safetensors; train first"):
        load_weights(weights_of(tmp_path), torch.nn.Linear(1, 1))


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_aside(path, b"old")
    monkeypatch.setattr("os.fsync", lambda _descriptor: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(TrainingError, match="cannot be written: disk full"):
        write_aside(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
