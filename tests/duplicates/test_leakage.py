"""Copies across two parts of a collection are those that a comparison of all pairs finds, and references stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lookalike.core.errors import ConfigError, DataError
from lookalike.data import Item
from lookalike.database import Database
from lookalike.duplicates.cleanup import plan as plans
from lookalike.duplicates.request import DuplicateReport, DuplicateSearch
from lookalike.store.records import IndexOutcome

MakeModel = Callable[..., Path]
RADIUS = 2


@pytest.fixture
def db16(tmp_path: Path, make_model: MakeModel) -> Iterator[Database]:
    with Database.create(tmp_path / "db16", model=make_model(bits=16, near=1, similar=3)) as database:
        yield database


def put(db: Database, rows: dict[str, int], *, same: tuple[str, ...] = (), labels: bool = False) -> None:
    """Images with these paths and codes; those in `same` have the same bytes, the others unique ones."""
    with db.store.local().transaction():
        for path, value in rows.items():
            item = Item("/r", path, 1, 1, path.split("/")[0] if labels else None)
            digest = b"same" if path in same else path.encode()
            db.store.local().write(
                IndexOutcome(item=item, digest=digest, code=value.to_bytes(2, "big"), width=4, height=3)
            )
        db.store.local().touch()


def matches(db: Database, first: str, second: str, *, radius: int = RADIUS) -> list[tuple[str, str, int, int]]:
    found = db.leakage(first, second, DuplicateSearch(radius=radius))
    return [(one.record.path, one.copy.path, one.distance, one.copies) for one in found.matches]


def test_each_image_is_matched_with_the_nearest(db16: Database) -> None:
    put(db16, {"a/1": 0b0, "a/2": 0b1, "a/far": 0xFF00, "b/x": 0b11, "b/y": 0b0, "b/none": 0x00F0})
    assert matches(db16, "/r/a", "/r/b") == [("b/x", "a/2", 1, 2), ("b/y", "a/1", 0, 2)]
    found = db16.leakage("/r/a", "/r/b", DuplicateSearch(radius=RADIUS))
    assert (found.first, found.second, found.share) == (3, 3, 2 / 3)


def test_of_equal_distances_the_same_bytes_come_first(db16: Database) -> None:
    put(db16, {"a/1": 0, "a/2": 0, "b/x": 0}, same=("a/2", "b/x"))
    assert matches(db16, "/r/a", "/r/b") == [("b/x", "a/2", 0, 2)]


def test_all_pairs_say_the_same(db16: Database) -> None:
    random = np.random.default_rng(3)
    rows = {f"{'ab'[i % 2]}/{i:04}": int(value) for i, value in enumerate(random.integers(0, 3000, 900))}
    put(db16, rows)
    expected = []
    for path, value in sorted(rows.items()):
        near = sorted(
            (bits, other) for other, code in rows.items()
            if other[0] == "a" and (bits := (value ^ code).bit_count()) <= RADIUS
        )  # fmt: skip
        if path[0] == "b" and near:
            expected.append((path, near[0][1], near[0][0], len(near)))
    assert matches(db16, "/r/a", "/r/b") == expected
    assert len(expected) > 100


def test_parts_may_be_labels_or_lie_in_each_other(db16: Database) -> None:
    put(db16, {"a/1": 0, "b/x": 0, "b/in/y": 0}, labels=True)
    assert matches(db16, "a", "b") == [("b/in/y", "a/1", 0, 1), ("b/x", "a/1", 0, 1)]
    assert matches(db16, "/r/b/in", "b") == [("b/x", "b/in/y", 0, 1)]
    with pytest.raises(DataError, match="are also in b"):
        matches(db16, "b", "/r/b/in")
    with pytest.raises(ConfigError, match="neither a folder nor a label"):
        matches(db16, "a", "absent")


def test_what_was_decided_to_be_different_is_not_a_copy(db16: Database) -> None:
    put(db16, {"a/1": 0, "a/2": 1, "b/x": 0})
    ids = {record.path: record.id for record in db16.records()}
    db16.decisions.make("different", [ids["a/1"], ids["b/x"]])
    assert matches(db16, "/r/a", "/r/b") == [("b/x", "a/2", 1, 1)]


def against(db: Database, *folders: str, radius: int = RADIUS) -> DuplicateReport:
    return db.duplicates(DuplicateSearch(radius=radius, reference=folders))


def test_groups_stand_around_references_which_stay(db16: Database) -> None:
    put(db16, {"a/1": 0, "a/2": 0xFF, "a/alone": 0x0F0F, "b/x": 1, "b/y": 0, "c/z": 0xFE, "c/other": 0xF000})
    report = against(db16, "/r/a")
    shown = [[(one.path.removeprefix("/r/"), one.distance) for one in group] for group in report]
    assert shown == [[("a/1", 0), ("b/y", 0), ("b/x", 1)], [("a/2", 0), ("c/z", 1)]]
    reviews = db16.review(report)
    assert [review.why for review in reviews] == ["reference", "reference"]
    plan = plans.make(reviews, plans.PlanOptions(include_edited=True))
    assert [entry.path for entry in plan.removals] == ["/r/b/y", "/r/b/x", "/r/c/z"]
    both = against(db16, "/r/a", "/r/b")
    assert [[one.path.removeprefix("/r/") for one in group] for group in both] == [["a/2", "c/z"]]


def test_an_empty_rest_has_no_groups(db16: Database) -> None:
    put(db16, {"a/1": 0, "a/2": 0})
    assert against(db16, "/r/a").groups == []


def test_other_names_of_a_reference_are_not_copies(indexed: Database, photo_folder: Path) -> None:
    reference = photo_folder / "cats/01.png"
    (photo_folder / "dogs/hard.png").hardlink_to(reference)
    (photo_folder / "dogs/soft.png").symlink_to(reference)
    (photo_folder / "a copy.png").write_bytes(reference.read_bytes())
    indexed.index(photo_folder)
    for name in (reference, photo_folder / "dogs/soft.png"):
        report = against(indexed, str(name), radius=0)
        (group,) = report
        assert group[0].path == str(name)
        assert {group[0].id} == report.references
        assert str(photo_folder / "a copy.png") in [one.path for one in group]
        assert not {str(reference), str(photo_folder / "dogs/hard.png")} & {one.path for one in group[1:]}
