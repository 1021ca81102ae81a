"""The examples run, on a small collection."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

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


def run(script: str, *arguments: object, cwd: Path) -> str:
    command = [sys.executable, str(EXAMPLES / script), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def persons(photo_folder: Path, tmp_path: Path) -> Path:
    """A folder `photos` with labels, in which an image is twice, and a folder `test` with an edited copy."""
    images = sorted(photo_folder.rglob("*.png"))
    shutil.copy(images[0], images[0].with_name("again.png"))
    (tmp_path / "test").mkdir()
    Image.open(images[1]).convert("RGB").save(tmp_path / "test/leaked.jpg", quality=60)
    return tmp_path


def test_a_photographer_gets_a_plan_and_keeps_all_files(persons: Path) -> None:
    said = run("photographer.py", "db", "photos", "test", cwd=persons)
    assert "1 files can go" in said
    assert (persons / "db/plan.csv").read_text().count(",remove,") == 1
    assert len(list(persons.glob("photos/*/again.png"))) == 1


def test_an_engineer_gets_a_training_set_without_leaks_and_copies(persons: Path) -> None:
    run("ml_engineer.py", "photos", "test", "out", cwd=persons)
    count = sum(file.is_file() for file in (persons / "photos").rglob("*"))
    assert (persons / "out/leaked.txt").read_text() == f"{persons / 'test/leaked.jpg'}\n"
    assert len((persons / "out/train.txt").read_text().splitlines()) == count - 2


def test_a_researcher_gets_a_table_beside_chance(persons: Path) -> None:
    lines = run("researcher.py", "photos", cwd=persons).splitlines()
    assert [line.split()[:2] for line in lines[2:]] == [["default", "64"], ["default-128", "128"], ["random", "64"]]


def test_a_moderator_gets_an_answer_for_each_upload(persons: Path) -> None:
    (persons / "bad.md5").write_text(f"{hashlib.md5(b'no image').hexdigest()}  bad.jpg\n")
    for name, content in (("bad.jpg", b"no image"), ("worse.jpg", b"no image either")):
        (persons / "test" / name).write_bytes(content)
    said = run("moderator.py", "db", "photos", "bad.md5", "test", cwd=persons)
    lines = {Path(line.split("\t")[1]).name: line for line in said.splitlines() if "\t" in line}
    assert {name: line.split("\t")[0] for name, line in lines.items()} == {
        "bad.jpg": "block", "leaked.jpg": "block", "worse.jpg": "unreadable",
    }  # fmt: skip
    assert "known: edited copy" in lines["leaked.jpg"]
    assert len((persons / "db.audit.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("script", ["photographer.py", "ml_engineer.py", "researcher.py", "moderator.py"])
def test_scripts_of_people_are_short(script: str) -> None:
    assert len((EXAMPLES / script).read_text().splitlines()) <= 40


def test_wrong_arguments_are_reported_in_a_line(photo_folder: Path, tmp_path: Path) -> None:
    assert "does not exist; name a folder" in encode("nowhere", tmp_path / "codes").stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    assert "is not empty; name a new folder" in encode(photo_folder, tmp_path / "full").stderr
