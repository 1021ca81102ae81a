"""Images of near codes that show different pictures are not near, and what is known of them is kept by indexing.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookalike import images
from lookalike.codes import Codes
from lookalike.database import Database, across, grouping
from lookalike.database.overlaying import MOST, Overlaid, Reliefs, by_id
from lookalike.errors import DatabaseError
from lookalike.registration import BYTES, relief, same_picture
from lookalike.store import migrations

NOISE = [relief(np.random.default_rng(seed).integers(0, 256, (64, 64), np.uint8)) for seed in range(4)]
IMAGES = st.lists(st.tuples(st.integers(0, 40) | st.integers(0, 2**16 - 1), st.integers(0, 3)), max_size=30)
WIDE = 24  # bits, within which many of the small model's codes are


def codes_of(values: Sequence[int]) -> Codes:
    return np.array(values, ">u2").view(np.uint8).reshape(-1, 2)


def known(reliefs: Sequence[bytes | None]) -> Reliefs:
    there = {row: one for row, one in enumerate(reliefs) if one is not None}
    return by_id(range(len(reliefs)), reliefs=lambda ids: {id_: there[id_] for id_ in ids if id_ in there})


def paths(groups: Sequence[Sequence[object]]) -> list[list[str]]:
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
    found = grouping.star(
        codes_of([value for value, _ in rows]), names, radius=radius, reliefs=known([NOISE[at] for _, at in rows])
    )
    expected = []
    for picture in range(len(NOISE)):
        own = [row for row, (_, at) in enumerate(rows) if at == picture]
        groups = grouping.star(codes_of([rows[row][0] for row in own]), [names[row] for row in own], radius=radius)
        expected += [[(own[row], bits) for row, bits in group] for group in groups]
    assert found == sorted(expected, key=lambda group: names[group[0][0]])


@given(IMAGES, st.integers(0, 6), st.randoms(use_true_random=False))
def test_the_order_of_rows_means_nothing(rows: list[tuple[int, int]], radius: int, shuffle: random.Random) -> None:
    order = list(range(len(rows)))
    shuffle.shuffle(order)

    def named(order: list[int]) -> list[list[tuple[str, int]]]:
        reliefs = [None if rows[i][1] == 3 else NOISE[rows[i][1]] for i in order]
        codes_NW, names = codes_of([rows[i][0] for i in order]), [f"{i:03}" for i in order]
        found = grouping.star(codes_NW, names, radius=radius, reliefs=known(reliefs))
        return [[(names[image], distance) for image, distance in group] for group in found]

    assert named(order) == named(list(range(len(rows))))


def test_images_without_a_relief_are_taken_for_what_their_codes_say() -> None:
    codes_NW = codes_of([5, 5, 5, 4, 4])
    names = ["a", "b", "c", "d", "e"]
    assert grouping.star(codes_NW, names, radius=1, reliefs=known([None] * 5)) == grouping.star(
        codes_NW, names, radius=1
    )
    reliefs = known([NOISE[0], NOISE[1], None, NOISE[1], None])
    told: list[Overlaid] = []
    found = grouping.star(codes_NW, names, radius=1, reliefs=reliefs._replace(on_overlaid=told.append))
    apart = {frozenset((0, 1)), frozenset((0, 3))}
    assert not any(pair <= {row for row, _ in group} for group in found for pair in apart)
    assert {row for group in found for row, _ in group} >= {1, 3, 4}
    assert told == [Overlaid(2, 2)]


def test_only_what_is_near_another_is_asked_for() -> None:
    asked: list[int] = []

    def of(rows: Sequence[int]) -> list[bytes | None]:
        asked.extend(rows)
        return [NOISE[0] for _ in rows]

    reliefs = Reliefs(of, False, lambda done, total: None, lambda found: None)
    grouping.star(codes_of([0, 1, 255, 65280, 65280]), list("abcde"), radius=1, reliefs=reliefs)
    assert sorted(asked) == [0, 1, 3, 4]


def test_pairs_of_groups_show_the_same_picture(many: Database) -> None:
    told: list[Overlaid] = []
    laid: list[tuple[int, int]] = []
    by_code = many.duplicates(radius=WIDE, by_code=True)
    checked = many.duplicates(
        radius=WIDE, on_overlaid=told.append, on_laid=lambda done, total: laid.append((done, total))
    )
    assert sum(map(len, by_code)) > 60
    assert sum(map(len, checked)) < 20
    (found,) = told
    assert found.differing > 100
    assert found.unknown == 0
    assert laid[-1][0] == laid[-1][1] > found.differing
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
    found = across.leakage(many, first, second, radius=WIDE)
    every = across.leakage(many, first, second, radius=WIDE, by_code=True)
    assert "copy.jpg" in [Path(one.record.name).name for one in found.matches]
    assert len(found.matches) < 10 < len(every.matches)
    groups, _ = across.against(many, [first], radius=WIDE)
    more, _ = across.against(many, [first], radius=WIDE, by_code=True)
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
    assert ["a.png", "b.png"] in paths(db.duplicates(radius=2, turned=True))
    wide = paths(db.duplicates(radius=WIDE, turned=True))
    assert ["a.png", "b.png"] in [sorted(group) for group in wide]
    assert len(paths(db.duplicates(radius=WIDE, turned=True, by_code=True))[0]) > 2


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
        assert reliefs[record.id] == relief(images.read(record.name, indexed.hasher.spec))
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
    with Database.create(tmp_path / "other", model=indexed.path / "model.onnx") as other:
        other.import_codes(tmp_path / "codes.parquet")
        told: list[Overlaid] = []
        groups = paths(other.duplicates(radius=WIDE, on_overlaid=told.append))
        assert groups == paths(other.duplicates(radius=WIDE, by_code=True)) != []
        assert told[0].differing == 0
        assert told[0].unknown >= sum(map(len, groups))


def test_a_code_that_is_replaced_from_elsewhere_loses_it(indexed: Database, photo_folder: Path, tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
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
    by_code = paths(many.duplicates(radius=WIDE, by_code=True))
    many.close()
    connection = sqlite3.connect(many.path / "catalog.sqlite")
    connection.executescript(f"DROP TABLE reliefs; PRAGMA user_version = {len(migrations.STEPS) - 1};")
    connection.close()
    with Database.open(many.path) as again:
        told: list[Overlaid] = []
        assert paths(again.duplicates(radius=WIDE, on_overlaid=told.append)) == by_code != checked
        assert told[0].unknown >= sum(map(len, by_code))
        assert again.index(tmp_path / "many").encoded == 0
        assert again.index(tmp_path / "many", reindex=True).encoded == 120
        assert paths(again.duplicates(radius=WIDE)) == checked


def test_a_relief_of_another_length_is_refused(indexed: Database) -> None:
    with pytest.raises(DatabaseError, match="CHECK"), indexed._catalog.transaction():
        indexed._catalog._session.run("UPDATE reliefs SET relief = x'00'")


def test_a_code_that_very_many_share_goes_by_itself() -> None:
    random = np.random.default_rng(1)
    reliefs = [relief(random.integers(0, 256, (16, 16), np.uint8)) for _ in range(MOST + 1)]
    names = [f"{row:03}" for row in range(MOST + 1)]
    told: list[Overlaid] = []
    for count, groups in ((MOST, 0), (MOST + 1, 1)):
        crowded = known(reliefs[:count])._replace(on_overlaid=told.append)
        assert len(grouping.star(codes_of([7] * count), names[:count], radius=1, reliefs=crowded)) == groups
    assert told == [Overlaid(MOST - 1, 0), Overlaid(0, MOST + 1)]
