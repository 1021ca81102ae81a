"""`python -m research`: data sets, downloads, pages, protocols, and wrong usage."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lookalike.core.errors import DataError
from lookalike.database import Database
from lookalike.hasher import Hasher
from research import datasets
from research.datasets import cifar10, fetch
from tests.cli.conftest import Run
from tests.references.encoders import write_encoder

from .datasets.layouts import make_cifar10


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOKALIKE_DATA", raising=False)


def listed(text: str) -> dict[str, list[str]]:
    return {name: rest for name, *rest in (line.split("\t") for line in text.splitlines())}


def test_every_data_set_is_listed_with_its_place(run: Run, tmp_path: Path) -> None:
    make_cifar10(tmp_path / "sets" / cifar10.FOLDER)
    (tmp_path / "sets" / "imagenette224.parquet").write_bytes(b"PAR1")
    (tmp_path / "sets" / "imagenet").mkdir()
    result = run("datasets", "--data", tmp_path / "sets")
    assert (result.code, result.err) == (0, "")
    found = listed(result.out)
    assert list(found) == list(datasets.DATASETS)
    assert found["cifar10"] == ["CIFAR-10: 60,000 images of 32 pixels, 10 classes", f"{tmp_path}/sets/{cifar10.FOLDER}"]
    assert found["imagenette"][1] == f"{tmp_path}/sets/imagenette224.parquet"
    assert found["imagenet100"][1] == f"{tmp_path}/sets/imagenet"
    assert found["nuswide21"][1] == f"not found: {tmp_path}/sets/NUS-WIDE"


def test_the_folder_is_an_option_a_variable_or_data(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data", "other", "third"):
        (tmp_path / name / "NUS-WIDE").mkdir(parents=True)  # the working folder is tmp_path
    assert listed(run("datasets").out)["nuswide81"][1] == "data/NUS-WIDE"
    monkeypatch.setenv("LOOKALIKE_DATA", "other")
    assert listed(run("datasets").out)["nuswide81"][1] == "other/NUS-WIDE"
    assert listed(run("datasets", "--data", "third").out)["nuswide81"][1] == "third/NUS-WIDE"


def test_json(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cifar10.parquet").write_bytes(b"PAR1")
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in run("datasets", "--data", tmp_path, "--json").out.splitlines()
    ]
    assert [line["name"] for line in lines] == list(datasets.DATASETS)
    assert lines[0] == {
        "name": "cifar10",
        "what": datasets.ABOUT["cifar10"].what,
        "places": [str(tmp_path / name) for name in (cifar10.FOLDER, cifar10.TABLE, "cifar10.parquet")],
        "path": str(tmp_path / "cifar10.parquet"),
    }
    assert lines[1]["path"] is None


def test_every_data_set_says_what_it_is_and_where(tmp_path: Path) -> None:
    assert list(datasets.ABOUT) == list(datasets.DATASETS)
    for name, about in datasets.ABOUT.items():
        assert about.what
        with pytest.raises(DataError, match="|".join(about.places)):  # the message names where it was expected
            datasets.load(name, tmp_path)
    with pytest.raises(DataError, match=r"there is no data set 'mnist'; there are cifar10, imagenet, "):
        datasets.load("mnist", tmp_path)


def test_get_fetches_and_prints_the_place(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def get(folder: Path, *, progress: fetch.Progress) -> Path:
        progress(1, 2)
        progress(2, 2)
        return make_cifar10(folder / cifar10.FOLDER)

    monkeypatch.setattr(fetch, "get_cifar10", get)
    result = run("fetch", "cifar10", "--data", tmp_path / "sets")
    assert result == (0, f"{tmp_path}/sets/{cifar10.FOLDER}\n", "")
    assert listed(run("datasets", "--data", tmp_path / "sets").out)["cifar10"][1] == result.out.strip()


def test_get_shows_bytes_on_a_terminal(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def get(folder: Path, *, progress: fetch.Progress) -> Path:
        progress(50_000_000, cifar10.SIZE)
        return folder

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(fetch, "get_cifar10", get)
    monkeypatch.setattr(sys, "stderr", terminal)
    run("fetch", "cifar10", "--data", tmp_path)
    assert "fetching CIFAR-10: " in terminal.getvalue()


def test_get_of_what_is_there_is_an_error(run: Run, tmp_path: Path) -> None:
    make_cifar10(tmp_path / cifar10.FOLDER)
    result = run("fetch", "cifar10", "--data", tmp_path)
    assert (result.code, result.out) == (1, "")
    assert result.err.count("\n") == 1
    assert "already exists; to fetch CIFAR-10 again, remove it first" in result.err


def test_only_cifar10_can_be_fetched(run: Run, tmp_path: Path) -> None:
    result = run("fetch", "imagenet100", "--data", tmp_path)
    assert result.code == 1
    assert f"put it in {tmp_path}/imagenet100 or {tmp_path}/imagenet" in result.err
    result = run("fetch", "mnist", "--data", tmp_path)
    assert result.code == 1
    assert "there is no data set 'mnist'; there are cifar10, " in result.err


@pytest.mark.parametrize("arguments", [["fetch"], ["datasets", "cifar10"], ["cifar10"], ["fetch", "cifar10", "now"]])
def test_wrong_usage(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert "--help" in result.err


def test_ctrl_c_stops_in_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def get(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "get_cifar10", get)
    assert run("fetch", "cifar10", "--data", tmp_path) == (130, "", "lookalike: Stopped\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--bits", "16,many"], 2, "'16,many' is not a list of numbers"),
        (["--table", "4"], 2, "'4' is not one of"),
        (["--table", "1", "--figure", "5"], 2, "a table or a figure, not both"),
        (["--seeds", ","], 2, "',' is not a list of numbers"),
        (["--seeds", "-1"], 1, "seed is -1"),
        (["--models", "vae,foo"], 2, "there is no 'foo' here; there are vae, cvae, csvae, vte, vit"),
        (["--dataset", "mnist"], 2, "there is no 'mnist' here; there are cifar10"),
        (["--models", "itq", "--protocol", "nope"], 2, "there is no 'nope' here; there are cifar10-1, cifar10-2,"),
        (["--dataset", "imagenet", "--models", "dhn"], 1, "imagenet has no folder train; unpack ImageNet's images"),
        (["--dataset", "imagenet100", "--models", "dhn"], 1, "neither imagenet/train nor imagenet100/database.txt"),
        (["--dataset", "nuswide21", "--models", "dhn"], 1, "Imagelist.txt does not exist; unpack NUS-WIDE's archives"),
        (["--dataset", "nuswide81", "--models", "dhn"], 1, "Imagelist.txt does not exist; unpack NUS-WIDE's archives"),
        (
            ["--models", "vae,dhn", "--set", "sigma=1"],
            1,
            "--set is for models of pixels (vae, cvae, csvae, vte, vit, scae)",
        ),
        (["--models", "vae", "--set", "depth=1"], 1, "vae has no setting 'depth'; it has sigma, beta, layers"),
        (["--set", "sigma=1"], 2, "name the models that have these settings"),
        (["--dataset", "cifar10"], 1, "holds neither cifar-10-batches-bin nor cifar10.parquet"),
    ],
)
def test_an_impossible_reproduction_is_reported(
    run: Run, arguments: list[str], code: int, said: str, tmp_path: Path
) -> None:
    result = run("run", *arguments, "--data", tmp_path, "--results", tmp_path / "results")
    assert result.code == code
    assert said in " ".join(result.err.split())


def test_a_page_is_written_without_results_too(run: Run, tmp_path: Path) -> None:
    result = run("report", "--results", tmp_path / "none", "--page", tmp_path / "docs/page.md")
    assert result.code == 0, result.err
    assert (tmp_path / "docs/page.md").exists()
    assert (tmp_path / "docs/page.html").exists()


def test_a_labelled_database_is_measured_by_a_protocol(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    with Database.create(tmp_path / "db") as database:
        database.index(photo_folder, labels_from_folders=True)
    arguments = ("evaluate", "--db", tmp_path / "db", "--protocol")
    found = json.loads(run(*arguments, "paper", "--json").out)
    assert (found["queries"], found["database"]) == (6, 6)  # a sixth of 40 each
    for protocol, said in (
        ("mine", "there is no protocol 'mine'; there are paper"),
        ("cifar10-2", "needs an official split, which a database does not have"),
        ("cifar10-1", "the protocol needs 100"),
    ):
        assert said in run(*arguments, protocol).err


def test_a_compared_method_is_trained_on_images_of_ones_own(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    settings = ["--model", "dhn", "--backbone", write_encoder(tmp_path), "--bits", 16, "--epochs", 1]
    out = tmp_path / "m.onnx"
    made = run("train", photo_folder, *settings, "--labels-from-folders", "--out", out)
    assert made.code == 0, made.err
    assert made.out.startswith(f"{out}: dhn-16, {{'total': ")
    info = Hasher.load(out).info
    assert (info.supervised, info.data_name, info.data_images) == (True, "photos", 36)
    refused = run("train", photo_folder, *settings, "--out", tmp_path / "other.onnx")
    assert (refused.code, len(refused.err.splitlines())) == (1, 1)
    assert "dhn learns from labels, and 40 of 40 images have none" in refused.err
