"""A halved model file is half as large and gives nearly the same codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lookalike.core.codes import unpack
from lookalike.core.errors import ModelError
from lookalike.hasher import Hasher
from lookalike.training.outputs.export import halve


def test_codes_stay_nearly_the_same(tmp_path: Path) -> None:
    model = Hasher.load("default")
    halved = Hasher.load(halve(model.path, tmp_path / "half.onnx"))
    side, colour = model.spec.side, model.spec.colour
    shape = (40, side, side, 3) if colour else (40, side, side)
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    differing = unpack(model.encode_arrays(images)) != unpack(halved.encode_arrays(images))
    assert differing.mean() < 0.01
    assert halved.info == model.info
    assert Path(halved.path).stat().st_size <= Path(model.path).stat().st_size


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"no\.onnx"):
        halve(tmp_path / "no.onnx", tmp_path / "half.onnx")
    assert not (tmp_path / "half.onnx").exists()
