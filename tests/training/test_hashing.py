"""Complete runs of hashing networks: the model file gives the trained network's codes.

Shapes: N images, S pixels a side, D features, K bits.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from lookalike import data
from lookalike.backbones import efficientnet
from lookalike.backbones.backbone import Backbone, load
from lookalike.core import codes
from lookalike.core.cache_dir import cache_dir
from lookalike.core.errors import ConfigError, Interrupted, LookalikeError, TrainingError
from lookalike.core.progress import silent
from lookalike.hasher import Hasher
from lookalike.imaging import decode
from lookalike.imaging.decode import Array, ImageSpec
from lookalike.models.copy_encoder import SIDE
from lookalike.models.frozen import TURNED
from lookalike.models.hashing import HashingNetwork
from lookalike.training import TrainConfig, TrainReport, truncate
from lookalike.training.checkpoint import load_weights
from lookalike.training.export import TOLERANCE
from lookalike.training.hashing import ClusterTask, CopyTask, shorter_lengths
from lookalike.training.run import TASKS
from lookalike.training.settings import Settings, split
from lookalike.training.task import TrainRequest
from tests.references.encoders import SENTENCE, write_encoder, write_kinds
from tests.references.training import QUICK
from tests.references.training import trained as train

from .conftest import Learn

SOLVED = ("pca", "itq", "whitened-itq")
BEHIND = (*SOLVED, "clusters")  # a backbone


@pytest.fixture(scope="module", params=BEHIND)
def trained(request: pytest.FixtureRequest, learn: Learn, tmp_path_factory: pytest.TempPathFactory) -> TrainReport:
    name = request.param
    return learn(name, tmp_path_factory.mktemp(name) / "model.onnx", matryoshka=name not in TURNED)


@pytest.fixture(scope="module")
def copies(learn: Learn, tmp_path_factory: pytest.TempPathFactory) -> TrainReport:
    out = tmp_path_factory.mktemp("copies") / "model.onnx"
    return learn("copies", out, backbone=None, bits=16, epochs=1, cache=None)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images a backbone was given, each time from now on; blank ones, by which it is tried, don't count."""
    counts: list[int] = []
    compute = Backbone.features

    def spy(self: Backbone, images_NSSC: Array) -> Any:
        if images_NSSC.any():
            counts.append(len(images_NSSC))
        return compute(self, images_NSSC)

    monkeypatch.setattr(Backbone, "features", spy)
    return counts


def arrays(place: Path, spec: ImageSpec) -> Array:
    """The readable images as a model takes them."""
    items = data.find(place / "photos")
    return np.stack([decode.read(data.read_bytes(item), spec) for item in items if item.path != "green/05a.png"])


def task_of(report: TrainReport, place: Path, tmp_path: Path) -> Any:
    """The task of a run, made again."""
    values = json.loads((report.folder / "log.jsonl").read_text().splitlines()[0])
    settings = Settings.of({field.name: values[field.name] for field in dataclasses.fields(Settings)})
    config = TrainConfig(
        model=settings.model, bits=settings.config["bits"], matryoshka=settings.config["nested"], seed=settings.seed,
        backbone=None if settings.model == "copies" else place / "small.onnx", cache=tmp_path / "cache",
        **{name: values[name] for name in ("epochs", "batch", "validation", "learning_rate")},
    )  # fmt: skip
    request = TrainRequest(
        config=config, items=data.find(place / "photos"), folder=tmp_path, init_digest="", progress=silent,
        stop_requested=threading.Event(),
    )  # fmt: skip
    task = TASKS[settings.model](request)
    assert task.settings == settings
    return task


def network_of(report: TrainReport, task: Any) -> HashingNetwork:
    """The network by the run's best weights, or by its closed form."""
    solved: HashingNetwork | None = task.solve(split(len(task.inputs), task.settings).train)
    return solved or load_weights(report.folder / "best.safetensors", task.create())


