"""Groups, plans and their execution, as users see them."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from tests.conftest import encoded
from tests.duplicates.test_verification import photograph

from .conftest import Result, Run


@pytest.fixture
def folder(pictures: list[Image.Image], tmp_path: Path) -> Path:
    """Two images, one of them three times."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.png").write_bytes(encoded(pictures[1], "png"))
    (folder / "b.png").write_bytes(encoded(pictures[1], "png"))
    (folder / "c.bmp").write_bytes(encoded(pictures[1], "bmp"))
    (folder / "z.png").write_bytes(encoded(pictures[7], "png"))
    os.utime(folder / "c.bmp", (0, 0))
    return folder


@pytest.fixture
def db(run: Run, folder: Path, tmp_path: Path) -> Path:
    assert run("index", folder, "--db", tmp_path / "db").code == 0
    return tmp_path / "db"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_best_copy_and_the_likeness_of_others_are_reported(run: Run, db: Path) -> None:
    result = run("duplicates", "--db", db)
    rows = [line.split("\t") for line in result.out.splitlines() if line]
    assert [(Path(row[-1]).name, row[0].partition(" (")[0]) for row in rows] == [
        ("a.png", "same pixels"),
        ("b.png", "same pixels"),
        ("c.bmp", "best: oldest file"),
    ]
    (group,) = [
        json.loads(line) for line in run("duplicates", "--db", db, "--json", "--skip-pixel-check").out.splitlines()
    ]
    assert [image["tier"] for image in group["images"]] == ["near", "near", "kept"]
    assert (Path(group["best"]).name, group["state"]) == ("c.bmp", "undecided")


def test_a_plan_is_written_done_and_undone(run: Run, db: Path, folder: Path, tmp_path: Path) -> None:
    before = names(folder)
    result = run("plan", tmp_path / "plan.csv", "--db", db)
    assert result.code == 0, result.err
    assert "1 with 2 files to remove" in result.out
    assert "nothing is changed yet" in result.err
    rows = list(csv.DictReader((tmp_path / "plan.csv").read_text().splitlines()))
    assert [(row["action"], Path(row["path"]).name) for row in rows] == [
        ("remove", "a.png"), ("remove", "b.png"), ("keep", "c.bmp"),
    ]  # fmt: skip
    apply = ["apply", tmp_path / "plan.csv", "--db", db, "--trash", tmp_path / "trash"]
    assert run(*apply, "--dry-run").out.count("would be done") == 2
    assert names(folder) == before
    done = run(*apply, "--json")
    assert [json.loads(line)["outcome"] for line in done.out.splitlines()] == ["done", "done"]
    assert "2 files moved" in done.err
    assert "lookalike undo" in done.err
    assert names(folder) == {"c.bmp", "z.png"}
    assert run("duplicates", "--db", db).out == ""
    back = run("undo", tmp_path / "plan.csv.undo.jsonl", "--db", db)
    assert (back.code, back.out.count("done\t")) == (0, 2)
    assert names(folder) == before
    assert run("duplicates", "--db", db).out.count("\n") == 4


