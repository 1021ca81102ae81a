"""Worker processes for threads: a failure in one costs one image, with a reason, and none outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lookalike.core.errors import ConfigError, ImageError, RetryableImageError
from lookalike.imaging import decode
from lookalike.imaging.decode import ImageSpec
from lookalike.imaging.files import content_digest
from lookalike.imaging.isolation import pool, process
from lookalike.imaging.isolation.decoders import Direct
from lookalike.imaging.isolation.limits import MEMORY, DecodeLimits
from lookalike.imaging.isolation.pool import Pool, _Budget
from tests.conftest import encoded
from tests.imaging.isolation.bombs import png, sparse

LIMITS = DecodeLimits()
SPEC = ImageSpec(side=32)


@pytest.fixture(scope="module")
def workers() -> Iterator[Pool]:
    with Pool(LIMITS, workers=1) as made:
        yield made


@pytest.fixture
def one() -> Iterator[Pool]:
    """A worker that may be ended."""
    with Pool(replace(LIMITS, seconds=0.3), workers=1) as made:
        with made.opened(encoded(Image.new("L", (8, 8)), "png")) as image:  # it has started
            image.array(SPEC)
        yield made


def pid_of(one: Pool) -> int:
    return next(iter(one._all)).process.pid


def test_the_same_comes_out_as_in_this_process(workers: Pool, photo_folder: Path) -> None:
    for path in sorted(photo_folder.rglob("*.*"))[:16]:
        content = path.read_bytes()
        for source in (os.fspath(path), content):
            for decoders in (workers, Direct(LIMITS)):
                with decoders.opened(source) as image:
                    assert (image.digest, image.length, image.error) == (content_digest(content), len(content), None)
                    found, expected = image.array(SPEC), decode.decode(content, SPEC)
                    assert (found.array == expected.array).all()
                    assert (found.width, found.height, found.format) == (
                        expected.width, expected.height, expected.format,
                    )  # fmt: skip
                    assert image.pixel_digest() == decode.pixel_digest(content)
                    assert image.picture(50).shape == (*decode.thumbnail(content, 50).size[::-1], 3)


@pytest.mark.parametrize("is_isolated", [True, False])
def test_what_cannot_be_decoded_has_a_reason_and_most_often_a_digest(
    is_isolated: bool, workers: Pool, tmp_path: Path
) -> None:
    decoders = workers if is_isolated else Direct(LIMITS)
    (tmp_path / "text").write_bytes(b"no image")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "cut.png").write_bytes(encoded(Image.new("L", (99, 99)), "png")[:60])
    sparse(tmp_path / "huge.jpg", start=b"\xff\xd8\xff", size=1 << 40)
    os.mkfifo(tmp_path / "pipe")
    for name, reason, has_digest in (
        ("text", "not an image", True),
        ("empty", "the file is empty", False),
        ("huge.jpg", "1,099,512 MB; files of up to 537 MB", False),
        ("pipe", "not a file, but a pipe", False),
    ):
        with decoders.opened(tmp_path / name) as image:
            assert reason in str(image.error)
            assert (image.digest is not None) is has_digest
            with pytest.raises(ImageError, match=reason):
                image.array(SPEC)
    with decoders.opened(tmp_path / "cut.png") as image:
        assert (image.error, image.length) == (None, 60)
        with pytest.raises(ImageError):
            image.array(SPEC)
    for name in ("nothing", "a\0b"):
        with pytest.raises(OSError, match=r"No such file|null"), decoders.opened(tmp_path / name):
            pass


def test_a_large_file_that_is_not_an_image_is_digested_in_pieces(workers: Pool, tmp_path: Path) -> None:
    content = os.urandom(1 << 20) * 40
    (tmp_path / "film").write_bytes(content)
    with workers.opened(tmp_path / "film") as image:
        assert (image.digest, image.length) == (content_digest(content), len(content))


def test_what_needs_more_than_the_usual_memory_gets_more(tmp_path: Path) -> None:
    content = png(6000, 6000)
    with Pool(replace(LIMITS, usual_memory=32 << 20), workers=1) as made, made.opened(content) as image:
        assert image.array(SPEC).width == 6000


def test_what_needs_too_much_can_be_tried_again(tmp_path: Path) -> None:
    content = png(6000, 6000)
    with Pool(replace(LIMITS, usual_memory=32 << 20, memory=64 << 20), workers=1) as made:
        for _ in range(2):
            with made.opened(content) as image, pytest.raises(RetryableImageError, match="--max-pixels 400000000"):
                image.array(SPEC)
        with made.opened(png(10, 10)) as image:
            assert image.array(SPEC).width == 10


def test_more_pixels_allow_more_memory() -> None:
    assert DecodeLimits.of(1000).memory == DecodeLimits.of(200_000_000).memory == MEMORY
    assert DecodeLimits.of(400_000_000).memory > 3 << 30
    assert DecodeLimits.of(400_000_000).file_bytes > 3 << 30


def test_what_takes_too_long_is_ended_and_can_be_tried_again(one: Pool) -> None:
    before = pid_of(one)
    with one.opened(png(10, 10)) as image:
        os.kill(before, signal.SIGSTOP)
        with pytest.raises(RetryableImageError, match=r"longer than 0\.3 seconds"):
            image.array(SPEC)
    with one.opened(png(11, 10)) as image:
        assert image.array(SPEC).width == 11
    assert pid_of(one) != before


@pytest.mark.parametrize(
    ("number", "error", "reason"),
    [(signal.SIGSEGV, ImageError, "crashed"), (signal.SIGKILL, RetryableImageError, "SIGKILL")],
)
def test_a_crash_costs_one_image(one: Pool, number: int, error: type[Exception], reason: str) -> None:
    with one.opened(png(10, 10)) as image:
        os.kill(pid_of(one), number)
        with pytest.raises(error, match=reason) as caught:
            image.array(SPEC)
        assert type(caught.value) is error
    with one.opened(png(11, 10)) as image:
        assert image.array(SPEC).width == 11


def test_a_worker_that_died_idle_costs_nothing(one: Pool) -> None:
    os.kill(pid_of(one), signal.SIGKILL)
    with one.opened(png(11, 10)) as image:
        assert image.array(SPEC).width == 11


def test_nothing_is_left_of_the_image_before(workers: Pool, photo_bytes: list[bytes]) -> None:
    for decoders in (workers, Direct(LIMITS)):
        for content in (photo_bytes[0], b""):
            with decoders.opened(content) as image:
                assert (image.digest, image.length) == (content_digest(content), len(content))
        with decoders.opened(b"") as image, pytest.raises(ImageError, match="the file is empty"):
            image.array(SPEC)


def test_many_threads_and_few_workers(photo_bytes: list[bytes]) -> None:
    def read(content: bytes) -> bytes | None:
        with made.opened(content) as image:
            image.array(SPEC)
            return image.digest

    with Pool(LIMITS, workers=2) as made, ThreadPoolExecutor(8) as threads:
        assert list(threads.map(read, photo_bytes)) == [content_digest(content) for content in photo_bytes]


def test_workers_without_a_fork(monkeypatch: pytest.MonkeyPatch, photo_bytes: list[bytes]) -> None:
    monkeypatch.setattr(process, "CAN_FORK", False)
    with Pool(LIMITS, workers=1) as made:
        for content in photo_bytes[:2]:
            with made.opened(content) as image:
                assert (image.array(SPEC).array == decode.decode(content, SPEC).array).all()
            os.kill(pid_of(made), signal.SIGKILL)


@pytest.mark.skipif(not process.CAN_FORK, reason="workers are started one by one")
def test_the_end_of_what_forks_workers_costs_nothing(photo_bytes: list[bytes]) -> None:
    with Pool(LIMITS, workers=2) as made:
        made.wait()
        made._server._process.kill()  # type: ignore[union-attr]
        made._server._process.wait()  # type: ignore[union-attr]
        for content in photo_bytes[:4]:
            with made.opened(content) as image:
                assert image.digest == content_digest(content)


def test_workers_that_do_not_start_are_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for command in ([sys.executable, "-c", "raise SystemExit(3)"], ["/nowhere"]):
        monkeypatch.setattr(process, "_command", lambda memory, mode, command=command: command)
        monkeypatch.setattr(process, "PAUSE", 0.01)
        with (
            Pool(LIMITS, workers=1) as made,
            pytest.raises(ConfigError, match="do not start"),
            made.opened(b""),
        ):
            pass


def test_closing_ends_what_is_being_decoded(photo_bytes: list[bytes]) -> None:
    made = Pool(replace(LIMITS, seconds=60), workers=1)
    began = threading.Event()

    def read() -> None:
        with made.opened(photo_bytes[0]) as image:
            os.kill(pid_of(made), signal.SIGSTOP)
            began.set()
            image.array(SPEC)

    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(read)
        began.wait()
        pids = [worker.process.pid for worker in made._all]
        made.close()
        with pytest.raises(ImageError):
            reading.result()
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


PARENT = """
import sys
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.imaging.isolation.pool import Pool
made = Pool(DecodeLimits(), workers=1)
with made.opened(sys.argv[1]) as image:
    print(*(one.process.pid for one in made._all), flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs pidfd")
@pytest.mark.parametrize("is_stopped", [False, True])
def test_no_worker_outlives_a_parent_that_is_killed(is_stopped: bool, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(10, 10))
    command = [sys.executable, "-c", PARENT, os.fspath(tmp_path / "a.png")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        ends = [os.pidfd_open(pid) for pid in pids]
        if is_stopped:  # a busy worker does not notice that its stdin was closed
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
        parent.kill()
    assert ends
    for end in ends:
        _wait(end)
        os.close(end)


def _wait(end: int) -> None:
    import select

    poller = select.poll()
    poller.register(end, select.POLLIN)
    assert poller.poll(10_000), "a worker outlived its parent"


def test_memory_is_shared_in_the_order_of_asking() -> None:
    budget, order = _Budget(10), list[str]()
    has_asked = threading.Event()

    def take(name: str, amount: int, then: Callable[[], object]) -> None:
        then()
        with budget.taken(amount):
            order.append(name)

    with budget.taken(6):
        large = threading.Thread(target=take, args=("large", 100, has_asked.set))
        large.start()
        has_asked.wait()
        while not budget._waiting:
            pass
        small = threading.Thread(target=take, args=("small", 1, lambda: None))
        small.start()
        while len(budget._waiting) < 2:
            pass
        assert order == []
    large.join()
    small.join()
    assert order == ["large", "small"]
    assert budget._left == 10


def test_in_this_process_without_isolation() -> None:
    with pool.make_decoders(LIMITS, isolation=False) as chosen:
        assert isinstance(chosen, Direct)