def assert_codes_are_those_of_the_network(
    report: TrainReport, network: HashingNetwork, images_NSSC: Array, inputs: npt.NDArray[Any], *, cut_at_mean: bool
) -> None:
    with torch.inference_mode():
        z_NK = network(torch.from_numpy(inputs)).numpy()
    hasher = Hasher.load(report.path)
    np.testing.assert_allclose(hasher.latents(images_NSSC), z_NK, atol=TOLERANCE * max(1, np.abs(z_NK).max()))
    rows = np.arange(len(z_NK))
    theta_K = np.zeros(hasher.bits, np.float32)
    if cut_at_mean:
        theta_K = z_NK[np.setdiff1d(rows, held_out(report, len(rows)))].mean(axis=0)
    found_NW = hasher.encode_arrays(images_NSSC)
    assert found_NW.shape == (len(images_NSSC), hasher.bits // 8)
    assert found_NW.dtype == np.uint8
    differing = codes.unpack(found_NW) != codes.binarize(z_NK, theta_K)
    assert not (differing & (np.abs(z_NK - theta_K) >= 2 * TOLERANCE)).any()
    assert len(np.unique(found_NW, axis=0)) > 1


def held_out(report: TrainReport, count: int) -> npt.NDArray[np.int64]:
    values = json.loads((report.folder / "log.jsonl").read_text().splitlines()[0])
    settings = Settings.of({field.name: values[field.name] for field in dataclasses.fields(Settings)})
    return split(count, settings).validation


def test_the_model_file_says_what_it_is(trained: TrainReport) -> None:
    info = Hasher.load(trained.path).info
    assert info == trained.info
    assert (info.name, info.bits, info.data_name) == (f"{info.model}-32", 32, "photos")
    assert (info.data_images, info.data_validation) == (72, 8)
    assert info.backbone.startswith(f"{SENTENCE}; pixels in [0, 1] less 0.5/0.5/0.5, divided by ")
    assert info.supervised is False
    assert list(info.nested) == ([] if info.model in TURNED else ["16"])
    assert info.image == ImageSpec(side=32, colour=True)
    assert [Path(one.name).name for one in trained.skipped] == ["05a.png"]
    assert len(trained.history) == info.epochs == (0 if info.model in SOLVED else 2)
    assert all(np.isfinite(record.validation["total"]) for record in trained.history)


def test_codes_are_those_of_the_network(trained: TrainReport, place: Path, tmp_path: Path) -> None:
    backbone, task = load(place / "small.onnx"), task_of(trained, place, tmp_path)
    images_NSSC = arrays(place, backbone.spec)
    features_ND = backbone.features(images_NSSC)
    network = network_of(trained, task)
    assert_codes_are_those_of_the_network(trained, network, images_NSSC, features_ND, cut_at_mean=task.cut_at_mean)


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
    whole = learn("clusters", tmp_path / "64.onnx", bits=64, epochs=1, matryoshka=True)
    assert truncate(whole.path, bits=32, out=tmp_path / "32.onnx").nested == {"16": whole.info.nested["16"]}
    once, twice = (tmp_path / name for name in ("16a.onnx", "16b.onnx"))
    assert truncate(whole.path, bits=16, out=once).name == truncate(tmp_path / "32.onnx", bits=16, out=twice).name
    images_NSSC = arrays(place, whole.info.image)
    assert np.array_equal(Hasher.load(once).encode_arrays(images_NSSC), Hasher.load(twice).encode_arrays(images_NSSC))


@pytest.mark.parametrize("name", ["clusters", "copies"])
def test_a_stopped_run_goes_on_to_the_same_file(name: str, learn: Learn, tmp_path: Path) -> None:
    settings = {"backbone": None, "cache": None, "bits": 16, "epochs": 1} if name == "copies" else {}
    whole, at = learn(name, tmp_path / "whole.onnx", **settings), 2 if name == "copies" else 6

    def stop(stage: str, done: int, total: int | None) -> None:
        if (stage, done) == ("training", at):
            os.kill(os.getpid(), signal.SIGINT)

    out = tmp_path / "stopped.onnx"
    with pytest.raises(Interrupted, match=rf"stopped after step {at} of {whole.steps}; .* --resume"):
        learn(name, out, progress=stop, **settings)
    assert not out.exists()
    resumed = learn(name, out, resume=True, **settings)
    assert out.read_bytes() == whole.path.read_bytes()
    assert [one.validation for one in resumed.history] == [one.validation for one in whole.history]


def test_a_run_leaves_its_log_and_its_weights(trained: TrainReport) -> None:
    weights = set() if trained.info.model in SOLVED else {"best.safetensors"}
    assert {path.name for path in trained.folder.iterdir()} == {"log.jsonl", "lock"} | weights


def test_copies_start_from_the_first_blocks_of_a_backbone(copies: TrainReport, place: Path, tmp_path: Path) -> None:
    info, spec = Hasher.load(copies.path).info, ImageSpec(side=SIDE, colour=False, trim=True)
    assert info == copies.info
    assert info.backbone == f"first blocks of {efficientnet.about(SIDE).sentence}, trained further"
    assert (info.image, info.data_images, info.epochs, info.supervised) == (spec, 72, 1, False)
    # Images are read larger, so that parts of them are sharp, and in colour, which edits change.
    task = task_of(copies, place, tmp_path)
    assert task.inputs.shape == (80, SIDE * 3 // 2, SIDE * 3 // 2, 3)
    images_NSS = task.unedited(np.arange(80))
    network = network_of(copies, task)
    assert_codes_are_those_of_the_network(copies, network, images_NSS, images_NSS, cut_at_mean=True)
    assert {path.name for path in copies.folder.iterdir()} == {"log.jsonl", "lock", "best.safetensors"}


def copy_task() -> CopyTask:
    images_NRRC = np.random.default_rng(0).integers(0, 256, (40, 168, 168, 3), dtype=np.uint8)
    settings = Settings(
        images="", limit=None, model="copies", config={"bits": 16, "nested": ()}, seed=0, epochs=1, batch=8,
        learning_rate=1e-3, validation=0.1,
    )  # fmt: skip
    return CopyTask(settings, images_NRRC, weights={})


def test_of_each_pair_one_is_nearly_the_image_and_the_other_an_edited_copy() -> None:
    task, rows = copy_task(), np.arange(40)
    plain_NSS = np.asarray(task.unedited(rows), np.float64)
    assert plain_NSS.shape == (40, SIDE, SIDE)
    pair = [np.asarray(one, np.float64) for one in task.pair(rows, np.random.default_rng(1))]
    near, edited = (np.abs(one_NSS - plain_NSS).mean(axis=(1, 2)) for one_NSS in pair)
    assert (near == 0).mean() > 0.3
    assert near.max() < 70
    assert edited.mean() > 2 * near.mean()
    again = task.pair(rows, np.random.default_rng(1))
    assert all(map(np.array_equal, again, task.pair(rows, np.random.default_rng(1))))


def test_features_are_computed_once_for_all_methods(computed: list[int], learn: Learn, tmp_path: Path) -> None:
    cache = tmp_path / "features"
    learn("itq", tmp_path / "itq.onnx", cache=cache)
    assert sum(computed) == 80
    learn("pca", tmp_path / "pca.onnx", cache=cache)
    learn("clusters", tmp_path / "clusters.onnx", cache=cache, epochs=1)
    assert sum(computed) == 80


def test_they_are_recomputed_for_another_backbone_or_other_images(
    computed: list[int], learn: Learn, place: Path, tmp_path: Path
) -> None:
    photos = shutil.copytree(place / "photos", tmp_path / "photos")
    settings: dict[str, Any] = {"images": photos, "cache": tmp_path / "features"}
    first = learn("pca", tmp_path / "1.onnx", **settings)
    other = write_encoder(tmp_path, name="other", mean=0.4)
    second = learn("pca", tmp_path / "2.onnx", backbone=str(other), **settings)
    assert sum(computed) == 160
    assert second.info.backbone.startswith("other, ")
    shutil.copy(photos / "blue/00.png", photos / "red/00.png")
    learn("pca", tmp_path / "3.onnx", **settings)
    assert sum(computed) == 240
    assert first.path.read_bytes() != second.path.read_bytes()


def test_features_are_kept_where_the_environment_says(
    learn: Learn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path / "kept"))
    learn("pca", tmp_path / "model.onnx", cache=None)
    assert {path.suffix for path in (tmp_path / "kept").iterdir()} >= {".bin", ".json"}
    monkeypatch.delenv("LOOKALIKE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "system"))
    assert cache_dir() == tmp_path / "system/lookalike"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache/lookalike"


REFUSED: list[tuple[str, dict[str, Any], type[LookalikeError], str]] = [
    ("itq", {"matryoshka": True}, ConfigError, "itq rotates all bits together, .*; use pca for nested codes"),
    ("whitened-itq", {"matryoshka": True}, ConfigError, "whitened-itq rotates all bits together, .*; use pca"),
    ("copies", {"backbone": "hf:vit"}, ConfigError, "copies trains an encoder of its own; leave out --backbone"),
    ("copies", {"backbone": None, "side": 64}, ConfigError, "leave out --backbone and --side"),
    ("pca", {"bits": 64}, ConfigError, "bits is 64; 72 images with 32 features have fewer components"),
    ("dhn", {}, ConfigError, "model is 'dhn'; it must be one of vae, .*, clusters, copies"),
    ("pca", {"bits": 16, "matryoshka": True}, ConfigError, "bits is 16; nested codes need more than 16"),
    ("clusters", {"bits": 32, "matryoshka": (16, 32)}, ConfigError, "bits is 32; nested codes need more than 32"),
    ("clusters", {"bits": 32, "matryoshka": (12,)}, ConfigError, "bits is 12"),
    ("itq", {"backbone": "resnet"}, ConfigError, "resnet is neither "),
    ("clusters", {"limit": 39}, TrainingError, r"clusters need 40 images, and 3\d are readable; use itq"),
    ("pca", {"bits": 12}, ConfigError, "bits is 12"),
]


@pytest.mark.parametrize(("name", "changes", "error", "said"), REFUSED)
def test_what_cannot_be_done_is_reported_before_anything_is_trained(
    name: str, changes: dict[str, Any], error: type[LookalikeError], said: str, learn: Learn, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        learn(name, tmp_path / "model.onnx", **changes)
    assert not (tmp_path / "model.onnx").exists()
    assert error is not ConfigError or not (tmp_path / "model.run").exists()
    assert not list(tmp_path.glob("*.run/*.safetensors"))


def test_usual_lengths() -> None:
    lengths = [shorter_lengths(TrainConfig(model="pca", bits=bits)) for bits in (16, 48, 128, 256)]
    assert lengths == [(), (16, 32), (16, 32, 64), (16, 32, 64, 128)]
    assert shorter_lengths(TrainConfig(model="clusters", matryoshka=(32, 8))) == (8, 32)
    assert shorter_lengths(TrainConfig(model="clusters")) == ()


def test_a_closed_form_has_nothing_to_resume(learn: Learn, tmp_path: Path) -> None:
    learn("pca", tmp_path / "model.onnx")
    with pytest.raises(TrainingError, match="has no unfinished run to resume"):
        learn("pca", tmp_path / "model.onnx", resume=True)


def test_another_backbone_is_another_run(learn: Learn, tmp_path: Path) -> None:
    """A run that began behind another backbone is not gone on with."""

    def stop(stage: str, done: int, total: int | None) -> None:
        if stage == "training":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn("clusters", tmp_path / "model.onnx", progress=stop)
    other = write_encoder(tmp_path, name="other", mean=0.4)
    with pytest.raises(TrainingError, match=r"backbone is .*, but the run to resume has"):
        learn("clusters", tmp_path / "model.onnx", backbone=str(other), resume=True)
    assert learn("clusters", tmp_path / "model.onnx", resume=True).path.exists()


def test_few_images_train_in_one_batch(tmp_path: Path) -> None:
    photos = write_kinds(tmp_path / "photos", each=11)
    made = train(
        photos, model="clusters", out=tmp_path / "m.onnx", backbone=str(write_encoder(tmp_path)), cache=tmp_path / "c",
        **QUICK | {"batch": 128, "epochs": 1, "bits": 16},
    )  # fmt: skip
    assert (made.info.data_images, made.info.data_validation, made.history[-1].step) == (40, 4, 1)


def test_a_refused_training_leaves_the_log_of_an_earlier_one(learn: Learn, tmp_path: Path) -> None:
    made = learn("pca", tmp_path / "model.onnx", bits=16)
    log = (made.folder / "log.jsonl").read_bytes()
    for refused in ({"matryoshka": True}, {"bits": 64}):
        with pytest.raises(ConfigError):
            learn("pca", tmp_path / "model.onnx", **{"bits": 16} | refused)
        assert (made.folder / "log.jsonl").read_bytes() == log


def test_one_held_out_image_behind_full_batches_leaves_the_loss_a_number() -> None:
    features_ND = np.random.default_rng(0).normal(size=(140, 8)).astype(np.float32)
    settings = dataclasses.replace(copy_task().settings, model="clusters")
    task = ClusterTask(settings, features_ND)
    network = task.create().eval()
    assert np.isfinite(task.validate(network, np.arange(129))["total"])
    assert task.validate(network, np.arange(128)).keys() == {"total"}
