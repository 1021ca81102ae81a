"""Images of near codes that show different pictures are not near, and what is known of them is kept by indexing.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import math
import os
import random
import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookalike.core.codes import Codes
from lookalike.core.errors import DatabaseError
from lookalike.data import Item
from lookalike.database import Database
from lookalike.duplicates import graph, verification
from lookalike.duplicates.request import DuplicateSearch
from lookalike.duplicates.verification import BUNDLED, MOST, Thumbnails
from lookalike.imaging import decode
from lookalike.store.records import Outcome
from lookalike.verification import reliefs as module
from lookalike.verification.reliefs import BYTES, SAME, alignment_thumbnail, same_picture, units
from lookalike.web.state import reviews
from tests.conftest import MakeModel
from tests.duplicates.helpers import star, verified
from tests.references import stars

NOISE = [alignment_thumbnail(np.random.default_rng(seed).integers(0, 256, (16, 16), np.uint8)) for seed in range(4)]
VALUES = st.integers(0, 40) | st.integers(0, 2**16 - 1)
IMAGES = st.lists(st.tuples(VALUES, st.integers(0, 3)), max_size=30)
WIDE = 24  # bits, within which many of the small model's codes are


def codes_of(values: Sequence[int]) -> Codes:
    return np.array(values, ">u2").view(np.uint8).reshape(-1, 2)


def known(thumbnails: Sequence[bytes | None]) -> Thumbnails:
    return lambda rows: [thumbnails[row] for row in rows]


class Laid:
    """How far verification was, each time."""

    def __init__(self) -> None:
        self.shares: list[float] = []

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        if stage == "verifying":
            self.shares.append(done / (total or 1))


def paths(groups: Iterable[Sequence[object]]) -> list[list[str]]:
    return [[Path(one.path).name for one in group] for group in groups]  # type: ignore[attr-defined]


@pytest.fixture
def many(db: Database, tiny_bytes: list[bytes], tmp_path: Path) -> Database:
    """A database of 120 photographs."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number, image in enumerate(tiny_bytes[:120]):
        (folder / f"{number:03}.jpg").write_bytes(image)
    assert db.index(folder).encoded == 120
    return db


@given(IMAGES, st.integers(0, 6))
def test_groups_are_those_of_each_picture_by_itself(rows: list[tuple[int, int]], radius: int) -> None:
    names = [f"{(i * 7919) % 101:03}" for i in range(len(rows))]
    thumbnails = known([NOISE[at] for _, at in rows])
    found, _ = verified(codes_of([value for value, _ in rows]), names, thumbnails, radius=radius)
    expected = []
    for picture in range(len(NOISE)):
        own = [row for row, (_, at) in enumerate(rows) if at == picture]
        groups = star(codes_of([rows[row][0] for row in own]), [names[row] for row in own], radius=radius)
        expected += [[(own[row], bits) for row, bits in group] for group in groups]
    assert found == sorted(expected, key=lambda group: names[group[0][0]])


def mixed(degrees: float) -> bytes | None:
    """Of two kinds of noise: reliefs that correlate as the cosine of what lies between their angles."""
    one, other = np.random.default_rng(9).normal(size=(2, 16, 16))
    picture = 128 + 40 * (math.cos(math.radians(degrees)) * one + math.sin(math.radians(degrees)) * other)
    return alignment_thumbnail(picture.clip(0, 255).astype(np.uint8))


CHAIN = [mixed(degrees) for degrees in range(0, 100, 10)]  # each alike to the next ones, and not to the last


@given(st.lists(st.tuples(VALUES, st.integers(0, 11)), max_size=30), st.integers(0, 6), st.randoms())
def test_the_order_of_rows_means_nothing(rows: list[tuple[int, int]], radius: int, shuffle: random.Random) -> None:
    order = list(range(len(rows)))
    shuffle.shuffle(order)
    shown = [*CHAIN, NOISE[0], None]

    def named(order: list[int]) -> list[list[tuple[str, int]]]:
        codes_NW, names = codes_of([rows[i][0] for i in order]), [f"{i:03}" for i in order]
        reliefs = known([shown[rows[i][1]] for i in order])
        found, _ = verified(codes_NW, names, reliefs, radius=radius)
        return [[(names[image], distance) for image, distance in group] for group in found]

    assert named(order) == named(list(range(len(rows))))


