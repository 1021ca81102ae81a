"""What the published mAP is, and how the paper's claims are judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from research import claims, explanations, published
from research.results import Result, load

RESULTS = Path(__file__).resolve().parents[2] / "research/results"


def average_precision(scores: np.ndarray[Any, Any], relevant: np.ndarray[Any, Any]) -> float:
    """Average precision with ties as one step, in plain Python: Σ (Rₙ − Rₙ₋₁) Pₙ, as scikit-learn's."""
    total, seen, found, last = 0.0, 0, 0, 0.0
    for score in sorted(set(scores.tolist()), reverse=True):
        at = scores == score
        seen, found = seen + int(at.sum()), found + int(relevant[at].sum())
        recall = found / int(relevant.sum())
        total += (recall - last) * found / seen
        last = recall
    return total


def test_hard_labels_are_average_precision_of_one_hot_predictions() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        said, true = random.random((2, 50)) < random.random()
        if not (said.any() and true.any()):
            continue
        precision, recall = (said & true).sum() / said.sum(), (said & true).sum() / true.sum()
        expected = average_precision(said.astype(float), true)
        assert explanations.hard_label_precision(precision, recall, true.mean()) == pytest.approx(expected)


def test_the_same_from_codes_is_the_mean_over_classes() -> None:
    random = np.random.default_rng(1)
    query, database = random.integers(0, 256, (30, 2), np.uint8), random.integers(0, 256, (40, 2), np.uint8)
    labels, others = random.integers(0, 3, 30), random.integers(0, 3, 40)
    distances = np.bitwise_count(query[:, None] ^ database[None]).sum(axis=2)
    single = (distances == distances.min(axis=1, keepdims=True)).sum(axis=1) == 1
    said = others[distances.argmin(axis=1)][single]
    expected = np.mean([average_precision((said == one).astype(float), labels[single] == one) for one in range(3)])
    found = explanations.by_hard_labels(explanations.Collection(query[single], labels[single], database, others))
    assert found == pytest.approx(expected)


def test_the_printed_map_follows_from_the_printed_precision_and_recall() -> None:
    within = [one for one in claims.cells() if abs(one.by_rule - one.printed) <= claims.AGREES]
    assert len(within) == 12
    assert all(abs(one.by_rule - one.printed) < 0.0027 for one in claims.cells() if one.model in ("vae", "cvae"))
    others = [one for one in claims.cells() if one not in within]
    assert {one.model for one in others} == {"csvae", "vte"}
    assert all(not one.is_inside for one in others if one.model == "csvae")
    assert "Within 0.005 of the printed mAP: 12 of 16 cells" in claims.hard_labels().markdown()


def test_claims_are_judged_by_the_results_in_the_repository() -> None:
    results = [one for one in load(RESULTS, protocol="paper") if one.model in published.MODELS]
    rows = {row[0]: row for row in claims.claims(results).rows}
    for title in ("VAE", "CVAE", "CSVAE", "VTE"):
        _, printed, by_rule, ours, chance, verdict = rows[f"mAP of {title}"]
        assert float(chance) < float(by_rule) < float(printed)
        assert float(chance) < float(ours) < float(printed)
        assert verdict == "not reproduced by either rule"
    assert "does not hold" in rows["64 bits are best"][-1]
    assert rows["fewer collisions than VAE"][-1] == "holds"


def test_without_results_nothing_is_claimed() -> None:
    for row in claims.claims([]).rows:
        assert row[-1] == "not run yet"


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ((0.10,), (0.12,), "yes (+0.020)"), ((0.10,), (0.105,), "undecided (+0.005)"),
        ((0.12,), (0.10,), "no (-0.020)"),
        ((0.10, 0.101), (0.105, 0.106), "yes (+0.005)"), ((0.10, 0.12), (0.105, 0.125), "undecided (+0.005)"),
    ],
)  # fmt: skip
def test_a_difference_is_judged_by_its_spread(
    first: tuple[float, ...], second: tuple[float, ...], verdict: str, tmp_path: Path
) -> None:
    def runs(model: str, values: tuple[float, ...]) -> list[Result]:
        metrics = [{"map": {"expected": one, "chance": 0.1}, "precision_at": {"1": one}} for one in values]
        settings = {"dataset": "cifar10", "model": model, "bits": 64, "protocol": "paper", "epochs": 5}
        made = [
            {"settings": settings | {"seed": seed}, "metrics": one, "history": []} for seed, one in enumerate(metrics)
        ]
        return [Result(tmp_path, json.loads(json.dumps(one))) for one in made]

    row = claims._compared([*runs("vae", first), *runs("cvae", second)], "convolution helps", ("vae", "cvae"))
    assert row[-1] == f"by first hits {verdict}, by mAP {verdict}"
