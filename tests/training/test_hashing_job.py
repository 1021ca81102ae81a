"""What a run of a hashing method is given: labels that fit their images, features that are there, or a clear error.

Shapes: N images, C classes.
"""

from __future__ import annotations

import dataclasses
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike import data
from lookalike.backbones.backbone import Backbone
from lookalike.core.cache_dir import cache_dir
from lookalike.core.errors import ConfigError, DataError, LookalikeError, ModelError, TrainingError
from lookalike.core.progress import silent
from lookalike.imaging.decode import Array
from lookalike.training import TrainConfig, hashing_job
from lookalike.training.hashing import Hashing
from lookalike.training.hashing_job import label_matrix, prepare
from lookalike.training.job import TrainRequest
from lookalike.training.settings import Split
from tests.references.encoders import COLOURS, write_encoder, write_kinds
from tests.references.training import trained

from .conftest import QUICK, Learn


def labelled(place: Path, label: Any = None) -> list[data.Item]:
    """The items of the collection, with their folders for labels; a function of number and item may change them."""
    items = data.find(place / "photos", labels_from_folders=True)
    changed = label or (lambda number, item: item.label)
    return [dataclasses.replace(item, label=changed(number, item)) for number, item in enumerate(items)]


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


def test_features_are_computed_once_for_all_methods(computed: list[int], learn: Learn, tmp_path: Path) -> None:
    cache = tmp_path / "features"
    learn("itq", tmp_path / "itq.onnx", cache=cache)
    assert sum(computed) == 80
    learn("pca", tmp_path / "pca.onnx", cache=cache)
    learn("csq", tmp_path / "csq.onnx", cache=cache, epochs=1)
    assert sum(computed) == 80
    learn("cibhash", tmp_path / "cibhash.onnx", cache=cache, epochs=1)
    assert sum(computed) == (1 + hashing_job.VIEWS) * 80


def test_and_anew_for_another_backbone_or_other_images(
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


@pytest.mark.parametrize("backbone", ["small.onnx", "none"])
def test_labels_stay_with_their_images_where_one_cannot_be_read(place: Path, tmp_path: Path, backbone: str) -> None:
    items = labelled(place)
    named = str(place / backbone) if backbone != "none" else backbone
    config = TrainConfig(model="dhn", bits=16, backbone=named, epochs=1, batch=16, cache=place / "cache")
    stop = threading.Event()
    job = prepare(
        TrainRequest(
            config=config,
            items=items,
            folder=tmp_path,
            init_digest="",
            progress=silent,
            stop_requested=stop,
        )
    )
    task = job.task(Split(np.arange(70), np.arange(70, 80)))
    assert isinstance(task, Hashing)
    assert task.labels_NC is not None
    readable = [item.label for item in items if item.path != "green/05a.png"]
    assert [list(COLOURS)[row.argmax()] for row in task.labels_NC] == readable
    assert task.labels_NC.sum(axis=1).tolist() == [1] * 80


def test_lists_of_labels_are_booleans(place: Path) -> None:
    items = labelled(place, lambda number, item: ("odd", item.label) if number % 2 else (item.label,))
    labels_NC = label_matrix(items, "csq")
    assert labels_NC.shape == (81, 5)
    assert labels_NC.sum(axis=1).tolist() == [1 + number % 2 for number in range(81)]


def test_training_with_lists_of_labels(place: Path, learn: Learn, tmp_path: Path) -> None:
    items = labelled(place, lambda number, item: ("odd", item.label) if number % 2 else (item.label,))
    made = learn("hashnet", tmp_path / "model.onnx", images=items, labels_from_folders=False, epochs=1)
    assert made.info.supervised
    assert 0 < made.history[-1].validation["map"] <= 1


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (lambda number, item: None, "dhn learns from labels, and 81 of 81 images have none, the first: .*00.png"),
        (lambda number, item: item.label if number else None, "and 1 of 81 images have none.* --labels-from-folders"),
        (lambda number, item: (item.label,) if number > 1 else item.label, r"79 of 81 .* lists .*the first: .*00.png"),
        (lambda number, item: "cat", "all images have the label cat; dhn needs at least two classes"),
        (lambda number, item: str(number), "each of 81 images has a label of its own; dhn needs several of one label"),
        (lambda number, item: ("0", "1"), "all images have the same labels, 0 and 1; expected the names of those"),
    ],
)
def test_labels_that_teach_nothing_are_refused(
    label: Any, said: str, place: Path, learn: Learn, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=said):
        learn("dhn", tmp_path / "model.onnx", images=labelled(place, label), labels_from_folders=False)
    assert not (tmp_path / "model.onnx").exists()


