"""CIFAR-10 is downloaded completely or not at all: from a local server, which may misbehave."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.client import IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from lookalike.core.errors import DataError
from research import datasets
from research.datasets import cifar10, fetch

from .layouts import ROWS, make_cifar10


def pack(folder: Path, members: dict[str, Path]) -> bytes:
    """A tar.gz of files, by name."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, path in members.items():
            tar.add(path, name)
    return out.getvalue()


@pytest.fixture
def members(tmp_path: Path) -> dict[str, Path]:
    """The archive's files, with members that must not be unpacked."""
    made = make_cifar10(tmp_path / "made")
    files = {f"{cifar10.FOLDER}/{path.name}": path for path in sorted(made.iterdir())}
    (made / "readme.html").write_text("read me")
    extra = dict.fromkeys((f"{cifar10.FOLDER}/readme.html", "../outside", "/tmp/outside"), made / "readme.html")
    return {**files, **extra}


@pytest.fixture
def archive(tmp_path: Path, members: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> bytes:
    """An archive that replaces the official one in this test."""
    content = pack(tmp_path, members)
    expect(content, monkeypatch)
    return content


def expect(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "SIZE", len(content))
    monkeypatch.setattr(cifar10, "MD5", hashlib.md5(content, usedforsecurity=False).hexdigest())


class Handler(BaseHTTPRequestHandler):
    """Sends a content, or less of it than announced."""

    def __init__(self, content: bytes, sent: int, status: int, *arguments: Any) -> None:
        self.content, self.sent, self.status = content, sent, status
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content[: self.sent])

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 as the base class has it
        pass


class Serve:
    """Servers on 127.0.0.1 that replace CIFAR-10's address in this test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.servers: list[ThreadingHTTPServer] = []

    def __call__(self, content: bytes, *, sent: int | None = None, status: int = 200) -> None:
        handler = partial(Handler, content, len(content) if sent is None else sent, status)
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.servers.append(server)
        self.monkeypatch.setattr(cifar10, "URL", f"http://127.0.0.1:{server.server_port}/cifar-10-binary.tar.gz")

    def close(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    serving = Serve(monkeypatch)
    yield serving
    serving.close()


def test_it_is_fetched_checked_and_unpacked(serve: Serve, archive: bytes, tmp_path: Path) -> None:
    serve(archive)
    seen: list[tuple[int, int]] = []
    folder = tmp_path / "new" / "data"
    place = fetch.get_cifar10(folder, progress=lambda done, total: seen.append((done, total)))
    assert place == folder / cifar10.FOLDER
    assert [path.name for path in folder.iterdir()] == [cifar10.FOLDER]
    assert {path.name for path in place.iterdir()} == {*cifar10.TRAIN, cifar10.TEST, cifar10.NAMES}
    assert len(datasets.load("cifar10", folder)) == 6 * ROWS
    assert seen[-1] == (len(archive), len(archive))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert not (tmp_path / "outside").exists()


def test_other_users_may_read_it(serve: Serve, archive: bytes, tmp_path: Path) -> None:
    serve(archive)
    before = os.umask(0o022)
    try:
        place = fetch.get_cifar10(tmp_path / "data")
    finally:
        os.umask(before)
    assert place.stat().st_mode & 0o755 == 0o755


def test_what_is_there_already_is_left_alone(serve: Serve, archive: bytes, tmp_path: Path) -> None:
    serve(archive)
    (tmp_path / "data" / cifar10.FOLDER).mkdir(parents=True)
    (tmp_path / "data" / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match=r"cifar-10-batches-bin already exists; to fetch CIFAR-10 again, remove it"):
        fetch.get_cifar10(tmp_path / "data")
    assert {path.name for path in (tmp_path / "data").iterdir()} == {cifar10.FOLDER, "mine.txt"}


@pytest.fixture(params=["new", "old"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder of data sets that does not exist yet, or is not empty."""
    folder = tmp_path / "data"
    if request.param == "old":
        folder.mkdir()
        (folder / "mine.txt").write_text("mine")
    return folder


