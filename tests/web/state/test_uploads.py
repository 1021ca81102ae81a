"""Any upload gets an answer with a reason, while the server keeps running with bounded memory."""

from __future__ import annotations

import concurrent.futures
import io
import os
import resource
import signal
import socket
import struct
import tarfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from lookalike.imaging.isolation.pool import _Worker
from tests.conftest import encoded
from tests.web.conftest import Serve, Served

GROWTH = 300 << 10  # KiB that this process, which holds the server, may come to need


def post(served: Served, content: bytes, **asked: str) -> httpx.Response:
    return served.client.post("/api/search", data=asked, files={"file": ("query", content)})


def reason(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["message"])


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile():
                file = tar.extractfile(member)
                assert file is not None
                yield member.name, file.read()


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def deaths(served: Served) -> float:
    samples = [one for family in served.parts.metrics.deaths.collect() for one in family.samples]
    return sum(float(one.value) for one in samples if one.name.endswith("_total"))


def only_worker(served: Served) -> _Worker:
    worker: _Worker = next(iter(served.parts.decoders._pool._all))
    return worker


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(1000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within 10 seconds")


@pytest.mark.slow
@pytest.mark.parametrize(("archive", "least"), [("malformed_pngsuite.tar.gz", 160), ("malformed_pillow.tar.gz", 400)])
def test_malformed_archives(archive: str, least: int, shared_data: Path, serve: Serve, photo_db: Path) -> None:
    if not (shared_data / archive).exists():
        pytest.skip(f"{archive} is absent")
    with serve(photo_db) as served:
        before, statuses = peak(), Counter[int]()
        for number, (name, content) in enumerate(members(shared_data / archive)):
            answer = post(served, content, verify="false" if number % 8 else "true")  # which takes most of the time
            statuses[answer.status_code] += 1
            assert answer.status_code in (200, 422), (name, answer.text)
            assert answer.status_code == 200 or reason(answer), name
        assert statuses[200] >= least, statuses
        assert peak() - before < GROWTH
        assert served.client.get("/status").json()["ready"]


def png(width: int, height: int, rows: bytes) -> bytes:
    """A grey PNG whose header claims this many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_bombs_are_refused(serve: Serve, photo_db: Path, photo_bytes: list[bytes]) -> None:
    with serve(photo_db, max_pixels=40_000_000, memory=100 << 20) as served:
        before = peak()
        huge = post(served, png(30_000, 30_000, b""))
        assert huge.status_code == 422
        assert "megapixels" in reason(huge)
        assert "--max-pixels" not in reason(huge)  # which is for the command line
        endless = post(served, png(2**31 - 1, 2**31 - 1, b"\0" * 1000))
        assert endless.status_code == 422
        large = Image.new("RGBA", (6000, 6000), (1, 2, 3, 4))  # 144 MB of pixels in a file of some 100 kB
        answer = post(served, encoded(large, "png"))
        assert (answer.status_code, "memory" in reason(answer)) == (422, True), answer.text
        assert peak() - before < GROWTH
        assert post(served, photo_bytes[0]).status_code == 200


def test_a_long_text_in_a_png_is_no_trouble(served: Served) -> None:
    from PIL import PngImagePlugin

    about = PngImagePlugin.PngInfo()
    about.add_text("comment", "0" * 50_000_000, zip=True)
    assert post(served, encoded(Image.new("L", (8, 8)), "png", pnginfo=about)).status_code in (200, 422)


def test_a_dead_process_costs_one_request_at_most(serve: Serve, photo_db: Path, photo_bytes: list[bytes]) -> None:
    with serve(photo_db) as served:
        for one in list(served.parts.decoders._pool._all):
            os.kill(one.process.pid, signal.SIGKILL)
        wait_until(lambda: not served.parts.decoders.alive)
        statuses = [post(served, photo_bytes[0]).status_code for _ in range(6)]
        assert statuses == [200] * 6
        assert deaths(served) == 2


def test_stopping_while_processes_are_replaced_leaves_none(serve: Serve, photo_db: Path) -> None:
    with serve(photo_db) as served:
        parts = served.parts.decoders
        old = [one.process.pid for one in parts._pool._all]
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not parts.alive)
        assert post(served, b"GIF89a").status_code == 422  # which makes it see that they are gone
    assert not parts.alive
    assert not any(os.path.exists(f"/proc/{pid}") for pid in old)


def test_a_process_that_ends_before_it_decodes_costs_nothing(
    serve: Serve, photo_db: Path, photo_bytes: list[bytes]
) -> None:
    with serve(photo_db, workers=1) as served, concurrent.futures.ThreadPoolExecutor() as pool:
        worker = only_worker(served)
        os.kill(worker.process.pid, signal.SIGSTOP)  # so that it dies with a question in its hands
        asked = pool.submit(post, served, photo_bytes[0])
        while not worker.is_asked:
            time.sleep(0.01)
        os.kill(worker.process.pid, signal.SIGKILL)
        assert asked.result().status_code == 200
        assert deaths(served) == 1


def test_a_slow_decoder_is_ended(serve: Serve, photo_db: Path, photo_bytes: list[bytes]) -> None:
    with serve(photo_db, workers=1, seconds=0.5) as served:
        os.kill(only_worker(served).process.pid, signal.SIGSTOP)
        answer = post(served, photo_bytes[0])
        assert answer.status_code == 422
        assert "longer than 0.5 seconds" in reason(answer)
        assert post(served, photo_bytes[0]).status_code == 200


def test_one_slow_image_does_not_hold_up_others(serve: Serve, photo_db: Path, photo_bytes: list[bytes]) -> None:
    with serve(photo_db, workers=2, seconds=5) as served, concurrent.futures.ThreadPoolExecutor() as pool:
        os.kill(next(iter(served.parts.decoders._pool._all)).process.pid, signal.SIGSTOP)
        answers = list(pool.map(lambda content: post(served, content), photo_bytes[:10]))
        assert sorted(answer.status_code for answer in answers)[:9] == [200] * 9


@pytest.mark.parametrize("said", [True, False], ids=["said", "in pieces"])
def test_a_long_body_is_refused(said: bool, serve: Serve, photo_db: Path, photo_bytes: list[bytes]) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'--y\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        yield from (b"x" * 65536 for _ in range(64))

    with serve(photo_db, max_body=1 << 20) as served:
        content: Any = b"x" * (4 << 20) if said else pieces()
        headers = {"content-type": "multipart/form-data; boundary=y"}
        answer = served.client.post("/api/search", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]["type"]) == (413, "too_large")
        assert "1 MiB" in reason(answer)
        assert post(served, photo_bytes[0]).status_code == 200


def test_a_body_that_does_not_come_is_not_waited_for(serve: Serve, photo_db: Path) -> None:
    with serve(photo_db, body_seconds=0.5) as served:
        host, port = served.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
                f"POST /api/search HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
                "Content-Length: 100\r\n\r\n{".encode()
            )
            connection.settimeout(10)
            with connection.makefile("rb") as answer:
                assert b"did not arrive" in answer.read()


@pytest.mark.slow
def test_many_at_once_and_some_that_leave(served: Served, photo_bytes: list[bytes]) -> None:
    def ask(number: int) -> int:
        with httpx.Client(base_url=served.url, timeout=60, trust_env=False) as client:
            if number % 5 == 0:  # gone before the answer
                try:
                    client.post("/api/search", files={"file": photo_bytes[0]}, timeout=0.001)
                except httpx.TimeoutException:
                    return 0
            sent: Any = (
                {"json": {"id": number % 40 + 1}} if number % 2 else {"files": {"file": photo_bytes[number % 40]}}
            )
            return client.post("/api/search", **sent).status_code

    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        statuses = Counter(pool.map(ask, range(200)))
    assert set(statuses) <= {0, 200}
    assert statuses[200] >= 160
    assert served.client.get("/status").json()["decoders"] == 2


def test_a_connection_cut_in_the_middle_of_a_file(served: Served, photo_bytes: list[bytes]) -> None:
    host, port = served.url.removeprefix("http://").split(":")
    for _ in range(5):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
                f"POST /api/search HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 100000\r\n"
                "Content-Type: multipart/form-data; boundary=y\r\n\r\n--y\r\nContent-Disposition: form-data; "
                'name="file"; filename="x"\r\n\r\n'.encode()
                + photo_bytes[0][:500]
            )
    assert post(served, photo_bytes[0]).status_code == 200


def test_what_is_shown_is_what_was_encoded(served: Served, photo_bytes: list[bytes]) -> None:
    with io.BytesIO(photo_bytes[0]) as file:
        size = Image.open(file).size
    query = post(served, photo_bytes[0]).json()["query"]
    assert (query["width"], query["height"], query["format"]) == (*size, "JPEG")
