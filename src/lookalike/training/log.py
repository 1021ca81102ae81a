"""A run's log: JSON lines, the settings first, then one line an epoch, last the model's description."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lookalike.training.checkpoint import write_aside

PACKAGES = ("lookalike", "torch", "onnx", "onnxruntime", "numpy", "pillow")


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochRecord:
    """Results of an epoch. Losses are in nats an image, mean over the epoch's images."""

    epoch: int  # from 1
    step: int  # batches since the beginning of the run
    train: dict[str, float]  # total and parts, while the weights were changing
    validation: dict[str, float]  # total and parts, on the held-out images after the epoch
    bits_alive: int  # bits whose rarer value at least 1 in 100 held-out images has
    best: bool  # whether no earlier epoch had a lower validation loss
    seconds: float  # of training, in this call, without the validation
    images_per_second: float


def versions() -> dict[str, str]:
    """The installed versions of the packages that make a model."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


class Log:
    """The file `log.jsonl`; each line has a key `kind`: settings, epoch, skipped, collapse or model."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, settings: dict[str, Any]) -> None:
        """Start a new log."""
        write_aside(self.path, _line("settings", settings | {"versions": versions()}).encode())

    def go_back(self, *, step: int) -> None:
        """Drop what was written after `step`, where a resumed run goes on."""
        kept = [line for line in self._lines() if _step(line) <= step]
        write_aside(self.path, "".join(kept).encode())

    def add(self, kind: str, values: dict[str, Any]) -> None:
        """Add a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(kind, values))

    def settings(self) -> dict[str, Any]:
        """The settings that the run began with, and the versions of packages."""
        record: dict[str, Any] = json.loads(self._lines()[0])
        return {name: value for name, value in record.items() if name != "kind"}

    def history(self) -> tuple[EpochRecord, ...]:
        """The epochs logged so far."""
        records = [json.loads(line) for line in self._lines()]
        epochs = [record for record in records if record.pop("kind") == "epoch"]
        return tuple(EpochRecord(**record) for record in epochs)

    def _lines(self) -> list[str]:
        """The whole lines; a last one cut short by a kill is left out."""
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _line(kind: str, values: dict[str, Any]) -> str:
    return json.dumps({"kind": kind, **values}, ensure_ascii=False) + "\n"


def _step(line: str) -> int:
    """The step after which a line was written; 0 for the settings."""
    record = json.loads(line)
    if record["kind"] == "settings":
        return 0
    return int(record.get("step", sys.maxsize))  # the outcome comes after all steps
