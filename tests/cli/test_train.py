"""Training from the command line, and runs stopped with Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from lookalike.cli import train
from lookalike.hasher import Hasher
from tests.references.encoders import SENTENCE, write_encoder

from .conftest import Run

pytest.importorskip("torch")

import torch

from lookalike.training.run import TASKS

STOPPED = 130


def lookalike(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lookalike", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def interrupt(process: subprocess.Popen[str], when: Callable[[], bool]) -> tuple[int, str]:
    """Send Ctrl-C as soon as a condition holds; exit code and stderr."""
    until = time.monotonic() + 120
    while not when() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    return process.returncode, err


def test_train_index_search(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    (photo_folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    trained = run("train", photo_folder, "--bits", 16, "--epochs", 1, "--out", tmp_path / "m.onnx")
    assert trained.code == 0, trained.err
    assert "csvae-16, trained on 36 images of photos" in trained.out
    assert "held-out images" in trained.out
    assert "skipped because they could not be read: 1 image" in trained.out
    assert "broken.jpg: " in trained.err
    assert run("index", photo_folder, "--db", tmp_path / "db", "--model", tmp_path / "m.onnx").code == 0
    hit = json.loads(run("search", photo_folder / "cats/01.png", "--db", tmp_path / "db", "--top", 1, "--json").out)
    assert (hit["distance"], hit["bits"]) == (0, 16)


def test_a_model_behind_a_backbone_from_training_to_search(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    encoder, out = write_encoder(tmp_path), tmp_path / "m.onnx"
    trained = run("train", photo_folder, "--model", "itq", "--backbone", encoder, "--bits", 16, "--out", out)
    assert trained.code == 0, trained.err
    assert trained.out.startswith(f"{out}: itq-16, trained on 36 images of photos in ")
    assert f"\nbackbone: {SENTENCE}; pixels in [0, 1] less " in trained.out
    assert "bits are codes too" not in trained.out
    assert trained.out.endswith(f"next: lookalike index IMAGES --db DB --model {out}\n")
    assert run("index", photo_folder, "--db", tmp_path / "db", "--model", out).code == 0
    hit = json.loads(run("search", photo_folder / "cats/01.png", "--db", tmp_path / "db", "--top", 1, "--json").out)
    assert (hit["distance"], hit["bits"]) == (0, 16)


def test_nested_codes_are_announced_and_a_loss_of_codes_is_not_a_number_of_nats(
    run: Run, photo_folder: Path, tmp_path: Path
) -> None:
    settings = ["--model", "clusters", "--backbone", write_encoder(tmp_path), "--bits", 32, "--epochs", 1]
    trained = run("train", photo_folder, *settings, "--matryoshka", "--out", tmp_path / "m.onnx")
    assert trained.code == 0, trained.err
    assert f"\nits first 16 bits are codes too; lookalike truncate {tmp_path / 'm.onnx'} --bits 16\n" in trained.out
    assert re.search(r"; loss on 4 held-out images \d\.\d{3}\n", trained.out)
    assert "nats" not in trained.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--model", "itq", "--matryoshka", "--bits", "32"), 1, "use pca for nested codes"),
        (("--model", "pca", "--backbone", "missing.onnx"), 1, "missing.onnx is neither "),
        (("--model", "csvae", "--matryoshka"), 2, "csvae does not use it, because it is for models that hash features"),
        (
            ("--model", "vae", "--backbone", "small.onnx"),
            2,
            "vae does not use it, because it is for models that hash features",
        ),
        (("--model", "itq", "--epochs", "3"), 2, "itq does not use it, because nothing is trained step by step"),
        (
            ("--model", "clusters", "--matryoshka", "--bits", "16"),
            1,
            "nested codes need more than 16",
        ),
        (("--model", "dhn"), 2, "Invalid value for '--model'"),
    ],
)
def test_what_cannot_be_trained_is_reported(
    arguments: tuple[str, ...], code: int, said: str, run: Run, photo_folder: Path, tmp_path: Path
) -> None:
    backbone = () if "--backbone" in arguments else ("--backbone", write_encoder(tmp_path))
    refused = run("train", photo_folder, *arguments, *backbone, "--out", tmp_path / "m.onnx")
    assert (refused.code, refused.out) == (code, "")
    assert said in " ".join(refused.err.split())
    if code == 1:
        assert len(refused.err.splitlines()) == 1
    assert not (tmp_path / "m.onnx").exists()


def test_every_model_can_be_named() -> None:
    assert get_args(train.Model) == tuple(TASKS)


def test_the_papers_models_learn_from_edited_copies_and_others_refuse_to(
    run: Run, photo_folder: Path, tmp_path: Path
) -> None:
    files = [tmp_path / "plain.onnx", tmp_path / "edited.onnx"]
    for file, options in zip(files, ([], ["--augment"]), strict=True):
        made = run("train", photo_folder, "--model", "cvae", "--bits", 8, "--epochs", 1, *options, "--out", file)
        assert made.code == 0
    assert files[0].read_bytes() != files[1].read_bytes()
    refused = run("train", photo_folder, "--model", "copies", "--edited", "--out", tmp_path / "m.onnx")
    assert refused.code == 2
    assert "copies does not reconstruct images" in refused.err


def test_training_that_ran_out_of_minutes_says_how_far_it_came(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    settings = ["--model", "cvae", "--bits", 8, "--epochs", 50, "--minutes", 1e-6]
    trained = run("train", photo_folder, *settings, "--out", tmp_path / "m.onnx")
    assert trained.code == 0, trained.err
    assert "\nstopped by --minutes 1e-06 in epoch 1 of 50, after 1 step of 50\n" in trained.out
    whole = run("train", photo_folder, *settings[:4], "--epochs", 1, "--minutes", 60, "--out", tmp_path / "m.onnx")
    assert "stopped" not in whole.out


def test_a_stopped_training_goes_on_and_ends_with_the_same_model(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    settings = ["--model", "cvae", "--bits", 8, "--epochs", 4]
    run("train", photo_folder, *settings, "--out", tmp_path / "whole.onnx")
    log = tmp_path / "stopped.run/log.jsonl"
    process = lookalike("train", photo_folder, *settings, "--out", tmp_path / "stopped.onnx")
    code, err = interrupt(process, lambda: log.exists() and '"epoch"' in log.read_text())
    if code == STOPPED:  # else training ended first on a fast machine
        assert len(err.splitlines()) == 1
        assert "--resume" in err
        assert "unfinished run" in run("train", photo_folder, *settings, "--out", tmp_path / "stopped.onnx").err
        resumed = run("train", photo_folder, *settings, "--out", tmp_path / "stopped.onnx", "--resume")
        assert resumed.code == 0, resumed.err
    assert (tmp_path / "stopped.onnx").read_bytes() == (tmp_path / "whole.onnx").read_bytes()


def test_a_stopped_index_is_one_line_and_goes_on(run: Run, photo_bytes: list[bytes], tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(1000):
        (folder / f"{number:04}").write_bytes(photo_bytes[number % 40] + number.to_bytes(2, "big"))
    process = lookalike("index", folder, "--db", tmp_path / "db")
    code, err = interrupt(process, (tmp_path / "db/catalog.sqlite-wal").exists)
    assert code in (0, STOPPED)
    if code == STOPPED:
        assert len(err.splitlines()) == 1
        assert "Stopped" in err
    again = json.loads(run("index", folder, "--db", tmp_path / "db", "--json").out)
    assert again["indexed"] == again["total"] == 1000
    assert os.listdir(tmp_path / "db").count("codes.bin") == 1


@pytest.mark.slow
def test_the_built_in_model_is_adapted_and_kept_only_if_it_finds_more(
    run: Run, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapt = pytest.importorskip("lookalike.training.adapt")
    options = (photo_folder, "--adapt", "--epochs", 1, "--out", tmp_path / "m.onnx")
    refused = run("train", *options)
    assert (refused.code, "40 images are too few to adapt a model to; 100 are the least" in refused.err) == (1, True)
    assert run("train", *options, "--model", "vae").code == 2
    monkeypatch.setattr(adapt, "FEWEST", 40)
    monkeypatch.setattr(adapt, "HELD_OUT", 0.5)  # robustness needs twenty
    monkeypatch.setattr(adapt, "EDITS", ("jpeg 20", "crop 0.25"))
    for better in (True, False):
        monkeypatch.setattr(adapt.AdaptReport, "helps", better)
        assert run("train", *options, "--bits", 32).code == 1
        result = run("train", *options)
        assert result.code == 0, result.err
        assert "20 held-out images, at 1 false match in 10,000 pairs: " in result.out
        found = Hasher.load(tmp_path / "m.onnx")
        assert found.bits == 64
        assert (found.info.data_images == 18, "did not help" in result.out) == (better, not better)


def test_the_built_in_weights_give_the_built_in_codes() -> None:
    adapt = pytest.importorskip("lookalike.training.adapt")
    network = adapt.start_network().eval()
    hasher = Hasher.load(adapt.START)
    images_NSS = np.random.default_rng(0).integers(0, 256, (4, *hasher.spec.shape), np.uint8)
    with torch.inference_mode():
        latents_NK = network(torch.from_numpy(images_NSS)).numpy()
    np.testing.assert_allclose(latents_NK, hasher.latents(images_NSS), atol=2e-3)
