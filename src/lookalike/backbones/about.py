"""The description of an encoder, needed to run it and to judge its results: a few lines of TOML.

name = "dinov2-small"
side = 224                          # pixels a side that the images are scaled to
mean = [0.485, 0.456, 0.406]        # of pixels in [0, 1]; subtracted
deviation = [0.229, 0.224, 0.225]   # standard deviation; divided by
layout = "NCHW"                     # or "NHWC"
output = "last_hidden_state"        # output to use; the first if absent
pooling = "first"                   # of tokens (N, T, D) or positions (N, D, H, W): "first", "mean" or "none"
licence = "Apache-2.0"
trained_on = "LVD-142M"
labels = false                      # whether labels were used to train it
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from lookalike.core.errors import ConfigError

HUB = "hf:"  # prefix of Hugging Face model names
LAYOUTS = ("NCHW", "NHWC")
POOLINGS = ("mean", "first", "none")


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """An encoder's input format and origin."""

    name: str
    side: int = 224
    colour: bool = True
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    deviation: tuple[float, ...] = (0.229, 0.224, 0.225)
    layout: str = "NCHW"
    output: str = ""
    pooling: str = "mean"
    licence: str = "unknown"
    trained_on: str = "unknown"
    labels: bool | None = None  # whether it was trained with labels; None: unknown

    def __post_init__(self) -> None:
        _require(8 <= self.side <= 2048, "side", self.side, "between 8 and 2048 pixels")
        _require(self.layout in LAYOUTS, "layout", self.layout, f"one of {', '.join(LAYOUTS)}")
        _require(self.pooling in POOLINGS, "pooling", self.pooling, f"one of {', '.join(POOLINGS)}")
        for name, numbers in (("mean", self.mean), ("deviation", self.deviation)):
            expected = "3 numbers, of red, green and blue" if self.colour else "1 number, as colour is false"
            _require(len(numbers) == self.channels, f"{self.name}: {name}", list(numbers), expected)
        _require(min(self.deviation) > 0, "deviation", self.deviation, "above 0")

    @property
    def channels(self) -> int:
        """Channels of the images: 3 in colour, 1 in grey."""
        return 3 if self.colour else 1

    @property
    def sentence(self) -> str:
        """The summary that must accompany its results."""
        seen = {True: "with labels", False: "without labels", None: "with or without labels: unknown"}[self.labels]
        return f"{self.name}, {self.side} pixels, trained on {self.trained_on} {seen}, licence {self.licence}"

    @property
    def in_full(self) -> str:
        """The summary, with pixel normalisation and pooling."""
        pixels = f"pixels in [0, 1] less {_listed(self.mean)}, divided by {_listed(self.deviation)}, {self.layout}"
        return f"{self.sentence}; {pixels}; pooling {self.pooling}"


def read(path: Path) -> About:
    """An encoder's description from a TOML file. Raises `ConfigError`, naming what is wrong."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is not readable as TOML ({error})") from error
    known = {field.name: field.type for field in fields(About)}
    for name, value in values.items():
        _require(name in known, f"{path}: {name!r}", "there", f"one of {', '.join(known)}")
        _require(_fits(value, str(known[name])), f"{path}: {name}", repr(value), f"of type {known[name]}")
    read: dict[str, Any] = {
        name: tuple(map(float, value)) if isinstance(value, list) else value for name, value in values.items()
    }
    return About(**{"name": path.stem} | read)


def _listed(numbers: tuple[float, ...]) -> str:
    return "/".join(f"{number:g}" for number in numbers)


def _fits(value: Any, kind: str) -> bool:
    """Whether a TOML value has a field's type."""
    if kind.startswith("tuple"):
        return isinstance(value, list) and all(isinstance(one, int | float) for one in value)
    if kind.startswith("bool"):
        return isinstance(value, bool)
    return isinstance(value, {"str": str, "int": int}[kind]) and not isinstance(value, bool)


def _require(condition: bool, name: str, value: object, expected: str) -> None:
    if not condition:
        raise ConfigError(f"{name} is {value}; it must be {expected}")
