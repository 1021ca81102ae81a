"""The numbers that the paper prints, from `paper.toml`.

>>> of("table_1", "csvae", "map", dataset="cifar10", bits=64)
0.969
"""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files
from typing import Any

MODELS = ("vae", "cvae", "csvae", "vte")
SUPERVISED = ("dhn", "hashnet", "dpn", "transhash")
DATASETS = ("cifar10", "imagenet", "nuswide")
TITLES = {
    "vae": "VAE", "cvae": "CVAE", "csvae": "CSVAE", "vte": "VTE", "dhn": "DHN", "hashnet": "HashNet", "dpn": "DPN",
    "transhash": "TransHash", "ours": "Our work", "cifar10": "CIFAR-10", "imagenet": "ImageNet", "nuswide": "NUS-WIDE",
}  # fmt: skip


@functools.cache
def paper() -> dict[str, Any]:
    """All numbers, as printed."""
    text = (files("research") / "paper.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def bits_of(table: str) -> list[int]:
    """The code lengths in a table."""
    return list(paper()[table].get("bits", paper()["bits"]))


def of(table: str, *path: str, dataset: str, bits: int) -> float | None:
    """One number of a table, or None if the paper does not give it."""
    row = paper()[table]
    for name in path:
        row = row[name]
    lengths = bits_of(table)
    value = row[dataset][lengths.index(bits)] if bits in lengths else "-"
    return None if value == "-" else float(value)


def mse(model: str) -> tuple[float, float]:
    """Mean and standard deviation of the reconstruction error, in the paper's unit."""
    mean, deviation = paper()["mse"][model]
    return float(mean), float(deviation)
