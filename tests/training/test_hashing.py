"""Whole runs of each method: a model file whose codes are those of the network that was trained.

Shapes: N images, S pixels a side, D features, C classes, K bits.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from lookalike import data
from lookalike.backbones import efficientnet
from lookalike.backbones.backbone import load
from lookalike.core import codes
from lookalike.core.errors import ConfigError, Interrupted
from lookalike.hasher import Hasher
from lookalike.imaging import decode
from lookalike.imaging.decode import Array, ImageSpec
from lookalike.models import hashing
from lookalike.models.frozen import TURNED
from lookalike.models.hashing import HashingConfig, HashingNetwork
from lookalike.models.methods import METHODS
from lookalike.training import TrainReport, truncate
from lookalike.training.hashing import CopyInputs, FeatureInputs, Hashing, ImageInputs
from lookalike.training.hashing_job import solve
from lookalike.training.outputs.checkpoint import load_weights
from lookalike.training.outputs.export import TOLERANCE
from lookalike.training.settings import Settings, split
from tests.references.encoders import COLOURS, SENTENCE

from .conftest import Learn

SCRATCH = {  # method and what stands in the place of a backbone, with the encoder that is trained then
    ("csq", "none"): "conv",
    ("cibhash", "none"): "conv",
    ("dhn", "vit"): "vit",
    ("transhash", "none"): "vit",
    ("copies", "none"): "copies",
    ("copies", "efficientnet-lite0"): "lite",
}
BEHIND = [name for name, one in METHODS.items() if not one.encoder]  # a backbone


@pytest.fixture(scope="module", params=BEHIND)
def trained(request: pytest.FixtureRequest, learn: Learn, tmp_path_factory: pytest.TempPathFactory) -> TrainReport:
    name = request.param
    return learn(name, tmp_path_factory.mktemp(name) / "model.onnx", matryoshka=name not in TURNED)


@pytest.fixture(scope="module", params=SCRATCH, ids="-".join)
def from_scratch(request: pytest.FixtureRequest, learn: Learn, tmp_path_factory: pytest.TempPathFactory) -> TrainReport:
    name, backbone = request.param
    out = tmp_path_factory.mktemp(name) / f"{backbone}.onnx"
    return learn(name, out, backbone=backbone, bits=16, epochs=1)


def arrays(place: Path, spec: ImageSpec) -> Array:
    """The readable images as a model takes them."""
    items = data.find(place / "photos")
    return np.stack([decode.read(data.read_bytes(item), spec) for item in items if item.path != "green/05a.png"])


def settings_of(trained: TrainReport) -> Settings:
    values = json.loads((trained.folder / "log.jsonl").read_text().splitlines()[0])
    return Settings.of({field.name: values[field.name] for field in dataclasses.fields(Settings)})


def network_of(trained: TrainReport, inputs: npt.NDArray[np.generic]) -> HashingNetwork:
    """The network by the run's best weights, or by its closed form."""
    settings = settings_of(trained)
    config = HashingConfig(**{field.name: settings.config[field.name] for field in dataclasses.fields(HashingConfig)})
    if METHODS[config.method].objective is None:
        return solve(config, inputs[split(len(inputs), settings).train].astype(np.float32))
    return load_weights(trained.folder / "best.safetensors", hashing.create(config))


