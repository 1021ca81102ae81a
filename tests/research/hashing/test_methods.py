"""Each method's objective can be created and gives a number for its stated target."""

from __future__ import annotations

import pytest
import torch

from lookalike.core.errors import ConfigError
from research.hashing.methods import METHODS, Size, method
from research.hashing.task import METHOD_TASKS

LABELLED = {"dhn", "hashnet", "dpn", "transhash", "dsh", "idhn", "csq", "orthohash", "greedyhash"}
LABELLED |= {"wdht", "dph", "dah"}
LABELLED |= {f"vts-{name}" for name in ("dsh", "hashnet", "greedyhash", "idhn", "csq", "dpn")}


@pytest.mark.parametrize("name", METHODS)
def test_an_objective_gives_one_number_for_what_it_follows(name: str) -> None:
    chosen = method(name)
    if chosen.objective is None:
        assert chosen.target in ("none", "clusters")
        return
    torch.manual_seed(0)
    targets = {
        "labels": torch.eye(3, dtype=torch.bool)[[0, 1, 2, 0]],
        "partial": torch.eye(3, dtype=torch.bool)[[0, 1, 0, 0]] & torch.tensor([[1], [1], [0], [1]]).bool(),
        "tags": torch.nn.functional.normalize(torch.randn(4, 5), dim=1),
        "features": torch.randn(4, 5),
        "view": torch.randn(4, 16),
    }
    objective = chosen.objective(Size(classes=3, seed=0, lengths=(16,), categories=2, tags=5), 16)
    loss = objective(torch.randn(4, 16), targets[chosen.target])
    assert loss.shape == ()
    assert torch.isfinite(loss)


def test_methods_with_labels_are_those_of_the_literature_that_teach_classes() -> None:
    assert {name for name, one in METHODS.items() if one.needs_labels} == LABELLED
    assert len({one.title for one in METHODS.values()}) == len(METHODS)


def test_methods_with_labels_cut_where_their_objectives_do() -> None:
    assert not any(one.cut_at_mean for one in METHODS.values() if one.needs_labels)
    assert {name for name, one in METHODS.items() if one.cut_at_mean} == {"bihalf"}


def test_a_method_that_is_not_there_is_reported() -> None:
    with pytest.raises(ConfigError, match=r"model is 'dhm'; it must be one of dhn, hashnet, .*, clusters"):
        method("dhm")


def test_all_but_transhash_make_model_files() -> None:
    assert set(METHODS) - set(METHOD_TASKS) == {"transhash"}
