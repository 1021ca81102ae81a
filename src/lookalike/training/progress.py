"""What a run tells while it goes on: a bar on a terminal, and a callback for programs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tqdm import tqdm


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Where training stands after a step."""

    epoch: int  # from 1
    epochs: int
    step: int  # batches done
    steps: int  # batches of the whole run
    loss: float  # nats an image, of the step's batch
    seconds_left: float  # if the rest goes as fast as what this call has done so far


OnProgress = Callable[[Progress], object]


def bar(total: int, *, what: str, unit: str, initial: int = 0) -> tqdm[None]:
    """A bar on stderr that shows the time left; nothing at all where stderr is no terminal."""
    return tqdm(
        total=total,
        initial=initial,
        desc=what,
        unit=unit,
        file=sys.stderr,
        disable=not sys.stderr.isatty(),
        dynamic_ncols=True,
    )


class Reporter:
    """A bar and a callback that are told the same."""

    def __init__(self, *, step: int, steps: int, epochs: int, on_progress: OnProgress | None) -> None:
        self._first, self._steps, self._epochs = step, steps, epochs
        self._on_progress = on_progress
        self._began = time.monotonic()
        self._bar = bar(steps, what="training", unit="step", initial=step)
        self._validation = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def step(self, step: int, *, loss: float) -> None:
        """A step is done."""
        epoch = (step - 1) * self._epochs // self._steps + 1
        self._bar.set_description(f"epoch {epoch}/{self._epochs}", refresh=False)
        self._bar.set_postfix_str(f"loss {loss:.0f}{self._validation}", refresh=False)
        self._bar.update(1)
        if self._on_progress is not None:
            self._on_progress(self._progress(epoch, step, loss))

    def epoch(self, validation_loss: float) -> None:
        """An epoch is done."""
        self._validation = f", validation {validation_loss:.0f} nats an image"

    def _progress(self, epoch: int, step: int, loss: float) -> Progress:
        each = (time.monotonic() - self._began) / max(1, step - self._first)
        return Progress(
            epoch=epoch,
            epochs=self._epochs,
            step=step,
            steps=self._steps,
            loss=loss,
            seconds_left=each * (self._steps - step),
        )
