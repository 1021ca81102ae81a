"""`lookalike datasets`: what there is and where, fetching, and CIFAR-10's folder as a collection."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lookalike.core.errors import DataError
from lookalike.data import cifar10, datasets, fetch

from ..data.layouts import ROWS, make_cifar10
from .conftest import Run


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
        "places": [str(tmp_path / cifar10.FOLDER), str(tmp_path / "cifar10.parquet")],
        "path": str(tmp_path / "cifar10.parquet"),
    }
    assert lines[1]["path"] is None


def test_every_data_set_says_what_it_is_and_where(tmp_path: Path) -> None:
    assert list(datasets.ABOUT) == list(datasets.DATASETS)
    for name, about in datasets.ABOUT.items():
        assert about.what
        with pytest.raises(DataError, match="|".join(about.places)):  # what is missing is looked for there
            datasets.load(name, tmp_path)
    with pytest.raises(DataError, match=r"there is no data set 'mnist'; there are cifar10, imagenet, "):
        datasets.load("mnist", tmp_path)


def test_get_fetches_and_prints_the_place(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def get(folder: Path, *, progress: fetch.Progress) -> Path:
        progress(1, 2)
        progress(2, 2)
        return make_cifar10(folder / cifar10.FOLDER)

    monkeypatch.setattr(fetch, "get_cifar10", get)
    result = run("datasets", "get", "cifar10", "--data", tmp_path / "sets")
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
    run("datasets", "get", "cifar10", "--data", tmp_path)
    assert "fetching CIFAR-10: " in terminal.getvalue()


def test_get_of_what_is_there_is_an_error(run: Run, tmp_path: Path) -> None:
    make_cifar10(tmp_path / cifar10.FOLDER)
    result = run("datasets", "get", "cifar10", "--data", tmp_path)
    assert (result.code, result.out) == (1, "")
    assert result.err.count("\n") == 1
    assert "is there already; to fetch CIFAR-10 anew, remove it first" in result.err


def test_only_cifar10_can_be_fetched(run: Run, tmp_path: Path) -> None:
    result = run("datasets", "get", "imagenet100", "--data", tmp_path)
    assert result.code == 1
    assert f"put it in {tmp_path}/imagenet100 or {tmp_path}/imagenet" in result.err
    result = run("datasets", "get", "mnist", "--data", tmp_path)
    assert result.code == 1
    assert "there is no data set 'mnist'; there are cifar10, " in result.err


@pytest.mark.parametrize("arguments", [["get"], ["put", "cifar10"], ["cifar10"], ["get", "cifar10", "now"]])
def test_wrong_usage(run: Run, arguments: list[str]) -> None:
    result = run("datasets", *arguments)
    assert (result.code, result.out) == (2, "")
    assert "get" in result.err


def test_ctrl_c_stops_in_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def get(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "get_cifar10", get)
    assert run("datasets", "get", "cifar10", "--data", tmp_path) == (130, "", "lookalike: Stopped\n")


def test_no_network_module_is_loaded_before_it_is_needed(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "import lookalike.data.fetch\n"
        "sys.argv = ['lookalike', 'datasets']\n"
        "try:\n    from lookalike.cli import main; main()\nexcept SystemExit: pass\n"
        "print(*({'http.client', 'urllib.request', 'ssl', 'tarfile', 'pyarrow'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == ""


def test_cifar10_is_indexed_and_searched_by_row(run: Run, model: Path, tmp_path: Path) -> None:
    batches, db = make_cifar10(tmp_path / cifar10.FOLDER), tmp_path / "db"
    first = json.loads(run("index", batches, "--db", db, "--model", model, "--json").out)
    assert (first["found"], first["encoded"], first["failed"]) == (6 * ROWS, 6 * ROWS, 0)
    again = json.loads(run("index", batches, "--db", db, "--json").out)
    assert (again["found"], again["unchanged"]) == (6 * ROWS, 6 * ROWS)
    hit = json.loads(run("search", batches / "test_batch.bin#3", "--db", db, "--top", 1, "--json").out)
    assert (hit["path"], hit["distance"], hit["label"]) == (f"{batches}/test_batch.bin#3", 0, "cat")
    assert run("remove", batches / "test_batch.bin#3", "--db", db).code == 0
    assert json.loads(run("info", "--db", db, "--json").out)["images"] == 6 * ROWS - 1
    missing = run("search", batches / "test_batch.bin#99", "--db", db)
    assert (missing.code, missing.out) == (1, "")
    assert "test_batch.bin#99: the batch has 4 rows, counted from 0" in missing.err