REFUSED: list[tuple[str, dict[str, Any], type[LookalikeError], str]] = [
    ("itq", {"matryoshka": True}, ConfigError, "itq rotates all bits together, .*; use pca for nested codes"),
    (
        "whitened-itq",
        {"matryoshka": True},
        ConfigError,
        "whitened-itq rotates all bits together, .*; use pca",
    ),
    ("dhn", {"backbone": "none", "side": 32}, ConfigError, "side is 32; this encoder takes 64 pixels"),
    ("dhn", {"backbone": "vit", "side": 32}, ConfigError, "side is 32; this encoder takes 64 pixels"),
    ("bihalf", {"backbone": "vit"}, ConfigError, "bihalf trains no encoder; give --backbone none, "),
    ("pca", {"bits": 64}, ConfigError, "bits is 64; 72 images with 32 features have fewer axes"),
    ("dhm", {}, ConfigError, "model is 'dhm'; it must be one of vae, .*, dhn, .*, clusters"),
    ("pca", {"bits": 16, "matryoshka": True}, ConfigError, "bits is 16; nested codes need more than 16"),
    ("dhn", {"backbone": "resnet"}, ConfigError, "resnet is neither "),
    ("clusters", {"limit": 39}, TrainingError, "images are too few for clusters; expected 40 or more. Take itq"),
    ("dhn", {"bits": 12}, ConfigError, "bits is 12"),
]


@pytest.mark.parametrize(("name", "changes", "error", "said"), REFUSED)
def test_what_cannot_be_done_is_said_before_anything_is_trained(
    name: str, changes: dict[str, Any], error: type[LookalikeError], said: str, learn: Learn, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        learn(name, tmp_path / "model.onnx", **changes)
    assert not (tmp_path / "model.onnx").exists()
    assert error is not ConfigError or not (tmp_path / "model.run").exists()
    assert not list(tmp_path.glob("*.run/*.safetensors"))


def test_an_encoder_without_tokens_is_refused_by_a_method_that_takes_them(learn: Learn, tmp_path: Path) -> None:
    pooled = write_encoder(tmp_path, pooled=True)
    with pytest.raises(ModelError, match=r"small has an output of 2 dimensions, in which there are no tokens"):
        learn("transhash", tmp_path / "model.onnx", backbone=str(pooled))


def test_tokens_of_an_encoder_in_old_operators(learn: Learn, tmp_path: Path) -> None:
    old = write_encoder(tmp_path, name="old", version=13)
    with pytest.raises(ModelError, match=r"old uses version 13 .*; transhash takes encoders of version 14 or later"):
        learn("transhash", tmp_path / "model.onnx", backbone=str(old))
    newer = write_encoder(tmp_path, name="newer", version=14)
    made = learn("transhash", tmp_path / "model.onnx", backbone=str(newer), epochs=1)
    assert made.info.backbone.startswith("newer, 32 pixels")


def test_a_closed_form_has_nothing_to_resume(learn: Learn, tmp_path: Path) -> None:
    learn("pca", tmp_path / "model.onnx")
    with pytest.raises(TrainingError, match="holds no unfinished run to resume"):
        learn("pca", tmp_path / "model.onnx", resume=True)


def test_clusters_are_made_at_as_many_scales_as_there_are_images_for(place: Path) -> None:
    random = np.random.default_rng(0)
    features_ND = (random.normal(size=(8, 16)).repeat(10, axis=0) + 0.1 * random.normal(size=(80, 16))).astype("f4")
    clusters_NM = hashing_job.pseudo_labels(features_ND, seed=0)
    assert clusters_NM.max(axis=0).tolist() == [9, 19]
    assert np.array_equal(clusters_NM, hashing_job.pseudo_labels(features_ND, seed=0))
    with pytest.raises(TrainingError, match="39 images are too few for clusters; expected 40 or more"):
        hashing_job.pseudo_labels(features_ND[:39], seed=0)


def test_other_labels_are_another_run(place: Path, learn: Learn, tmp_path: Path) -> None:
    """A run that began with other labels, or behind another backbone, is not gone on with."""

    def stop(stage: str, done: int, total: int | None) -> None:
        if stage == "training":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn("dhn", tmp_path / "model.onnx", progress=stop)
    corrected = labelled(place, lambda number, item: item.label if number else "red")
    with pytest.raises(TrainingError, match=r"labels is .*, but the run to be resumed has"):
        learn("dhn", tmp_path / "model.onnx", images=corrected, labels_from_folders=False, resume=True)
    other = write_encoder(tmp_path, name="other", mean=0.4)
    with pytest.raises(TrainingError, match=r"backbone is .*, but the run to be resumed has"):
        learn("dhn", tmp_path / "model.onnx", backbone=str(other), resume=True)
    assert learn("dhn", tmp_path / "model.onnx", resume=True).path.exists()


def test_few_images_train_in_one_batch(tmp_path: Path) -> None:
    photos = write_kinds(tmp_path / "photos", each=5)
    settings = QUICK | {"batch": 128, "epochs": 1, "bits": 16}
    made = trained(
        photos, model="orthohash", out=tmp_path / "m.onnx", backbone=str(write_encoder(tmp_path)),
        labels_from_folders=True, **settings,
    )  # fmt: skip
    assert (made.info.data_images, made.info.data_validation, made.history[-1].step) == (18, 2, 1)


def test_a_refused_training_leaves_the_log_of_an_earlier_one(learn: Learn, tmp_path: Path) -> None:
    made = learn("pca", tmp_path / "model.onnx", bits=16)
    log = (made.folder / "log.jsonl").read_bytes()
    with pytest.raises(ConfigError, match="nested codes need more than 16"):
        learn("pca", tmp_path / "model.onnx", bits=16, matryoshka=True)
    assert (made.folder / "log.jsonl").read_bytes() == log
