"""The server under load: 1 million codes, one client, then 50, beside a plain FastAPI and FAISS server.

    python benchmarks/serve.py [--quick] [--seconds 60] [--image FILE]

The other is serve_peer.py. Both are asked the same: a code 3 bits from a stored one, the 10 nearest. Clients keep their
connections and ask again as soon as they are answered; so with 50 of them a request waits for 49 others, and its time
is at best 50 times the server's share of one. `paced` are 50 clients that ask twice a second each, as people do. Ours
is measured as one process and as several; with `--image` it is also sent that file.

clip-retrieval's back end is no peer that runs here: it cannot start without downloading weights of CLIP.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import record
import uvloop
from search import CENTRES, FLIPPED, flipped, near, uniform

from lookalike import Database
from lookalike.core.codes import Codes, to_hex

CLIENTS, TOP, WIDTH = 50, 10, 8
QUERIES = 10_000
PROCESSES = 2  # of ours, in the second measurement
PAUSE = 0.5  # seconds between two requests of a paced client
BORDER = "lookalike-benchmark"
Requests = list[bytes]


def request(body: bytes, kind: str) -> bytes:
    """An HTTP request, as its bytes."""
    head = (
        f"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def by_code(codes_NW: Codes) -> Requests:
    """Searches by codes."""
    return [request(json.dumps({"code": to_hex(code), "top": TOP}).encode(), "application/json") for code in codes_NW]


def by_image(content: bytes) -> Requests:
    """A search by an image file."""
    head = f'--{BORDER}\r\nContent-Disposition: form-data; name="file"; filename="query"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{BORDER}--\r\n".encode()
    return [request(body, f"multipart/form-data; boundary={BORDER}")]


async def client(port: int, requests: Requests, first: int, end: float, pause: float) -> tuple[list[float], int]:
    """Milliseconds of each request of one client until `end`, and how many were not answered with 200."""
    times, errors, number = [], 0, first
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(pause * (first / 197 % CLIENTS) / CLIENTS)  # paced clients do not ask all at once
    while (began := time.perf_counter()) < end:
        writer.write(requests[number % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.I)
        await reader.readexactly(int(length[1]) if length else 0)
        errors += not head.startswith(b"HTTP/1.1 200")
        times.append(1e3 * (time.perf_counter() - began))
        number += 1
        if pause:
            await asyncio.sleep(max(0, pause - (time.perf_counter() - began)))
    writer.close()
    return times, errors


async def ask(port: int, requests: Requests, *, clients: int, seconds: float, pause: float = 0) -> dict[str, Any]:
    """What so many clients see."""
    end = time.perf_counter() + seconds
    starts = [client(port, requests, 197 * number, end, pause) for number in range(clients)]
    found = await asyncio.gather(*starts)
    times = [value for one, _ in found for value in one]
    return {
        "clients": clients,
        "requests": len(times),
        "errors": sum(errors for _, errors in found),
        "per_second": len(times) / seconds,
        "p50_ms": statistics.median(times),
        "p99_ms": float(np.percentile(times, 99)),
    }


def memory(pid: int) -> float:
    """MiB that a process and all that it has started hold; what several share is counted for each."""
    size = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    own = int(size[1]) / 1024 if size else 0.0
    children = (path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return own + sum(memory(int(one)) for found in children for one in found)


def measure(port: int, pid: int, requests: Requests, seconds: float) -> dict[str, Any]:
    """One client, then 50 as fast as they can, then 50 that pause."""

    def load(**given: Any) -> dict[str, Any]:
        return uvloop.run(ask(port, requests, **given))  # the lighter client, as it shares the cores with the server

    load(clients=CLIENTS, seconds=seconds / 10)  # so that all is warm
    single = load(clients=1, seconds=max(2, seconds / 4))
    before = memory(pid)
    first = load(clients=CLIENTS, seconds=seconds / 2)
    middle = memory(pid)
    many = load(clients=CLIENTS, seconds=seconds)
    paced = load(clients=CLIENTS, seconds=seconds / 2, pause=PAUSE)
    for one in (first, many, paced):
        one["p99_times_single_median"] = one["p99_ms"] / single["p50_ms"]
    return {"single": single, "many": many, "paced": paced, "errors_before": first["errors"],
            "memory_mib": {"before": before, "after_half": middle, "after": memory(pid)}}  # fmt: skip


@contextmanager
def running(command: list[str], port: Callable[[subprocess.Popen[str]], int]) -> Iterator[tuple[int, int]]:
    """A server's port and process, until the end."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield port(process), process.pid
    finally:
        process.terminate()
        process.wait(30)


