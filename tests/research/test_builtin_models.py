"""The recipe of the built-in models, on a few images and without a backbone: two runs, two files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lookalike import Hasher
from lookalike.core.codes import unpack
from lookalike.models.copy_encoder import CopyEncoder
from lookalike.training.checkpoint import CHECKPOINT
from research import builtin_models as default
from research.builtin_models import Recipe, Source


@pytest.fixture(scope="module")
def made(tiny_bytes: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Path, Path]:
    folder = tmp_path_factory.mktemp("recipe")
    pq.write_table(pa.table({"image": tiny_bytes[:24]}), folder / "tiny.parquet")
    recipe = Recipe(sources=(Source(file="tiny.parquet"),), bits=32, shorter=16, epochs=1, batch=8, validation=0.2)
    default.run(recipe, folder, folder / "out")
    return recipe, folder, folder / "out"


def test_one_code_is_the_beginning_of_the_other(made: tuple[Recipe, Path, Path], tiny_bytes: list[bytes]) -> None:
    longer, shorter = Hasher.load(made[2] / "default-32.onnx"), Hasher.load(made[2] / "default.onnx")
    assert (longer.bits, shorter.bits) == (32, 16)
    assert (longer.encode(tiny_bytes[:4])[:, :2] == shorter.encode(tiny_bytes[:4])).all()
    assert "Not measured yet" in shorter.info.card


def test_the_second_training_begins_with_the_first(made: tuple[Recipe, Path, Path]) -> None:
    out = made[2]
    assert (out / "first.run" / "best.safetensors").exists()
    assert '"init_digest": ""' in (out / "first.run" / "log.jsonl").read_text()
    assert '"init_digest": ""' not in (out / "whole.run" / "log.jsonl").read_text()


def test_what_is_done_is_not_done_again(made: tuple[Recipe, Path, Path]) -> None:
    recipe, folder, out = made
    first = (out / "first.onnx").stat().st_mtime_ns
    before = (out / "default.onnx").read_bytes()
    assert not (out / "first.run" / CHECKPOINT).exists()
    default.run(recipe, folder, out, resume=True)
    assert (out / "first.onnx").stat().st_mtime_ns == first
    assert (out / "default.onnx").read_bytes() == before


@pytest.mark.parametrize("name", ["default", "default-128"])
def test_the_built_in_models_are_as_the_code_says(name: str) -> None:
    hasher = Hasher.load(name)
    assert hasher.info.copies == default.COPIES[hasher.bits]
    assert default.FIGURES[hasher.bits] in hasher.info.card
    weights = {weight.name: onnx.numpy_helper.to_array(weight) for weight in onnx.load(hasher.path).graph.initializer}
    looks_TS = weights["network.encoder.second_TS_half"]  # with 16 bits
    np.testing.assert_array_equal(looks_TS, CopyEncoder().second_TS.numpy().astype(np.float16))


def test_codes_of_halved_weights_stay_nearly_the_same(tmp_path: Path) -> None:
    model = Hasher.load("default")
    default.halve(Path(model.path), out=tmp_path / "half.onnx")
    halved = Hasher.load(tmp_path / "half.onnx")
    side, colour = model.spec.side, model.spec.colour
    shape = (40, side, side, 3) if colour else (40, side, side)
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    differing = unpack(model.encode_arrays(images)) != unpack(halved.encode_arrays(images))
    assert differing.mean() < 0.01
    assert halved.info == model.info
    assert Path(halved.path).stat().st_size <= Path(model.path).stat().st_size