def test_a_plan_for_links_goes_by_bytes(run: Run, db: Path, folder: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    assert run("plan", plan, "--db", db).code == 0
    refused = run("apply", plan, "--db", db, "--hardlink")
    assert refused.code == 1
    assert "2 of 2 files left alone; the first: " in refused.err
    assert run("plan", plan, "--db", db, "--skip-pixel-check").code == 0
    done = run("apply", plan, "--db", db, "--hardlink")
    assert (done.code, done.out) == (0, f"done\t{folder / 'b.png'}\n")
    assert (folder / "a.png").samefile(folder / "b.png")


def test_what_only_looks_alike_goes_on_request(run: Run, db: Path, folder: Path, tmp_path: Path) -> None:
    (folder / "b.png").unlink()
    (folder / "c.bmp").unlink()
    with Image.open(folder / "a.png") as picture:
        (folder / "small.png").write_bytes(encoded(picture.resize((40, 40)), "png"))
    run("index", folder, "--db", db)
    plan = tmp_path / "plan.json"
    first = run("plan", plan, "--db", db, "--radius", 8)
    assert json.loads(plan.read_text())["groups"] == []
    assert "--include-edited" in first.err
    run("plan", plan, "--db", db, "--radius", 8, "--include-edited")
    (group,) = json.loads(plan.read_text())["groups"]
    assert {Path(one["path"]).name: one["action"] for one in group["images"]} == {
        "a.png": "keep",
        "small.png": "remove",
    }


def test_mirrored_copies_are_found_and_described(run: Run, db: Path, folder: Path, tmp_path: Path) -> None:
    for name in ("b.png", "c.bmp"):
        (folder / name).unlink()
    with Image.open(folder / "a.png") as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "mirrored.png")
    run("index", folder, "--db", db)
    result = run("duplicates", "--db", db)
    assert {Path(line.split("\t")[-1]).name for line in result.out.splitlines() if line} == {"a.png", "mirrored.png"}
    assert "edited copy: mirrored" in result.out
    assert "1 group of 2 images: 1 edited copy" in result.err
    assert run("duplicates", "--db", db, "--orientations").out == result.out  # until the next release
    assert run("duplicates", "--db", db, "--strictness", "strict").out == ""
    (group,) = map(json.loads, run("duplicates", "--db", db, "--json").out.splitlines())
    assert sorted((one["relation"], one["edits"][:1]) for one in group["images"]) == [
        ("edited", ["mirror"]), ("exact", []),
    ]  # fmt: skip
    plan = tmp_path / "plan.json"
    run("plan", plan, "--db", db, "--include-edited")
    entries = json.loads(plan.read_text())["groups"][0]["images"]
    (why,) = (one["why"] for one in entries if one["action"] == "remove")
    assert why.startswith("edited copy: mirrored")


