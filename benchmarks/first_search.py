"""From a folder of images to a hit: indexing, starting the server, and the first search by an image file.

    python benchmarks/first_search.py IMAGES FILE

IMAGES is a folder or a Parquet file, FILE the image to search by. The two commands are those of the README; every
figure is the median of five servers that were started anew. There is no peer in this measurement.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import record
from serve import by_image, printed_port, running

STARTS = 5


def ask(port: int, content: bytes) -> dict[str, float]:
    """Milliseconds of a search by a file: as the client sees them, and as the server counts its own."""
    head, _, body = by_image(content)[0].partition(b"\r\n\r\n")
    kind = next(line for line in head.decode().splitlines() if line.startswith("Content-Type")).partition(": ")[2]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.perf_counter()
    connection.request("POST", "/api/search", body, {"Content-Type": kind})
    answer = json.loads(connection.getresponse().read())
    return {"client_ms": 1e3 * (time.perf_counter() - began), "server_ms": 1e3 * answer["seconds"]}


def measure(images: Path, file: Path) -> dict[str, Any]:
    """The commands, and the searches."""
    content = file.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lookalike"]
        began = time.perf_counter()
        subprocess.run([*command, "index", images, "--db", f"{folder}/db"], check=True, stdout=subprocess.DEVNULL)
        indexing = time.perf_counter() - began
        starts, firsts, seconds = [], [], []
        for _ in range(STARTS):
            began = time.perf_counter()
            with running([*command, "serve", "--db", f"{folder}/db", "--port", "0"], printed_port) as (port, _):
                starts.append(time.perf_counter() - began)
                firsts.append(ask(port, content))
                seconds.append(ask(port, content))

    def median(found: list[dict[str, float]]) -> dict[str, float]:
        return {name: statistics.median(one[name] for one in found) for name in found[0]}

    return {
        "index_seconds": indexing,
        "start_seconds": statistics.median(starts),
        "first": median(firsts),
        "second": median(seconds),
        "slowest_first_client_ms": max(one["client_ms"] for one in firsts),
    }


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    results = measure(given.images, given.file)
    print(json.dumps(results, indent=2))
    about = record.machine("lookalike", "fastapi", "uvicorn")
    what = f"{given.images.name}, searched by a file of {given.file.stat().st_size} bytes"
    print(record.write("first_search", {"what": what, "results": results, **about}))


if __name__ == "__main__":
    main()
