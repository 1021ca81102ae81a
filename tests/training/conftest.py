"""A collection and an encoder for methods that hash features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookalike.training import TrainReport
from tests.references.training import QUICK, trained
from tests.references.training import place as place

Learn = Callable[..., TrainReport]


@pytest.fixture(scope="session")
def learn(place: Path) -> Learn:
    """A function that trains a model; features are computed once."""

    def learn(model: str, out: Path, **settings: Any) -> TrainReport:
        own = {"backbone": str(place / "small.onnx"), "cache": place / "cache"}
        return trained(settings.pop("images", place / "photos"), model=model, out=out, **QUICK | own | settings)

    return learn
