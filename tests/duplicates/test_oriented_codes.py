"""Mirrored and turned copies are in a group with what they are copies of, and it is said how they are turned.

Shapes: N images, O = 8 orientations, W bytes a code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookalike.core.errors import Interrupted
from lookalike.core.progress import Progress
from lookalike.database import Database, Group
from lookalike.duplicates import orientations, oriented_codes
from lookalike.duplicates.oriented_codes import FILE, OrientedCodes
from lookalike.duplicates.request import DuplicateSearch
from lookalike.imaging import decode
from lookalike.search.all_pairs import pairs_within
from tests.duplicates.test_orientations import as_turned

ASKED = DuplicateSearch(radius=2, orientations=True)
HOW = {"1-left": "turned left", "2-mirrored": "mirrored", "3-down": "upside down"}


@pytest.fixture
def folder(pictures: list[Image.Image], tmp_path: Path) -> Path:
    """A picture, three turned copies of it, and three other pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    picture = pictures[3].resize((96, 64))
    picture.save(folder / "0.png")
    for name, how in HOW.items():
        as_turned(picture, how).save(folder / f"{name}.png")
    for number in range(5, 8):
        pictures[number].save(folder / f"other-{number}.png")
    return folder


def told(groups: Iterable[Group]) -> list[dict[str, str]]:
    return [{Path(one.path).stem: one.turn for one in group} for group in groups]


def of_stage(wanted: str, seen: list[tuple[int, int]]) -> Progress:
    """Progress that notes how far one stage is."""

    def note(stage: str, done: int, total: int | None) -> None:
        if stage == wanted:
            seen.append((done, total or 0))

    return note


def read_of(db: Database) -> list[tuple[int, int]]:
    """How many images are read to find turned copies."""
    seen: list[tuple[int, int]] = []
    db.duplicates(ASKED, progress=of_stage("reading images", seen))
    return seen


def test_turned_copies_are_in_a_group(db: Database, folder: Path) -> None:
    db.index(folder)
    assert db.duplicates(radius=2).groups == []
    (group,) = db.duplicates(ASKED)
    assert told([group]) == [{"0": "", **HOW}]
    assert all(one.distance <= 2 for one in group)


def test_images_are_read_once(db: Database, folder: Path) -> None:
    db.index(folder)
    assert read_of(db) == [(done, 7) for done in range(1, 8)]
    assert read_of(db) == []
    with Image.open(folder / "other-5.png") as image:
        image.rotate(90, expand=True).save(folder / "turned-5.png")
    db.index(folder)
    assert read_of(db) == [(1, 1)]
    assert {"other-5": "", "turned-5": "turned left"} in told(db.duplicates(ASKED))


@pytest.mark.parametrize("damage", ["cut", "foreign", "absent", "no archive"])
def test_what_is_kept_of_it_may_be_lost(damage: str, db: Database, folder: Path) -> None:
    db.index(folder)
    expected, path = db.duplicates(ASKED), db.folder / FILE
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:300])
    elif damage == "foreign":
        np.savez(path, model=np.array("of another"), ids=np.arange(7), codes=np.zeros((7, 8, 8), np.uint8))
    elif damage == "no archive":
        with path.open("wb") as file:
            np.save(file, np.arange(7))
    else:
        path.unlink()
    assert db.duplicates(ASKED) == expected
    assert read_of(db) == []


def test_what_changed_since_is_not_taken_for_what_it_was(db: Database, folder: Path) -> None:
    db.index(folder)
    db.duplicates(ASKED)
    (folder / "1-left.png").write_bytes((folder / "other-6.png").read_bytes())
    db.index(folder)
    assert told(db.duplicates(ASKED)) == [
        {"0": "", "2-mirrored": "mirrored", "3-down": "upside down"},
        {"1-left": "", "other-6": ""},
    ]


@pytest.mark.parametrize("kept", [False, True])
def test_files_that_are_gone(kept: bool, db: Database, folder: Path) -> None:
    db.index(folder, keep_originals=kept)
    for name in ("0", "1-left", "2-mirrored"):
        (folder / f"{name}.png").unlink()
    found = told(db.duplicates(ASKED))
    if kept:
        assert found == [{"0": "", **HOW}]
    else:  # only of the fourth it is known how it looks when it is turned
        turns = {"3-down": "", "0": "upside down", "1-left": "turned right", "2-mirrored": "mirrored, upside down"}
        assert found == [turns]
        assert next(iter(found[0])) == "3-down"


