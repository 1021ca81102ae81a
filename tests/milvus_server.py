"""A real Milvus server for tests, in the virtual environment made by `make milvus`.

The environment variable LOOKALIKE_MILVUS gives another one. Without either, these tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
VENV = Path(os.environ.get("LOOKALIKE_MILVUS", ROOT / ".milvus"))

RUN = """
import socket, sys, time, urllib.request
from milvus import MilvusServer, MilvusServerConfig

def bound(self, port):  # also a port that was in use a moment ago
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(("127.0.0.1", port))
        return sock
    except OSError:
        sock.close()

MilvusServerConfig.try_bind_port = bound
server = MilvusServer(wait_for_started=False, proxy_port=int(sys.argv[2]), etcd_port=int(sys.argv[3]))
server.config.set("proxy.timeTickInterval", 20)  # ms, not 200: how long a strong read waits
server.set_base_dir(sys.argv[1])
server.start()
print(server.server_proc.pid, flush=True)
while server.server_proc.poll() is None:
    try:
        if b"OK" in urllib.request.urlopen(f"http://127.0.0.1:{server.webservice_port}/healthz").read():
            print("ready", flush=True)
            break
    except OSError:
        time.sleep(0.1)
sys.stdin.read()  # until whoever started this is gone
server.stop()
"""
ETCD = """
name: default
listen-client-urls: http://127.0.0.1:{client}
advertise-client-urls: http://127.0.0.1:{client}
listen-peer-urls: http://127.0.0.1:{peer}
initial-advertise-peer-urls: http://127.0.0.1:{peer}
initial-cluster: default=http://127.0.0.1:{peer}
"""


class Running:
    """A server of a folder's data that can be stopped and restarted at the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        (VENV / "unpacked").mkdir(exist_ok=True)
        (folder / "bin").symlink_to(VENV / "unpacked")  # takes seconds, so shared by all servers
        self._etcd = free_port()
        (folder / "etcd.yaml").write_text(ETCD.format(client=self._etcd, peer=free_port()))
        self.start()

    def address(self, name: str, options: str = "") -> str:
        return f"milvus://127.0.0.1:{self.port}/{name}{options}"

    def start(self) -> None:
        self._wrapper = subprocess.Popen(
            [VENV / "bin/python", "-c", RUN, self.folder, str(self.port), str(self._etcd)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "ETCD_CONFIG_PATH": f"{self.folder}/etcd.yaml"},
        )  # fmt: skip
        assert self._wrapper.stdout is not None
        self._pid = int(self._wrapper.stdout.readline())
        if self._wrapper.stdout.readline() != "ready\n":
            raise RuntimeError(f"the Milvus server did not start; see {self.folder}/logs")

    def kill(self) -> None:
        """Kill it, as if the machine failed."""
        os.kill(self._pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        self._wrapper.communicate()  # closes its input; it ends the server, by SIGKILL if need be


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def milvus() -> Iterator[Running]:
    """An empty server for the tests of one file, as an idle one uses a quarter of a core."""
    if not (VENV / "bin/milvus-server").exists():
        pytest.skip(f"there is no Milvus server in {VENV}; make one with: make milvus")
    pytest.importorskip("pymilvus")
    folder = Path(tempfile.mkdtemp(prefix="milvus"))
    running = Running(folder)
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
