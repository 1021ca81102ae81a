"""Values that depend on the seed depend on nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lookalike.core.errors import ConfigError, TrainingError
from lookalike.training.settings import Settings, epoch_order, learning_rate, noise_seed, sample, split

SETTINGS = Settings(
    images="abc",
    limit=None,
    model="csvae",
    config={"bits": 64, "channels": (1, 2, 3, 4)},
    seed=3,
    epochs=5,
    batch=8,
    learning_rate=1e-3,
    validation=0.1,
)


def test_settings_survive_json() -> None:
    assert Settings.of(json.loads(json.dumps(SETTINGS.values()))) == SETTINGS


def test_settings_of_version_0_1_are_read() -> None:
    values = SETTINGS.values()
    values["edited"], values["begun"], values["jitter"] = values.pop("augment"), values.pop("init_digest"), 0.0
    assert Settings.of(values) == SETTINGS


@pytest.mark.parametrize(("count", "held_out"), [(16, 2), (100, 10), (30_000, 2_000)])
def test_split_holds_a_share_out(count: int, held_out: int) -> None:
    rows = split(count, SETTINGS)
    assert len(rows.validation) == held_out
    assert sorted([*rows.train, *rows.validation]) == list(range(count))
    assert np.array_equal(rows.validation, split(count, SETTINGS).validation)
    assert not np.array_equal(rows.validation, split(count, replace(SETTINGS, seed=4)).validation)


def test_too_few_images_are_refused() -> None:
    with pytest.raises(TrainingError, match="there are 15 readable images; training needs at least 16"):
        split(15, SETTINGS)


def test_each_epoch_has_its_own_order_of_the_same_rows() -> None:
    train = np.arange(10, 60)
    first, second = (epoch_order(train, SETTINGS, epoch=epoch) for epoch in (0, 1))
    assert sorted(first) == sorted(second) == list(train)
    assert not np.array_equal(first, second)
    assert np.array_equal(first, epoch_order(train, SETTINGS, epoch=0))


def test_each_step_has_its_own_noise() -> None:
    seeds = {noise_seed(replace(SETTINGS, seed=seed), step=step) for seed in range(3) for step in range(50)}
    assert len(seeds) == 150


def test_a_run_from_other_weights_differs_in_all_but_what_is_held_out() -> None:
    again = replace(SETTINGS, init_digest="ff" * 16)
    rows = split(100, SETTINGS).train
    assert np.array_equal(rows, split(100, again).train)
    assert not np.array_equal(epoch_order(rows, SETTINGS, epoch=0), epoch_order(rows, again, epoch=0))
    assert noise_seed(SETTINGS, step=0) != noise_seed(again, step=0)


def test_a_limit_draws_a_sample() -> None:
    assert sample(10, None, 0).tolist() == list(range(10))
    drawn = sample(1000, 20, 0)
    assert len(set(drawn)) == 20
    assert drawn.max() > 500
    assert not np.array_equal(drawn, sample(1000, 20, 1))


def test_learning_rate_rises_and_falls_within_its_bounds() -> None:
    rates = [learning_rate(step, 200, highest=1e-3) for step in range(200)]
    assert max(rates) == 1e-3
    assert min(rates) > 0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": "def"}, "the images have changed"),
        ({"seed": 4}, "seed is 4, but the run to resume has 3"),
        ({"epochs": 9}, "epochs is 9, but the run to resume has 5"),
        ({"config": {"bits": 32, "channels": (1, 2, 3, 4)}}, "bits is 32, but the run to resume has 64"),
        ({"model": "vte", "config": {"bits": 64, "patch": 16}}, "model is vte, but the run to resume has csvae"),
    ],
)
def test_a_difference_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        replace(SETTINGS, **change).check_same(SETTINGS)


@pytest.mark.parametrize(
    "change", [{"epochs": 0}, {"batch": 1}, {"validation": 1.0}, {"learning_rate": 0.0}, {"limit": 3}, {"seed": -1}]
)
def test_settings_out_of_range_are_refused(change: dict[str, Any]) -> None:
    name = next(iter(change))
    with pytest.raises(ConfigError, match=f"^{name} is {change[name]}; it must be"):
        replace(SETTINGS, **change)
