"""Runs of the compared methods: their results, and the tables made of them.

Shapes: N images, K bits.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lookalike.core.errors import ConfigError, DataError
from research import comparison_tables, methods, runner
from research import experiments as recipes
from research.datasets import Dataset
from research.datasets.protocols import Split
from research.experiments import Experiment, comparisons
from research.methods import Material
from research.results import Places, Result
from tests.research.shared import SHARED, needs_cifar10

pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra backbones")


def result(model: str, bits: int, value: float, *, seed: int = 0, protocol: str = "paper") -> Result:
    settings = {
        "dataset": "cifar10", "protocol": protocol, "model": model, "bits": bits, "seed": seed, "epochs": 12,
        "backbone": "some encoder", "title": "CIFAR-10", "device": "cpu",
    }  # fmt: skip
    metrics = {"map": {"expected": value, "chance": 0.1}}
    return Result(Path(), {"settings": settings, "metrics": metrics, "seconds": {"training": 3.0, "rest": 0.0}})


def test_the_whole_list_names_each_run_once() -> None:
    found = comparisons(seeds=(0, 1))
    names = [one.name for one in found]
    assert len(set(names)) == len(names)
    assert {one.model for one in found} == set(recipes.METHOD_NAMES)
    assert sum(one.model == "cosine" for one in found) == 2 * len(recipes.SETUPS)
    dhn = [one for one in found if one.model == "dhn" and one.seed == 1 and one.protocol == "paper"]
    assert {(one.dataset, one.bits) for one in dhn} == {
        (name, bits) for name in ("cifar10", "tiny_imagenet", "tagged_food") for bits in (16, 32, 64, 128)
    }


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Experiment(dataset="cifar10", model="resnet", bits=64, epochs=1), "no model 'resnet'"),
        (Experiment(dataset="cifar11", model="dhn", bits=64, epochs=1), "no data set 'cifar11'"),
        (Experiment(dataset="cifar10", model="clusters-nested", bits=24, epochs=1), "16, 32, 64, 128"),
        (Experiment(dataset="cifar10", model="dhn", bits=12, epochs=1), "bits is 12"),
    ],
)
def test_impossible_runs_are_reported_before_anything_runs(wrong: Experiment, says: str) -> None:
    with pytest.raises((ConfigError, DataError), match=says):
        runner.check([wrong])


def test_tables_show_means_references_and_what_falls_short() -> None:
    results = [
        result("dhn", 64, 0.5), result("dhn", 64, 0.6, seed=1), result("hashnet", 64, 0.7), result("itq", 64, 0.3),
        result("linear-classifier", 64, 0.58), result("cosine", 64, 0.34), result("orthohash", 64, 0.62),
        result("orthohash-nested", 64, 0.61),
    ]  # fmt: skip
    table = comparison_tables.tables(results)[0]
    cells = {row[1]: row for row in table.rows}
    assert cells["DHN"][2:6] == ("not run yet", "not run yet", "0.550 ± 0.071", "not run yet")
    assert cells["ITQ"][4] == "0.300"
    assert cells["the features themselves, cosine"][2:6] == ("0.340",) * 4
    assert cells["a random order"][2] == "0.100"
    assert "some encoder" in table.notes[0]
    assert comparison_tables.shortfalls(results) == "- cifar10, the paper's protocol, 64 bits: DHN"
    (row,) = comparison_tables.nested(results).rows
    assert row[2:] == ("OrthoHash", "64", "0.610", "0.620", "-0.010")
    assert comparison_tables.nested_losses(results) == "Nowhere."


def small() -> Material:
    """Features of three well-separated classes, in three parts."""
    random = np.random.default_rng(0)
    kinds = np.arange(90) % 3
    features_ND = (np.eye(3)[kinds] + 0.1 * random.normal(size=(90, 3))).astype(np.float32)
    split = Split(np.arange(0, 60), np.arange(60, 75), np.arange(75, 90))
    return Material(
        dataset=Dataset("small", "small", (), ()),
        split=split,
        labels_NC=kinds[:, None] == np.arange(3),
        tokens_ND=features_ND.astype(np.float16),
        positions=1,
        features_ND=features_ND,
        about="made up",
    )


def test_the_ceiling_is_the_average_precision_of_cosines() -> None:
    given = small()
    unit = given.features_ND / np.linalg.norm(given.features_ND, axis=1, keepdims=True)
    expected = []
    for query in given.split.query:
        order = sorted(given.split.database, key=lambda row: -float(unit[row] @ unit[query]))
        relevant = [bool((given.labels_NC[row] & given.labels_NC[query]).any()) for row in order]
        hits = [sum(relevant[: rank + 1]) / (rank + 1) for rank in range(len(order)) if relevant[rank]]
        expected.append(sum(hits) / len(hits))
    found = methods._cosine(given)
    assert found["expected"] == pytest.approx(np.mean(expected), abs=1e-6)
    assert 0.3 < found["chance"] < 0.5


def test_a_linear_classifier_gives_one_code_a_class() -> None:
    given = small()
    one = Experiment(dataset="small", model="linear-classifier", bits=32, epochs=1)
    query, database = methods._classifier_codes(given, one)
    codes = np.concatenate([query, database])
    kinds = np.arange(60, 90) % 3
    assert codes.shape == (30, 32)
    assert [len(np.unique(codes[kinds == kind], axis=0)) for kind in range(3)] == [1, 1, 1]
    assert len(np.unique(codes, axis=0)) == 3


@needs_cifar10
def test_a_run_says_everything_and_is_not_done_twice(tmp_path: Path) -> None:
    places = Places(data=SHARED, results=tmp_path / "results", work=tmp_path / "work")
    wanted = comparisons(
        setups=(("cifar10", "smoke"),), models=("clusters-nested", "transhash"), bits=(16, 32), epochs=1
    )
    said: list[str] = []
    assert runner.run_all(wanted, places, say=said.append) == 4
    assert len(said) == 3  # all lengths of a nested code come from one run
    values = json.loads(places.result(wanted[0]).read_text())
    assert values["settings"]["backbone"].startswith(
        "efficientnet-lite0, 160 pixels, trained on ImageNet-1k with labels"
    )
    assert values["split"] == {"train": 256, "query": 128, "database": 128}
    assert values["metrics"]["bits"] == 16
    assert 0 < values["metrics"]["map"]["chance"] < 0.3
    assert runner.run_all(wanted, places, say=said.append) == 0
    assert not list(places.work.rglob("checkpoint*"))  # otherwise a repeated run would start from old weights
