"""A reproduction: one tiny run of every part."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.core.errors import DataError, LookalikeError
from lookalike.metrics.measure import measure
from research import experiments, explanations, published, report, results, tables
from research.experiments import Experiment
from research.results import Places
from research.runner import run_all
from tests.research.shared import ROOT, SHARED, needs_cifar10

pytestmark = needs_cifar10
OTHER = Experiment(dataset="cifar10", model="csvae", bits=16, epochs=3, protocol="smoke")


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder and output of `python -m research smoke`."""
    folder = tmp_path_factory.mktemp("smoke")
    command = [sys.executable, "-m", "research", "smoke", "--data", str(SHARED)]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(folder), check=True, cwd=ROOT)
    return Path(done.stdout.rsplit(": ", 1)[1].strip()).parent, done.stderr


def of_the_paper(smoke: tuple[Path, str]) -> list[results.Result]:
    """The runs of the paper's models, by name."""
    found = results.load(smoke[0] / "results", protocol="smoke")
    return [one for one in found if one.model in published.MODELS]


def _environment(temporary: Path) -> dict[str, str]:
    import os

    return os.environ | {"TMPDIR": str(temporary)}


def test_smoke_runs_every_part(smoke: tuple[Path, str]) -> None:
    folder, said = smoke
    page = (folder / "reproduction.md").read_text()
    assert "<!--" not in page  # every mark is filled
    assert page.count("](pictures/") == len(list((folder / "pictures").glob("*.svg"))) == 7
    html = (folder / "reproduction.html").read_text()
    assert html.count("<svg") == 7
    assert html.count("<table>") == 19
    assert said.count("run ") == len(experiments.smoke())


def test_a_result_says_everything(smoke: tuple[Path, str]) -> None:
    found = of_the_paper(smoke)
    assert [one.model for one in found] == ["csvae", "cvae", "vae", "vte"]
    for one in found:
        values = one.values
        assert values["split"]["train"] == 256
        assert (values["metrics"]["queries"], values["metrics"]["database"]) == (128, 128)
        assert values["history"][0]["epoch"] == 1
        assert values["environment"]["versions"]["torch"].startswith("2.")
        assert 0 < values["reconstruction"]["mse"] < 1
        codes = one.codes()
        again = measure(*(codes[name] for name in ("query_codes", "query_labels", "database_codes", "database_labels")))
        assert again.values() == values["metrics"]
    assert len({one.values["split"]["digest"] for one in found}) == 1  # the same images for all models


def test_what_is_there_is_not_run_again(smoke: tuple[Path, str]) -> None:
    places = Places(data=Path("nowhere"), results=smoke[0] / "results", work=smoke[0] / "work")
    assert run_all(experiments.smoke(), places, say=lambda text: None) == 0
    with pytest.raises(DataError, match="nowhere"):
        run_all([*experiments.smoke(), OTHER], places, say=lambda text: None)


def test_a_report_is_the_same_for_the_same_results(smoke: tuple[Path, str], tmp_path: Path) -> None:
    written = report.write(smoke[0] / "results", tmp_path / "docs/page.md", protocol="smoke")
    for path in written:
        original = smoke[0] / path.relative_to(tmp_path / "docs").as_posix().replace("page.", "reproduction.")
        assert path.read_bytes() == original.read_bytes(), path


