"""`lookalike calibrate`, as users see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run


@pytest.fixture
def db(run: Run, photo_folder: Path, model: Path, tmp_path: Path) -> Path:
    assert run("index", photo_folder, "--db", tmp_path / "db", "--model", model).code == 0
    return tmp_path / "db"


@pytest.fixture
def uploads(photo_folder: Path, tiny_bytes: list[bytes], tmp_path: Path) -> Path:
    folder, known = tmp_path / "uploads", photo_folder / "cats/01.png"
    folder.mkdir()
    (folder / "stranger.jpg").write_bytes(tiny_bytes[500])
    (folder / "damaged.jpg").write_bytes(tiny_bytes[0][:200])
    (folder / "known.png").write_bytes(known.read_bytes())
    Image.open(known).convert("RGB").save(folder / "edited.jpg", quality=60)
    return folder


def test_rates_are_said_stored_and_settled_by_labels(run: Run, db: Path, uploads: Path, photo_folder: Path) -> None:
    assert "calibrated" not in run("info", "--db", db).out
    few = ("calibrate", "--db", db, "--images", 1, "--background", uploads)
    result = run(*few, "--suspected", "pairs.tsv")
    assert result.code == 0
    searches, *lines = result.out.splitlines()
    assert searches == (
        "about 1 wrong match in 2 searches (1 in 1 to 1 in 79); 40 images in the collection, none of them in the "
        "background"
    )
    assert lines == [
        "wrong searches    1 of 2: 50 % (1.26 to 98.7)",
        "wrong pairs       1 of 80: 1.25 % (0.0316 to 6.77)",
        "found re-encoded  1 of 1: 100 % (2.5 to 100)",
        "found edited      1 of 1: 100 % (2.5 to 100)",
        "found reshaped    1 of 1: 100 % (2.5 to 100)",
    ]
    for text in (
        f"left out, in the collection: 1 image\n  {uploads}/known.png\n",
        f"unreadable: 1 image\n  {uploads}/damaged.jpg: ",
        "called copies, and counted as wrong, unless they are labelled same: 1 pair, in pairs.tsv; correct the labels",
    ):
        assert text in result.err
    info = run("info", "--db", db)
    assert ": about 1 wrong match in 2 searches (1 in 1 to 1 in 79) among 40 images; copies found: re-enc" in info.out
    pairs = Path("pairs.tsv").read_text()
    assert pairs == f"{uploads}/edited.jpg\t{photo_folder}/cats/01.png\tdifferent\n"
    Path("pairs.tsv").write_text(pairs.replace("different", "same"))
    values = json.loads(run(*few, "--pairs", "pairs.tsv", "--json").out)
    assert (values["per_query"]["count"], values["per_query"]["total"], values["per_pair"]["total"]) == (0, 2, 80)
    assert (values["suspected_pairs"], values["present"]) == ([], [f"{uploads}/known.png"])
    stored = json.loads(run("info", "--db", db, "--json").out)["calibration"]
    assert stored == {name: values[name] for name in stored}
    assert run("calibrate", "--db", db, "--forget").err == "the calibration was dropped\n"
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


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["--images", "0"], 2, "Invalid value for '--images'"),
        (["--pairs", "absent.tsv"], 1, "absent.tsv: No such file or directory; --pairs needs a file of labelled pairs"),
        (["--background", "absent"], 1, "absent does not exist; name a folder"),
        (["--background", "."], 1, "there are no images here"),
        (["--forget", "--pairs", "absent.tsv"], 2, "--forget measures nothing"),
    ],
)
def test_wrong_arguments(
    run: Run, db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, error: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
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
