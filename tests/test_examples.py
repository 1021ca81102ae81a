"""The examples run, on a small collection."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lookalike.database import Database

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1"}


def encode(*arguments: object) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("ray.data")
    command = [sys.executable, str(EXAMPLES / "encode_with_ray.py"), *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, **QUIET}, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_codes_of_a_cluster_are_those_of_this_machine(
    photo_folder: Path, photo_bytes: list[bytes], model: Path, tmp_path: Path
) -> None:
    (photo_folder / "cats/broken.png").write_bytes(b"no image")
    done = encode(photo_folder, tmp_path / "codes", "--model", model)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "40 codes, 1 images could not be read" in done.stdout
    (errors,) = pq.read_table(tmp_path / "codes/errors").to_pylist()
    assert errors["path"].endswith("broken.png")

    with Database.create(tmp_path / "here", model=model) as here, Database.create(tmp_path / "db", model=model) as db:
        here.index(photo_folder)
        command = ["import", tmp_path / "codes", "--db", tmp_path / "db", "--root", photo_folder]
        taken = subprocess.run([sys.executable, "-m", "lookalike", *map(str, command)], capture_output=True, text=True)
        assert taken.returncode == 0, taken.stderr
        expected = {one.name: (one.code, one.width, one.height) for one in here.records() if one.code is not None}
        assert {one.name: (one.code, one.width, one.height) for one in db.records()} == expected


@pytest.mark.slow
def test_a_table_is_encoded_too(photo_bytes: list[bytes], model: Path, tmp_path: Path) -> None:
    paths = [f"{row:02}.jpg" for row in range(40)]
    pq.write_table(pa.table({"image": photo_bytes, "path": paths}), tmp_path / "images.parquet")
    done = encode(tmp_path / "images.parquet", tmp_path / "codes", "--model", model, "--workers", 1)
    assert done.returncode == 0, done.stderr[-3000:]
    with Database.create(tmp_path / "db", model=model) as db:
        for file in sorted((tmp_path / "codes").glob("*.parquet")):
            db.import_codes(file, root=tmp_path)
        codes = {record.path: record.code for record in db.records()}
        expected_NW = db.hasher.encode(photo_bytes)
        assert [codes[path] for path in paths] == [bytes(code) for code in expected_NW]


def test_wrong_arguments_are_reported_in_a_line(photo_folder: Path, tmp_path: Path) -> None:
    assert "does not exist; name a folder" in encode("nowhere", tmp_path / "codes").stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    assert "is not empty; name a new folder" in encode(photo_folder, tmp_path / "full").stderr
