"""Only regular files are opened, and only a bounded size is read into memory."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lookalike.core.errors import ImageError, RetryableImageError
from lookalike.imaging import files


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    for content in (b"", b"x", os.urandom(3 * files.PIECE + 1)):
        (tmp_path / "a").write_bytes(content)
        assert files.read(tmp_path / "a") == content
        with files.open_regular(tmp_path / "a") as file:
            assert files.digest_of(file) == (files.content_digest(content), len(content))


def test_more_than_the_bound_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert files.read(tmp_path / "a", most=5) == b"12345"
    with pytest.raises(RetryableImageError, match="--max-pixels"):
        files.read(tmp_path / "a", most=4)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_a_file_that_claims_to_be_shorter_is_bounded_too() -> None:
    with open("/proc/self/maps", "rb", buffering=0) as file:
        assert os.fstat(file.fileno()).st_size == 0
        with pytest.raises(RetryableImageError):
            files.read_whole(file, most=100)


def test_pipes_sockets_and_devices_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(tmp_path / "socket"))
        for path in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/zero"), tmp_path):
            with pytest.raises(ImageError, match="not a file"):
                files.read(path)


def test_sparse_files_are_known(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as made:
        made.truncate(1 << 24)
    (tmp_path / "b").write_bytes(b"1" * 100_000)
    for name, expected in (("a", True), ("b", False)):
        with files.open_regular(tmp_path / name) as file:
            assert files.is_sparse(file) is expected
