"""Tag vectors: PPMI by counting, vectors that reproduce it, images by their tags."""

from __future__ import annotations

import math

import numpy as np
import pytest

from research.hashing import tags

#              cat   dog   lawn  ship
TAGS = np.array([[1, 0, 1, 0], [0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1], [1, 0, 1, 0]], bool)


def test_ppmi_is_counted() -> None:
    pairs = [(a, b) for row in TAGS for a in np.flatnonzero(row).tolist() for b in np.flatnonzero(row).tolist()]
    found = tags.ppmi(TAGS)
    for a in range(4):
        for b in range(4):
            together = sum(pair == (a, b) for pair in pairs) / len(pairs)
            alone = [sum(pair[0] == one for pair in pairs) / len(pairs) for one in (a, b)]
            expected = max(0.0, math.log(together / (alone[0] * alone[1]))) if together else 0
            assert found[a, b] == pytest.approx(expected)


def test_vectors_are_axes_of_it() -> None:
    vectors_CV, ppmi_CC = tags.tag_vectors(TAGS), tags.ppmi(TAGS)
    values = np.linalg.eigvalsh(ppmi_CC)
    assert vectors_CV.shape == (4, 4)
    np.testing.assert_allclose(np.sort((vectors_CV**2).sum(axis=0)), np.sort(np.abs(values)), atol=1e-12)
    assert tags.tag_vectors(TAGS, width=2).shape == (4, 2)
    np.testing.assert_array_equal(vectors_CV, tags.tag_vectors(TAGS))


def test_images_with_like_tags_have_near_vectors() -> None:
    images_NV = tags.image_vectors(TAGS, tags.tag_vectors(TAGS))
    cosines = images_NV @ images_NV.T
    assert cosines[0, 4] == pytest.approx(1, abs=1e-6)
    assert cosines[0, 1] > cosines[0, 3] + 0.3


def test_an_unused_tag_and_an_image_without_tags_are_zeros() -> None:
    unused = np.hstack([TAGS, np.zeros((5, 1), bool)])
    vectors_CV = tags.tag_vectors(unused)
    np.testing.assert_allclose(vectors_CV[4], 0, atol=1e-12)
    assert not tags.image_vectors(np.zeros((1, 5), bool), vectors_CV).any()
