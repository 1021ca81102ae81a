"""An indexing whose process is killed is completed by the same command: no image is missing, none is there twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lookalike.database import Database
from lookalike.errors import DatabaseError

Check = Callable[..., None]


def held(path: Path) -> int:
    """How many images a database has by now, which another process writes."""
    try:
        with Database.open(path) as database:
            return len(database)
    except DatabaseError:
        return 0


@pytest.mark.parametrize("at", [(0,), (1,), (1, 100)])
def test_a_killed_indexing_is_completed_by_the_next(
    at: tuple[int, ...], tmp_path: Path, tiny_bytes: list[bytes], model: Path, check: Check
) -> None:
    folder, db = tmp_path / "photos", tmp_path / "db"
    for number, data in enumerate(tiny_bytes[:300]):
        place = folder / f"{number % 7}/{number:03}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    command = [sys.executable, "-m", "lookalike", "index", str(folder), "--db", str(db), "--model", str(model)]
    for least in at:  # images recorded when the process is killed
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not (held(db) >= least and db.exists()):
            time.sleep(0.005)
        process.kill()
        assert process.wait() in (-signal.SIGKILL, 0)  # a quick one may have ended
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    assert held(db) == 300, said
    check(db, folder)