def test_files_that_cannot_be_read_are_named(db: Database, folder: Path) -> None:
    db.index(folder)
    (folder / "0.png").unlink()
    (folder / "other-5.png").write_bytes((folder / "other-6.png").read_bytes())
    assert list(db.duplicates(ASKED).unreadable) == [str(folder / name) for name in ("0.png", "other-5.png")]
    db.index(folder)
    refused = db.duplicates(replace(ASKED, max_pixels=100)).unreadable
    assert list(refused) == [str(folder / "other-5.png")]  # it is known of the others


def test_another_decoder_loses_nothing(db: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db.index(folder)
    before = db.codes()[1]
    plain = decode.decode

    def moved(data: bytes, spec: decode.ImageSpec, **options: Any) -> decode.Decoded:
        found = plain(data, spec, **options)
        return dataclasses.replace(found, array=np.roll(found.array, 9, axis=0))

    monkeypatch.setattr(decode, "decode", moved)
    assert (db.hasher.encode(sorted(folder.iterdir())) != before).any()
    assert len(read_of(db)) == 7
    assert read_of(db) == []


def test_progress_goes_up_to_the_end(db: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oriented_codes, "BLOCK", 3)
    db.index(folder)
    told_of: list[tuple[int, int]] = []
    db.duplicates(ASKED, progress=of_stage("comparing codes", told_of))
    assert told_of == sorted(told_of)
    assert len(told_of) > 3
    assert told_of[-1][0] == told_of[-1][1]


def test_a_turned_copy_that_is_none(db: Database, folder: Path) -> None:
    db.index(folder)
    ids = {Path(record.name).stem: record.id for record in db.records()}
    db.decisions.make("different", [ids["0"], ids["2-mirrored"]])
    found = told(db.duplicates(ASKED))
    assert all(not {"0", "2-mirrored"} <= set(group) for group in found)
    assert sum(len(group) for group in found) >= 3
    assert told(db.duplicates(replace(ASKED, ignore_decisions=True))) == [{"0": "", **HOW}]


def test_plain_images_have_no_turned_copies(db: Database, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    Image.new("L", (64, 48), 90).save(folder / "flat.png")
    Image.new("L", (48, 64), 91).save(folder / "upright.png")
    db.index(folder)
    assert db.duplicates(ASKED).groups == []
    assert len(db.duplicates(replace(ASKED, include_blank=True))) == 1


def test_what_was_read_before_an_interruption_is_kept(
    db: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oriented_codes, "BLOCK", 3)
    monkeypatch.setattr(oriented_codes, "SAVE_SECONDS", 0)
    db.index(folder)

    def stop(stage: str, done: int, total: int | None) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="starts from there"):
        db.duplicates(ASKED, progress=stop)
    assert [total for _, total in read_of(db)] == [3] * 3


@given(st.integers(0, 2**32 - 1), st.integers(1, 24), st.integers(0, 3))
def test_pairs_are_those_of_any_orientation(seed: int, count: int, radius: int) -> None:
    random = np.random.default_rng(seed)
    own_NW = random.integers(0, 2, (count, 1), np.uint8) * 16 + random.integers(0, 8, (count, 1), np.uint8)
    codes_NOW = random.integers(0, 256, (count, 8, 1), np.uint8)
    codes_NOW[:, 0] = own_NW
    codes_UW = np.unique(own_NW, axis=0)
    those = OrientedCodes(np.arange(count), codes_NOW)
    expected: dict[tuple[int, int], int] = {}
    for i, code_OW in enumerate(codes_NOW):
        mine = int(np.flatnonzero((codes_UW == own_NW[i]).all(axis=1))[0])
        for other, code_W in enumerate(codes_UW):
            for turn in range(8):
                distance = int(np.bitwise_count(code_OW[turn] ^ code_W).sum())
                key = (min(mine, other), max(mine, other))
                is_upright = np.bitwise_count(codes_UW[mine] ^ code_W).sum() <= radius
                if mine != other and distance <= radius and (turn == 0 or not is_upright):
                    expected[key] = min(distance, expected.get(key, 99))
    found = {}
    for _, pairs in oriented_codes.finder(those, pairs_within)(codes_UW, radius):
        for first, second, distance in zip(*(column.tolist() for column in pairs), strict=True):
            assert (first, second) not in found
            found[first, second] = distance
    assert found == expected


def test_an_orientation_and_what_undoes_it() -> None:
    array = np.arange(16, dtype=np.uint8).reshape(4, 4)
    for turn, one in enumerate(orientations.orientations(array)):
        assert np.array_equal(orientations.orientations(one)[oriented_codes.BACK[turn]], array)
