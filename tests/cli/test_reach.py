"""Messages of the command line about images that are gone, out of reach, or left out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.core import mounts
from lookalike.imaging.edits.catalogue import perturb
from tests.cli.conftest import Run
from tests.duplicates.test_verification import photograph

PLANTED = (("resize", 0.5), ("crop", 0.25), ("mirror", 1), ("grey", 1), ("text", 0.1))


@pytest.fixture
def index(run: Run, photo_folder: Path, tmp_path: Path) -> Path:
    """A database of the photographs."""
    assert run("index", photo_folder, "--db", tmp_path / "db").code == 0
    return tmp_path / "db"


def test_what_is_excluded_is_counted_and_can_be_taken(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    (photo_folder / "#recycle").mkdir()
    shutil.copy(photo_folder / "dogs/00.jpg", photo_folder / "#recycle")
    (photo_folder / "cats/01.xmp").write_text("<x/>")
    result = run("index", photo_folder, "--db", "db", "--exclude", "dogs", "--exclude", "*.gif")
    assert result.code == 0
    assert "left out: 17 excluded, 1 in recycle bins; --include indexes them" in result.out
    assert "companions of photos (sidecars, live-photo videos): 1 file" in result.out
    said = json.loads(run("index", photo_folder, "--db", "db", "--json").out)
    assert said["left_out"] == {"excluded": 17, "recycle bins": 1}
    assert (said["companions"], said["out_of_reach"], said["unreachable"]) == (1, 0, [])
    info = run("info", "--db", "db").out
    assert f"excluded:    *.gif, dogs in {photo_folder}" in info
    assert "left out:    17 excluded, 1 in recycle bins" in info
    info = json.loads(run("info", "--db", "db", "--json").out)
    assert info["exclude"] == {str(photo_folder): ["*.gif", "dogs"]}
    assert info["left_out"] == {"excluded": 17, "recycle bins": 1}
    result = run("index", photo_folder, "--db", "db", "--exclude", "cats", "--include", "dogs")
    assert "no longer in the database, because they are left out now: 23 images" in result.out


@pytest.fixture
def away(run: Run, tmp_path: Path) -> Path:
    """A database of 60 photographs, some of which have a copy, whose folder is out of reach."""
    folder = tmp_path / "drive"
    folder.mkdir()
    for number in range(54):
        photograph(number).save(folder / f"{number:02}.jpg", quality=92)
    shutil.copy(folder / "00.jpg", folder / "00-exact.jpg")
    for number, (edit, strength) in enumerate(PLANTED, start=1):
        copy = perturb(np.asarray(photograph(number)), edit, strength, seed=number)
        Image.fromarray(copy).save(folder / f"{number:02}-{edit}.jpg", quality=85)
    assert run("index", folder, "--db", tmp_path / "db").code == 0
    folder.rename(tmp_path / "unplugged")
    return tmp_path / "db"


def test_copies_are_told_while_their_files_are_out_of_reach(run: Run, away: Path, tmp_path: Path) -> None:
    planted = {("00-exact.jpg", "00.jpg")}
    planted |= {(f"{number:02}-{edit}.jpg", f"{number:02}.jpg") for number, (edit, _) in enumerate(PLANTED, start=1)}
    result = run("duplicates", "--db", away, "--json")
    assert result.code == 0
    groups = [json.loads(line)["images"] for line in result.out.splitlines()]
    assert {tuple(sorted(Path(one["path"]).name for one in images)) for images in groups} == planted
    assert "2 images compared by code alone: the thumbnail is missing or not enough, and" in result.err
    unverified = [one["path"] for images in groups for one in images if not one["verified"]]
    assert [Path(path).name for path in unverified] == ["05-text.jpg"]
    result = run("search", tmp_path / "unplugged/04-grey.jpg", "--db", away)
    assert result.code == 0
    assert [line.split("\t")[0] for line in result.out.splitlines()[:2]] == ["exact copy", "edited copy: in colour"]
    assert "2 copies found" in result.err
    result = run("search", tmp_path / "unplugged/05-text.jpg", "--db", away)
    assert result.out.splitlines()[1].split("\t")[0] == "similar (not verified)"
    assert "could not be verified: the thumbnail is missing or not enough, and the file is out of reach. " in result.err


def test_images_of_a_database_are_compared_by_path_or_id(run: Run, away: Path, tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    result = run("compare", drive / "03.jpg", drive / "03-mirror.jpg", "--db", away)
    assert (result.code, result.out.splitlines()[0]) == (0, "edited copy: mirrored")
    result = run("compare", drive / "05.jpg", drive / "05-text.jpg", "--db", away)
    assert (result.code, result.out.splitlines()[0]) == (1, "similar: not verified")
    found = json.loads(run("compare", "20", "21", "--db", away, "--json").out)
    assert (found["first"], found["relation"], found["verified"]) == ("20", "different", True)
    result = run("compare", drive / "03.jpg", drive / "none.jpg", "--db", away)
    assert (result.code, result.out) == (2, "")
    assert "none.jpg; name one by its path or id" in result.err
    assert run("compare", "1", "2", "--db", away, "--picture", "x.png").code == 2
    assert run("compare", drive / "03.jpg", drive / "03-mirror.jpg").code == 2  # only the database has them


def test_globs_are_refused_before_a_database_is_made(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    result = run("index", photo_folder, "--db", "db", "--exclude", "../x")
    assert (result.code, result.out, Path("db").exists()) == (1, "", False)
    assert "'../x' can match no file; expected a glob" in result.err
    result = run("index", photo_folder / "dogs/00.jpg", "--db", "db", "--exclude", "x")
    assert (result.code, result.out, Path("db").exists()) == (1, "", False)
    assert "--exclude and --include need a folder" in result.err


def test_what_is_out_of_reach_is_reported_by_index_and_info(
    run: Run, index: Path, photo_folder: Path, tmp_path: Path
) -> None:
    (photo_folder / "cats").rename(tmp_path / "cats")
    (photo_folder / "dogs").rename(tmp_path / "dogs")
    result = run("index", photo_folder, "--db", index)
    assert result.code == 1
    assert "out of reach: 40 images; nothing there was marked or removed:" in result.err
    said = json.loads(run("index", photo_folder, "--db", index, "--json").out)
    assert said["out_of_reach"] == 40
    assert [(place["path"], place["images"]) for place in said["unreachable"]] == [(str(photo_folder), 40)]
    assert f"out of reach: 40 images\n  {photo_folder}: none of the known images" in run("info", "--db", index).out
    info = json.loads(run("info", "--db", index, "--json").out)
    assert (info["out_of_reach"], info["missing"], info["images"]) == (40, 0, 40)
    assert run("info", "--db", index, "--errors").out.startswith(f"{photo_folder}\tout of reach: none of the")


def test_prune_shows_what_it_forgets_and_asks_where_it_is_much(run: Run, index: Path, photo_folder: Path) -> None:
    gone = sorted((photo_folder / "cats").iterdir())
    gone[0].unlink()
    result = run("prune", "--db", index)
    assert result.code == 0
    assert f"{photo_folder}: 1 of 40 images gone (2%): cats/01.png\n1 image forgotten" in result.out
    for path in gone[1:8]:
        path.unlink()
    result = run("prune", "--db", index)
    assert (result.code, "forgotten" in result.out) == (1, False)
    assert "18% of the images in" in result.err
    assert "run prune again with --yes. Nothing was changed" in result.err
    result = run("prune", "--db", index, "--dry-run")
    assert f"{photo_folder}: 7 of 39 images gone (18%): " in result.out
    assert "and 2 more\n7 images would be forgotten; nothing was changed\n" in result.out
    assert "7 images forgotten" in run("prune", "--db", index, "--yes").out


def test_network_file_systems_are_reported(
    run: Run, index: Path, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mounts").write_text(
        f"1 1 0:1 / / rw - ext4 /dev/root rw\n2 1 0:2 / {tmp_path} rw - nfs4 nas:/volume1 rw\n"
    )
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mounts")
    result = run("index", photo_folder, "--db", index)
    assert f"{index} is on a network file system (nfs4): use it from one machine at a time" in result.err
    info = run("info", "--db", index).out
    assert "network:     the database is on nfs4; use it from one machine at a time" in info
    assert f"network:     {photo_folder} (nfs4)" in info
