"""Files excluded from a folder, by names of other programs or by globs, and exceptions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lookalike import data
from lookalike.core.errors import ConfigError, DataError
from lookalike.data.leaving_out import (
    BINS,
    COUNTED,
    EXCLUDED,
    HIDDEN,
    LIBRARIES,
    SNAPSHOTS,
    SYSTEM,
    THUMBNAILS,
    LeavingOut,
    count_files,
    escaped,
)  # fmt: skip


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def taken(folder: Path, *, exclude: tuple[str, ...] = (), include: tuple[str, ...] = ()) -> list[str]:
    leave_out = LeavingOut(data.rules([os.fspath(folder)], exclude=exclude, include=include))
    return sorted(item.path for item in data.survey(folder, leave_out=leave_out, may_be_empty=True).items)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("#recycle", BINS), ("@Recycle", BINS), ("$RECYCLE.BIN", BINS), ("$Recycle.Bin", BINS), ("RECYCLER", BINS),
        (".Trash-1000", BINS), (".Trashes", BINS), ("files_trashbin", BINS), ("Network Trash Folder", BINS),
        ("#snapshot", SNAPSHOTS), (".snapshot", SNAPSHOTS), ("@Recently-Snapshot", SNAPSHOTS), (".zfs", SNAPSHOTS),
        ("@GMT-2024.01.01-00.00.00", SNAPSHOTS),
        ("Photos Library.photoslibrary", LIBRARIES), ("iPhoto.photolibrary", LIBRARIES), ("Old.aplibrary", LIBRARIES),
        ("Old.migratedphotolibrary", LIBRARIES), ("Catalog Previews.lrdata", LIBRARIES), ("C.cocatalog", LIBRARIES),
        ("@eaDir", THUMBNAILS), (".@__thumb", THUMBNAILS), (".thumbnails", THUMBNAILS),
        ("System Volume Information", SYSTEM), ("lost+found", SYSTEM), ("__MACOSX", SYSTEM), ("FOUND.000", SYSTEM),
        (".git", HIDDEN),
        ("recycle", None), ("snapshot", None), ("photoslibrary", None), ("Trash", None), ("CaptureOne", None),
    ],
)  # fmt: skip
def test_folders_of_other_programs_are_known(name: str, kind: str | None, tmp_path: Path) -> None:
    touch(tmp_path, f"{name}/a.jpg", f"{name}/deep/b.jpg", "c.jpg")
    survey = data.survey(tmp_path)
    assert (len(survey.items) == 1) == (kind is not None)
    counted = 1 if kind == HIDDEN else 2
    assert dict(survey.left_out) == ({kind: counted} if kind else {})
    assert len(data.find(tmp_path / name)) == 2  # an explicitly named folder is not excluded
    assert len(taken(tmp_path, include=(escaped(name.upper()),))) == 3


def test_a_trash_is_known_by_what_it_holds(tmp_path: Path) -> None:
    touch(tmp_path, "Trash/files/a.jpg", "Trash/info/a.jpg.trashinfo", "CaptureOne/Cache/b.cot", "c.jpg")
    survey = data.survey(tmp_path)
    assert (len(survey.items), dict(survey.left_out)) == (1, {BINS: 2, THUMBNAILS: 1})


NAMES = ("a.jpg", "b.PNG", "raw/c.cr2", "raw/d.jpg", "2019/raw/e.cr2", "2019/x/raw/f.jpg", "2020/g.jpg")


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (("*.png",), {"b.PNG"}),
        (("raw",), {"raw/c.cr2", "raw/d.jpg", "2019/raw/e.cr2", "2019/x/raw/f.jpg"}),
        (("raw/",), {"raw/c.cr2", "raw/d.jpg", "2019/raw/e.cr2", "2019/x/raw/f.jpg"}),
        (("/raw",), {"raw/c.cr2", "raw/d.jpg"}),
        (("2019/raw",), {"2019/raw/e.cr2"}),
        (("2019/*/raw",), {"2019/x/raw/f.jpg"}),
        (("2019/**/raw",), {"2019/raw/e.cr2", "2019/x/raw/f.jpg"}),
        (("**/*.cr2",), {"raw/c.cr2", "2019/raw/e.cr2"}),
        (("20*", "[ab].*"), {"2019/raw/e.cr2", "2019/x/raw/f.jpg", "2020/g.jpg", "a.jpg", "b.PNG"}),
        (("[!a-z].jpg",), set()),
        (("?.jpg/",), set()),
        (("raw/?.jpg",), {"raw/d.jpg"}),
    ],
)
def test_globs(exclude: tuple[str, ...], left: set[str], tmp_path: Path) -> None:
    touch(tmp_path, *NAMES)
    assert set(NAMES) - set(taken(tmp_path, exclude=exclude)) == left


def test_what_is_included_is_taken_from_what_is_excluded(tmp_path: Path) -> None:
    touch(tmp_path, *NAMES, "#recycle/2024/x.jpg", "#recycle/2024/y.png", "#recycle/z.jpg", ".hidden/h.jpg")
    assert "2020/g.jpg" in taken(tmp_path, exclude=("20*",), include=("2020",))
    assert "2019/raw/e.cr2" not in taken(tmp_path, exclude=("20*",), include=("*.cr2",))  # the folder is excluded
    assert "2019/raw/e.cr2" in taken(tmp_path, exclude=("20*",), include=("2019/raw/*.cr2",))
    extra = set(taken(tmp_path, include=("#recycle/2024/*.jpg", "/.hidden"))) - set(NAMES)
    assert extra == {"#recycle/2024/x.jpg", ".hidden/h.jpg"}
    assert "#recycle/2024/y.png" in taken(tmp_path, include=("#recycle/**/*.png",))


def test_rules_hold_below_their_folder_only(tmp_path: Path) -> None:
    one, other = touch(tmp_path / "one", "a/x.jpg", "x.jpg"), touch(tmp_path / "other", "x.jpg")
    leave_out = LeavingOut(data.rules([os.fspath(one)], exclude=["x.jpg", "/a"]))
    assert [item.name for item in data.survey([one, other], leave_out=leave_out).items] == [f"{other}/x.jpg"]
    assert leave_out.of_path(os.fspath(one), f"{one}/a/deep/y.png") == EXCLUDED
    assert leave_out.of_path(os.fspath(one), f"{one}/b/@eaDir/y.png") == THUMBNAILS
    assert leave_out.of_path(os.fspath(one), f"{one}/b/y.png") is None


@pytest.mark.parametrize("glob", ["", "/", "..", "a/../b", "./", "a\0b"])
def test_a_glob_that_matches_nothing_is_refused(glob: str) -> None:
    with pytest.raises(ConfigError, match="expected a glob such as"):
        data.rules(["/"], exclude=[glob])


def test_counting_ends_somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, *(f"#recycle/{number}/{other}" for number in range(5) for other in range(5)), "a.jpg")
    assert count_files(os.fspath(tmp_path), at_most=COUNTED) == 26
    monkeypatch.setattr("lookalike.data.folder.COUNTED", 7)
    assert dict(data.survey(tmp_path).left_out) == {BINS: 7}


def test_nothing_but_what_is_excluded_is_reported(tmp_path: Path) -> None:
    touch(tmp_path, "#recycle/a.jpg")
    with pytest.raises(DataError, match=r"no images here except files that are left out .1 in recycle bins.; add them"):
        data.find(tmp_path)
