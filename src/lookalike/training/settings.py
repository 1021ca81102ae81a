"""Training configuration, a run's settings, and pure functions of them: split, order and noise.

Runs with equal settings give equal weights, interrupted or not: the split depends on the seed, an epoch's order on seed
and epoch, a step's noise on seed and step. This holds on one machine; another number of threads changes the order of
sums.
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
MAX_VALIDATION = 2_000  # held-out images; more would not change the reported loss
WARM_UP = 0.05  # share of steps with a rising learning rate
_ORDER, _NOISE, _SPLIT, _SAMPLE = range(4)  # one random stream each
RENAMED = {"edited": "augment", "begun": "init_digest"}

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """The model to train, and how. The defaults are good for a first try."""

    model: str = "csvae"  # one of the paper's models, copies, or a method that hashes a backbone's features
    bits: int = 64
    backbone: str | os.PathLike[str] | None = None  # None: efficientnet-lite0
    side: int | None = None  # the backbone's input size in pixels; None: its default
    matryoshka: bool | Sequence[int] = False  # nested codes: the first 16, 32, … bits, or the listed lengths
    epochs: int = 20
    minutes: float | None = None  # time limit
    batch: int | None = None  # None: 64 for the paper's models, 128 for others
    learning_rate: float = 1e-3  # maximum
    validation: float = 0.1  # share of held-out images
    limit: int | None = None  # train on a random sample of N images
    seed: int = 0
    init_from: str | os.PathLike[str] | None = None  # start from the weights of a finished training: its MODEL.run
    augment: bool = False  # the paper's models: reconstruct images from edited copies of them (not in the paper)
    device: str = "cpu"
    max_pixels: int = MAX_PIXELS
    cache: str | os.PathLike[str] | None = None  # folder for decoded images or features, shared by runs
    name: str | None = None  # of the collection, stored in the model file; None: the folder's name
    card: str = ""  # description for people, stored in the model file


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Settings that must be equal for a run to be resumed."""

    images: str  # digest of the collection
    limit: int | None
    model: str
    config: dict[str, Any]
    seed: int
    epochs: int
    batch: int
    learning_rate: float  # maximum
    validation: float  # share of held-out images
    augment: bool = False  # whether the encoder is trained on edited copies
    init_digest: str = ""  # of the initial weights, if taken from another run

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
        """The settings as a JSON-serialisable dictionary."""
        config = {key: list(value) if isinstance(value, tuple) else value for key, value in self.config.items()}
        return asdict(self) | {"config": config}

    @classmethod
    def of(cls, values: dict[str, Any]) -> Settings:
        """Settings from such a dictionary; accepts names of earlier versions."""
        values = {RENAMED.get(key, key): value for key, value in values.items() if key != "jitter"}
        config = {key: tuple(value) if isinstance(value, list) else value for key, value in values["config"].items()}
        return cls(**{**values, "config": config})

    def check_same(self, earlier: Settings) -> None:
        """Raise `TrainingError` for the first setting that differs from those of the run to resume."""
        for field in fields(self):
            now, then = getattr(self, field.name), getattr(earlier, field.name)
            if now != then:
                raise TrainingError(_difference(field.name, now, then))


class Split(NamedTuple):
    """Rows of training and held-out images, ascending."""

    train: Rows
    validation: Rows


def split(count: int, settings: Settings) -> Split:
    """The split of `count` images; at least two and at most `MAX_VALIDATION` are held out."""
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
    """Training rows in the order of an epoch (from 0)."""
    return generator(settings.seed, _ORDER, epoch, *_origin(settings)).permutation(train)


def noise_seed(settings: Settings, *, step: int) -> int:
    """The seed of a step's noise."""
    return int(generator(settings.seed, _NOISE, step, *_origin(settings)).integers(2**63))


def _origin(settings: Settings) -> tuple[int, ...]:
    """Seeds that make order and noise differ from the run that provided the weights; the split is the same."""
    return (int(settings.init_digest, 16),) if settings.init_digest else ()


def learning_rate(step: int, steps: int, *, highest: float) -> float:
    """The learning rate of a step (from 0): linear warm-up, then cosine decay to 1 % of the highest.

    >>> [round(learning_rate(step, 100, highest=1.0), 2) for step in (0, 4, 5, 52, 99)]
    [0.2, 1.0, 1.0, 0.51, 0.01]
    """
    rising = max(1, round(WARM_UP * steps))
    if step < rising:
        return highest * (step + 1) / rising
    progress = (step - rising) / max(1, steps - rising)
    return highest * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def generator(*key: int) -> np.random.Generator:
    """An independent random generator for a key such as (seed, stream, epoch)."""
    return np.random.default_rng(key)


def _difference(name: str, now: Any, then: Any) -> str:
    if name == "images":
        return "the images have changed since the run began, so it cannot be resumed; start again without --resume"
    if name == "init_digest":
        return "the run to resume started from other weights; give the same --init-from, or start again"
    if name == "config":
        name = next(key for key in now | then if now.get(key) != then.get(key))
        now, then = now.get(name), then.get(name)
    return f"{name} is {now}, but the run to resume has {then}; give the same value, or start again without --resume"
