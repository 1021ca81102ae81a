"""`lookalike calibrate` and `--plain`, as users see them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run


@pytest.fixture
def db(run: Run, photo_folder: Path, model: Path, tmp_path: Path) -> Path:
    Image.open(photo_folder / "cats/01.png").convert("RGB").save(photo_folder / "again.jpg", quality=60)
    assert run("index", photo_folder, "--db", tmp_path / "db", "--model", model).code == 0
    return tmp_path / "db"


def test_calibrating_says_distances_and_how_sure_they_are(run: Run, db: Path, photo_folder: Path) -> None:
    result = run("calibrate", "--db", db, "--images", 3)
    assert result.code == 0
    lines = result.out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["same", "near-duplicate", "similar"]
    assert "with 95 % confidence (none of 819)" in lines[2]
    assert "too few images to measure 1e-06: 1,415 are needed" in result.err
    assert "left out because they may show the same picture: 1 pair, 1 of them near-duplicates" in result.err
    assert f"  {photo_folder}/cats/01.png\t{photo_folder}/again.jpg" in result.err.splitlines() or (
        f"  {photo_folder}/again.jpg\t{photo_folder}/cats/01.png" in result.err.splitlines()
    )


def test_all_commands_say_it_in_words(run: Run, db: Path, photo_folder: Path) -> None:
    assert "calibrated" not in run("info", "--db", db).out
    result = run("calibrate", "--db", db, "--images", 3, "--json")
    values = json.loads(result.out)
    assert (values["compared"], values["edited"], len(values["suspected_pairs"])) == (41, 3, 1)
    assert values["expected"]["near-duplicate"][0] == 0
    near = values["rates"]["near-duplicate"]["distance"]
    info = run("info", "--db", db).out
    assert f"near-duplicate: up to {near} bits" in info
    assert "on 41 images and copies of 3; false near-duplicates among pairs of different images: at most" in info
    assert json.loads(run("info", "--db", db, "--json").out)["calibration"]["images"] == 41
    assert run("search", photo_folder / "cats/01.png", "--db", db, "--json").err == ""
    assert run("duplicates", "--db", db).err.endswith("1 group of 2 images: 1 edited copy\n")
    assert run("calibrate", "--db", db, "--forget").err == "the distances of the model are used again\n"
    assert run("calibrate", "--db", db, "--forget").err == f"{db} was not calibrated\n"
    assert "calibrated" not in run("info", "--db", db).out


def test_a_place_that_cannot_be_written_is_reported_before_any_work(run: Run, db: Path, tmp_path: Path) -> None:
    for place, why in ((tmp_path / "no/x.tsv", "is in a folder that does not exist"), (tmp_path, "is a folder")):
        result = run("calibrate", "--db", db, "--suspected", place)
        assert result.code == 1
        assert f"{place} {why}; choose a writable file" in result.err
    Path("pairs.tsv").write_text("")
    result = run("calibrate", "--db", db, "--pairs", "pairs.tsv", "--suspected", "./pairs.tsv")
    assert result.code == 2
    assert "it is the file of --pairs, which would be overwritten" in " ".join(result.err.split())
    assert "calibrated" not in run("info", "--db", db).out


def test_suspected_pairs_go_out_and_come_back(run: Run, db: Path) -> None:
    assert run("calibrate", "--db", db, "--images", 1, "--suspected", "pairs.tsv").code == 0
    text = Path("pairs.tsv").read_text()
    assert text.endswith("\tsame\n")
    result = run("calibrate", "--db", db, "--images", 1, "--pairs", "pairs.tsv")
    assert "near-duplicate: 1 of 1 labelled same, 0 of 0 labelled different" in result.out
    assert "left out as same pixels, or labelled same: 1 pair" in result.err
    Path("pairs.tsv").write_text(text.replace("\tsame\n", "\tdifferent\n"))
    result = run("calibrate", "--db", db, "--images", 1, "--pairs", "pairs.tsv", "--fpr", "0.002")
    assert "1.2e-03" in result.out


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["--fpr", "2"], 1, "the rate of false pairs is 2; it must be above 0 and at most 0.01"),
        (["--fpr", "few"], 2, "Invalid value for '--fpr'"),
        (["--images", "0"], 2, "Invalid value for '--images'"),
        (["--pairs", "absent.tsv"], 1, "absent.tsv: No such file or directory; --pairs needs a file of labelled pairs"),
        (["--forget", "--pairs", "absent.tsv"], 2, "--forget measures nothing"),
    ],
)
def test_wrong_arguments(run: Run, db: Path, arguments: list[str], code: int, error: str) -> None:
    result = run("calibrate", "--db", db, *arguments)
    assert (result.code, result.out) == (code, "")
    assert error in result.err


def test_a_database_in_milvus_is_refused(run: Run) -> None:
    result = run("calibrate", "--db", "milvus://127.0.0.1:1/photos")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "keeps no calibration; calibrate one in a folder" in result.err


def test_plain_images_are_reported(run: Run, db: Path, photo_folder: Path) -> None:
    for grey in range(3):
        Image.new("L", (64, 64), grey).save(photo_folder / f"plain {grey}.png")
    result = run("index", photo_folder, "--db", db)
    assert f"too little content to be compared: 3 images; list them with: lookalike info --db {db} --bl" in result.out
    listed = run("info", "--db", db, "--blank").out.splitlines()
    assert listed == [f"{photo_folder}/plain {grey}.png\t0" for grey in range(3)]
    assert "plain 0.png" not in run("duplicates", "--db", db).out
    assert "plain 0.png" in run("duplicates", "--db", db, "--include-blank", "--no-verify").out