def shot(picture: Image.Image, moved: int, *, blur: float = 0.0) -> Image.Image:
    """The same scene a moment later: something in it has moved."""
    later = picture.copy()
    later.paste(picture.crop((90, 60, 190, 160)), (90 + moved, 60 + moved // 2))
    return later.filter(ImageFilter.GaussianBlur(blur))


def taken(picture: Image.Image, path: Path, time: str) -> None:
    exif = Image.Exif()
    exif[0x0132] = time
    picture.save(path, quality=95, exif=exif)


def scenes(result: Result) -> list[tuple[list[str], str]]:
    """The names of the images of each scene in order, and that of the sharpest."""
    found = [json.loads(line) for line in result.out.splitlines()]
    return [([Path(one["path"]).name for one in each["images"]], Path(each["sharpest"]).name) for each in found]


def test_bursts_are_listed_by_time_and_never_planned(run: Run, tmp_path: Path) -> None:
    folder, db, picture = tmp_path / "burst", tmp_path / "db", photograph(5)
    folder.mkdir()
    taken(shot(picture, 12, blur=1), folder / "a.jpg", "2024:05:01 10:00:02")
    taken(shot(picture, 24), folder / "b.jpg", "2024:05:01 10:00:01")
    taken(shot(picture, 36, blur=1), folder / "c.jpg", "2024:05:01 12:30:00")
    taken(shot(picture, -12, blur=1), folder / "d.jpg", "2024:05:03 10:00:00")
    taken(shot(picture, -36), folder / "e.jpg", "2024:05:03 10:00:01")
    taken(shot(picture, 18), folder / "alone.jpg", "2024:07:01 10:00:00")
    photograph(6).save(folder / "other.jpg")
    run("index", folder, "--db", db)
    result = run("duplicates", "--db", db)
    assert (result.code, result.out) == (0, "")
    assert "6 images in bursts and series: other shots of a scene, no copies" in result.err
    result = run("duplicates", "--db", db, "--same-scene", "--json")
    assert scenes(result) == [(["b.jpg", "a.jpg", "c.jpg"], "b.jpg"), (["d.jpg", "e.jpg"], "e.jpg")]
    assert "2 bursts and series of 5 images; plans never remove them" in result.err
    said = run("duplicates", "--db", db, "--same-scene").out.splitlines()
    assert [line.split("\t")[:2] for line in said[:2]] == [
        ["sharpest", "2024-05-01 10:00:01"], ["same scene", "2024-05-01 10:00:02"],
    ]  # fmt: skip
    assert run("plan", tmp_path / "plan.json", "--db", db, "--include-edited").code == 0
    assert json.loads((tmp_path / "plan.json").read_text())["groups"] == []


def test_one_product_in_four_colours_is_one_scene_without_copies(run: Run, tmp_path: Path) -> None:
    folder, db = tmp_path / "shirts", tmp_path / "db"
    folder.mkdir()
    picture, cloth = photograph(7).convert("L"), Image.new("L", (320, 240))
    ImageDraw.Draw(cloth).polygon(
        [(60, 30), (260, 30), (300, 110), (240, 120), (240, 230), (80, 230), (80, 120), (20, 110)], 255
    )
    for colour in ("red", "green", "blue", "gold"):
        shirt = Image.composite(ImageOps.colorize(picture, "black", "white", colour), picture.convert("RGB"), cloth)
        shirt.save(folder / f"{colour}.jpg", quality=92)
    run("index", folder, "--db", db)
    assert run("duplicates", "--db", db).out == ""
    result = run("duplicates", "--db", db, "--same-scene", "--json")
    assert [names for names, _ in scenes(result)] == [["blue.jpg", "gold.jpg", "green.jpg", "red.jpg"]]
    found = run("search", folder / "red.jpg", "--db", db, "--json").out.splitlines()
    assert [json.loads(line)["relation"] for line in found] == ["exact", *["same-scene"] * 3]


def test_portraits_of_one_person_are_not_copies(run: Run, shared_data: Path, tmp_path: Path) -> None:
    if not (shared_data / "same_scene.parquet").exists():
        pytest.skip(f"{shared_data} has no same_scene.parquet")
    folder, db = tmp_path / "portraits", tmp_path / "db"
    folder.mkdir()
    rows = pq.read_table(shared_data / "same_scene.parquet", filters=[("label_name", "==", "Faces")]).to_pylist()[:10]
    for number, row in enumerate(rows):
        (folder / f"{number}.jpg").write_bytes(row["image"])
    run("index", folder, "--db", db)
    assert run("duplicates", "--db", db, "--strictness", "thorough").out == ""
    result = run("duplicates", "--db", db, "--same-scene", "--json")
    assert sum(len(names) for names, _ in scenes(result)) >= 5


def test_neighbours_are_verified(run: Run, db: Path, tmp_path: Path) -> None:
    for name, options, said in (
        ("verified.parquet", (), ""),
        ("codes.parquet", ("--no-verify",), ""),
        ("codes.npy", (), "A .npy file holds distances of codes only"),
    ):
        result = run("neighbours", tmp_path / name, "--db", db, "--top", 3, *options)
        assert result.code == 0
        assert said in result.err
        assert said or not result.err
    rows = {Path(row["path"]).name: row for row in pq.read_table(tmp_path / "verified.parquet").to_pylist()}
    assert sorted(rows["a.png"]["relations"][:2]) == ["exact", "same-pixels"]
    assert rows["a.png"]["verified"][:2] == [True, True]
    assert "relations" not in pq.read_table(tmp_path / "codes.parquet").column_names


def test_pictures_that_differ_are_excluded_and_counted(run: Run, db: Path, tmp_path: Path) -> None:
    def shown(*options: str, of: Path = db) -> tuple[list[str], str]:
        result = run("duplicates", "--db", of, "--radius", 64, *options)
        return [Path(line.split("\t")[-1]).name for line in result.out.splitlines() if line], result.err

    found, said = shown()
    assert found == ["a.png", "b.png", "c.bmp"]
    assert "skipped 3 candidate pairs whose pictures do not match" in said
    every, said = shown("--no-verify")
    assert sorted(every) == ["a.png", "b.png", "c.bmp", "z.png"]
    assert "skipped" not in said
    assert run("export", tmp_path / "codes.parquet", "--db", db).code == 0
    assert run("import", tmp_path / "codes.parquet", "--db", tmp_path / "other").code == 0
    every, said = shown(of=tmp_path / "other")
    assert sorted(every) == ["a.png", "b.png", "c.bmp", "z.png"]
    assert "4 images compared by code alone" in said
    assert "skipped" not in said


def test_what_is_compared_across_parts_is_the_same_picture(
    run: Run, db: Path, folder: Path, pictures: list[Image.Image], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "y.png").write_bytes(encoded(pictures[9], "png"))
    run("index", other, "--db", db)
    leaked = ("leakage", folder, other, "--db", db, "--radius", 64)
    assert "0 of 1 image" in run(*leaked).err
    assert "1 of 1 image" in run(*leaked, "--no-verify").err
    asked = ("duplicates", "--db", db, "--radius", 64)
    assert run(*asked, "--reference", other).out == ""
    assert "y.png" in run(*asked, "--reference", other, "--no-verify").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["apply", "p.json"], "--trash FOLDER or --hardlink"),
        (["apply", "p.json", "--trash", "t", "--hardlink"], "one of them"),
        (["duplicates", "--trash", "t"], "No such option"),
    ],
)
def test_options_that_say_nothing_together_are_wrong_usage(arguments: list[str], said: str, run: Run, db: Path) -> None:
    result = run(*arguments, "--db", db)
    assert result.code == 2
    assert said in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["apply", "absent.json", "--hardlink"], "absent.json is unreadable"),
        (["undo", "absent"], "absent is unreadable"),
        (["plan", "plan.txt"], "must end in .json or .csv"),
        (["plan", "absent/plan.csv"], "absent is not a folder"),
        (["plan", "p.csv", "--prefer", "prettiest"], "must be one of folder=PATH"),
    ],
)
def test_mistakes_are_reported_in_a_line(arguments: list[str], said: str, run: Run, db: Path) -> None:
    result = run(*arguments, "--db", db)
    assert result.code == 1
    assert said in result.err
    assert result.err.count("\n") <= 2


