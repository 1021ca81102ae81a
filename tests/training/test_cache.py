"""Images are decoded once, and unreadable ones are reported."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from lookalike import data
from lookalike.core.errors import Interrupted, TrainingError
from lookalike.imaging import decode
from lookalike.training.cache import _open_cache, cached_images, digest, remove_cache

SPEC = decode.ImageSpec()


def key_of(items: list[data.Item], max_pixels: int = decode.MAX_PIXELS) -> str:
    return digest(items, SPEC, max_pixels=max_pixels)


def test_readable_images_are_kept_in_order_and_the_others_named(photo_folder: Path, tmp_path: Path) -> None:
    broken = photo_folder / "dogs" / "00.jpg"
    broken.write_bytes(broken.read_bytes()[:100])
    items = data.find(photo_folder)
    cache = cached_images(tmp_path, items, SPEC)
    assert [entry.name for entry in cache.skipped] == [str(broken)]
    assert cache.skipped[0].reason
    readable = [item for item in items if item.name != str(broken)]
    expected = np.stack([decode.read(item.name, SPEC) for item in readable])
    assert np.array_equal(cache.arrays, expected)
    assert [items[row].name for row in cache.rows_N] == [item.name for item in readable]


def test_a_cache_is_found_again_under_its_key_alone(photo_folder: Path, tmp_path: Path) -> None:
    items = data.find(photo_folder)
    made = cached_images(tmp_path, items, SPEC)
    found = _open_cache(tmp_path, key=key_of(items))
    assert found is not None
    assert np.array_equal(found.arrays, made.arrays)
    assert _open_cache(tmp_path, key="other") is None
    remove_cache(tmp_path)
    assert _open_cache(tmp_path, key=key_of(items)) is None


def test_a_cache_cut_short_is_not_used(photo_folder: Path, tmp_path: Path) -> None:
    cached_images(tmp_path, data.find(photo_folder), SPEC)
    (tmp_path / "images.bin").write_bytes(b"cut short")
    assert _open_cache(tmp_path, key=key_of(data.find(photo_folder))) is None


def test_key_depends_on_names_times_and_reading(photo_folder: Path) -> None:
    before = key_of(data.find(photo_folder))
    assert key_of(data.find(photo_folder)) == before
    assert key_of(data.find(photo_folder), max_pixels=5) != before
    os.utime(photo_folder / "dogs" / "00.jpg", (1, 1))
    changed = key_of(data.find(photo_folder))
    (photo_folder / "dogs" / "00.jpg").unlink()
    assert len({before, changed, key_of(data.find(photo_folder))}) == 3


def test_reading_can_be_stopped(photo_folder: Path, tmp_path: Path) -> None:
    stop_requested = Event()
    stop_requested.set()
    with pytest.raises(Interrupted, match="before training began"):
        cached_images(tmp_path, data.find(photo_folder), SPEC, stop_requested=stop_requested)
    assert _open_cache(tmp_path, key=key_of(data.find(photo_folder))) is None


def test_a_collection_without_a_readable_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff no picture")
    with pytest.raises(TrainingError, match=r"none of 1 images is readable; the first: .*a\.jpg"):
        cached_images(tmp_path, data.find(tmp_path / "a.jpg"), SPEC)
