"""The training loop: one batch after another, a validation after each epoch, a checkpoint now and then.

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
from lookalike.training.log import EpochRecord, Log
from lookalike.training.outputs.checkpoint import (
    BEST,
    CHECKPOINT,
    Module,
    State,
    begin_with,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)
from lookalike.training.progress import OnProgress, Reporter
from lookalike.training.settings import Rows, Settings, Split, epoch_order, learning_rate, noise_seed
from lookalike.training.task import Floats, Task, values

CHECKPOINT_SECONDS = 60.0  # between checkpoints within an epoch
ALIVE = 0.01  # a bit is alive if its rarer value is at least this share of the images


@dataclass(frozen=True, kw_only=True, slots=True)
class Run(Generic[Module]):
    """What a run works on and where it writes."""

    folder: Path
    settings: Settings
    task: Task[Module]
    rows: Split
    device: str = "cpu"
    begun: Path | None = None  # weights of another run, to begin with

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
        return self.folder / BEST

    @property
    def log(self) -> Log:
        """The run's log."""
        return Log(self.folder / "log.jsonl")


def fit(
    run: Run[Module],
    *,
    resume: bool = False,
    seconds: float | None = None,
    asked: threading.Event | None = None,
    on_progress: OnProgress | None = None,
) -> Module:
    """The module with the least badness on held-out images, on the CPU, in evaluation mode.

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
    return load_weights(run.best, run.task.create())


def _begin(run: Run[Module]) -> State[Module]:
    """A new run: seeded weights or those of another, an empty log, and a checkpoint of step 0."""
    state = _new_state(run)
    if run.begun:
        begin_with(run.begun, state.model, run.settings)
    run.log.begin(run.settings.values())
    save_checkpoint(run.checkpoint, state, run.settings)
    return state


def _resume(run: Run[Module]) -> State[Module]:
    state = _new_state(run)
    load_checkpoint(run.checkpoint, state, run.settings)
    run.log.go_back(step=state.step)
    return state


def _new_state(run: Run[Module]) -> State[Module]:
    model = run.task.create().to(device=run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    # Fused: one pass over the weights a step, which matters for those of a VAE.
    optimiser = torch.optim.AdamW(model.parameters(), lr=run.settings.learning_rate, fused=True)
    return State(model=model, optimiser=optimiser)


def _step(run: Run[Module], state: State[Module], rows: Rows) -> float:
    """One batch: its loss, after which the weights have changed."""
    settings, model, task = run.settings, state.model, run.task
    for group in state.optimiser.param_groups:
        group["lr"] = learning_rate(state.step, run.steps, highest=settings.learning_rate)

    model.train()
    noise = torch.Generator(run.device).manual_seed(noise_seed(settings, step=state.step))
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
    return found["total"]


def _end_epoch(run: Run[Module], state: State[Module], *, first: int, seconds: float) -> EpochRecord:
    """Validate, keep the weights if they are the best so far, and log."""
    epoch = (state.step - 1) // run.steps_an_epoch + 1
    batches = state.sums.pop("batches")
    model = state.model.eval()
    validation = run.task.validate(model, run.rows.validation)
    badness = run.task.badness(validation)
    best = state.least is None or badness < state.least
    if best:
        state.least, state.best_epoch = badness, epoch
        save_weights(run.best, model, run.settings, epoch=epoch, loss=validation["total"])
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
    run.log.epoch(record)
    return record


def bits_alive(z_NK: Floats) -> int:
    """How many bits take both values, each on at least 1 in 100 of these images, when cut at their own mean."""
    ones_K = (z_NK > z_NK.mean(axis=0)).mean(axis=0)
    return int((np.minimum(ones_K, 1 - ones_K) >= ALIVE).sum())


def _due(saved: float, asked: threading.Event | None) -> bool:
    """Whether a checkpoint must be written before the epoch's end."""
    return time.monotonic() - saved >= CHECKPOINT_SECONDS or (asked is not None and asked.is_set())