def assert_codes_are_those_of_the_network(
    trained: TrainReport, images_NSSC: Array, inputs: npt.NDArray[np.generic]
) -> None:
    with torch.inference_mode():
        z_NK = network_of(trained, inputs)(torch.from_numpy(inputs)).numpy()
    hasher = Hasher.load(trained.path)
    np.testing.assert_allclose(hasher.latents(images_NSSC), z_NK, atol=TOLERANCE * max(1, np.abs(z_NK).max()))
    theta_K = np.zeros(hasher.bits, np.float32)
    if METHODS[trained.info.model].cut_at_mean:
        theta_K = z_NK[split(len(z_NK), settings_of(trained)).train].mean(axis=0)
    found_NW = hasher.encode_arrays(images_NSSC)
    assert found_NW.shape == (len(images_NSSC), hasher.bits // 8)
    assert found_NW.dtype == np.uint8
    differing = codes.unpack(found_NW) != codes.binarize(z_NK, theta_K)
    assert not (differing & (np.abs(z_NK - theta_K) >= 2 * TOLERANCE)).any()
    assert len(np.unique(found_NW, axis=0)) > 1


def test_the_model_file_says_what_it_is(trained: TrainReport) -> None:
    info, method = Hasher.load(trained.path).info, METHODS[trained.info.model]
    assert info == trained.info
    assert (info.name, info.bits, info.data_name) == (f"{info.model}-32", 32, "photos")
    assert (info.data_images, info.data_validation) == (72, 8)
    assert info.backbone.startswith(f"{SENTENCE}; pixels in [0, 1] less 0.5/0.5/0.5, divided by ")
    assert info.supervised is method.needs_labels
    assert list(info.nested) == ([] if info.model in TURNED else ["16"])
    assert info.image == ImageSpec(side=32, colour=True)
    assert [Path(one.name).name for one in trained.skipped] == ["05a.png"]


def test_codes_are_those_of_the_network(trained: TrainReport, place: Path) -> None:
    backbone = load(place / "small.onnx", tokens=METHODS[trained.info.model].tokens)
    images_NSSC = arrays(place, backbone.spec)
    assert_codes_are_those_of_the_network(trained, images_NSSC, backbone.features(images_NSSC))


def test_mean_average_precision_is_measured_where_there_are_labels(trained: TrainReport) -> None:
    supervised, closed = trained.info.supervised, METHODS[trained.info.model].objective is None
    assert len(trained.history) == trained.info.epochs == (0 if closed else 2)
    assert all(("map" in record.validation) is supervised for record in trained.history)
    assert all(np.isfinite(record.validation["total"]) for record in trained.history)
    if supervised:
        found = [record.validation["map"] for record in trained.history]
        assert trained.history[int(np.argmax(found))].best
        assert 0.3 < max(found) <= 1  # chance is 0.25


def test_shortened_codes_are_the_first_bits(trained: TrainReport, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "short.onnx"
    if trained.info.model in TURNED:
        with pytest.raises(ConfigError, match=r"bits is 16; the first bits of .* are codes for these lengths: none"):
            truncate(trained.path, bits=16, out=out)
        return
    info = truncate(trained.path, bits=16, out=out)
    whole, short = Hasher.load(trained.path), Hasher.load(out)
    assert short.info == info
    assert (info.name, info.bits, info.nested) == (f"{info.model}-16", 16, {})
    assert {"near": info.near, "similar": info.similar} == whole.info.nested["16"]
    assert (info.backbone, info.supervised) == (whole.info.backbone, whole.info.supervised)
    images_NSSC = arrays(place, whole.spec)
    assert np.array_equal(short.encode_arrays(images_NSSC), whole.encode_arrays(images_NSSC)[:, :2])
    assert np.array_equal(short.latents(images_NSSC), whole.latents(images_NSSC)[:, :16])


def test_lengths_that_were_not_trained_are_named(learn: Learn, tmp_path: Path) -> None:
    whole = learn("pca", tmp_path / "whole.onnx", bits=32)
    with pytest.raises(ConfigError, match=r"bits is 24; .* for these lengths: 16\. Train with --matryoshka"):
        truncate(whole.path, bits=24, out=tmp_path / "short.onnx")
    assert not (tmp_path / "short.onnx").exists()


def test_a_code_shortened_twice(learn: Learn, place: Path, tmp_path: Path) -> None:
    whole = learn("cibhash", tmp_path / "64.onnx", bits=64, epochs=1, matryoshka=True)
    assert truncate(whole.path, bits=32, out=tmp_path / "32.onnx").nested == {"16": whole.info.nested["16"]}
    once, twice = (tmp_path / name for name in ("16a.onnx", "16b.onnx"))
    assert truncate(whole.path, bits=16, out=once).name == truncate(tmp_path / "32.onnx", bits=16, out=twice).name
    images_NSSC = arrays(place, whole.info.image)
    assert np.array_equal(Hasher.load(once).encode_arrays(images_NSSC), Hasher.load(twice).encode_arrays(images_NSSC))


def test_kinds_are_learnt_from_labels(learn: Learn, tmp_path: Path) -> None:
    learnt = learn("dhn", tmp_path / "model.onnx", epochs=15, learning_rate=5e-3)
    assert max(record.validation["map"] for record in learnt.history) > 0.95


@pytest.mark.parametrize("name", ["greedyhash", "cibhash", "transhash"])
def test_a_stopped_run_goes_on_to_the_same_file(name: str, learn: Learn, tmp_path: Path) -> None:
    whole = learn(name, tmp_path / "whole.onnx")

    def stop(stage: str, done: int, total: int | None) -> None:
        if (stage, done) == ("training", 6):
            os.kill(os.getpid(), signal.SIGINT)

    out = tmp_path / "stopped.onnx"
    with pytest.raises(Interrupted, match=r"stopped after step 6 of 8; .* --resume"):
        learn(name, out, progress=stop)
    assert not out.exists()
    resumed = learn(name, out, resume=True)
    assert out.read_bytes() == whole.path.read_bytes()
    assert [one.validation for one in resumed.history] == [one.validation for one in whole.history]


def test_a_run_leaves_its_log_and_its_weights(trained: TrainReport) -> None:
    closed = METHODS[trained.info.model].objective is None
    weights = set() if closed else {"best.safetensors"}
    assert {path.name for path in trained.folder.iterdir()} == {"log.jsonl", "lock"} | weights


def test_encoders_of_our_own_are_trained_where_there_is_no_backbone(from_scratch: TrainReport, place: Path) -> None:
    info = Hasher.load(from_scratch.path).info
    source = SCRATCH[(info.model, from_scratch.path.stem)]
    assert info == from_scratch.info
    whole = efficientnet.about(hashing.ENCODERS[source].side).sentence
    refined = f"first blocks of {whole}, trained further"
    assert info.backbone == (refined if source == "lite" else f"{source}, trained from scratch")
    assert info.supervised is METHODS[info.model].needs_labels
    side = hashing.ENCODERS[source].side
    spec = ImageSpec(side=side, colour=source != "lite", trim=info.model == "copies")
    assert (info.image, info.data_images, info.epochs) == (spec, 72, 1)
    images_NSSC = arrays(place, info.image)
    if info.model == "copies":  # whose images are read larger, so that parts of them are sharp, and in colour
        larger_NRRC = arrays(place, dataclasses.replace(spec, side=side * 3 // 2, colour=True))
        inputs = CopyInputs(larger_NRRC, side, colour=spec.colour)
        images_NSSC = np.asarray(inputs.plain(np.arange(len(larger_NRRC))), np.uint8)
    assert_codes_are_those_of_the_network(from_scratch, images_NSSC, images_NSSC)
    assert {path.name for path in from_scratch.folder.iterdir()} == {"log.jsonl", "lock", "best.safetensors"}


def test_a_method_with_an_encoder_of_its_own_takes_no_backbone(learn: Learn, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="copies trains an encoder of its own; leave out --backbone vit"):
        learn("copies", tmp_path / "model.onnx", backbone="vit")
    with pytest.raises(ConfigError, match="side is 64; this encoder takes 96 pixels"):
        learn("copies", tmp_path / "model.onnx", backbone=None, side=64)


def test_of_each_pair_one_is_nearly_the_image_and_the_other_an_edited_copy() -> None:
    images_NRRC = np.random.default_rng(0).integers(0, 256, (40, 24, 24, 3), dtype=np.uint8)
    inputs, rows = CopyInputs(images_NRRC, 16), np.arange(40)
    plain_NSSC = np.asarray(inputs.plain(rows), np.float64)
    assert plain_NSSC.shape == (40, 16, 16, 3)
    pair = [np.asarray(one, np.float64) for one in inputs.pair(rows, np.random.default_rng(1))]
    near, copies = (np.abs(one_NSSC - plain_NSSC).mean(axis=(1, 2, 3)) for one_NSSC in pair)
    assert (near == 0).mean() > 0.3
    assert near.max() < 70
    assert copies.mean() > 2 * near.mean()
    again = inputs.pair(rows, np.random.default_rng(1))
    assert all(map(np.array_equal, again, inputs.pair(rows, np.random.default_rng(1))))
    assert inputs.view(rows, np.random.default_rng(1)).shape == (40, 16, 16, 3)


def test_an_encoder_of_grey_images_gets_copies_that_were_made_in_colour() -> None:
    images_NRRC = np.random.default_rng(0).integers(0, 256, (40, 24, 24, 3), dtype=np.uint8)
    rows = np.arange(40)
    coloured, plain = (CopyInputs(images_NRRC, 16, colour=colour) for colour in (True, False))
    for one_NSSC, one_NSS in zip(
        (coloured.plain(rows), *coloured.pair(rows, np.random.default_rng(1))),
        (plain.plain(rows), *plain.pair(rows, np.random.default_rng(1))),
        strict=True,
    ):
        assert one_NSS.shape == (40, 16, 16)
        assert one_NSS.dtype == np.uint8
        assert np.abs(one_NSSC @ np.array([0.299, 0.587, 0.114]) - one_NSS).max() < 1.01


def test_pixels_stand_in_for_features_where_a_method_trains_no_encoder(learn: Learn, tmp_path: Path) -> None:
    made = learn("bihalf", tmp_path / "model.onnx", backbone="none", epochs=1)
    assert made.info.backbone.startswith("pixels, 32 pixels, trained on nothing without labels, licence none needed;")
    assert made.info.image.side == 32


def test_one_held_out_image_behind_full_batches_leaves_the_loss_a_number() -> None:
    features_ND = np.random.default_rng(0).normal(size=(140, 8)).astype(np.float32)
    config = HashingConfig(method="bihalf", bits=16, features=8, hidden=4)
    task = Hashing(config=config, inputs=FeatureInputs(features_ND), train=np.arange(129, 140))
    network = task.create().eval()
    assert np.isfinite(task.validate(network, np.arange(129))["total"])
    assert task.validate(network, np.arange(128)).keys() == {"total"}


def test_least_is_best_of_the_loss_and_most_of_the_precision() -> None:
    config = HashingConfig(method="bihalf", bits=16, features=8)
    task = Hashing(config=config, inputs=FeatureInputs(np.zeros((4, 8), np.float32)), train=np.arange(4))
    assert task.validation_metric({"total": 0.3}) == 0.3
    assert task.validation_metric({"total": 0.3, "map": 0.75}) == 0.25


def test_views_of_features_are_drawn_of_those_that_are_kept() -> None:
    plain, one, two = (np.full((6, 2), value, np.float16) for value in (0, 1, 2))
    rows, random = np.array([4, 0, 2, 1, 3, 5]), np.random.default_rng(0)
    inputs = FeatureInputs(plain, (one, two))
    assert inputs.plain(rows).dtype == np.float32
    assert set(np.unique(inputs.view(rows, random))) == {1, 2}
    assert np.array_equal(FeatureInputs(plain).view(rows, random), np.zeros((6, 2)))
    for _ in range(5):  # of a pair one is never the other
        first, second = inputs.pair(rows, random)
        assert np.array_equal(np.asarray(first, int) + np.asarray(second, int), np.full((6, 2), 3))


def test_views_of_images_are_changed_images() -> None:
    images_NSSC = np.random.default_rng(0).integers(0, 256, (len(COLOURS), 16, 16, 3), dtype=np.uint8)
    inputs, rows = ImageInputs(images_NSSC), np.array([2, 0])
    assert np.array_equal(inputs.plain(rows), images_NSSC[[2, 0]])
    seen = inputs.view(rows, np.random.default_rng(1))
    assert seen.shape == (2, 16, 16, 3)
    assert not np.array_equal(seen, images_NSSC[[2, 0]])
    assert np.array_equal(seen, inputs.view(rows, np.random.default_rng(1)))
