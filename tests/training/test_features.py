"""Features of a collection are computed once for all trainings, and unreadable images are reported."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lookalike import data
from lookalike.backbones.about import About
from lookalike.backbones.backbone import Backbone
from lookalike.core.errors import Interrupted, TrainingError
from lookalike.imaging import decode
from lookalike.training.cache import Edit, features
from tests.backbones.test_backbones import SIDE, exported, network


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return Backbone(exported(network()), About(name="small", side=SIDE))


def test_rows_are_features_of_the_readable_images_in_order(
    backbone: Backbone, photo_folder: Path, tmp_path: Path
) -> None:
    (photo_folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    items = data.find(photo_folder)
    found = features(items, backbone, tmp_path)
    broken = next(row for row, item in enumerate(items) if item.path == "broken.png")
    assert [Path(one.name).name for one in found.skipped] == ["broken.png"]
    assert found.rows_N.tolist() == [row for row in range(len(items)) if row != broken]
    for number in (0, 17, 39):
        item = items[found.rows_N[number]]
        alone = backbone.features(decode.read(data.read_bytes(item), backbone.spec)[None])[0]
        assert np.allclose(found.arrays[number], alone, atol=1e-6)


def test_they_are_recomputed_only_for_other_images_or_backbones(
    backbone: Backbone, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = data.find(photo_folder)
    first = np.array(features(items, backbone, tmp_path).arrays)
    other = Backbone(exported(network()), About(name="small", side=SIDE, mean=(0.1, 0.2, 0.3)))
    assert not np.allclose(features(items, other, tmp_path).arrays, first)
    assert len(features(items[:5], backbone, tmp_path).rows_N) == 5
    monkeypatch.setattr(Backbone, "features", lambda self, arrays: pytest.fail("computed again"))
    assert np.array_equal(features(items, backbone, tmp_path).arrays, first)


def test_features_of_edited_images_are_kept_next_to_those_of_the_images(
    backbone: Backbone, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = data.find(photo_folder)
    darker = Edit("darker", lambda image, row: image // (1 + row))
    plain, changed = (np.array(features(items, backbone, tmp_path, edit=edit).arrays) for edit in (None, darker))
    assert plain.shape == changed.shape
    assert np.allclose(plain[0], changed[0])
    assert not np.allclose(plain, changed, atol=1e-3)
    image = decode.read(data.read_bytes(items[7]), backbone.spec)
    assert np.allclose(changed[7], backbone.features((image // 8)[None])[0], atol=1e-6)
    monkeypatch.setattr(Backbone, "features", lambda self, arrays: pytest.fail("computed again"))
    assert np.array_equal(features(items, backbone, tmp_path, edit=darker).arrays, changed)


def test_features_may_be_kept_with_fewer_digits(backbone: Backbone, photo_folder: Path, tmp_path: Path) -> None:
    items = data.find(photo_folder)
    whole, half = (features(items, backbone, tmp_path, kind=kind).arrays for kind in (np.float32, np.float16))
    assert [str(one.dtype) for one in (whole, half)] == ["float32", "float16"]
    assert np.allclose(whole, half, rtol=2e-3, atol=1e-4)


def test_stopped_it_leaves_nothing_that_is_taken_for_whole(
    backbone: Backbone, photo_folder: Path, tmp_path: Path
) -> None:
    stop_requested = threading.Event()
    stop_requested.set()
    with pytest.raises(Interrupted, match="before computing features"):
        features(data.find(photo_folder), backbone, tmp_path, stop_requested=stop_requested)
    assert len(features(data.find(photo_folder), backbone, tmp_path).rows_N) == 40


def test_where_nothing_can_be_read_the_first_image_is_named(backbone: Backbone, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"nothing")
    with pytest.raises(TrainingError, match=r"none of 1 images is readable; the first: .*a\.jpg"):
        features(data.find(tmp_path), backbone, tmp_path / "cache")


def test_two_who_want_the_same_features_compute_them_once(
    backbone: Backbone, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items, computed, whole = data.find(photo_folder), [], Backbone.features

    def slowly(self: Backbone, arrays: decode.Array) -> npt.NDArray[np.float32]:
        computed.append(len(arrays))
        time.sleep(0.05)  # so that the other comes while these are being written
        return whole(self, arrays)

    monkeypatch.setattr(Backbone, "features", slowly)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: features(items, backbone, tmp_path), range(2)))
    assert sum(computed) == len(items)
    assert np.array_equal(found[0].arrays, found[1].arrays)
    assert np.isfinite(found[0].arrays).all()


def test_a_cache_that_is_a_file_is_reported(backbone: Backbone, photo_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"features cannot be cached in .*file: .*\$LOOKALIKE_CACHE"):
        features(data.find(photo_folder), backbone, tmp_path / "file")
