"""One call from a folder to its duplicates."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import lookalike
from lookalike.core.errors import LookalikeError


def test_duplicates_of_a_folder_are_found_in_one_call(photo_folder: Path, tmp_path: Path) -> None:
    photos = photo_folder
    one = min(photos.rglob("*.png"))
    shutil.copy(one, photos / "again.png")
    report = lookalike.find_duplicates(photos, db=tmp_path / "db")
    (group,) = report.groups
    assert {Path(member.path) for member in group} == {one, photos / "again.png"}
    assert [row["group"] for row in report.rows().to_dicts()] == [1, 1]
    assert report._repr_html_().count("<img") == 2
    with lookalike.open(tmp_path / "db") as database:
        plan = database.plan()
        assert [Path(entry.path).name for entry in plan.removals] == ["again.png"]
    one.unlink()
    assert len(lookalike.find_duplicates(photos)) == 0  # a database of its own, which is gone afterwards
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "db"}


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LookalikeError, match="missing"):
        lookalike.find_duplicates(tmp_path / "missing")
