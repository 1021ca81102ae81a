"""Groups are stars, independent of the order of images, and never grow by chaining.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookalike.core.codes import Codes
from lookalike.core.errors import ConfigError, DatabaseError
from lookalike.data import Item
from lookalike.database import Database
from lookalike.store.records import IndexOutcome
from tests.duplicates.helpers import star
from tests.references import stars

MakeModel = Callable[..., Path]
VALUES = st.lists(st.integers(0, 2**16 - 1) | st.integers(0, 40), max_size=40)


@pytest.fixture
def db16(tmp_path: Path, make_model: MakeModel) -> Iterator[Database]:
    with Database.create(tmp_path / "db16", model=make_model(bits=16, near=1, similar=3)) as database:
        yield database


def codes_of(values: list[int]) -> Codes:
    return np.array(values, ">u2").view(np.uint8).reshape(-1, 2)


def put(db: Database, rows: list[tuple[str, int]]) -> None:
    """Rows with the codes that they are wished to have."""
    with db.store.local().transaction():
        for name, value in rows:
            db.store.local().write(
                IndexOutcome(item=Item("/r", name, 1, 1), code=value.to_bytes(2, "big"), width=4, height=3)
            )
        db.store.local().touch()


def groups(db: Database, radius: int | None = None) -> list[list[tuple[str, int]]]:
    return [[(m.path.removeprefix("/r/"), m.distance) for m in group] for group in db.duplicates(radius=radius)]


@given(VALUES, st.integers(0, 6))
def test_groups_are_stars_by_definition(values: list[int], radius: int) -> None:
    names = [f"{(i * 7919) % 101:03}" for i in range(len(values))]
    found = star(codes_of(values), names, radius=radius)
    assert found == stars.star(codes_of(values).tolist(), names, radius=radius)
    members = [image for group in found for image, _ in group]
    assert len(set(members)) == len(members)
    for group in found:
        assert len(group) > 1
        assert group[0][1] == 0
        assert all(distance <= radius for _, distance in group)


@given(VALUES, st.integers(0, 4), st.randoms(use_true_random=False))
def test_the_order_of_rows_means_nothing(values: list[int], radius: int, shuffle: random.Random) -> None:
    names = [f"{i:03}" for i in range(len(values))]
    order = list(range(len(values)))
    shuffle.shuffle(order)

    def named(order: list[int]) -> list[list[tuple[str, int]]]:
        found = star(codes_of([values[i] for i in order]), [names[i] for i in order], radius=radius)
        return [[(names[order[image]], distance) for image, distance in group] for group in found]

    assert named(order) == named(list(range(len(values))))


@pytest.mark.parametrize("radius", [0, 1, 2, 3])
def test_no_chain_makes_a_group_grow(db16: Database, radius: int) -> None:
    put(db16, [(f"{i:02}", (1 << i) - 1) for i in range(17)])  # 0, 1, 11, 111, …: each one bit from the next
    found = groups(db16, radius)
    assert all(len(group) <= 2 * radius + 1 for group in found)
    if radius == 1:
        assert found[0] == [("01", 0), ("00", 1), ("02", 1)]
        assert found[1:] == [[(f"{i:02}", 0), (f"{i + 1:02}", 1)] for i in range(3, 17, 2)]


def test_the_models_own_near_radius_is_taken(db16: Database) -> None:
    put(db16, [("a", 0), ("b", 1), ("c", 0xFF00), ("d", 0xFF07)])
    assert groups(db16) == groups(db16, 1) == [[("a", 0), ("b", 1)]]
    assert groups(db16, 0) == []
    assert groups(db16, 3) == [[("a", 0), ("b", 1)], [("c", 0), ("d", 3)]]


def test_the_same_rows_in_another_order_give_the_same_groups(tmp_path: Path, make_model: MakeModel) -> None:
    numbers = np.random.default_rng(5)
    rows = [(f"{i:03}", int(value)) for i, value in enumerate(numbers.integers(0, 400, 200))]
    found = []
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        with Database.create(tmp_path / str(seed), model=make_model(bits=16)) as db:
            put(db, rows)
            found.append(groups(db, 2))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 10


def test_a_thousand_equal_codes_are_one_group_and_fast(db16: Database) -> None:
    put(db16, [(f"{i:04}", 77) for i in range(1000)] + [("other", 0xFFFF)])
    start = time.perf_counter()
    (group,) = groups(db16, 0)
    assert time.perf_counter() - start < 1
    assert group == [(f"{i:04}", 0) for i in range(1000)]


def test_ten_thousand_codes_are_fast() -> None:
    codes_NW = np.random.default_rng(0).integers(0, 256, (10_000, 8), np.uint8)
    codes_NW[5000:] = codes_NW[:5000]
    codes_NW[5000:, 0] ^= 1
    start = time.perf_counter()
    found = star(codes_NW, [f"{i:05}" for i in range(10_000)], radius=1)
    assert time.perf_counter() - start < 5
    assert len(found) == 5000


def test_copies_of_photographs_are_grouped(indexed: Database, photo_folder: Path) -> None:
    source = photo_folder / "cats/01.png"
    for name in ("b.png", "a.png"):
        (photo_folder / name).write_bytes(source.read_bytes())
    indexed.index(photo_folder, labels_from_folders=True)
    (group,) = [g for g in indexed.duplicates(radius=0) if str(source) in [member.path for member in g]]
    names = [member.path for member in group]
    assert names == sorted(names)
    assert {str(photo_folder / name) for name in ("a.png", "b.png", "cats/01.png")} <= set(names)
    member = next(member for member in group if member.path == str(source))
    with Image.open(source) as picture:
        size = picture.size
    assert (member.width, member.height, member.size, member.label) == (*size, source.stat().st_size, "cats")


def test_vanished_and_broken_images_are_in_no_group(indexed: Database, photo_folder: Path) -> None:
    copy = photo_folder / "copy.png"
    copy.write_bytes((photo_folder / "cats/01.png").read_bytes())
    indexed.index(photo_folder)
    assert any(str(copy) in [m.path for m in group] for group in indexed.duplicates(radius=0))
    copy.unlink()
    indexed.index(photo_folder)
    assert not any(str(copy) in [m.path for m in group] for group in indexed.duplicates(radius=0))


def test_duplicates_can_be_asked_for_without_the_model_if_a_radius_is_given(db16: Database) -> None:
    put(db16, [("a", 0), ("b", 1)])
    db16.folder.joinpath("model.onnx").unlink()
    with Database.open(db16.path) as again:
        assert len(again.duplicates(radius=1)) == 1


def test_the_default_radius_is_at_most_a_sixteenth_of_the_bits(tmp_path: Path, make_model: MakeModel) -> None:
    for near, expected in ((15, 4), (2, 2)):
        with Database.create(tmp_path / f"db{near}", model=make_model(bits=64, near=near, similar=21)) as database:
            assert database.hasher.info.duplicate == expected


def test_a_measured_distance_of_copies_is_the_default_radius(tmp_path: Path, make_model: MakeModel) -> None:
    with Database.create(tmp_path / "db", model=make_model(bits=16, near=5, similar=7, copies=3)) as database:
        assert database.duplicate_radius() == 3
        put(database, [("a", 0), ("b", 0b111), ("c", 0b1111_0000)])
        assert groups(database, None) == [[("a", 0), ("b", 3)]]
    with Database.create(tmp_path / "narrow", model=make_model(bits=16, near=2, similar=7, copies=3)) as database:
        assert database.duplicate_radius() == 2  # different images come nearer than what was measured elsewhere


def test_a_model_that_cannot_tell_copies_has_no_radius_of_its_own(tmp_path: Path, make_model: MakeModel) -> None:
    with Database.create(tmp_path / "db", model=make_model(bits=16, near=-1, similar=-1)) as database:
        put(database, [("a", 0), ("b", 0), ("c", 0xFF00)])
        with pytest.raises(ConfigError, match="gives different images equal codes, so it cannot identify copies"):
            database.duplicates()
        assert groups(database, 0) == [[("a", 0), ("b", 0)]]
        (hits,) = database.search_codes(codes_of([0]))
        assert {hit.relation for hit in hits} == {"different"}


def test_open_makes_a_database_only_when_asked(tmp_path: Path, make_model: MakeModel) -> None:
    with pytest.raises(DatabaseError, match="create=True"):
        Database.open(tmp_path / "new")
    with Database.open(tmp_path / "new", create=True, model=make_model()) as database:
        assert len(database) == 0
    with Database.open(tmp_path / "new", create=True) as database:
        assert database.hasher.info.name == "tiny-64"


@pytest.mark.parametrize("link", ["symbolic", "hard"])
def test_a_file_under_two_names_is_not_a_duplicate_of_itself(link: str, indexed: Database, photo_folder: Path) -> None:
    original = sorted(path for path in photo_folder.rglob("*") if path.is_file())[0]
    name = photo_folder / "a link.png"
    name.symlink_to(original) if link == "symbolic" else name.hardlink_to(original)
    indexed.index(photo_folder)
    assert {str(original), str(name)} <= {record.name for record in indexed.records()}
    assert not any({str(original), str(name)} <= {m.path for m in group} for group in indexed.duplicates(radius=0))
    shutil.copy(original, photo_folder / "copy.png")
    indexed.index(photo_folder)
    (group,) = [g for g in indexed.duplicates(radius=0) if str(photo_folder / "copy.png") in {m.path for m in g}]
    if link == "symbolic":
        assert str(original) in {member.path for member in group}  # rather than the link
    assert len({str(original), str(name)} & {member.path for member in group}) == 1


@pytest.mark.parametrize("damage", ["absent", "truncated"])
def test_a_built_in_model_is_put_back(damage: str, tmp_path: Path, photo_folder: Path) -> None:
    with Database.create(tmp_path / "default") as db:
        db.index(photo_folder)
        before = db.duplicates(radius=0)
        model = db.folder / "model.onnx"
        whole = model.read_bytes()
        model.unlink() if damage == "absent" else model.write_bytes(whole[:1000])
    with Database.open(tmp_path / "default") as db:
        assert db.duplicates(radius=0) == before
        assert [finding.repaired for finding in db.verify()][:2] == [False, True]
        assert model.read_bytes() == whole
