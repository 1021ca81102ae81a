"""Each metadata value of a model file has the required type and range."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lookalike.core.errors import ModelError
from lookalike.hasher import ModelInfo
from tests.references import models


def document(**changes: Any) -> str:
    return json.dumps({**json.loads(models.info().to_json()), **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bits": "64"}, "bits is of type str; expected int"),
        ({"bits": True}, "bits is of type bool"),
        ({"bits": 64.0}, "bits is of type float"),
        ({"bits": 60}, "bits is 60"),
        ({"bits": 1024}, "bits is 1024"),
        ({"bits": -8}, "bits is -8"),
        ({"near": "many"}, "near is of type str"),
        ({"near": 10**6}, "near is 1000000; expected a distance in bits"),
        ({"similar": -2}, "similar is -2"),
        ({"copies": 1.5}, "copies is of type float"),
        ({"pairs": 10**30}, "pairs is out of range"),
        ({"validation_loss": "0.1"}, "validation_loss is of type str"),
        ({"name": ["csvae"]}, "name is of type list"),
        ({"name": "x\x1b[2J"}, "name has control characters"),
        ({"name": "\u202egnp.exe"}, "name has control characters"),
        ({"name": "x" * 5000}, "name has 5,000 characters"),
        ({"card": "a\rb"}, "card has control characters"),
        ({"data_name": None}, "data_name is of type NoneType"),
        ({"supervised": 1}, "supervised is of type int"),
        ({"versions": []}, "versions is not a JSON object"),
        ({"versions": {"torch": 2}}, "versions.torch is of type int"),
        ({"nested": {"32": {"near": "1"}}}, "nested.32.near is of type str"),
        ({"nested": {"32": 1}}, "nested.32 is not a JSON object"),
        ({"image": {"side": 128.5}}, "image.side is of type float"),
        ({"image": {"side": 10**9}}, "1000000000 pixels"),
        ({"image": {"colour": "yes"}}, "image.colour is of type str"),
        ({"image": [128]}, "damaged"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ModelInfo.from_json(document(**changes))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_are_finite(number: str) -> None:
    text = document(validation_loss=0.5).replace("0.5", number)
    with pytest.raises(ModelError, match=r"not a number|not finite|out of range"):
        ModelInfo.from_json(text)


def test_deep_and_long_documents_are_refused() -> None:
    with pytest.raises(ModelError, match="damaged"):
        ModelInfo.from_json('{"a":' * 100_000)
    with pytest.raises(ModelError, match="characters; at most"):
        ModelInfo.from_json(document(card="x" * (1 << 20)))


def test_a_card_may_have_several_lines() -> None:
    assert ModelInfo.from_json(document(card="one\n\ttwo")).card == "one\n\ttwo"