def assert_nothing_is_left(folder: Path) -> None:
    assert not folder.exists() or [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_another_content_is_refused(serve: Serve, archive: bytes, folder: Path) -> None:
    wrong = archive[:-1] + bytes([archive[-1] ^ 1])
    serve(wrong)
    with pytest.raises(DataError, match=rf"has the MD5 digest \w+; expected {cifar10.MD5}\. Try again later, or fetch"):
        fetch.get_cifar10(folder)
    assert_nothing_is_left(folder)


def test_a_transfer_that_ends_early_is_refused(serve: Serve, archive: bytes, folder: Path) -> None:
    serve(archive, sent=1000)
    with pytest.raises(DataError, match=rf"ended early, after 1000 bytes; expected {len(archive)}|cannot be fetched"):
        fetch.get_cifar10(folder)
    assert_nothing_is_left(folder)


def test_more_than_is_expected_is_refused(serve: Serve, archive: bytes, folder: Path) -> None:
    serve(archive + b"x" * 10)
    with pytest.raises(DataError, match=rf"is too long, with at least \d+ bytes; expected {len(archive)}"):
        fetch.get_cifar10(folder)
    assert_nothing_is_left(folder)


def test_a_page_that_is_gone(serve: Serve, archive: bytes, folder: Path) -> None:
    serve(b"", status=404)
    with pytest.raises(
        DataError, match=r"cannot be fetched \(Not Found\)\. Try again later, or fetch that file by other"
    ):
        fetch.get_cifar10(folder)
    assert_nothing_is_left(folder)


def test_a_server_that_does_not_answer(serve: Serve, archive: bytes, folder: Path) -> None:
    serve(archive)
    serve.close()
    with pytest.raises(DataError, match=r"cannot be fetched \(.*refused"):
        fetch.get_cifar10(folder)
    assert_nothing_is_left(folder)
    serve.servers.clear()


class Response(io.BytesIO):
    """A response whose second read fails."""

    def __init__(self, content: bytes, error: BaseException) -> None:
        super().__init__(content)
        self.error, self.reads = error, 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > 1:
            raise self.error
        return super().read(10)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (URLError(OSError("no route")), "no route"),
        (TimeoutError("timed out"), "timed out"),
        (ConnectionResetError(errno.ECONNRESET, "reset by peer"), "reset by peer"),
        (IncompleteRead(b"xy", 5), "IncompleteRead"),
    ],
)
@pytest.mark.parametrize("at", ["opening", "reading"])
def test_a_network_that_fails(error: Exception, reason: str, at: str, archive: bytes, folder: Path) -> None:
    response = Response(archive, error)

    def opener(url: str, *, timeout: float) -> Response:
        assert (url, timeout) == (cifar10.URL, fetch.TIMEOUT)
        if at == "opening":
            raise error
        return response

    with pytest.raises(DataError, match=rf"cannot be fetched \(.*{reason}"):
        fetch.get_cifar10(folder, opener=opener)
    assert response.closed == (at == "reading")
    assert_nothing_is_left(folder)


def test_ctrl_c_leaves_nothing(archive: bytes, folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch.get_cifar10(folder, opener=lambda url, timeout: Response(archive, KeyboardInterrupt()))
    assert_nothing_is_left(folder)


@pytest.mark.parametrize("at", ["write", "unpack", "rename"])
def test_a_full_disk(at: str, archive: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    where = {"write": (Path, "open"), "unpack": (shutil, "copyfileobj"), "rename": (Path, "replace")}[at]
    monkeypatch.setattr(*where, full)
    with pytest.raises(
        DataError, match=r"data cannot be written to \(No space left on device\); CIFAR-10 needs 360 MB"
    ):
        fetch.get_cifar10(folder, opener=lambda url, timeout: io.BytesIO(archive))
    monkeypatch.undo()
    assert_nothing_is_left(folder)


def test_a_folder_that_cannot_be_made(archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match=r"file/data cannot be written to \(Not a directory\)"):
        fetch.get_cifar10(tmp_path / "file" / "data", opener=lambda url, timeout: io.BytesIO(archive))


@pytest.mark.parametrize("content", [b"no archive at all", b"\x1f\x8b\x08 no archive either"])
def test_what_is_not_an_archive(content: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expect(content, monkeypatch)
    with pytest.raises(DataError, match="is not a readable archive"):
        fetch.get_cifar10(folder, opener=lambda url, timeout: io.BytesIO(content))
    assert_nothing_is_left(folder)


def test_an_archive_with_a_damaged_end(archive: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = archive[: len(archive) // 2]
    expect(content, monkeypatch)
    with pytest.raises(DataError, match="is not a readable archive"):
        fetch.get_cifar10(folder, opener=lambda url, timeout: io.BytesIO(content))
    assert_nothing_is_left(folder)


def test_an_archive_that_lacks_a_batch(
    members: dict[str, Path], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = pack(tmp_path, {name: path for name, path in members.items() if "data_batch_4" not in name})
    expect(content, monkeypatch)
    with pytest.raises(DataError, match=r"lacks some of .*data_batch_4\.bin"):
        fetch.get_cifar10(folder, opener=lambda url, timeout: io.BytesIO(content))
    assert_nothing_is_left(folder)


def test_the_archive_is_the_official_one() -> None:
    assert cifar10.URL.startswith("https://www.cs.toronto.edu/~kriz/")
    assert (cifar10.SIZE, cifar10.MD5) == (170_052_171, "c32a1d4ab5d03f1284b67883e8d87530")
