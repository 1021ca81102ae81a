"""`match`, and the banks that other commands fill."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def db(run: Run, photo_folder: Path, model: Path, tmp_path: Path) -> Path:
    """A database with a bank of images and one of digests."""
    done = run("index", photo_folder / "cats", "--db", tmp_path / "db", "--model", model, "--bank", "cats")
    assert (done.code, done.out.splitlines()[-1]) == (0, "bank cats: 26 images added")
    (tmp_path / "list.txt").write_text(f"{hashlib.md5(b'no image').hexdigest()}  bad.jpg\n")
    done = run("import", tmp_path / "list.txt", "--db", tmp_path / "db", "--bank", "list", "--hash", "md5")
    assert done.out.endswith("list.txt: 1 hash, 1 new in the bank list\n")
    return tmp_path / "db"


def test_a_match_is_said_and_is_the_exit_code(run: Run, db: Path, photo_folder: Path, tmp_path: Path) -> None:
    cat, dog = photo_folder / "cats/01.png", photo_folder / "dogs/00.jpg"
    done = run("match", cat, "--db", db, "--audit", tmp_path / "audit.jsonl")
    assert (done.code, done.out) == (0, f"{cat}\tmatch\tcats\texact copy\t{cat}\n")
    assert done.err.startswith(
        "1 of 1 image matches\nOf images that are in no bank, 0.00867 % (0.000218 to 0.0483) match all the same"
    )
    done = run("match", dog, "--db", db, "--json", "--audit", tmp_path / "audit.jsonl")
    assert done.code == 1
    answer = json.loads(done.out)
    assert (answer["path"], answer["matched"], answer["matches"]) == (str(dog), False, [])
    assert answer["rate"]["measured"] == "default"
    assert len((tmp_path / "audit.jsonl").read_text().splitlines()) == 2


def test_what_cannot_be_read_is_an_error_unless_its_bytes_match(run: Run, db: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    (tmp_path / "worse.jpg").write_bytes(b"no image either")
    assert run("match", tmp_path / "bad.jpg", "--db", db).code == 0
    done = run("match", tmp_path / "bad.jpg", tmp_path / "worse.jpg", "--db", db)
    assert (done.code, done.out.splitlines()[1]) == (2, f"{tmp_path / 'worse.jpg'}\tnot read")
    assert f"{tmp_path / 'worse.jpg'}: not an image" in done.err
    done = run("match", tmp_path / "bad.jpg", "--db", db, "--bank", "dogs")
    assert (done.code, "no bank 'dogs'; there are cats, list" in done.err) == (2, True)


def test_banks_are_shown_and_entries_removed(run: Run, db: Path, photo_folder: Path, tmp_path: Path) -> None:
    assert json.loads(run("info", "--db", db, "--json").out)["banks"] == {"cats": {"image": 26}, "list": {"md5": 1}}
    assert "bank:        cats (26 image)\n" in run("info", "--db", db).out
    remove = ("remove", photo_folder / "cats/01.png", "--db", db, "--bank", "cats")
    assert run(*remove).out == "bank cats: 1 entry removed\n"
    done = run("remove", tmp_path / "list.txt", "--db", db, "--bank", "list", "--hash", "md5")
    assert done.out == "bank list: 1 entry removed\n"
    assert run("match", photo_folder / "cats/01.png", "--db", db).code == 1


def test_a_bad_list_changes_nothing(run: Run, db: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{'0' * 32}\nxyz\n")
    done = run("import", tmp_path / "list.txt", "--db", db, "--bank", "list", "--hash", "md5")
    assert (done.code, done.out) == (1, "")
    assert "list.txt, line 2: 'xyz' is no md5 hash; expected 32 hexadecimal digits. Nothing was changed" in done.err
    assert json.loads(run("info", "--db", db, "--json").out)["banks"]["list"] == {"md5": 1}


def test_a_name_is_refused_before_anything_is_indexed(
    run: Run, photo_folder: Path, model: Path, tmp_path: Path
) -> None:
    done = run("index", photo_folder, "--db", tmp_path / "new", "--model", model, "--bank", "my cats")
    assert (done.code, "'my cats' cannot name a bank" in done.err) == (1, True)