def printed_port(process: subprocess.Popen[str]) -> int:
    """The port in the address that `lookalike serve` prints."""
    assert process.stdout is not None
    return int(process.stdout.readline().strip().rstrip("/").rpartition(":")[2])


def free_port() -> int:
    """A port that nobody uses now."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[str]) -> int:
    """The port, once somebody listens."""
    import socket

    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return port
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server ended before it listened")


def same(one: int, other: int, requests: Requests) -> int:
    """To how many of 100 queries two servers give other distances."""

    async def distances(port: int) -> list[list[int]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        found = []
        for sent in requests[:100]:
            writer.write(sent)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.I)
            assert length is not None
            answer = json.loads(await reader.readexactly(int(length[1])))
            found.append([hit["distance"] for hit in answer["hits"]])
        writer.close()
        return found

    pairs = zip(asyncio.run(distances(one)), asyncio.run(distances(other)), strict=True)
    return sum(first != second for first, second in pairs)


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100,000 codes, some seconds; writes no record")
    parser.add_argument("--seconds", type=float, default=60, help="of each measurement with 50 clients")
    parser.add_argument("--image", type=Path, help="an image file to search by, too")
    given = parser.parse_args()
    count, seconds = (100_000, 3.0) if given.quick else (1_000_000, given.seconds)
    random = np.random.default_rng(0)
    centres = uniform(CENTRES, WIDTH, random)
    codes_NW = flipped(centres[random.integers(0, CENTRES, count)], FLIPPED, random)
    requests = by_code(near(codes_NW, QUERIES, random))
    with tempfile.TemporaryDirectory() as folder:
        codes, db, port = Path(folder) / "codes.npy", Path(folder) / "db", free_port()
        np.save(codes, codes_NW)
        with Database.create(db) as database:
            database.import_codes(codes, root=folder)
        ours = [sys.executable, "-m", "lookalike", "serve", "--db", os.fspath(db), "--port", "0"]
        peer = [sys.executable, os.fspath(Path(__file__).with_name("serve_peer.py")), os.fspath(codes), str(port)]
        results: dict[str, Any] = {}
        with running(ours, printed_port) as (own, pid):
            with running(peer, lambda process: wait_for(port, process)) as (other, _):
                results["wrong_of_100"] = same(own, other, requests)
            results["lookalike"] = measure(own, pid, requests, seconds)
            if given.image:
                results["lookalike by image"] = measure(own, pid, by_image(given.image.read_bytes()), seconds)
        with running([*ours, "--processes", str(PROCESSES)], printed_port) as (own, pid):
            results[f"lookalike, {PROCESSES} processes"] = measure(own, pid, requests, seconds)
        with running(peer, lambda process: wait_for(port, process)) as (other, pid):
            results["fastapi and faiss"] = measure(other, pid, requests, seconds)
    peers = results["fastapi and faiss"]["many"]["per_second"]
    for name in ("lookalike", f"lookalike, {PROCESSES} processes"):
        results[name]["times_faster"] = results[name]["many"]["per_second"] / peers
    print(json.dumps(results, indent=2))
    if not given.quick:
        values = {"what": f"{count} codes of {8 * WIDTH} bits, {CLIENTS} clients for {seconds:g} s, top {TOP}"}
        versions = record.machine("lookalike", "numpy", "faiss-cpu", "fastapi", "uvicorn")
        print(record.write("serve", {**values, "results": results, **versions}))


if __name__ == "__main__":
    main()
