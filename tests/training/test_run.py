"""Whole runs: from real files to a model file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lookalike import data, training
from lookalike.core.errors import ConfigError, Interrupted, TrainingError
from lookalike.hasher import Hasher
from lookalike.imaging import decode
from lookalike.models import HashModel, create
from lookalike.training import TrainReport, hashing, loop
from lookalike.training.checkpoint import load_weights, weights_of
from lookalike.training.log import read_log
from tests.references.encoders import write_encoder
from tests.references.training import trained

# 36 images train: 4 steps an epoch.
QUICK: dict[str, Any] = {"model": "cvae", "bits": 16, "epochs": 3, "batch": 8, "seed": 7}

KILLED = """
import os, signal, sys
from lookalike.training import TrainConfig, loop, train
loop.CHECKPOINT_SECONDS = 0.0
def kill(stage, done, total):
    if (stage, done) == ("training", int(sys.argv[3])):
        os.kill(os.getpid(), signal.SIGKILL)
train(sys.argv[1], TrainConfig(model="cvae", bits=16, epochs=3, batch=8, seed=7), out=sys.argv[2], progress=kill)
"""


@pytest.fixture(scope="module")
def unbroken(tiny_bytes: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> TrainReport:
    """An uninterrupted run, on images of which one is unreadable."""
    folder = tmp_path_factory.mktemp("unbroken")
    photos = folder / "photos"
    photos.mkdir()
    for index, encoded in enumerate(tiny_bytes[:40]):
        (photos / f"{index:02d}.jpg").write_bytes(encoded)
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    return trained(photos, out=folder / "model.onnx", **QUICK)


def photos_of(report: TrainReport) -> Path:
    return report.path.parent / "photos"


def model_of(report: TrainReport) -> HashModel[Any]:
    """The best model of a run."""
    settings, _ = read_log(report.folder / "log.jsonl")
    config: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings["config"].items()
    }
    return load_weights(weights_of(report.folder), create(settings["model"], **config))


def assert_same_weights(one: TrainReport, other: TrainReport) -> None:
    first, second = model_of(one).state_dict(), model_of(other).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert one.info.theta_digest == other.info.theta_digest


def test_the_model_file_encodes_and_says_what_it_is(unbroken: TrainReport) -> None:
    hasher = Hasher.load(unbroken.path)
    assert hasher.info == unbroken.info
    assert (hasher.info.name, hasher.bits, hasher.info.data_name) == ("cvae-16", 16, "photos")
    assert (hasher.info.data_images, hasher.info.data_validation, hasher.info.epochs) == (36, 4, 3)
    assert hasher.info.pairs == 40 * 39 // 2
    assert hasher.info.versions["torch"] == torch.__version__
    assert hasher.encode(photos_of(unbroken) / "00.jpg").shape == (1, 2)


def test_an_image_that_cannot_be_read_is_skipped_and_named(unbroken: TrainReport) -> None:
    assert [entry.name for entry in unbroken.skipped] == [str(photos_of(unbroken) / "broken.png")]


def test_what_an_autoencoder_makes_of_images(unbroken: TrainReport) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 128, 128), np.uint8)
    drawn = training.reconstruct(unbroken.folder, pixels)
    assert drawn.shape == pixels.shape
    assert drawn.dtype == np.float32
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert np.ptp(drawn - drawn[:1]) > 0


def test_log_holds_settings_epochs_and_outcome(unbroken: TrainReport) -> None:
    lines = [json.loads(line) for line in (unbroken.folder / "log.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["settings", "epoch", "epoch", "epoch", "skipped", "model"]
    assert lines[0]["config"]["bits"] == 16
    assert lines[0]["versions"]["torch"] == torch.__version__
    assert [line["step"] for line in lines[1:4]] == [4, 8, 12]
    assert [image["name"] for image in lines[4]["images"]] == [unbroken.skipped[0].name]


def test_reported_loss_is_that_of_the_best_epoch_on_held_out_images(unbroken: TrainReport) -> None:
    totals = [record.validation["total"] for record in unbroken.history]
    assert unbroken.info.validation_loss == min(totals)
    assert unbroken.history[int(np.argmin(totals))].best


def test_the_run_folder_keeps_what_is_needed_later_and_no_more(unbroken: TrainReport) -> None:
    assert {path.name for path in unbroken.folder.iterdir()} == {"best.safetensors", "log.jsonl", "lock"}


def test_threshold_is_the_mean_latent_of_the_training_images(unbroken: TrainReport) -> None:
    arrays = np.stack([decode.read(data.read_bytes(item)) for item in data.find(photos_of(unbroken))[:40]])
    ones = np.unpackbits(Hasher.load(unbroken.path).encode_arrays(arrays), axis=1).mean(axis=0)
    assert 0.2 < ones.mean() < 0.8


@pytest.mark.parametrize("step", [6, 8])
def test_a_killed_run_goes_on_to_the_same_weights(unbroken: TrainReport, tmp_path: Path, step: int) -> None:
    out = tmp_path / "model.onnx"
    arguments = [sys.executable, "-c", KILLED, str(photos_of(unbroken)), str(out), str(step)]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    assert not out.exists()
    resumed = trained(photos_of(unbroken), out=out, resume=True, **QUICK)
    assert_same_weights(unbroken, resumed)
    assert [record.validation for record in resumed.history] == [record.validation for record in unbroken.history]
    assert [record.train for record in resumed.history] == [record.train for record in unbroken.history]
    assert resumed.path.read_bytes() == unbroken.path.read_bytes()


def test_ctrl_c_leaves_a_checkpoint_to_go_on_from(unbroken: TrainReport, tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"

    def send(stage: str, done: int, total: int | None) -> None:
        if (stage, done) == ("training", 6):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match=r"stopped after step 6 of 12; .* --resume"):
        trained(photos_of(unbroken), out=out, progress=send, **QUICK)
    with pytest.raises(TrainingError, match="has an unfinished run; continue it with --resume, or delete it"):
        trained(photos_of(unbroken), out=out, **QUICK)
    with pytest.raises(TrainingError, match="bits is 32, but the run to resume has 16"):
        trained(photos_of(unbroken), out=out, resume=True, **QUICK | {"bits": 32})
    assert_same_weights(unbroken, trained(photos_of(unbroken), out=out, resume=True, **QUICK))


def test_nothing_to_resume_is_reported(photo_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"m\.run has no unfinished run to resume; start one without --resume"):
        trained(photo_folder, out=tmp_path / "m.onnx", resume=True, **QUICK)
    assert not (tmp_path / "m.run").exists()


def test_a_run_begins_with_the_weights_of_another(unbroken: TrainReport, tmp_path: Path) -> None:
    # Steps this small leave weights where they were, so that what is compared is what training began with.
    still = QUICK | {"epochs": 1, "learning_rate": 1e-9}
    fresh = trained(photos_of(unbroken), out=tmp_path / "fresh.onnx", **still)
    further = trained(photos_of(unbroken), out=tmp_path / "further.onnx", init_from=unbroken.folder, **still)
    former, first, second = (dict(model_of(run).named_parameters()) for run in (unbroken, fresh, further))
    torch.testing.assert_close(second, former, atol=1e-6, rtol=0)
    assert any((first[name] - former[name]).abs().max() > 1e-3 for name in former)


def test_a_begun_run_that_was_killed_goes_on_to_the_same_weights(unbroken: TrainReport, tmp_path: Path) -> None:
    photos = photos_of(unbroken)

    def send(stage: str, done: int, total: int | None) -> None:
        if (stage, done) == ("training", 6):
            os.kill(os.getpid(), signal.SIGINT)

    expected = trained(photos, out=tmp_path / "whole.onnx", init_from=unbroken.folder, **QUICK)
    out = tmp_path / "model.onnx"
    with pytest.raises(Interrupted):
        trained(photos, out=out, init_from=unbroken.folder, progress=send, **QUICK)
    with pytest.raises(TrainingError, match="the run to resume started from other weights; give the same"):
        trained(photos, out=out, resume=True, **QUICK)
    resumed = trained(photos, out=out, init_from=unbroken.folder / "best.safetensors", resume=True, **QUICK)
    assert_same_weights(expected, resumed)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "vae"}, r"best\.safetensors has weights of cvae, not vae; name a run of the same model"),
        (
            {"bits": 32},
            r"best\.safetensors has other weights \(bits 16, not 32\); name a run of the same settings",
        ),
    ],
)
def test_weights_of_another_kind_are_not_begun_with(
    changes: dict[str, Any], message: str, unbroken: TrainReport, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=message):
        trained(photos_of(unbroken), out=tmp_path / "model.onnx", init_from=unbroken.folder, **QUICK | changes)
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_not_there_is_not_begun_with(unbroken: TrainReport, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"there is no .*nothing\.run to start from; name the folder MODEL\.run of a finished"
    ):
        trained(photos_of(unbroken), out=tmp_path / "model.onnx", init_from=tmp_path / "nothing.run", **QUICK)
    with pytest.raises(TrainingError, match=r"model\.onnx has no weights of a training; name the folder MODEL\.run"):
        trained(photos_of(unbroken), out=tmp_path / "model.onnx", init_from=unbroken.path, **QUICK)
    with pytest.raises(ConfigError, match=r"best\.safetensors is the output of this training"):
        trained(photos_of(unbroken), out=unbroken.path, init_from=unbroken.folder / "best.safetensors", **QUICK)
    with pytest.raises(ConfigError, match=r"model\.run is the output of this training"):
        trained(photos_of(unbroken), out=tmp_path / "model.onnx", init_from=tmp_path / "model.run", **QUICK)


def test_minutes_end_a_run_early_with_a_model(photo_folder: Path, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int | None]] = []
    random_numbers = torch.get_rng_state()
    settings = QUICK | {"epochs": 1000}
    report = trained(
        photo_folder, out=tmp_path / "m.onnx", minutes=0.01, progress=lambda *told: steps.append(told), **settings
    )
    assert report.steps == 4000
    assert steps[-1] == ("training", report.history[-1].step, 4000)
    assert report.history[-1].step < 4000
    assert Hasher.load(report.path).bits == 16
    assert torch.equal(random_numbers, torch.get_rng_state())


def test_too_few_images_are_refused(photo_folder: Path, tmp_path: Path) -> None:
    for path in list(photo_folder.rglob("*.*"))[10:]:
        path.unlink()
    with pytest.raises(TrainingError, match="10 readable images; training needs at least 16"):
        trained(photo_folder, out=tmp_path / "m.onnx", **QUICK)


def test_a_device_that_is_not_there_is_refused(photo_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="device is meat, which PyTorch cannot use"):
        trained(photo_folder, out=tmp_path / "m.onnx", device="meat", **QUICK)


def test_a_folder_cannot_be_the_model_file(photo_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is the name of a folder; name the model file"):
        trained(photo_folder, out=tmp_path, **QUICK)


def test_a_loss_that_is_not_a_number_ends_the_run(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "values", lambda _losses: {"total": float("nan")})
    with pytest.raises(TrainingError, match="no longer a number at step 0; lower the learning rate"):
        trained(photo_folder, out=tmp_path / "m.onnx", **QUICK)


@pytest.mark.parametrize("model", ["cvae", "itq"])
def test_copies_in_the_folder_are_not_pairs_of_different_images(
    model: str, pictures: list[Image.Image], tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for index, picture in enumerate(pictures):
        picture.save(photos / f"{index}.png")
        if index < 10:
            picture.save(photos / f"{index} again.jpg", quality=90)
    backbone = str(write_encoder(tmp_path)) if model == "itq" else None
    report = trained(photos, model=model, backbone=backbone, bits=16, epochs=1, out=tmp_path / "m.onnx")
    assert report.info.data_images + report.info.data_validation == 50
    assert report.info.pairs == 50 * 49 // 2 - 10


def test_an_image_that_went_away_in_between_is_named(
    pictures: list[Image.Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for index, picture in enumerate(pictures):
        picture.save(photos / f"{index:02}.png")
    monkeypatch.setattr(hashing, "read_all", lambda items, *_, **__: ((item, "gone") for item in items))
    with pytest.raises(TrainingError, match=r"\d\d\.png is no longer readable: gone; restore it, then continue"):
        trained(photos, model="itq", backbone=str(write_encoder(tmp_path)), bits=16, out=tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()