def test_old_names_still_work(run: Run, db: Path, folder: Path, tmp_path: Path) -> None:
    old = ("duplicates", "--db", db)
    plan = tmp_path / "plan.json"
    assert (
        run(*old, "--all", "--plain", "--turned", "--by-code", "--quick").out
        == run(*old, "--ignore-decisions", "--include-blank", "--orientations", "--no-verify", "--skip-pixel-check").out
    )
    assert "1 with 1 file to remove" in run(*old, f"--plan={plan}", "--quick").out
    assert "1 with 2 files to remove" in run(*old, "--plan", plan, "--near", "--allow-metadata-loss").out
    before = names(folder)
    assert "2 files moved" in run(*old, "--apply", plan, "--trash", tmp_path / "trash").err
    assert "2 files put back" in run(*old, "--undo", f"{plan}.undo.jsonl").err
    assert names(folder) == before
    assert "are also in" in run(*old, "--between", folder, folder).err
    assert run("duplicates", "--help").out.count("--all") == 0


def test_copies_of_references_are_found_and_references_stay(run: Run, db: Path, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "new.png").write_bytes((folder / "a.png").read_bytes())
    run("index", other, "--db", db)
    result = run("duplicates", "--db", db, "--reference", other, "--plan", tmp_path / "plan.json")
    assert result.code == 0, result.err
    (group,) = json.loads((tmp_path / "plan.json").read_text())["groups"]
    assert [(Path(one["path"]).name, one["action"], one["tier"]) for one in group["images"]] == [
        ("new.png", "keep", "kept"),
        ("a.png", "remove", "same bytes"),
        ("b.png", "remove", "same bytes"),
        ("c.bmp", "remove", "same pixels"),
    ]
    assert run("duplicates", "--db", db, "--reference", other).out.split("\t")[0] == "reference"
    assert "neither a folder nor a label" in run("duplicates", "--db", db, "--reference", "absent").err


