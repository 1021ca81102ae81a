"""The training loop: one batch after another, a validation after each epoch, a checkpoint now and then.

Shapes: N images, S pixels a side, K bits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lookalike.errors import Interrupted, TrainingError
from lookalike.images import Array
from lookalike.models import HashModel, create
from lookalike.models.base import SIDE, Losses
from lookalike.models.blocks import MinMax
from lookalike.training.augment import disturb
from lookalike.training.checkpoint import CHECKPOINT, State, load_checkpoint, load_model, save_checkpoint, save_weights
from lookalike.training.log import EpochRecord, Log
from lookalike.training.progress import OnProgress, Reporter
from lookalike.training.settings import Rows, Settings, Split, epoch_order, learning_rate, noise_seed

CHECKPOINT_SECONDS = 60.0  # between checkpoints within an epoch
CLIP = 0.2  # highest norm of a step's gradient; usual norms are 0.01 to 0.1
EVALUATION_BATCH = 128
VALIDATION_SEED = 0  # of the noise; always the same, so that epochs can be compared
ALIVE = 0.01  # a bit is alive if its rarer value is at least this share of the images

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What a run works on and where it writes."""

    folder: Path
    settings: Settings
    images: Array  # uint8 (N, S, S)
    rows: Split
    device: str = "cpu"

    @property
    def steps_an_epoch(self) -> int:
        """Full batches in the training images; the rest of a permutation waits for the next epoch."""
        return max(1, len(self.rows.train) // self.settings.batch)

    @property
    def steps(self) -> int:
        """Batches in the whole run."""
        return self.steps_an_epoch * self.settings.epochs

    @property
    def checkpoint(self) -> Path:
        """Where the run stands."""
        return self.folder / CHECKPOINT

    @property
    def best(self) -> Path:
        """The weights of the best epoch."""
        return self.folder / "best.safetensors"

    @property
    def log(self) -> Log:
        """The run's log."""
        return Log(self.folder / "log.jsonl")


def fit(
    run: Run,
    *,
    resume: bool = False,
    seconds: float | None = None,
    asked: threading.Event | None = None,
    on_progress: OnProgress | None = None,
) -> HashModel[Any]:
    """The model with the lowest validation loss, on the CPU, in evaluation mode.

    Stops early, at a step, once `seconds` are over. Once `asked` is set, the step in hand is finished, a checkpoint
    written and `Interrupted` raised.
    """
    state = _resume(run) if resume else _begin(run)
    until = float("inf") if seconds is None else time.monotonic() + seconds
    settings, order = run.settings, None
    began = saved = time.monotonic()
    first = state.step  # of the epoch, or of what is left of it
    with Reporter(step=state.step, steps=run.steps, epochs=settings.epochs, on_progress=on_progress) as reporter:
        while state.step < run.steps:
            epoch, batch = divmod(state.step, run.steps_an_epoch)
            if batch == 0 or order is None:
                order = epoch_order(run.rows.train, settings, epoch=epoch)
            loss = _step(run, state, order[batch * settings.batch : (batch + 1) * settings.batch])
            reporter.step(state.step, loss=loss)
            over = time.monotonic() >= until
            if over or batch + 1 == run.steps_an_epoch:
                record = _end_epoch(run, state, first=first, seconds=time.monotonic() - began)
                reporter.epoch(record.validation["total"])
                began, first = time.monotonic(), state.step
            elif not _due(saved, asked):
                continue
            save_checkpoint(run.checkpoint, state, settings)
            saved = time.monotonic()
            if over:
                break
            if asked is not None and asked.is_set() and state.step < run.steps:
                raise Interrupted(
                    f"stopped after step {state.step} of {run.steps}; everything up to there is kept in {run.folder}. "
                    "Go on with the same command and --resume"
                )
    return load_model(run.best)


def to_input(images_NSS: Array, device: str) -> Tensor:
    """What a model takes, float32 (N, 1, S, S) in [0, 1]."""
    x_N1SS: Tensor = MinMax()(torch.tensor(images_NSS, device=device))
    return x_N1SS


def latents(model: HashModel[Any], images_NSS: Array, rows: Rows, *, device: str = "cpu") -> Floats:
    """Latents (N, K) of the images in these rows, as float64."""
    with torch.inference_mode():
        blocks = [model.latent(to_input(images_NSS[block], device)).cpu() for block in _blocks(rows)]
    return torch.cat(blocks).double().numpy()


def _begin(run: Run) -> State:
    """A new run: seeded weights, an empty log, and a checkpoint of step 0."""
    state = _new_state(run)
    run.log.begin(run.settings.values())
    save_checkpoint(run.checkpoint, state, run.settings)
    return state


def _resume(run: Run) -> State:
    state = _new_state(run)
    load_checkpoint(run.checkpoint, state, run.settings)
    run.log.go_back(step=state.step)
    return state


def _new_state(run: Run) -> State:
    model = create(run.settings.model, seed=run.settings.seed, **run.settings.config)
    model = model.to(device=run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    # Fused: one pass over the weights a step, which matters for those of a VAE.
    optimiser = torch.optim.AdamW(model.parameters(), lr=run.settings.learning_rate, fused=True)
    return State(model=model, optimiser=optimiser)


def _step(run: Run, state: State, rows: Rows) -> float:
    """One batch: its loss in nats an image, after which the weights have changed."""
    settings, model = run.settings, state.model
    for group in state.optimiser.param_groups:
        group["lr"] = learning_rate(state.step, run.steps, highest=settings.learning_rate)

    model.train()
    noise = torch.Generator(run.device).manual_seed(noise_seed(settings, step=state.step))
    x_N1SS = to_input(run.images[rows], run.device)
    losses = model.loss(x_N1SS, seen_N1SS=disturb(x_N1SS, settings.jitter, generator=noise), generator=noise)
    values = _values(losses)
    if not np.isfinite(values["total"]):
        raise TrainingError(f"the loss is no longer a number at step {state.step}; lower the learning rate")
    state.optimiser.zero_grad()
    # In units of the squared error of a pixel, so that one bound on the gradient fits every σ.
    (losses.total * (2 * model.config.sigma**2 / SIDE**2)).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    state.optimiser.step()

    state.sums = {name: state.sums.get(name, 0.0) + value for name, value in (values | {"batches": 1.0}).items()}
    state.step += 1
    return values["total"]


def _end_epoch(run: Run, state: State, *, first: int, seconds: float) -> EpochRecord:
    """Validate, keep the weights if they are the best so far, and log."""
    epoch = (state.step - 1) // run.steps_an_epoch + 1
    batches = state.sums.pop("batches")
    model = state.model.eval()
    validation = validate(model, run.images, run.rows.validation, device=run.device)
    best = state.best_loss is None or validation["total"] < state.best_loss
    if best:
        state.best_loss, state.best_epoch = validation["total"], epoch
        save_weights(run.best, model, run.settings, epoch=epoch, loss=validation["total"])
    record = EpochRecord(
        epoch=epoch,
        step=state.step,
        train={name: total / batches for name, total in state.sums.items()},
        validation=validation,
        bits_alive=bits_alive(latents(model, run.images, run.rows.validation, device=run.device)),
        best=best,
        seconds=round(seconds, 2),
        images_per_second=round((state.step - first) * run.settings.batch / seconds, 1),
    )
    state.sums = {}
    run.log.epoch(record)
    return record


def validate(model: HashModel[Any], images_NSS: Array, rows: Rows, *, device: str = "cpu") -> dict[str, float]:
    """Total and parts of the loss, nats an image, mean over the images in these rows."""
    noise = torch.Generator(device).manual_seed(VALIDATION_SEED)
    sums: dict[str, float] = {}
    with torch.inference_mode():
        for block in _blocks(rows):
            values = _values(model.loss(to_input(images_NSS[block], device), generator=noise))
            sums = {name: sums.get(name, 0.0) + value * len(block) for name, value in values.items()}
    return {name: total / len(rows) for name, total in sums.items()}


def bits_alive(z_NK: Floats) -> int:
    """How many bits take both values, each on at least 1 in 100 of these images, when cut at their own mean."""
    ones_K = (z_NK > z_NK.mean(axis=0)).mean(axis=0)
    return int((np.minimum(ones_K, 1 - ones_K) >= ALIVE).sum())


def _blocks(rows: Rows) -> Iterator[Rows]:
    for start in range(0, len(rows), EVALUATION_BATCH):
        yield rows[start : start + EVALUATION_BATCH]


def _values(losses: Losses) -> dict[str, float]:
    return {"total": losses.total.item()} | {name: value.item() for name, value in losses.parts.items()}


def _due(saved: float, asked: threading.Event | None) -> bool:
    """Whether a checkpoint must be written before the epoch's end."""
    return time.monotonic() - saved >= CHECKPOINT_SECONDS or (asked is not None and asked.is_set())