def test_images_of_one_code_are_told_apart_unless_they_hardly_differ() -> None:
    reliefs = [one for one in CHAIN if one is not None]
    assert same_picture(reliefs[0], reliefs[3])
    assert not same_picture(reliefs[0], reliefs[9])
    least = math.cos(math.acos(SAME) + math.acos(BUNDLED))  # of one in the middle with one of another's bundle
    found, _ = verified(codes_of([5] * 10), list("abcdefghij"), known(reliefs), radius=0)
    assert 1 < len(found) < 5
    for group in found:
        members = units([reliefs[row] for row, _ in group])
        assert (members @ members.T).min(axis=1).max() >= least


def test_images_without_a_relief_are_taken_for_what_their_codes_say() -> None:
    codes_NW, names = codes_of([5, 5, 5, 4, 4]), list("abcde")
    every = [[(row, 0 if row < 3 else 1) for row in range(5)]]
    assert star(codes_NW, names, radius=1) == every
    assert verified(codes_NW, names, known([None] * 5), radius=1)[0] == every
    (found,), told = verified(codes_NW, names, known([NOISE[0], NOISE[1], None, NOISE[1], None]), radius=1)
    assert {row for row, _ in found} == {0, 1, 2, 3, 4}
    assert (told.rejected, told.unverified) == (2, 2)
    for twins in ([NOISE[0], NOISE[1], None], [NOISE[1], NOISE[0], None]):
        (group,), _ = verified(codes_of([5, 5, 5]), list("abc"), known(twins), radius=0)
        assert len(group) == 3


def test_only_what_is_near_another_is_asked_for() -> None:
    asked: list[int] = []

    def of(rows: Sequence[int]) -> list[bytes | None]:
        asked.extend(rows)
        return [NOISE[0] for _ in rows]

    verified(codes_of([0, 1, 255, 65280, 65280]), list("abcde"), of, radius=1)
    assert sorted(asked) == [0, 1, 3, 4]


def test_pairs_of_groups_show_the_same_picture(many: Database) -> None:
    laid = Laid()
    by_code = many.duplicates(DuplicateSearch(radius=WIDE, verify=False))
    checked = many.duplicates(radius=WIDE, progress=laid)
    assert sum(map(len, by_code)) > 60
    assert sum(map(len, checked)) < 20
    assert checked.rejected_pairs > 100
    assert checked.unverified == 0
    assert laid.shares[-1] == 1
    for group in checked:
        reliefs = many.reliefs([one.id for one in group])
        assert all(same_picture(reliefs[group[0].id], reliefs[one.id]) for one in group)


def test_copies_are_found_among_many_near_codes(many: Database, tmp_path: Path) -> None:
    for number in range(20):
        with Image.open(tmp_path / f"many/{number:03}.jpg") as picture:
            picture.convert("RGB").resize((96, 96)).save(tmp_path / f"many/{number:03}.png")
    assert many.index(tmp_path / "many").encoded == 20
    groups = paths(many.duplicates(radius=WIDE))
    together = {frozenset(group) for group in groups}
    assert sum(any({f"{n:03}.jpg", f"{n:03}.png"} <= group for group in together) for n in range(20)) >= 19


