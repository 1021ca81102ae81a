"""What makes a run what it is, and the pure functions of it: which images, in which order, with which noise.

Two runs of the same settings give the same weights, broken or unbroken, since nothing here depends on what went before:
the split on the seed, an epoch's order on seed and epoch, a step's noise on seed and step. That is on one machine: with
another number of threads sums run in another order.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import ConfigError, TrainingError

MIN_IMAGES = 16
MAX_VALIDATION = 2_000  # held-out images; more make no difference to the reported loss
WARM_UP = 0.05  # share of the steps in which the learning rate rises
_ORDER, _NOISE, _SPLIT, _SAMPLE = range(4)  # one stream of random numbers each

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What two runs must share for one to go on where the other stopped."""

    images: str  # digest of the collection
    limit: int | None
    model: str
    config: dict[str, Any]
    seed: int
    epochs: int
    batch: int
    learning_rate: float  # the highest one
    validation: float  # share of the images that are held out
    jitter: float = 0.0  # how much the images that the encoder sees are disturbed; see `augment`
    edited: bool = False  # whether it sees edited copies of them
    begun: str = ""  # digest of the weights that it begins with, if they are of another run

    def __post_init__(self) -> None:
        _require(self.epochs >= 1, "epochs", self.epochs, "at least 1")
        _require(self.batch >= 2, "batch", self.batch, "at least 2")
        _require(self.seed >= 0, "seed", self.seed, "0 or above")
        _require(0 < self.learning_rate < 1, "learning_rate", self.learning_rate, "between 0 and 1")
        _require(0 <= self.jitter <= 0.5, "jitter", self.jitter, "between 0 and 0.5")
        _require(0 < self.validation < 1, "validation", self.validation, "a share between 0 and 1")
        _require(self.limit is None or self.limit >= MIN_IMAGES, "limit", self.limit, f"at least {MIN_IMAGES}")

    def values(self) -> dict[str, Any]:
        """As a dictionary that JSON gives back unchanged."""
        config = {key: list(value) if isinstance(value, tuple) else value for key, value in self.config.items()}
        return asdict(self) | {"config": config}

    @classmethod
    def of(cls, values: dict[str, Any]) -> Settings:
        """The settings that `values` gave."""
        config = {key: tuple(value) if isinstance(value, list) else value for key, value in values["config"].items()}
        return cls(**{**values, "config": config})

    def check_same(self, earlier: Settings) -> None:
        """Raise `TrainingError`, naming the first setting that differs from those of the run to be resumed."""
        for field in fields(self):
            now, then = getattr(self, field.name), getattr(earlier, field.name)
            if now != then:
                raise TrainingError(_difference(field.name, now, then))


class Split(NamedTuple):
    """Rows of the images that train and of those held out, ascending."""

    train: Rows
    validation: Rows


def split(count: int, settings: Settings) -> Split:
    """Which of `count` images are held out: a share of them, at least two and at most `MAX_VALIDATION`."""
    if count < MIN_IMAGES:
        raise TrainingError(f"there are {count} readable images; training needs at least {MIN_IMAGES}")
    held_out = min(max(2, round(count * settings.validation)), MAX_VALIDATION, count - 2)
    rows = generator(settings.seed, _SPLIT).permutation(count)
    return Split(np.sort(rows[held_out:]), np.sort(rows[:held_out]))


def sample(count: int, limit: int | None, seed: int) -> Rows:
    """Rows of at most `limit` of `count` items, ascending."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.sort(generator(seed, _SAMPLE).permutation(count)[:limit])


def epoch_order(train: Rows, settings: Settings, *, epoch: int) -> Rows:
    """The training rows in the order of an epoch (from 0)."""
    return generator(settings.seed, _ORDER, epoch, *_again(settings)).permutation(train)


def noise_seed(settings: Settings, *, step: int) -> int:
    """The seed of a step's noise."""
    return int(generator(settings.seed, _NOISE, step, *_again(settings)).integers(2**63))


def _again(settings: Settings) -> tuple[int, ...]:
    """What makes order and noise others than those of the run begun with; the held-out images are the same."""
    return (int(settings.begun, 16),) if settings.begun else ()


def learning_rate(step: int, steps: int, *, highest: float) -> float:
    """The rate of a step (from 0): a linear rise, then half a cosine down to 1 % of the highest.

    >>> [round(learning_rate(step, 100, highest=1.0), 2) for step in (0, 4, 5, 52, 99)]
    [0.2, 1.0, 1.0, 0.51, 0.01]
    """
    rising = max(1, round(WARM_UP * steps))
    if step < rising:
        return highest * (step + 1) / rising
    progress = (step - rising) / max(1, steps - rising)
    return highest * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def generator(*key: int) -> np.random.Generator:
    """Random numbers of their own for a key such as (seed, what, epoch)."""
    return np.random.default_rng(key)


def _require(condition: bool, name: str, value: object, expected: str) -> None:
    if not condition:
        raise ConfigError(f"{name} is {value}; it must be {expected}")


def _difference(name: str, now: Any, then: Any) -> str:
    if name == "images":
        return "the images have changed since the run began, so it cannot be resumed; start it anew without --resume"
    if name == "begun":
        return "the run to be resumed began with other weights; name the same run to begin with, or start anew"
    if name == "config":
        name = next(key for key in now | then if now.get(key) != then.get(key))
        now, then = now.get(name), then.get(name)
    return f"{name} is {now}, but the run to be resumed has {then}; give the same, or start anew without --resume"
