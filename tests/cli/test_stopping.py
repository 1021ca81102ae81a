"""Ctrl-C and SIGTERM while a decoder is busy: exit within two seconds, records kept, no process left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lookalike.database import Database
from tests.imaging.isolation.bombs import slow_jpeg
from tests.imaging.isolation.processes import below, resident

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
BUSY = 150 << 20  # memory of a worker that decodes the bomb
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom lookalike.cli import main; main()"
)


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bomb") / "bomb.jpg"
    slow_jpeg(path)
    return path


def started(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def busy(process: subprocess.Popen[str]) -> list[int]:
    """The process ids of the workers, once one of them decodes the bomb."""
    while process.poll() is None:
        pids = list(below(process.pid))
        if any(resident(pid) > BUSY for pid in pids):
            return pids
        time.sleep(0.01)
    raise AssertionError(process.communicate())


def is_there(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_index_stops_while_a_bomb_is_decoded(
    number: int, code: int, bomb: Path, photo_bytes: list[bytes], model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in range(90):  # some are recorded before the bomb is decoded, whatever the batch size
        (folder / f"{name:02}.jpg").write_bytes(photo_bytes[name % 40] + bytes(name))
    (folder / "bomb.jpg").symlink_to(bomb)
    with started("index", folder, "--db", tmp_path / "db", "--model", model) as process:
        pids = busy(process)
        began = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate()
        assert time.monotonic() - began < 2
    assert (process.returncode, out) == (code, "")
    (line,) = err.splitlines()
    said = re.match(rf"lookalike: Stopped\. {re.escape(str(tmp_path / 'db'))} now has (\d+) images", line)
    assert said is not None
    assert not any(is_there(pid) for pid in pids)
    with Database.open(tmp_path / "db") as database:
        assert len(database) == int(said[1]) > 0
        assert all(finding.ok for finding in database.verify())


@pytest.mark.slow
@pytest.mark.parametrize("command", ["search", "encode"])
def test_other_commands_stop_too(command: str, bomb: Path, model: Path, photo_folder: Path, tmp_path: Path) -> None:
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(photo_folder)
    given: list[str | Path] = ["--db", tmp_path / "db"] if command == "search" else ["--model", model]
    with started(command, bomb, *given) as process:
        pids = busy(process)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate()
        assert time.monotonic() - began < 2
    assert (process.returncode, err.splitlines()[-1]) == (143, "lookalike: Stopped")
    assert not any(is_there(pid) for pid in pids)


@pytest.mark.slow
def test_a_killed_command_leaves_no_worker(bomb: Path, model: Path, tmp_path: Path) -> None:
    with started("index", bomb, "--db", tmp_path / "db", "--model", model) as process:
        pids = busy(process)
        ends = [os.pidfd_open(pid) for pid in pids]
        process.kill()
    for end in ends:
        assert ended(end)
        os.close(end)


def ended(end: int) -> bool:
    import select

    poller = select.poll()
    poller.register(end, select.POLLIN)
    return bool(poller.poll(5000))


def test_what_stopped_nothing_leaves_signals_as_they_were(tmp_path: Path) -> None:
    from lookalike.cli.stopping import sigterm_as_ctrl_c

    before = signal.getsignal(signal.SIGTERM)
    with sigterm_as_ctrl_c() as signals:
        assert signals.exit_code == 130
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        assert signals.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) is before
