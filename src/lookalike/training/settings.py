"""What is asked of a training, what identifies a run, and its pure functions: which images, which order, which noise.

Two runs of the same settings give the same weights, interrupted or not: the split depends on the seed, an epoch's order
on seed and epoch, a step's noise on seed and step. This holds on one machine; with another number of threads, sums are
computed in another order.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import ConfigError, TrainingError
from lookalike.imaging.decode import MAX_PIXELS

MIN_IMAGES = 16
MAX_VALIDATION = 2_000  # held-out images; more make no difference to the reported loss
WARM_UP = 0.05  # share of the steps in which the learning rate rises
_ORDER, _NOISE, _SPLIT, _SAMPLE = range(4)  # one stream of random numbers each
RENAMED = {"edited": "augment", "begun": "init_digest"}

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """The model to train, and how. The defaults are good for a first try."""

    model: str = "csvae"  # one of the paper's, copies, or a method that hashes features of a backbone
    bits: int = 64
    backbone: str | os.PathLike[str] | None = None  # None: efficientnet-lite0
    side: int | None = None  # pixels a side that the backbone takes; None: its own
    matryoshka: bool | Sequence[int] = False  # whether the first 16, 32, … bits, or those listed, are codes, too
    epochs: int = 20
    minutes: float | None = None  # after which training ends early
    batch: int | None = None  # None: 64 for the paper's models, 128 for others
    learning_rate: float = 1e-3  # the highest one
    validation: float = 0.1  # share of the images that are held out
    limit: int | None = None  # train on a random sample of so many images
    seed: int = 0
    init_from: str | os.PathLike[str] | None = None  # start from the weights of a finished training: its MODEL.run
    augment: bool = False  # the paper's models: reconstruct images from edited copies of them (not in the paper)
    device: str = "cpu"
    max_pixels: int = MAX_PIXELS
    cache: str | os.PathLike[str] | None = None  # folder for decoded images or features, kept for other runs
    name: str | None = None  # of the collection, recorded in the model file; None: the folder's
    card: str = ""  # for people, recorded in the model file


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What two runs must share for one to continue the other."""

    images: str  # digest of the collection
    limit: int | None
    model: str
    config: dict[str, Any]
    seed: int
    epochs: int
    batch: int
    learning_rate: float  # the highest one
    validation: float  # share of the images that are held out
    augment: bool = False  # whether the encoder sees edited copies of the images
    init_digest: str = ""  # of the weights that it starts from, if they are another run's

    def __post_init__(self) -> None:
        for name, allowed, expected in (
            ("epochs", self.epochs >= 1, "at least 1"),
            ("batch", self.batch >= 2, "at least 2"),
            ("seed", self.seed >= 0, "0 or above"),
            ("learning_rate", 0 < self.learning_rate < 1, "between 0 and 1"),
            ("validation", 0 < self.validation < 1, "a share between 0 and 1"),
            ("limit", self.limit is None or self.limit >= MIN_IMAGES, f"at least {MIN_IMAGES}"),
        ):
            if not allowed:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be {expected}")

    def values(self) -> dict[str, Any]:
        """The settings as a dictionary that survives JSON."""
        config = {key: list(value) if isinstance(value, tuple) else value for key, value in self.config.items()}
        return asdict(self) | {"config": config}

    @classmethod
    def of(cls, values: dict[str, Any]) -> Settings:
        """The settings in such a dictionary; names of earlier versions are accepted."""
        values = {RENAMED.get(key, key): value for key, value in values.items() if key != "jitter"}
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
    return generator(settings.seed, _ORDER, epoch, *_origin(settings)).permutation(train)


def noise_seed(settings: Settings, *, step: int) -> int:
    """The seed of a step's noise."""
    return int(generator(settings.seed, _NOISE, step, *_origin(settings)).integers(2**63))


def _origin(settings: Settings) -> tuple[int, ...]:
    """Makes order and noise differ from those of the run whose weights are used; the held-out images are the same."""
    return (int(settings.init_digest, 16),) if settings.init_digest else ()


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


def _difference(name: str, now: Any, then: Any) -> str:
    if name == "images":
        return "the images have changed since the run began, so it cannot be resumed; start again without --resume"
    if name == "init_digest":
        return "the run to be resumed started from other weights; give the same --init-from, or start again"
    if name == "config":
        name = next(key for key in now | then if now.get(key) != then.get(key))
        now, then = now.get(name), then.get(name)
    return f"{name} is {now}, but the run to be resumed has {then}; give the same, or start again without --resume"
