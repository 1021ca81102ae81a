"""Precision, recall and F1 of the nearest image's labels, against scikit-learn if there are no ties."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from lookalike.core import codes as coding
from lookalike.metrics import nearest
from lookalike.metrics.counts import check
from lookalike.metrics.nearest import NearestLabels, nearest_labels


def test_without_ties_it_is_a_classifier_as_scikit_learn_has_it() -> None:
    rng = np.random.default_rng(0)
    query, database = rng.integers(0, 256, (200, 32), np.uint8), rng.integers(0, 256, (100, 32), np.uint8)
    distances_QN = coding.hamming(query, database)
    alone = (distances_QN == distances_QN.min(axis=1, keepdims=True)).sum(axis=1) == 1
    query, distances_QN = query[alone], distances_QN[alone]
    labels, query_labels = rng.integers(0, 5, 100), rng.integers(0, 6, len(query))  # no answer has class 5
    said = labels[distances_QN.argmin(axis=1)]
    theirs = precision_recall_fscore_support(query_labels, said, average="macro", zero_division=0)
    found = nearest_labels(query, query_labels, database, labels)
    assert (found.precision, found.recall, found.f1) == pytest.approx(theirs[:3])
    assert found.accuracy == pytest.approx((said == query_labels).mean())
    matrices = np.eye(6, dtype=bool)[query_labels], np.eye(6, dtype=bool)[labels]
    assert nearest_labels(query, matrices[0], database, matrices[1]) == pytest.approx(found)


def test_images_that_are_equally_near_count_in_equal_parts() -> None:
    query, database = np.array([[0], [255]], np.uint8), np.array([[1], [2], [254]], np.uint8)
    found = nearest_labels(query, [0, 1], database, [0, 1, 1])
    # class 0: recall ½, precision ½ of ½ said; class 1: recall 1, precision 1 of 1½ said
    assert found.recall == pytest.approx((0.5 + 1) / 2)
    assert found.precision == pytest.approx((1 + 1 / 1.5) / 2)
    assert found.accuracy == pytest.approx(0.75)
    turned = nearest_labels(query, [0, 1], database[::-1], [1, 1, 0])
    assert turned == found


def test_constant_codes_have_chance_and_oracle_codes_1() -> None:
    rng = np.random.default_rng(1)
    labels, query_labels = rng.integers(0, 7, 100), rng.integers(0, 7, 50)
    constant = np.zeros((100, 2), np.uint8)
    chance = nearest.chance(check(constant[:50], query_labels, constant, labels))
    assert nearest_labels(constant[:50], query_labels, constant, labels) == pytest.approx(chance)
    words = rng.permutation(256)[:7, None].astype(np.uint8)
    assert nearest_labels(words[query_labels], query_labels, words[labels], labels) == NearestLabels(1, 1, 1, 1)


def test_with_several_labels_each_class_is_judged_for_itself() -> None:
    query, database = np.array([[0], [255]], np.uint8), np.array([[1], [254]], np.uint8)
    query_labels, labels = np.array([[1, 1, 0], [0, 0, 1]]), np.array([[1, 0, 0], [0, 1, 1]])
    found = nearest_labels(query, query_labels, database, labels)
    assert found.precision == pytest.approx((1 + 0 + 1) / 3)
    assert found.recall == pytest.approx((1 + 0 + 1) / 3)
    assert found.accuracy == 1
