"""Complete runs of each compared method: codes of the trained network, matching labels, clear errors.

Shapes: N images, S pixels a side, D features, C classes, K bits.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lookalike import data
from lookalike.backbones.backbone import Backbone, load
from lookalike.core import codes
from lookalike.core.errors import ConfigError, DataError, Interrupted, TrainingError
from lookalike.core.progress import silent
from lookalike.hasher import Hasher
from lookalike.imaging import decode
from lookalike.imaging.decode import Array
from lookalike.training import TrainConfig, TrainReport, truncate
from lookalike.training.checkpoint import load_weights
from lookalike.training.export import TOLERANCE
from lookalike.training.settings import Settings, split
from lookalike.training.task import TrainRequest
from research.hashing.methods import METHODS
from research.hashing.task import METHOD_TASKS, VIEWS, MethodTask, label_matrix, partial_labels
from tests.references.encoders import COLOURS, SENTENCE, write_encoder
from tests.references.training import QUICK

from .conftest import Learn

TOKENS = [name for name, one in METHODS.items() if one.tokens]
VTS = "vts-idhn"  # of those that differ in objective only, one is trained
OWN = [name for name, one in METHODS.items() if one.objective is not None and (name == VTS or not one.tokens)]


@pytest.fixture(scope="module", params=OWN)
def trained(
    request: pytest.FixtureRequest, learn: Learn, place: Path, tmp_path_factory: pytest.TempPathFactory
) -> TrainReport:
    out = tmp_path_factory.mktemp(request.param) / "model.onnx"
    return learn(request.param, out, images=labelled_for(request.param, place), matryoshka=True)


def labelled(place: Path, label: Any = None) -> list[data.Item]:
    """The items of the collection, labelled by folder; a function of number and item may change the labels."""
    items = data.find(place / "photos", labels_from_folders=True)
    changed = label or (lambda number, item: item.label)
    return [dataclasses.replace(item, label=changed(number, item)) for number, item in enumerate(items)]


def labelled_for(model: str, place: Path) -> list[data.Item]:
    """The same; every second image has no label for a method that needs unlabelled ones."""
    return labelled(place, lambda number, item: None if model == "dah" and number % 2 else item.label)


def task_of(place: Path, folder: Path, model: str, **changes: Any) -> MethodTask:
    """The task of a method on the collection."""
    own = {"backbone": str(place / "small.onnx"), "cache": place / "cache", "matryoshka": True}
    request = TrainRequest(
        config=TrainConfig(model=model, **QUICK | own | changes), items=labelled_for(model, place), folder=folder,
        init_digest="", progress=silent, stop_requested=threading.Event(),
    )  # fmt: skip
    task = METHOD_TASKS[model](request)
    assert isinstance(task, MethodTask)
    return task


def test_the_model_file_says_what_it_is(trained: TrainReport) -> None:
    info, method = Hasher.load(trained.path).info, METHODS[trained.info.model]
    assert info == trained.info
    assert (info.name, info.bits, list(info.nested)) == (f"{info.model}-32", 32, ["16"])
    assert (info.data_images, info.data_validation) == (72, 8)
    assert info.backbone.startswith(f"{SENTENCE}; pixels in [0, 1] less 0.5/0.5/0.5, divided by ")
    assert info.supervised is method.needs_labels
    assert [Path(one.name).name for one in trained.skipped] == ["05a.png"]


def test_codes_are_those_of_the_network(trained: TrainReport, place: Path, tmp_path: Path) -> None:
    task = task_of(place, tmp_path, trained.info.model)
    network = load_weights(trained.folder / "best.safetensors", task.create())
    backbone = load(place / "small.onnx", pooling="none" if METHODS[trained.info.model].tokens else None)
    items = [item for item in labelled(place) if item.path != "green/05a.png"]
    images_NSSC = np.stack([decode.read(data.read_bytes(item), backbone.spec) for item in items])
    with torch.inference_mode():
        z_NK = network(torch.from_numpy(backbone.features(images_NSSC))).numpy()
    hasher = Hasher.load(trained.path)
    np.testing.assert_allclose(hasher.latents(images_NSSC), z_NK, atol=TOLERANCE * max(1, np.abs(z_NK).max()))
    theta_K = np.zeros(32, np.float32)
    if METHODS[trained.info.model].cut_at_mean:
        theta_K = z_NK[split(len(z_NK), task.settings).train].mean(axis=0)
    differing = codes.unpack(hasher.encode_arrays(images_NSSC)) != codes.binarize(z_NK, theta_K)
    assert not (differing & (np.abs(z_NK - theta_K) >= 2 * TOLERANCE)).any()
    short = truncate(trained.path, bits=16, out=tmp_path / "short.onnx")
    assert (short.bits, short.supervised) == (16, trained.info.supervised)


def test_mean_average_precision_is_measured_where_there_are_labels(trained: TrainReport) -> None:
    supervised = trained.info.supervised
    assert len(trained.history) == 2
    assert all(("map" in record.validation) is supervised for record in trained.history)
    assert all(np.isfinite(record.validation["total"]) for record in trained.history)
    if supervised:
        found = [record.validation["map"] for record in trained.history]
        assert trained.history[int(np.argmax(found))].best
        assert 0.3 < max(found) <= 1  # chance is 0.25


def test_kinds_are_learnt_from_labels(learn: Learn, tmp_path: Path) -> None:
    learnt = learn("dhn", tmp_path / "model.onnx", epochs=15, learning_rate=5e-3)
    assert max(record.validation["map"] for record in learnt.history) > 0.95


@pytest.mark.parametrize("name", ["greedyhash", "cibhash"])
def test_a_stopped_run_goes_on_to_the_same_file(name: str, learn: Learn, tmp_path: Path) -> None:
    whole = learn(name, tmp_path / "whole.onnx")

    def stop(stage: str, done: int, total: int | None) -> None:
        if (stage, done) == ("training", 6):
            os.kill(os.getpid(), signal.SIGINT)

    out = tmp_path / "stopped.onnx"
    with pytest.raises(Interrupted, match=r"stopped after step 6 of 8; .* --resume"):
        learn(name, out, progress=stop)
    resumed = learn(name, out, resume=True)
    assert out.read_bytes() == whole.path.read_bytes()
    assert [one.validation for one in resumed.history] == [one.validation for one in whole.history]


def test_views_are_computed_once(learn: Learn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts, compute = [], Backbone.features

    def spy(self: Backbone, images_NSSC: Array) -> Any:
        counts.append(len(images_NSSC) if images_NSSC.any() else 0)
        return compute(self, images_NSSC)

    monkeypatch.setattr(Backbone, "features", spy)
    learn("cibhash", tmp_path / "1.onnx", cache=tmp_path / "features", epochs=1)
    assert sum(counts) == (1 + VIEWS) * 80
    learn("cibhash", tmp_path / "2.onnx", cache=tmp_path / "features", epochs=1)
    assert sum(counts) == (1 + VIEWS) * 80


def test_of_a_pair_one_view_is_never_the_other(place: Path, tmp_path: Path) -> None:
    task, rows = task_of(place, tmp_path, "cibhash"), np.array([4, 0, 2, 1, 3, 5])
    task.views_ND = tuple(np.full((80, 32), value, np.float16) for value in (1, 2))
    for seed in range(5):
        first, second = task.pair(rows, np.random.default_rng(seed))
        assert first.dtype == np.float32
        assert np.array_equal(first + second, np.full((6, 32), 3))


def test_labels_stay_with_their_images_where_one_cannot_be_read(place: Path, tmp_path: Path) -> None:
    task = task_of(place, tmp_path, "dhn")
    assert task.labels_NC is not None
    readable = [item.label for item in labelled(place) if item.path != "green/05a.png"]
    assert [list(COLOURS)[row.argmax()] for row in task.labels_NC] == readable
    assert task.labels_NC.sum(axis=1).tolist() == [1] * 80


def test_lists_of_labels_are_booleans(place: Path, learn: Learn, tmp_path: Path) -> None:
    items = labelled(place, lambda number, item: ("odd", item.label) if number % 2 else (item.label,))
    labels_NC = label_matrix(items, "csq")
    assert labels_NC.shape == (81, 5)
    assert labels_NC.sum(axis=1).tolist() == [1 + number % 2 for number in range(81)]
    made = learn("hashnet", tmp_path / "model.onnx", images=items, epochs=1)
    assert 0 < made.history[-1].validation["map"] <= 1


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (lambda number, item: None, "dhn learns from labels, and 81 of 81 images have none, the first: .*00.png"),
        (lambda number, item: item.label if number else None, "and 1 of 81 images have none.* a column label"),
        (lambda number, item: (item.label,) if number > 1 else item.label, r"79 of 81 .* lists .*the first: .*00.png"),
        (lambda number, item: "cat", "all images have the label cat; dhn needs at least two classes"),
        (
            lambda number, item: str(number),
            "each of 81 images has a different label; dhn needs several images per label",
        ),
        (
            lambda number, item: ("0", "1"),
            "all images have the same labels, 0 and 1; labels must differ between images",
        ),
    ],
)
def test_labels_that_teach_nothing_are_refused(
    label: Any, said: str, place: Path, learn: Learn, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=said):
        learn("dhn", tmp_path / "model.onnx", images=labelled(place, label))
    assert not (tmp_path / "model.onnx").exists()


def test_tags_teach_though_some_images_have_none(place: Path, learn: Learn, tmp_path: Path) -> None:
    items = labelled(place, lambda number, item: (item.label, f"tag{number % 3}") if number % 4 else None)
    made = learn("wdht", tmp_path / "model.onnx", images=items, epochs=1)
    assert np.isfinite(made.history[-1].validation["total"])
    assert 0 < made.history[-1].validation["map"] <= 1


def test_a_single_label_is_a_category_and_a_list_may_name_one(place: Path) -> None:
    items = labelled(place, lambda number, item: [item.label, ("odd", "category=blue"), ("odd",), None][number % 4])
    labels_NC, categories = partial_labels(items, "dph")
    assert (labels_NC.shape, categories) == ((81, 5), 4)  # four colours, of which blue is also in a list; odd
    assert labels_NC.sum(axis=1).tolist() == [(1, 2, 1, 0)[number % 4] for number in range(81)]
    assert labels_NC[1].tolist() == [True, False, False, False, True]
    assert labels_NC[2].tolist() == [False, False, False, False, True]


@pytest.mark.parametrize(
    ("model", "label", "said"),
    [
        ("dah", lambda item: item.label, "all 81 images have labels; dah also needs unlabelled ones"),
        ("dah", lambda item: None, "dah needs at least two different labels; 81 images have 0"),
        ("wdht", lambda item: None, "wdht needs at least two different labels; 81 images have 0"),
        ("dph", lambda item: "cat", "dph needs at least two different labels; 81 images have 1"),
    ],
)
def test_labels_that_are_not_partial_are_refused(model: str, label: Any, said: str, place: Path) -> None:
    with pytest.raises(DataError, match=said):
        partial_labels(labelled(place, lambda number, item: label(item)), model)


def test_other_labels_are_another_run(place: Path, learn: Learn, tmp_path: Path) -> None:
    """A run that began with other labels is not resumed."""

    def stop(stage: str, done: int, total: int | None) -> None:
        if stage == "training":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn("dhn", tmp_path / "model.onnx", progress=stop)
    corrected = labelled(place, lambda number, item: item.label if number else "red")
    with pytest.raises(TrainingError, match=r"labels is .*, but the run to resume has"):
        learn("dhn", tmp_path / "model.onnx", images=corrected, resume=True)
    assert learn("dhn", tmp_path / "model.onnx", resume=True).path.exists()


def test_a_method_that_makes_no_model_file_is_reported(learn: Learn, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model is 'transhash'; it must be one of pca, .*, cibhash"):
        learn("transhash", tmp_path / "model.onnx")


def test_an_encoder_of_old_operators_does_for_a_head(learn: Learn, tmp_path: Path) -> None:
    old = write_encoder(tmp_path, name="old", version=11)
    made = learn("csq", tmp_path / "model.onnx", backbone=str(old), epochs=1)
    assert made.info.backbone.startswith("old, 32 pixels")


def settings(model: str, **config: Any) -> Settings:
    return Settings(
        images="", limit=None, model=model, config={"bits": 32, "nested": ()} | config, seed=0, epochs=1, batch=8,
        learning_rate=1e-3, validation=0.1,
    )  # fmt: skip


def of_arrays(model: str, **config: Any) -> MethodTask:
    """The task of a method on features, or positions, of three classes."""
    random = np.random.default_rng(0)
    positions = 4 if METHODS[model].tokens else 1
    centres_CD = random.normal(size=(3, 8 * positions))
    features_ND = (centres_CD[np.arange(30) % 3] + 0.3 * random.normal(size=(30, centres_CD.shape[1]))).astype("f4")
    labels_NC = np.arange(30)[:, None] % 3 == np.arange(3)
    return MethodTask(
        settings(model, **config), features_ND, train=np.arange(30), labels_NC=labels_NC, positions=positions,
        views_ND=(features_ND, features_ND + 0.1),
    )  # fmt: skip


@pytest.mark.parametrize("name", list(dict.fromkeys([*OWN, *TOKENS])))
def test_twenty_steps_lower_the_loss(name: str) -> None:
    task, rows = of_arrays(name, bits=16, nested=(8,)), np.arange(12)
    network = task.create()
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    losses = []
    for step in range(20):
        loss = task.loss(network.train(), rows, step=step, generator=torch.Generator().manual_seed(0)).total
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert min(losses[-5:]) < losses[0]


@pytest.mark.parametrize(("name", "buffer"), [("dpn", "targets_CK"), ("orthohash", "words_CK")])
def test_targets_of_shorter_codes_are_first_bits_of_the_longest(name: str, buffer: str) -> None:
    shorter, whole = of_arrays(name, nested=(16,)).create().objectives
    (alone,) = of_arrays(name).create().objectives
    assert torch.equal(getattr(shorter, buffer), getattr(whole, buffer)[:, :16])
    assert torch.equal(getattr(whole, buffer), getattr(alone, buffer))


def test_classes_have_different_centres_at_each_length_of_nested_codes() -> None:
    for classes in (20, 202):
        task = of_arrays("csq", bits=64, nested=(16, 32))
        task.labels_NC = np.arange(30)[:, None] % classes == np.arange(classes)
        found = task.create().objectives
        for objective, length in zip(found, (16, 32, 64), strict=True):
            centres_CK = dict(objective.named_buffers())["centres_CK"]
            assert len(set(map(tuple, centres_CK.tolist()))) == classes
            assert centres_CK.sum(dim=1).abs().max() == 0  # half of the bits are one
            assert torch.equal(centres_CK, dict(found[-1].named_buffers())["centres_CK"][:, :length])


def test_targets_are_drawn_under_the_seed() -> None:
    one, same = (of_arrays("dpn").create().state_dict() for _ in range(2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    other = MethodTask(
        dataclasses.replace(settings("dpn"), seed=2), np.zeros((30, 8), np.float32), train=np.arange(30),
        labels_NC=np.arange(30)[:, None] % 3 == np.arange(3),
    ).create().state_dict()  # fmt: skip
    assert not torch.equal(one["objectives.0.targets_CK"], other["objectives.0.targets_CK"])


def test_least_is_best_of_the_loss_and_most_of_the_precision() -> None:
    task = of_arrays("bihalf")
    assert task.validation_metric({"total": 0.3}) == 0.3
    assert task.validation_metric({"total": 0.3, "map": 0.75}) == 0.25
