"""An untrusted model file is checked, then tried in its own process, once, before it is used."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from lookalike.core.errors import ModelError
from lookalike.hasher import Hasher, admission, builtin_models, trial
from tests.hasher import malicious
from tests.references import models


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for this test."""
    monkeypatch.setenv("LOOKALIKE_CACHE", os.fspath(tmp_path / "own"))
    return tmp_path / "own/models"


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of the files tried; a stub instead of trying them."""
    tried: list[str] = []

    def instead(kind: admission.Kind, data: bytes) -> str:
        tried.append(kind)
        return ""

    monkeypatch.setattr(admission, "_try", instead)
    return tried


@pytest.mark.parametrize("name", malicious.REFUSED)
def test_what_may_do_harm_is_refused_before_it_runs(name: str) -> None:
    change, message = malicious.REFUSED[name]
    with pytest.raises(ModelError, match=message):
        trial.check("model", malicious.changed(change), run=False)


def test_a_plain_model_passes() -> None:
    trial.check("model", malicious.changed(lambda proto: None), run=True)
    for path in builtin_models().values():
        trial.check("model", path.read_bytes(), run=False)


def test_a_refusal_names_the_file() -> None:
    data = malicious.changed(malicious.loop)
    with pytest.raises(ModelError, match=r"^the\.onnx uses Loop"):
        Hasher(data, path="the.onnx")


def test_a_bomb_of_memory_ends_in_its_process() -> None:
    with pytest.raises(ModelError, match=r"^the\.onnx .*(memory|does not run)"):
        Hasher(malicious.changed(malicious.memory_bomb), path="the.onnx")


def test_a_bomb_for_the_parser_ends_in_its_process() -> None:
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"^the\.onnx "):
        Hasher(malicious.many_empty_nodes(4_000_000), path="the.onnx")
    assert time.monotonic() - began < 60


def test_a_model_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "SECONDS", 1)
    with pytest.raises(ModelError, match=r"^the\.onnx takes more than 1 seconds"):
        Hasher(malicious.changed(malicious.time_bomb), path="the.onnx")


def test_a_file_is_tried_once(trials: list[str], cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "some.onnx"
    path.write_bytes(models.tiny_model())
    first = Hasher.load(path)
    assert trials == ["model"]
    assert Hasher.load(path).digest == first.digest
    assert trials == ["model"]
    assert [one.name for one in cache.iterdir()] == [f"{first.digest}.model-{admission.RULES}"]


def test_a_model_that_was_tried_is_not_an_encoder(trials: list[str]) -> None:
    data = models.tiny_model()
    admission.admit("model", data, "m")
    admission.admit("encoder", data, "m")
    assert trials == ["model", "encoder"]


def test_built_in_models_are_not_tried_wherever_they_lie(trials: list[str], tmp_path: Path) -> None:
    copied = tmp_path / "model.onnx"
    copied.write_bytes(next(iter(builtin_models().values())).read_bytes())
    Hasher.load(copied)
    assert trials == []


def test_what_was_made_here_is_checked_and_not_tried(trials: list[str]) -> None:
    data = models.tiny_model()
    Hasher(data, path="m", own=True)
    Hasher(data, path="m")
    assert trials == []
    with pytest.raises(ModelError, match="uses Loop"):
        Hasher(malicious.changed(malicious.loop), path="m", own=True)


def test_without_a_cache_to_write_to_it_is_tried_each_time(trials: list[str], cache: Path) -> None:
    cache.parent.write_bytes(b"no folder")
    for _ in range(2):
        admission.admit("model", models.tiny_model(), "m")
    assert trials == ["model", "model"]


def test_code_widths_are_checked_for_each_image(tmp_path: Path) -> None:
    """A graph may give codes of another width for other images; none of them may be stored."""
    hasher = Hasher(models.tiny_model(), path="the.onnx", own=True)
    images_NSS = np.zeros((3, 128, 128), np.uint8)

    class Shifty:
        def run(self, names: list[str], given: dict[str, object]) -> list[np.ndarray]:
            return [np.zeros((1, 9), np.uint8)]

    hasher._session = Shifty()
    with pytest.raises(ModelError, match=r"^the\.onnx declares 64 bits, but its code is uint8 of"):
        hasher.encode_arrays(images_NSS)


def test_irregular_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    for name in ("pipe.onnx", "zero\0byte.onnx"):
        with pytest.raises(ModelError, match="neither a model file nor"):
            Hasher.load(tmp_path / name)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sparse.onnx"
    with path.open("wb") as file:
        file.truncate(3 << 30)
    monkeypatch.setattr("lookalike.hasher.paths.MAX_BYTES", 1 << 20)
    with pytest.raises(ModelError, match=r"sparse\.onnx is larger than 1 MiB"):
        Hasher.load(path)


def test_the_command_line_says_it_in_one_line(tmp_path: Path, photo_folder: Path) -> None:
    path = tmp_path / "evil.onnx"
    path.write_bytes(malicious.changed(malicious.external))
    named = ["index", str(photo_folder), "--db", str(tmp_path / "db"), "--model", str(path)]
    command = [sys.executable, "-m", "lookalike", *named]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"lookalike: {path} stores the array 'weights' in another file")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "db/catalog.sqlite").exists()


def test_fields_that_are_not_examined_do_not_matter() -> None:
    proto = onnx.load_from_string(models.tiny_model())
    proto.producer_name, proto.doc_string = "some program", "words"
    trial.check("model", proto.SerializeToString(), run=False)