def test_what_leaked_is_the_same_picture_too(many: Database, tmp_path: Path) -> None:
    parts = [tmp_path / "first", tmp_path / "second"]
    for number, part in enumerate(parts):
        part.mkdir()
        for name in range(60 * number, 60 * number + 60):
            shutil.copy(tmp_path / f"many/{name:03}.jpg", part)
    shutil.copy(tmp_path / "many/000.jpg", parts[1] / "copy.jpg")
    many.index(parts)
    first, second = map(str, parts)
    found = many.leakage(first, second, DuplicateSearch(radius=WIDE))
    every = many.leakage(first, second, DuplicateSearch(radius=WIDE, verify=False))
    assert "copy.jpg" in [Path(one.record.name).name for one in found.matches]
    assert len(found.matches) < 10 < len(every.matches)
    groups = many.duplicates(DuplicateSearch(radius=WIDE, reference=(first,)))
    more = many.duplicates(DuplicateSearch(radius=WIDE, reference=(first,), verify=False))
    assert sum(map(len, groups)) < sum(map(len, more)) * 0.6


def test_turned_copies_are_laid_over_each_other_turned(
    db: Database, pictures: list[Image.Image], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    picture = pictures[3].convert("RGB").resize((96, 64))
    picture.save(folder / "a.png")
    picture.transpose(Image.Transpose.ROTATE_90).save(folder / "b.png")
    for number in range(5, 9):
        pictures[number].save(folder / f"other-{number}.png")
    db.index(folder)
    assert ["a.png", "b.png"] in paths(db.duplicates(DuplicateSearch(radius=2, orientations=True)))
    wide = paths(db.duplicates(DuplicateSearch(radius=WIDE, orientations=True)))
    assert ["a.png", "b.png"] in [sorted(group) for group in wide]
    assert len(paths(db.duplicates(DuplicateSearch(radius=WIDE, orientations=True, verify=False)))[0]) > 2


def test_decided_groups_are_grouped_anew_by_picture(many: Database, tmp_path: Path) -> None:
    for number in range(3):
        shutil.copy(tmp_path / "many/007.jpg", tmp_path / f"many/007-{number}.jpg")
    with Image.open(tmp_path / "many/007.jpg") as picture:
        picture.convert("RGB").resize((80, 80)).save(tmp_path / "many/007.png")
    many.index(tmp_path / "many")
    ids = {Path(record.name).name: record.id for record in many.records()}
    many.decisions.make("different", [ids["007.png"], ids["007.jpg"]])
    for group in paths(many.duplicates(radius=WIDE)):
        assert not {"007.png", "007.jpg"} <= set(group)
        if "007.jpg" in group:
            assert set(group) >= {"007-0.jpg", "007-1.jpg", "007-2.jpg"}
            assert len(group) < 8


def test_indexing_keeps_the_relief_of_what_the_model_sees(indexed: Database, photo_folder: Path) -> None:
    records = list(indexed.records())
    reliefs = indexed.reliefs([record.id for record in records])
    assert len(reliefs) == 40
    for record in records:
        assert reliefs[record.id] == alignment_thumbnail(decode.read(record.name, indexed.hasher.spec))
        assert len(reliefs[record.id]) == BYTES


def test_it_follows_copies_moves_and_changes(
    indexed: Database, photo_folder: Path, pictures: list[Image.Image], decoded: list[bytes]
) -> None:
    def of(name: str) -> bytes | None:
        record = next(record for record in indexed.records() if record.name.endswith(name))
        return indexed.reliefs([record.id]).get(record.id)

    first = of("cats/01.png")
    shutil.copy(photo_folder / "cats/01.png", photo_folder / "cats/copy.png")
    (photo_folder / "cats/01.png").rename(photo_folder / "cats/moved.png")
    indexed.index(photo_folder)
    assert decoded == []
    assert of("cats/copy.png") == of("cats/moved.png") == first
    pictures[9].save(photo_folder / "cats/moved.png")
    indexed.index(photo_folder)
    assert of("cats/moved.png") != first
    (photo_folder / "cats/copy.png").write_bytes(b"no image")
    assert indexed.index(photo_folder).failed == 1
    assert of("cats/copy.png") is None


def test_what_is_forgotten_leaves_none_behind(indexed: Database, photo_folder: Path) -> None:
    ids = [record.id for record in indexed.records()]
    indexed.remove([photo_folder / "cats"])
    assert set(indexed.reliefs(ids)) == {record.id for record in indexed.records()}


def test_codes_that_were_made_elsewhere_have_none(indexed: Database, photo_folder: Path, tmp_path: Path) -> None:
    indexed.export_codes(tmp_path / "codes.parquet")
    with Database.create(tmp_path / "other", model=indexed.folder / "model.onnx") as other:
        other.import_codes(tmp_path / "codes.parquet")
        report = other.duplicates(radius=WIDE)
        assert paths(report) == paths(other.duplicates(DuplicateSearch(radius=WIDE, verify=False))) != []
        assert report.rejected_pairs == 0
        assert report.unverified >= sum(map(len, report))


def test_a_code_that_is_replaced_from_elsewhere_loses_it(indexed: Database, photo_folder: Path, tmp_path: Path) -> None:
    record = next(iter(indexed.records()))
    table = pa.table({"path": [record.name], "code": [bytes(len(record.code or b""))]})
    pq.write_table(table, tmp_path / "one.parquet")
    assert indexed.reliefs([record.id])
    indexed.import_codes(tmp_path / "one.parquet")
    assert indexed.reliefs([record.id]) == {}


def test_a_database_of_an_earlier_version_goes_by_code_until_it_is_indexed_again(
    many: Database, tmp_path: Path
) -> None:
    checked = paths(many.duplicates(radius=WIDE))
    by_code = paths(many.duplicates(DuplicateSearch(radius=WIDE, verify=False)))
    many.close()
    connection = sqlite3.connect(many.folder / "catalog.sqlite")
    connection.executescript("DELETE FROM reliefs;")  # as opening a database of before there were any leaves it
    connection.close()
    with Database.open(many.path) as again:
        report = again.duplicates(radius=WIDE)
        assert paths(report) == by_code != checked
        assert report.unverified >= sum(map(len, by_code))
        assert again.index(tmp_path / "many").encoded == 0
        assert again.index(tmp_path / "many", reindex=True).encoded == 120
        assert paths(again.duplicates(radius=WIDE)) == checked


def test_a_relief_of_another_length_is_refused(indexed: Database) -> None:
    with pytest.raises(DatabaseError, match="CHECK"), indexed.store.local().transaction():
        indexed.store.local()._session.run("UPDATE reliefs SET relief = x'00'")


def test_a_code_that_very_many_share_goes_by_itself() -> None:
    random = np.random.default_rng(1)
    reliefs = [alignment_thumbnail(random.integers(0, 256, (16, 16), np.uint8)) for _ in range(MOST + 1)]
    names = [f"{row:03}" for row in range(MOST + 1)]
    for count, groups, counts in ((MOST, 0, (MOST * (MOST - 1) // 2, 0)), (MOST + 1, 1, (0, MOST + 1))):
        found, told = verified(codes_of([7] * count), names[:count], known(reliefs[:count]), radius=1)
        assert len(found) == groups
        assert (told.rejected, told.unverified) == counts


def test_any_number_of_copies_of_one_picture_are_one_bundle() -> None:
    random = np.random.default_rng(2)
    picture = random.integers(40, 200, (16, 16))
    copies = [
        alignment_thumbnail((picture + random.integers(-3, 4, (16, 16))).astype(np.uint8)) for _ in range(3 * MOST)
    ]
    assert len(set(copies)) > MOST
    names = [f"{row:03}" for row in range(len(copies) + 1)]
    (group,), told = verified(codes_of([7] * len(copies) + [6]), names, known([*copies, NOISE[0]]), radius=1)
    assert sorted(row for row, _ in group) == list(range(len(copies)))
    assert (told.rejected, told.unverified) == (len(copies), 0)


def test_what_a_decision_leaves_over_is_laid_over_each_other(tmp_path: Path, make_model: MakeModel) -> None:
    shown = {"a": None, "b": NOISE[0], "c": NOISE[1]}  # all is near a, of which nothing is known
    with Database.create(tmp_path / "db", model=make_model(bits=16, near=1, similar=3)) as database:
        with database.store.local().transaction():
            for name, one in shown.items():
                item = Item("/r", name, 1, 1)
                database.store.local().write(
                    Outcome(item=item, code=bytes(2), width=4, height=3, digest=name.encode() * 16, relief=one)
                )
            database.store.local().touch()
        ids = {Path(record.name).name: record.id for record in database.records()}
        assert [sorted(group) for group in paths(database.duplicates(radius=0))] == [["a", "b", "c"]]
        found = reviews.comparing(0).run(database, lambda done, total: None)
        database.decisions.make("different", [ids["a"], ids["b"], ids["c"]], chosen=[ids["a"]])
        assert database.duplicates(radius=0).groups == []
        assert [sorted(group) for group in paths(database.duplicates(DuplicateSearch(radius=0, verify=False)))] == [
            ["b", "c"]
        ]
        assert reviews.stand(database, found).parts == []


def test_labels_that_come_in_leave_reliefs_alone(indexed: Database, tmp_path: Path) -> None:
    ids = [record.id for record in indexed.records()]
    before = indexed.reliefs(ids)
    indexed.export_codes(tmp_path / "codes.parquet")
    table = pq.read_table(tmp_path / "codes.parquet")
    labels = pa.array([["new"]] * len(table))
    table = table.drop_columns([one for one in ("label", "labels") if one in table.column_names])
    pq.write_table(table.append_column("labels", labels), tmp_path / "labelled.parquet")
    assert indexed.import_codes(tmp_path / "labelled.parquet")
    assert len(before) == 40
    assert indexed.reliefs(ids) == before


def test_a_relief_that_is_missing_is_made_when_the_file_is_read_again(indexed: Database, photo_folder: Path) -> None:
    ids = [record.id for record in indexed.records()]
    before = indexed.reliefs(ids)
    with indexed.store.local().transaction():
        indexed.store.local()._session.run("DELETE FROM reliefs")
    files = [path for path in photo_folder.rglob("*") if path.is_file()]
    for path in files:
        os.utime(path, (1, 1))
    report = indexed.index(photo_folder)
    assert (report.unchanged, report.encoded) == (40, 0)
    assert indexed.reliefs(ids) == before


def test_how_many_went_by_code_alone_is_said_across_parts(many: Database, tmp_path: Path) -> None:
    parts = [tmp_path / "first", tmp_path / "second"]
    for part, begin in zip(parts, (0, 60), strict=True):
        part.mkdir()
        for name in range(begin, begin + 60):
            shutil.copy(tmp_path / f"many/{name:03}.jpg", part)
    many.index(parts)
    first, second = map(str, parts)
    checked = many.leakage(first, second, DuplicateSearch(radius=WIDE))
    with many.store.local().transaction():
        many.store.local()._session.run("DELETE FROM reliefs")
        many.store.local().touch()
    unchecked = many.leakage(first, second, DuplicateSearch(radius=WIDE))
    by_code = many.leakage(first, second, DuplicateSearch(radius=WIDE, verify=False))
    assert unchecked.matches == by_code.matches != checked.matches
    assert checked.rejected_pairs > len(by_code.matches)
    assert checked.unverified == unchecked.rejected_pairs == 0
    assert unchecked.unverified > len(by_code.matches)
    assert (by_code.rejected_pairs, by_code.unverified) == (0, 0)


def test_a_reference_of_many_pictures_is_compared_one_by_one(many: Database, tmp_path: Path) -> None:
    folder, other = str(tmp_path / "many"), tmp_path / "other"
    other.mkdir()
    shutil.copy(tmp_path / "many/000.jpg", other / "copy.jpg")
    many.index(other)
    by_code, checked = (
        many.leakage(folder, str(other), DuplicateSearch(radius=64, verify=verify)).matches[0]
        for verify in (False, True)
    )
    assert (Path(checked.copy.name).name, checked.distance) == ("000.jpg", 0)
    assert checked.copies < by_code.copies == 120


@pytest.mark.parametrize("most", [1, 2, 100])
@pytest.mark.parametrize("at_once", [1, 7, 8192])
def test_however_it_is_divided_the_groups_are_the_same(
    most: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the definition, pair by pair."""
    monkeypatch.setattr(verification, "MOST", most)
    monkeypatch.setattr(graph, "AT_ONCE", at_once)
    monkeypatch.setattr(verification, "FEW", at_once // 2)
    monkeypatch.setattr(module, "TOGETHER", at_once)
    random = np.random.default_rng(at_once)
    shown = [*CHAIN[::3], *NOISE, None]
    for _ in range(40):
        values = random.integers(0, 12, 25).tolist()
        reliefs = [shown[at] for at in random.integers(0, len(shown), 25)]
        names = [f"{at:02}" for at in random.permutation(25)]
        laid = Laid()
        found, told = verified(codes_of(values), names, known(reliefs), radius=1, progress=laid)
        told_apart, differing, unknown = expected(values, reliefs, most=most)
        assert found == stars.star_of(told_apart, values, names)
        assert (told.rejected, told.unverified) == (differing, unknown)
        assert laid.shares == sorted(laid.shares)
        assert laid.shares[-1] == 1


def expected(values: Sequence[int], reliefs: Sequence[bytes | None], *, most: int) -> tuple[list[list[int]], int, int]:
    """What each row is near, itself among it; how many near pairs differ, and how many rows went by code alone.

    No relief of these hardly differs from another one.
    """
    rows = range(len(values))
    kinds = {value: {reliefs[row] for row in rows if values[row] == value} - {None} for value in values}
    told = [None if len(kinds[values[row]]) > most else reliefs[row] for row in rows]
    by_code = [[other for other in rows if (values[row] ^ values[other]).bit_count() <= 1] for row in rows]
    near = [[other for other in by_code[row] if same_picture(told[row], told[other])] for row in rows]
    differing = sum(map(len, by_code)) - sum(map(len, near))
    return near, differing // 2, sum(told[row] is None and len(by_code[row]) > 1 for row in rows)


def test_bytes_that_are_known_are_decoded_only_for_want_of_a_relief(
    indexed: Database, photo_folder: Path, decoded: list[bytes]
) -> None:
    def forget() -> None:
        with indexed.store.local().transaction():
            indexed.store.local()._session.run("DELETE FROM reliefs")
        decoded.clear()

    file = photo_folder / "cats/01.png"
    ids = {record.name: record.id for record in indexed.records()}
    own = indexed.reliefs([ids[str(file)]])[ids[str(file)]]
    shutil.copy(file, photo_folder / "cats/first.png")
    assert indexed.index(photo_folder).copied == 1
    assert decoded == []
    forget()
    shutil.copy(file, photo_folder / "cats/second.png")
    assert indexed.index(photo_folder).copied == 1
    assert len(decoded) == 1
    shutil.copy(file, photo_folder / "cats/third.png")  # of four rows of these bytes one has a relief by now
    assert indexed.index(photo_folder).copied == 1
    assert len(decoded) == 1
    names = {Path(record.name).name: record.id for record in indexed.records()}
    assert indexed.reliefs(list(names.values())) == {names["second.png"]: own, names["third.png"]: own}
    forget()
    os.utime(file, (1, 1))
    report = indexed.index(photo_folder, max_pixels=10)
    assert (report.failed, report.unchanged) == (0, 43), "what is known stays, also where it cannot be decoded"


def test_plain_images_have_none(db: Database, tmp_path: Path, decoded: list[bytes]) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    Image.linear_gradient("L").resize((64, 64)).point(lambda shade: shade // 32).save(folder / "ramp.png")
    Image.new("L", (64, 64), 9).save(folder / "even.png")
    assert db.index(folder).plain == 2
    ids = [record.id for record in db.records()]
    assert db.reliefs(ids) == {}
    decoded.clear()
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    assert db.index(folder).unchanged == 2
    assert decoded == []
    assert db.reliefs(ids) == {}
