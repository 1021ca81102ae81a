"""Originals are stored once for each content, and restored unchanged."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lookalike.store import originals


def digest_of(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def test_what_was_kept_comes_back_once(tmp_path: Path) -> None:
    contents = [bytes([number]) * 1000 for number in range(20)]
    for data in contents * 2:
        originals.keep(tmp_path, digest_of(data), data)
    assert sorted(originals.digests(tmp_path)) == sorted(map(digest_of, contents))
    for data in contents:
        assert originals.path(tmp_path, digest_of(data)).read_bytes() == data
        assert originals.is_intact(tmp_path, digest_of(data))
    assert sum(1 for path in tmp_path.rglob("*") if path.is_file()) == 20


def test_damage_shows(tmp_path: Path) -> None:
    originals.keep(tmp_path, digest_of(b"photo"), b"photo")
    originals.path(tmp_path, digest_of(b"photo")).write_bytes(b"phot0")
    assert not originals.is_intact(tmp_path, digest_of(b"photo"))


def test_dropping(tmp_path: Path) -> None:
    originals.keep(tmp_path, digest_of(b"photo"), b"photo")
    for _ in range(2):
        originals.drop(tmp_path, digest_of(b"photo"))
        assert list(originals.digests(tmp_path)) == []


def test_none_are_kept_where_there_are_none(tmp_path: Path) -> None:
    assert list(originals.digests(tmp_path)) == []


def test_what_others_leave_in_the_folder_is_passed_over(tmp_path: Path) -> None:
    digest = digest_of(b"photo")
    originals.keep(tmp_path, digest, b"photo")
    place = originals.path(tmp_path, digest)
    for name in (".DS_Store", "Thumbs.db", "cut-off.tmp", place.name + ".77.tmp", "abc"):
        (place.parent / name).write_bytes(b"")
    (tmp_path / originals.FOLDER / ".DS_Store").write_bytes(b"")
    (tmp_path / originals.FOLDER / "zz").write_bytes(b"")
    assert list(originals.digests(tmp_path)) == [digest]


def test_threads_may_keep_the_same_image_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, replace = threading.Barrier(2), Path.replace

    def replace_together(self: Path, target: Path) -> Path:
        both.wait(timeout=5)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replace_together)
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(originals.keep, tmp_path, digest_of(b"photo"), b"photo") for _ in range(2)]:
            future.result()
    assert originals.is_intact(tmp_path, digest_of(b"photo"))
    assert list(originals.digests(tmp_path)) == [digest_of(b"photo")]


@pytest.mark.parametrize("damaged", [b"", b"imag", b"imagf", b"another image"])
def test_keeping_again_heals_what_is_damaged(damaged: bytes, tmp_path: Path) -> None:
    digest = digest_of(b"image")
    originals.keep(tmp_path, digest, b"image")
    originals.path(tmp_path, digest).write_bytes(damaged)
    assert originals.has(tmp_path, digest, 5) == (len(damaged) == 5)
    originals.keep(tmp_path, digest, b"image")
    assert originals.is_intact(tmp_path, digest)
    assert originals.has(tmp_path, digest, 5)
