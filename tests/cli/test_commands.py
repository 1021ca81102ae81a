"""Every command on real files, and its messages when something is wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps

from lookalike.cli import COMMANDS, GROUPS, terminal

from .conftest import Run


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def db(run: Run, photo_folder: Path, tmp_path: Path) -> Path:
    """A database of real photographs, made with the built-in model."""
    result = run("index", photo_folder, "--db", tmp_path / "db")
    assert result.code == 0, result.err
    return tmp_path / "db"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_index_counts_every_file(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    (photo_folder / "notes.txt").write_text("no image")
    (photo_folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    first = json.loads(run("index", photo_folder, "--db", tmp_path / "db", "--json").out)
    assert first["found"] == len(files(photo_folder))
    assert first["found"] == sum(first[what] for what in ("encoded", "copied", "moved", "unchanged", "failed"))
    assert first["failed"] == 2
    assert {Path(name).name for name, _ in first["problems"]} == {"notes.txt", "broken.jpg"}
    again = json.loads(run("index", photo_folder, "--db", tmp_path / "db", "--json").out)
    assert (again["encoded"], again["unchanged"], again["failed"]) == (0, first["indexed"], 2)


def test_a_thorough_search_prepares_itself(run: Run, db: Path, photo_folder: Path) -> None:
    result = run("search", files(photo_folder)[0], "--db", db, "--thorough")
    assert (result.code, result.out.partition("\t")[0]) == (0, "exact copy")
    assert (db / "variants.npz").exists()
    for option in ("--radius=3", "--no-verify", "--asymmetric"):
        result = run("search", files(photo_folder)[0], "--db", db, "--thorough", option)
        assert (result.code, result.out) == (1, "")
        assert "leave out --radius, --asymmetric and --no-verify" in result.err


def test_index_talks_on_stderr_and_reports_on_stdout(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    (photo_folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    result = run("index", photo_folder, "--db", tmp_path / "db")
    assert result.code == 0
    assert f"{len(files(photo_folder))} images found" in result.out
    assert "broken.jpg: " in result.err


def test_search_finds_the_image_itself_first(run: Run, db: Path, photo_folder: Path) -> None:
    for query in files(photo_folder)[:5]:
        hits = lines(run("search", query, "--db", db, "--top", 3, "--json").out)
        assert len(hits) == 3
        names = {"query", "path", "relation", "edits", "inliers", "agreement", "transform", "verified"}
        assert set(hits[0]) == names | {"distance", "bits", "label"}
        assert hits[0]["query"] == str(query)
        assert (hits[0]["distance"], hits[0]["relation"], hits[0]["verified"]) == (0, "exact", True)
        assert str(query) in [hit["path"] for hit in hits if hit["distance"] == 0]
        raw = lines(run("search", query, "--db", db, "--top", 3, "--json", "--no-verify").out)
        assert [hit["distance"] for hit in raw] == sorted(hit["distance"] for hit in raw)
        assert not any(hit["verified"] for hit in raw[1:])


def test_search_says_what_a_hit_is_in_words(run: Run, db: Path, photo_folder: Path, tmp_path: Path) -> None:
    query = photo_folder / "cats/01.png"
    result = run("search", query, "--db", db, "--top", 1)
    assert (result.out, result.err) == (f"exact copy\t{query}\t0/64\n", "1 copy found\n")
    with Image.open(query) as picture:
        ImageOps.mirror(picture).save(tmp_path / "mirrored.png")
    result = run("search", tmp_path / "mirrored.png", "--db", db, "--top", 1)
    assert result.out.startswith("edited copy: mirrored")
    assert result.err == "1 copy found\n"


def test_search_reports_that_there_is_no_copy(run: Run, db: Path, photo_folder: Path) -> None:
    query = files(photo_folder)[0]
    run("remove", query, "--db", db)
    result = run("search", query, "--db", db, "--top", 40)
    assert result.err == "No copy of this picture here.\n"
    assert {line.split("\t")[0] for line in result.out.splitlines()} <= {"similar", "same scene"}
    assert run("search", query, query, "--db", db).err == "No copy of these pictures here.\n"


def test_hits_of_a_period_say_what_dates_them(run: Run, tmp_path: Path, pictures: list[Image.Image]) -> None:
    folder, db = tmp_path / "dated", tmp_path / "db"
    folder.mkdir()
    about = Image.Exif()
    about[0x0132] = "2019:07:01 10:00:00"
    pictures[0].save(folder / "a.jpg", exif=about)
    pictures[0].save(folder / "b.png")
    os.utime(folder / "b.png", (0, 1_000_000_000))  # in September 2001
    run("index", folder, "--db", db)
    result = run("search", folder / "b.png", "--db", db, "--taken", "2019-07")
    assert result.out.endswith("\ttaken 2019-07-01 10:00:00\n")
    (hit,) = lines(run("search", folder / "a.jpg", "--db", db, "--taken", "..2001", "--json").out)
    assert (Path(hit["path"]).name, hit["taken"][:7], hit["taken_by"]) == ("b.png", "2001-09", "file time")
    assert run("search", folder / "a.jpg", "--db", db, "--taken", "1999").err == "No copy of this picture here.\n"
    assert "expected dates such as 2024" in run("search", folder, "--db", db, "--taken", "now").err


def test_search_says_what_could_not_be_verified(run: Run, db: Path, photo_folder: Path, tmp_path: Path) -> None:
    codes = tmp_path / "codes.npy"
    run("export", codes, "--db", db)
    run("import", codes, "--db", tmp_path / "other")
    result = run("search", files(photo_folder)[0], "--db", tmp_path / "other", "--top", 1)
    assert result.out.startswith("similar (not verified)\t")
    assert "No copy of this picture here.\n32 candidates could not be verified" in result.err


def test_search_with_several_queries_names_each(run: Run, db: Path, photo_folder: Path) -> None:
    first, second = files(photo_folder)[:2]
    result = run("search", first, second, "--db", db, "--top", 1)
    assert [line.split("\t")[0] for line in result.out.splitlines()] == [str(first), str(second)]


def test_search_goes_on_after_a_query_that_cannot_be_read(run: Run, db: Path, photo_folder: Path) -> None:
    good, bad = files(photo_folder)[0], photo_folder / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n")
    result = run("search", bad, good, "--db", db, "--top", 1, "--json")
    assert result.code == 1
    assert [hit["query"] for hit in lines(result.out)] == [str(good)]
    assert "bad.png" in result.err
    assert len(result.err.splitlines()) == 1


def test_search_within_a_radius(run: Run, db: Path, photo_folder: Path) -> None:
    hits = lines(run("search", files(photo_folder)[0], "--db", db, "--radius", 0, "--json").out)
    assert {hit["distance"] for hit in hits} == {0}


def test_duplicates_are_groups_of_the_same_picture(run: Run, db: Path, photo_folder: Path) -> None:
    original = files(photo_folder)[0]
    copy = shutil.copy(original, photo_folder / "copy.png")
    run("index", photo_folder, "--db", db)
    result = run("duplicates", "--db", db, "--radius", 0, "--json")
    groups = [{image["path"] for image in group["images"]} for group in lines(result.out)]
    assert any({str(original), str(copy)} <= group for group in groups)
    assert "group" in result.err
    assert run("duplicates", "--db", db, "--radius", 0, "--json").out == result.out


def test_encode_gives_the_codes_that_index_stores(run: Run, db: Path, photo_folder: Path) -> None:
    query = files(photo_folder)[0]
    (encoded,) = lines(run("encode", query, "--json").out)
    assert (encoded["path"], encoded["bits"], len(encoded["code"])) == (str(query), 64, 16)
    assert run("encode", query).out == f"{encoded['code']}\t{query}\n"


def test_labels_from_folders(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    one, two = files(photo_folder)[:2]
    for name, file in (("cat", one), ("dog", two)):
        (tmp_path / "classes" / name / "deep").mkdir(parents=True)
        shutil.copy(file, tmp_path / "classes" / name / "deep")
    run("index", tmp_path / "classes", "--db", tmp_path / "labels", "--labels-from-folders")
    hit = lines(run("search", two, "--db", tmp_path / "labels", "--top", 1, "--json").out)[0]
    assert hit["label"] == "dog"


def test_what_is_read_again_for_verification_is_reported(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    db = tmp_path / "db"
    assert "verif" not in run("index", photo_folder, "--db", db).out
    assert "thumbnail" not in run("info", "--db", db).out
    with closing(sqlite3.connect(db / "catalog.sqlite")) as connection:  # as an earlier version leaves it
        connection.execute("DELETE FROM thumbnails")
        connection.commit()
    said = run("info", "--db", db).out
    assert "no thumbnail: 40 images, which cannot be verified without their files; read the files with: " in said
    assert f"lookalike index FOLDER --db {db}\n" in said
    assert json.loads(run("info", "--db", db, "--json").out)["without_thumbnail"] == 40
    said = run("index", photo_folder, "--db", db).out
    assert "40 images found: 40 unchanged" in said
    assert "read again for verification: 40 images of an earlier version\n" in said
    assert json.loads(run("index", photo_folder, "--db", db, "--json").out)["refreshed"] == 0


def test_info_says_what_the_words_stand_for_as_models_does(run: Run, db: Path) -> None:
    info = json.loads(run("info", "--db", db, "--json").out)
    assert 4 <= info["duplicate"] <= info["near"]
    said = f"near-duplicate: up to {info['duplicate']} bits; similar: up to {info['similar']} bits\n"
    assert said in run("info", "--db", db).out
    assert said in run("models", "default").out


def test_a_model_that_calls_nothing_near_duplicate_reports_it(
    run: Run, photo_folder: Path, make_model: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_model(near=0, similar=1)
    described = run("models", path).out
    assert "near-duplicate: none: different images can be 1 bit apart here; similar: up to 1 bit\n" in described
    assert described.endswith("within 0)\n")  # no card, and so no blank line
    run("index", photo_folder, "--db", tmp_path / "db", "--model", path)
    result = run("duplicates", "--db", tmp_path / "db")
    assert (result.code, result.err.splitlines()[-1]) == (0, "No duplicates found.")


@pytest.mark.parametrize(("similar", "word", "rate"), [(-1, "none", "1 in 100"), (2, "up to 2 bits", "1 in 10,000")])
def test_a_model_that_cannot_recognise_copies_reports_it(
    run: Run, photo_folder: Path, make_model: Callable[..., Path], tmp_path: Path, similar: int, word: str, rate: str
) -> None:
    path = make_model(near=-1, similar=similar, pairs=780)
    said = f"near-duplicate: none: different images often have equal codes here; similar: {word}\n"
    described = run("models", path).out
    assert said in described
    assert f"(of 780 pairs of different images more than {rate} have equal codes)\n" in described
    assert run("index", photo_folder, "--db", tmp_path / "db", "--model", path).code == 0
    assert said in run("info", "--db", tmp_path / "db").out
    refused = run("duplicates", "--db", tmp_path / "db")
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "cannot identify copies; give --radius 0 to search anyway" in refused.err
    assert run("duplicates", "--db", tmp_path / "db", "--radius", 0).code == 0
    hit = json.loads(run("search", photo_folder / "cats/01.png", "--db", tmp_path / "db", "--top", 1, "--json").out)
    assert (hit["distance"], hit["relation"]) == (0, "exact")


def test_a_folder_that_was_emptied(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    db = tmp_path / "db"
    run("index", photo_folder, "--db", db)
    for path in files(photo_folder):
        path.unlink()
    result = run("index", photo_folder, "--db", db)
    assert result.out.startswith(f"0 images found. {db} has 40 (")
    assert (result.code, "out of reach: 40 images; " in result.err) == (1, True)  # an unplugged drive looks the same
    shutil.rmtree(photo_folder)
    result = run("index", photo_folder, "--db", db)
    assert result.code == 1
    assert f"{photo_folder} no longer exists; " in result.err
    assert f"lookalike remove {photo_folder} --db {db}" in result.err


def test_one_of_each_is_reported_in_the_singular(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    folder, db = tmp_path / "few", tmp_path / "db"
    folder.mkdir()
    shutil.copy(files(photo_folder)[0], folder / "a")
    run("index", folder, "--db", db)
    shutil.copy(folder / "a", folder / "b")
    (folder / "notes.txt").write_text("no image")
    result = run("index", folder, "--db", db)
    assert "3 images found: 1 copy of a known image, 1 unchanged, 1 failed. " in result.out
    assert "1 file is not an image in a supported format" in result.err


def test_searching_where_there_is_nothing_is_no_error_but_said(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    (tmp_path / "few/notes.txt").write_text("no image")
    run("index", tmp_path / "few", "--db", "db")
    result = run("search", files(photo_folder)[0], "--db", "db")
    assert (result.code, result.out) == (0, "")
    assert result.err == "db has no images; add some with: lookalike index IMAGES --db db\n"


def test_a_radius_beyond_the_bits_is_an_error(run: Run, db: Path, photo_folder: Path) -> None:
    for command in (["search", files(photo_folder)[0]], ["duplicates"]):
        result = run(*command, "--db", db, "--radius", 99)
        assert (result.code, result.out) == (1, "")
        assert result.err == "lookalike: radius is 99; codes of 64 bits differ in at most 64\n"
    assert run("search", files(photo_folder)[0], "--db", db, "--radius", 64).code == 0


def test_remove_prune_info_verify(run: Run, db: Path, photo_folder: Path) -> None:
    count = json.loads(run("info", "--db", db, "--json").out)["images"]
    first, second = files(photo_folder)[:2]
    assert f"1 image forgotten; {db} has {count - 1}" in run("remove", first, "--db", db).out
    second.unlink()
    assert f"{db} has {count - 2}" in run("prune", "--db", db).out
    info = json.loads(run("info", "--db", db, "--json").out)
    assert (info["images"], info["bits"], info["missing"]) == (count - 2, 64, 0)
    assert len(run("info", "--db", db, "--paths").out.splitlines()) == count - 2
    (db / "codes.bin").unlink()
    verified = run("verify", "--db", db)
    assert (verified.code, "repaired" in verified.out) == (0, True)
    assert {finding["ok"] for finding in lines(run("verify", "--db", db, "--json").out)} == {True}


def test_verify_fails_on_what_it_cannot_repair(run: Run, photo_folder: Path, model: Path, tmp_path: Path) -> None:
    db = tmp_path / "of a model that is not built in"
    run("index", photo_folder, "--db", db, "--model", model)
    (db / "model.onnx").write_bytes(b"nothing")
    result = run("verify", "--db", db)
    assert result.code == 1
    assert "BAD" in result.out


def test_models_lists_and_describes(run: Run) -> None:
    listed = run("models").out
    assert [line.split("@")[0] for line in listed.splitlines()] == ["default\tcopies-64", "default-128\tcopies-128"]
    (described,) = lines(run("models", "default", "--json").out)
    assert (described["bits"], described["model"], described["architecture"]) == (64, "default", "copies")
    assert described["size"] <= 3_000_000
    assert described["data_name"] in listed
    assert described["card"] in run("models", "default").out


def test_other_model_is_refused_and_reindex_takes_it(run: Run, db: Path, photo_folder: Path, model: Path) -> None:
    refused = run("index", photo_folder, "--db", db, "--model", model)
    assert refused.code == 1
    assert "--reindex" in refused.err
    taken = run("index", photo_folder, "--db", db, "--model", model, "--reindex")
    assert taken.code == 0, taken.err
    assert run("search", files(photo_folder)[0], "--db", db, "--top", 1).code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "x.png", "--db", "none"], "There is no database at none. Make one with: lookalike index"),
        (["index", "none", "--db", "new"], "none does not exist"),
        (["index", ".", "--db", "new", "--model", "nope"], "neither a model file nor one of the built-in models"),
        (["encode", "none"], "none does not exist"),
        (["verify", "--db", "none"], "There is no database at none"),
        (["train", "none"], "none does not exist"),
    ],
)
def test_errors_are_one_line_and_exit_code_1(
    run: Run, arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("something")
    result = run(*arguments)
    assert (result.code, result.out) == (1, "")
    assert said in result.err
    assert len(result.err.splitlines()) == 1
    assert not (tmp_path / "none").exists()


def test_a_failed_first_index_leaves_no_half_database(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("index", tmp_path / "empty", "--db", tmp_path / "db")
    assert result.code == 1
    assert "there are no images here" in result.err
    assert not (tmp_path / "db").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["frob"], ["search"], ["search", "x", "--top", "0"], ["index", "x"],
        ["train", "x", "--minutes", "0"], ["train", "x", "--minutes", "-1"], ["train", "x", "--minutes", "nan"],
    ],
)  # fmt: skip
def test_wrong_usage_is_exit_code_2(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(run: Run, name: str) -> None:
    result = run(name, "--help")
    assert result.code == 0
    assert f"lookalike {name}" in result.out


def test_version(run: Run) -> None:
    assert run("--version").out.startswith("lookalike 0.")


def test_when_nobody_reads_any_more_it_ends_without_a_word(db: Path, photo_folder: Path) -> None:
    for arguments in (["search", photo_folder, "--db", db], ["info", "--db", db, "--paths"], ["--help"]):
        command = [sys.executable, "-m", "lookalike", *map(str, arguments)]
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60)
        os.close(writer)
        assert (done.returncode, done.stderr) == (141, "")


def test_output_cut_off_by_head(db: Path, photo_folder: Path) -> None:
    command = f"{sys.executable} -m lookalike search {photo_folder} --db {db} | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


def test_decoders_are_kept_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    with terminal.quiet_decoders():
        os.write(2, b"chatter of a C library")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_prune_says_what_it_keeps(run: Run, db: Path, photo_folder: Path, tmp_path: Path) -> None:
    photo_folder.rename(tmp_path / "elsewhere")
    result = run("prune", "--db", db)
    assert result.out.startswith("0 images forgotten")
    assert f"  {photo_folder}: No such file or directory (40 images)" in result.err
    assert f"if it is gone for good: lookalike remove {photo_folder} --db {db}" in result.err


def test_bits_that_no_code_can_have_are_wrong_usage(run: Run, photo_folder: Path) -> None:
    result = run("train", photo_folder, "--bits", 65)
    assert result.code == 2
    assert "bits is 65; a code has 8 to 512 bits, in steps of 8" in " ".join(result.err.split())


def test_a_path_that_does_not_exist_is_named_as_written_before_any_work(run: Run, photo_folder: Path) -> None:
    result = run("encode", files(photo_folder)[0], "nowhere.png")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("lookalike: nowhere.png does not exist")


def test_search_lets_bits_count_as_the_query_is_sure_of_them(run: Run, db: Path, photo_folder: Path) -> None:
    query = files(photo_folder)[0]
    result = run("search", query, "--db", db, "--top", 2, "--asymmetric")
    assert result.out.splitlines()[0] == f"exact copy\t{query}\t0/64\tweighted 0.0"
    hits = lines(run("search", query, "--db", db, "--top", 3, "--asymmetric", "--json", "--no-verify").out)
    assert [hit["weighted_distance"] for hit in hits] == sorted(hit["weighted_distance"] for hit in hits)
    assert "weighted_distance" not in lines(run("search", query, "--db", db, "--top", 1, "--json").out)[0]
    result = run("search", query, "--db", db, "--asymmetric", "--radius", 3)
    assert result.code == 1
    assert "leave out --radius" in result.err


def test_search_finds_rotated_copies_without_the_option_that_was_needed_once(
    run: Run, db: Path, photo_folder: Path, tmp_path: Path
) -> None:
    query = photo_folder / "cats/01.png"
    with Image.open(query) as picture:
        picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png")
    for option in ([], ["--orientations"], ["--turned"]):
        result = run("search", tmp_path / "turned.png", "--db", db, "--top", 1, *option)
        assert result.out.startswith(f"edited copy: turned 90°\t{query}\t")
        assert ("--orientations does nothing any more" in result.err) == bool(option)


def test_backup_and_restore(run: Run, db: Path, photo_folder: Path, tmp_path: Path) -> None:
    made = run("backup", tmp_path / "backup", "--db", db)
    assert (made.code, made.out) == (0, f"{tmp_path / 'backup'} has 40 images; verified\n")
    again = run("backup", tmp_path / "backup", "--db", db)
    assert again.code == 1
    assert "is not empty; choose a new or empty folder" in again.err
    before = run("search", photo_folder / "cats/01.png", "--db", db, "--json").out
    shutil.rmtree(db)
    shutil.move(tmp_path / "backup", db)
    assert run("search", photo_folder / "cats/01.png", "--db", db, "--json").out == before
    assert run("verify", "--db", db).code == 0


def test_help_is_grouped_and_no_summary_is_cut(run: Run) -> None:
    text = run("--help").out
    for group, names in GROUPS.items():
        assert f"\n{group}:\n" in text
        for name in names:
            (line,) = re.findall(rf"^  {name} +(\S.*)$", text, re.M)
            assert line.endswith(".")
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "..." not in text.replace("[ARGS]...", "")


def test_a_mistyped_command_is_answered_with_the_right_one(run: Run) -> None:
    result = run("serach", "photo.jpg")
    assert result.code == 2
    assert "No such command 'serach'. Did you mean 'search'?" in result.err
