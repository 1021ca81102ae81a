"""The training loop: batches, a validation after each epoch, and periodic checkpoints.

Shapes: N images, K bits.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import numpy as np
import torch

from lookalike.core.errors import Interrupted, TrainingError
from lookalike.core.progress import Progress, silent
from lookalike.training import checkpoint
from lookalike.training.checkpoint import Module, State
from lookalike.training.log import EpochRecord, write_log
from lookalike.training.settings import Rows, Settings, Split, epoch_order, learning_rate, noise_seed
from lookalike.training.task import Floats, Task, values

CHECKPOINT_SECONDS = 60.0  # between checkpoints within an epoch
ALIVE = 0.01  # a bit is alive if its rarer value occurs in at least this share of the images


@dataclass(frozen=True, kw_only=True, slots=True)
class Run(Generic[Module]):
    """A run's task, rows and folder."""

    folder: Path
    task: Task[Module]
    rows: Split
    init_from: Path | None = None  # weights of another run to start from

    @property
    def settings(self) -> Settings:
        """The settings that identify the run."""
        return self.task.settings

    @property
    def steps_an_epoch(self) -> int:
        """Full batches per epoch; an incomplete last batch is dropped."""
        return max(1, len(self.rows.train) // self.settings.batch)

    @property
    def steps(self) -> int:
        """Batches in the whole run."""
        return self.steps_an_epoch * self.settings.epochs

    @property
    def checkpoint(self) -> Path:
        """The file of the run's state."""
        return self.folder / checkpoint.CHECKPOINT

    @property
    def best(self) -> Path:
        """The weights of the best epoch."""
        return self.folder / checkpoint.BEST

    @property
    def log(self) -> Path:
        """The file of the run's log."""
        return self.folder / "log.jsonl"


def fit(
    run: Run[Module],
    *,
    resume: bool = False,
    seconds: float | None = None,
    stop_requested: threading.Event | None = None,
    progress: Progress = silent,
) -> tuple[Module, list[EpochRecord]]:
    """The module of the best epoch by validation metric, on the CPU in evaluation mode; and all epochs.

    Stops early, after a step, once `seconds` have passed. Once `stop_requested` is set, it finishes the step, writes a
    checkpoint and raises `Interrupted`.
    """
    state = _resume(run) if resume else _begin(run)
    until = float("inf") if seconds is None else time.monotonic() + seconds
    settings, order = run.settings, None
    began = saved = time.monotonic()
    first = state.step  # of the epoch, or of its rest
    while state.step < run.steps:
        epoch, batch = divmod(state.step, run.steps_an_epoch)
        if batch == 0 or order is None:
            order = epoch_order(run.rows.train, settings, epoch=epoch)
        _step(run, state, order[batch * settings.batch : (batch + 1) * settings.batch])
        progress("training", state.step, run.steps)
        over = time.monotonic() >= until
        if over or batch + 1 == run.steps_an_epoch:
            _end_epoch(run, state, first=first, seconds=time.monotonic() - began)
            began, first = time.monotonic(), state.step
        elif not _due(saved, stop_requested):
            continue
        checkpoint.save_checkpoint(run.checkpoint, state, settings)
        saved = time.monotonic()
        if over:
            break
        if stop_requested is not None and stop_requested.is_set() and state.step < run.steps:
            raise Interrupted(
                f"stopped after step {state.step} of {run.steps}; everything so far is saved in {run.folder}. "
                "Continue with the same command and --resume"
            )
    return checkpoint.load_weights(run.best, run.task.create()), state.history


def _begin(run: Run[Module]) -> State[Module]:
    """A new run: seeded weights or another run's, an empty log, and a checkpoint at step 0."""
    state = _new_state(run)
    if run.init_from:
        checkpoint.start_from(run.init_from, state.model, run.settings)
    else:
        run.task.start(state.model, run.rows.train)
    write_log(run.log, run.settings.values(), [])
    checkpoint.save_checkpoint(run.checkpoint, state, run.settings)
    return state


def _resume(run: Run[Module]) -> State[Module]:
    state = _new_state(run)
    checkpoint.load_checkpoint(run.checkpoint, state, run.settings)
    return state


def _new_state(run: Run[Module]) -> State[Module]:
    model = run.task.create().to(device=run.task.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    # Fused: a single pass over the weights per step, which matters for a VAE's.
    optimiser = torch.optim.AdamW(model.parameters(), lr=run.settings.learning_rate, fused=True)
    return State(model=model, optimiser=optimiser)


def _step(run: Run[Module], state: State[Module], rows: Rows) -> None:
    """Train on one batch."""
    settings, model, task = run.settings, state.model, run.task
    for group in state.optimiser.param_groups:
        group["lr"] = learning_rate(state.step, run.steps, highest=settings.learning_rate)

    model.train()
    noise = torch.Generator(run.task.device).manual_seed(noise_seed(settings, step=state.step))
    losses = task.loss(model, rows, step=state.step, generator=noise)
    found = values(losses)
    if not np.isfinite(found["total"]):
        raise TrainingError(f"the loss is no longer a number at step {state.step}; lower the learning rate")
    state.optimiser.zero_grad()
    (losses.total * task.scale(model)).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), task.clip)
    state.optimiser.step()

    state.sums = {name: state.sums.get(name, 0.0) + value for name, value in (found | {"batches": 1.0}).items()}
    state.step += 1


def _end_epoch(run: Run[Module], state: State[Module], *, first: int, seconds: float) -> None:
    """Validate, keep the weights if they are the best so far, and log."""
    epoch = (state.step - 1) // run.steps_an_epoch + 1
    batches = state.sums.pop("batches")
    model = state.model.eval()
    validation = run.task.validate(model, run.rows.validation)
    metric = run.task.validation_metric
    best = all(metric(validation) < metric(earlier.validation) for earlier in state.history)
    if best:
        checkpoint.save_weights(run.best, model, run.settings, epoch=epoch, loss=validation["total"])
    record = EpochRecord(
        epoch=epoch,
        step=state.step,
        train={name: total / batches for name, total in state.sums.items()},
        validation=validation,
        bits_alive=bits_alive(run.task.latents(model, run.rows.validation)),
        best=best,
        seconds=round(seconds, 2),
        images_per_second=round((state.step - first) * run.settings.batch / seconds, 1),
    )
    state.sums = {}
    state.history.append(record)
    write_log(run.log, run.settings.values(), state.history)


def bits_alive(z_NK: Floats) -> int:
    """Number of bits that, thresholded at their mean, have either value in at least 1 in 100 images."""
    ones_K = (z_NK > z_NK.mean(axis=0)).mean(axis=0)
    return int((np.minimum(ones_K, 1 - ones_K) >= ALIVE).sum())


def _due(saved: float, stop_requested: threading.Event | None) -> bool:
    """Whether a checkpoint is due before the end of the epoch."""
    return time.monotonic() - saved >= CHECKPOINT_SECONDS or (stop_requested is not None and stop_requested.is_set())