def test_a_report_without_results_says_what_to_run(tmp_path: Path) -> None:
    report.write(tmp_path / "none", tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "There are no results yet" in page
    commands = page.count("not run yet: `python -m research run --dataset")
    assert commands == 2 * 3 * 16 + 5 * 9 + 4  # Tables I and II, Table III, errors of reconstruction
    assert "0.969 / not run yet / –" in page


def test_codes_of_training_images_are_kept_for_explanations(smoke: tuple[Path, str]) -> None:
    places = Places(data=SHARED, results=smoke[0] / "results", work=smoke[0] / "work")
    kept = places.result(experiments.smoke()[1]).with_name("train.npz")
    with np.load(kept) as file:
        codes, labels = file["train_codes"], file["train_labels"]
    assert (codes.shape, codes.dtype, labels.shape) == ((256, 8), np.uint8, (256,))


def test_a_model_of_other_images_is_not_taken(smoke: tuple[Path, str], tmp_path: Path) -> None:
    experiment = experiments.smoke()[1]
    places = Places(data=tmp_path / "data", results=tmp_path / "results", work=tmp_path / "work")
    shutil.copytree(smoke[0] / "work" / experiment.name, places.work / experiment.name)
    places.data.mkdir()
    shutil.copy(SHARED / "cifar10.parquet", places.data)  # the same rows, but another file
    log = places.work / experiment.name / "model.run/log.jsonl"
    before = log.read_text()
    run_all([experiment], places, say=lambda text: None)
    first, second = (json.loads(text.splitlines()[0])["images"] for text in (before, log.read_text()))
    assert first != second
    assert json.loads(places.result(experiment).read_text())["model"]["settings"]["images"] == second


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"dataset": "mnist"}, "no data set 'mnist'"),
        ({"model": "foo"}, "no model 'foo' here; there are vae, cvae"),
        ({"bits": 7}, "bits is 7"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_impossible_runs_are_reported_before_anything_runs(wrong: dict[str, Any], said: str, tmp_path: Path) -> None:
    values: dict[str, Any] = {"dataset": "cifar10", "model": "cvae", "bits": 16, "epochs": 1, "protocol": "smoke"}
    places = Places(data=SHARED, results=tmp_path / "results", work=tmp_path / "work")
    with pytest.raises(LookalikeError, match=said):
        run_all([Experiment(**values), Experiment(**(values | wrong))], places, say=lambda text: None)
    assert not places.work.exists()


def test_runs_of_other_settings_have_other_folders() -> None:
    usual = Experiment(dataset="cifar10", model="cvae", bits=16, epochs=5)
    assert usual.name == "cifar10/cvae-16-e5-s0"
    changes: list[dict[str, Any]] = [
        {"batch": 32}, {"learning_rate": 3e-3}, {"seed": 1}, {"protocol": "smoke"}, {"epochs": 6},
        {"changes": ("sigma=1",)},
    ]  # fmt: skip
    assert len({usual.name, *(dataclasses.replace(usual, **change).name for change in changes)}) == 7


def test_real_data_sets_take_the_places_of_stand_ins(smoke: tuple[Path, str]) -> None:
    run = of_the_paper(smoke)[0]

    def on(dataset: str) -> results.Result:
        settings = run.values["settings"] | {"dataset": dataset, "title": dataset}
        return results.Result(run.folder, run.values | {"settings": settings})

    both = [on("tagged_food"), on("nuswide81")]
    for given, expected in ((both, "nuswide81"), (both[:1], "tagged_food")):
        (one,) = results.select(given, dataset="nuswide", model="csvae", bits=64)
        assert one.dataset == expected
    assert "measured on nuswide81" in tables.table_1(both)[2].title


def test_explanations_that_make_any_codes_look_good(smoke: tuple[Path, str]) -> None:
    run = of_the_paper(smoke)[0]
    codes = explanations.without_meaning(explanations.collection(run))
    figures: dict[str, Callable[[explanations.Collection], float | None]] = {
        one.name: one.figure for one in explanations.EXPLANATIONS
    }
    for name in ("random codes", "constant codes"):
        assert figures["none"](codes[name]) == pytest.approx(0.13, abs=0.03)
        assert figures["product of class numbers, from 1"](codes[name]) == 1
        assert (figures["product of class numbers, from 0"](codes[name]) or 0) > 0.85
    assert figures["query in the database, rank 1"](codes["random codes"]) == 1
    assert figures["queries = database = training set, rank 1"](codes["random codes"]) == 1
    assert figures["database = training set"](codes["random codes"]) == pytest.approx(0.12, abs=0.03)
    without = codes["random codes"]._replace(train_codes=None)
    assert figures["database = training set"](without) is None