def test_groups_within_one_folder_are_excluded(run: Run, db: Path, folder: Path, tmp_path: Path) -> None:
    result = run("duplicates", "--db", db, "--not-same-folder")
    assert (result.out, "left out: 1 group within one folder" in result.err) == ("", True)
    assert "0 with 0 files to remove" in run("plan", tmp_path / "plan.json", "--db", db, "--not-same-folder").out
    (folder / "below").mkdir()
    (folder / "below" / "d.png").write_bytes((folder / "z.png").read_bytes())
    run("index", folder, "--db", db)
    (group,) = [
        json.loads(line) for line in run("duplicates", "--db", db, "--not-same-folder", "--json").out.splitlines()
    ]
    assert {Path(image["path"]).name for image in group["images"]} == {"d.png", "z.png"}


def test_what_leaked_from_one_part_to_another_is_reported(run: Run, db: Path, folder: Path, tmp_path: Path) -> None:
    test = tmp_path / "test"
    test.mkdir()
    (test / "leaked.png").write_bytes((folder / "b.png").read_bytes())
    Image.effect_noise((64, 64), 90).save(test / "own.png")
    run("index", test, "--db", db)
    result = run("leakage", folder, test, "--db", db)
    assert result.out == f"exact copy\t{test / 'leaked.png'}\t{folder / 'a.png'}\n"
    assert "1 of 2 images in" in result.err
    assert "(50.0%)" in result.err
    one, summary = [json.loads(line) for line in run("leakage", folder, test, "--db", db, "--json").out.splitlines()]
    assert (one["copies"], one["tier"], one["relation"]) == (3, "same bytes", "exact")
    assert (summary["copied"], summary["second"], summary["share"]) == (1, 2, 0.5)


@pytest.fixture
def told(run: Run, tmp_path: Path, pictures: list[Image.Image]) -> Path:
    """A folder with a dated photograph, and an undated copy of the same pixels."""
    folder = tmp_path / "told"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0132] = "2024:05:01 10:00:00"
    (folder / "dated.png").write_bytes(encoded(pictures[3], "png", exif=exif))
    (folder / "sent.png").write_bytes(encoded(pictures[3], "png", compress_level=0))
    assert run("index", folder, "--db", tmp_path / "told.db").code == 0
    return folder


def actions(plan: Path) -> dict[str, tuple[str, str, str]]:
    rows = csv.DictReader(plan.read_text().splitlines())
    return {Path(row["path"]).name: (row["action"], row["why"], row["loses"]) for row in rows}


def test_the_only_copy_with_a_date_stays(run: Run, told: Path, tmp_path: Path) -> None:
    plan, asked = tmp_path / "p.csv", ("plan", tmp_path / "p.csv", "--db", tmp_path / "told.db")
    assert run(*asked).code == 0
    assert actions(plan) == {"dated.png": ("keep", "has date", ""), "sent.png": ("remove", "same pixels", "")}
    largest = (*asked, "--prefer", "largest")
    spared = run(*largest)
    assert "1 file kept as the only copy with a date, place or camera; --allow-metadata-loss" in spared.err
    assert actions(plan) == {}  # nothing is left to be removed
    lost = run(*largest, "--allow-metadata-loss")
    assert "1 removed file with metadata that no kept copy has" in lost.err
    assert actions(plan) == {
        "dated.png": ("remove", "same pixels", "date"), "sent.png": ("keep", "preferred: largest file", ""),
    }  # fmt: skip
    shown = run("duplicates", "--db", tmp_path / "told.db", "--prefer", "largest")
    assert "loses: date" in shown.out
