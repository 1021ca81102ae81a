"""Decisions hold: they split groups reproducibly, even after files are moved or added.

The codes of most tests are made up, so that it is known who is near whom.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.errors import ConfigError, DataError
from lookalike.data import Item
from lookalike.database import Database
from lookalike.duplicates import decisions as deciding
from lookalike.duplicates import graph
from lookalike.duplicates import groups as grouping
from lookalike.duplicates.decisions import DecisionIndex, State
from lookalike.duplicates.request import DuplicateSearch
from lookalike.store.decisions import Decided, Decision, Kind
from lookalike.store.records import IndexOutcome

MakeModel = Callable[..., Path]


@pytest.fixture
def db16(tmp_path: Path, make_model: MakeModel) -> Iterator[Database]:
    with Database.create(tmp_path / "db16", model=make_model(bits=16, near=1, similar=3)) as database:
        yield database


def put(
    db: Database, rows: dict[str, int], *, digest: Callable[[str], bytes | None] = lambda name: name.encode()
) -> None:
    """Images with these names and codes, each with unique bytes."""
    with db.store.local().transaction():
        for name, value in rows.items():
            item = Item("/r", name, 1, 1)
            db.store.local().write(
                IndexOutcome(item=item, digest=digest(name), code=value.to_bytes(2, "big"), width=4, height=3)
            )
        db.store.local().touch()


def ids(db: Database, *names: str) -> list[int]:
    found = {record.path: record.id for record in db.records()}
    return [found[name] for name in names]


def groups(db: Database, radius: int = 1, *, with_different: bool = False) -> list[str]:
    """The names of each group, with their distances."""
    found = db.duplicates(DuplicateSearch(radius=radius, ignore_decisions=with_different))
    return [" ".join(f"{one.path.removeprefix('/r/')}{one.distance}" for one in group) for group in found]


def test_what_is_not_a_duplicate_is_excluded(db16: Database) -> None:
    put(db16, {"a": 0, "b": 1, "c": 2, "x": 0xFF00, "y": 0xFF00})
    assert groups(db16) == ["a0 b1 c1", "x0 y0"]
    db16.decisions.make("different", ids(db16, "a", "b"))
    assert groups(db16) == ["a0 c1", "x0 y0"]
    assert groups(db16, with_different=True) == ["a0 b1 c1", "x0 y0"]


def test_what_is_different_from_one_may_be_a_copy_of_another(db16: Database) -> None:
    put(db16, {"a": 0b0, "b": 0b1, "c": 0b11, "d": 0b10, "e": 0b100})
    assert groups(db16) == ["a0 b1 d1 e1"]  # c, two bits from a, is alone
    db16.decisions.make("different", ids(db16, "a", "b", "d", "e"), chosen=ids(db16, "a"))
    assert groups(db16) == ["c0 b1 d1"]
    assert groups(db16, 2) == ["b0 c1 d2 e2"]


def test_of_a_group_decided_to_be_all_different_nothing_is_left(db16: Database) -> None:
    put(db16, dict.fromkeys("abcdef", 0))
    made = db16.decisions.make("different", ids(db16, *"abcdef"))
    assert groups(db16) == []
    put(db16, {"new": 0})
    assert groups(db16) == ["a0 new0"]  # of what came later nothing was said
    db16.decisions.undo(made.id)
    assert groups(db16) == ["a0 b0 c0 d0 e0 f0 new0"]


def test_copies_of_the_same_bytes_stay_together(db16: Database) -> None:
    put(db16, {"a": 0, "b": 0, "c": 0}, digest=lambda name: b"1" if name in "ab" else b"2")
    db16.decisions.make("different", ids(db16, "a", "c"), chosen=ids(db16, "c"))
    assert groups(db16) == ["a0 b0"]
    with pytest.raises(ConfigError, match="same bytes are duplicates"):
        db16.decisions.make("different", ids(db16, "a", "b"))


DECISIONS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), max_size=12)


@given(st.lists(st.integers(0, 3), min_size=8, max_size=8), DECISIONS, st.randoms(use_true_random=False))
def test_no_two_that_are_different_are_together_and_order_means_nothing(
    values: list[int], pairs: list[tuple[str, str]], shuffle: random.Random
) -> None:
    made = [
        Decision(number, Kind.DIFFERENT, 0, (Decided(first.encode(), "", 0), Decided(second.encode(), "", 1)))
        for number, (first, second) in enumerate(pairs)
        if first != second
    ]

    def together(order: list[int]) -> list[list[str]]:
        names = ["abcdefgh"[row] for row in order]
        codes_NW = np.array([[values[row]] for row in order], np.uint8)
        found, marked = deciding.without_different(
            graph.candidates(codes_NW, 1), lambda rows: [names[row].encode() for row in rows], DecisionIndex(made)
        )
        return [
            [names[row] for row, _ in group]
            for group in grouping.stars(found, lambda rows: [names[row] for row in rows], marked)
        ]

    order = list(range(8))
    found = together(order)
    shuffle.shuffle(order)
    shuffle.shuffle(made)
    assert together(order) == found
    wrong = {frozenset(pair) for pair in pairs if len(set(pair)) > 1}
    assert not wrong & {frozenset(pair) for group in found for pair in itertools.combinations(group, 2)}
    assert sum(map(len, found)) == len({name for group in found for name in group})
    if not wrong:
        assert found, "eight images with four codes"


def test_a_decision_outlives_moving_pruning_and_indexing_again(
    db: Database, photo_folder: Path, other_model: Path, tmp_path: Path
) -> None:
    copies = [photo_folder / "one.png", photo_folder / "two.png"]
    source = (photo_folder / "cats/01.png").read_bytes()
    copies[0].write_bytes(source)
    copies[1].write_bytes(source + b"\0")  # other bytes, the same picture
    db.index(photo_folder)

    def together() -> bool:
        return any({str(one) for one in copies} <= {m.path for m in group} for group in db.duplicates(radius=0))

    assert together()
    found = {record.name: record.id for record in db.records()}
    db.decisions.make("different", [found[str(one)] for one in copies])
    assert not together()
    moved = photo_folder / "elsewhere"
    moved.mkdir()
    copies = [one.rename(moved / f"new-{one.name}") for one in copies]
    db.index(photo_folder)
    assert not together()
    db.remove([photo_folder])
    assert len(db) == 0
    db.index(photo_folder)
    assert not together()
    db.index(photo_folder, model=other_model, reindex=True)
    assert not together()
    for one in copies:
        one.rename(tmp_path / one.name)
    db.prune()
    for one in copies:
        (tmp_path / one.name).rename(one)
    db.index(photo_folder)
    assert not together()
    with Database.open(db.path) as again:
        assert [one.kind for one in again.decisions.newest()] == [Kind.DIFFERENT]
        again.decisions.undo(again.decisions.newest()[0].id)
    assert together()


def test_a_group_is_decided_until_something_new_joins_it(db16: Database) -> None:
    put(db16, {"a": 0, "b": 0})
    known = db16.decisions.known
    digests: list[bytes | None] = [b"a", b"b"]
    assert known().of(digests) is None
    later = db16.decisions.make("later", ids(db16, "a", "b"))
    assert deciding.state(known().of(digests)) is State.LATER
    keep = db16.decisions.make("keep", ids(db16, "a", "b"), chosen=ids(db16, "b"))
    assert known().of(digests) == keep
    assert deciding.state(keep) is State.DECIDED
    assert known().of([*digests, b"c"]) is None
    assert known().of([b"a", None]) is None
    assert known().of([b"a", b"a"]) == later  # what was to be kept is gone
    db16.decisions.undo(keep.id)
    assert known().of(digests) == later


def test_of_the_same_bytes_the_path_says_which_is_kept(db16: Database) -> None:
    put(db16, {"a": 0, "b": 0, "c": 0}, digest=lambda name: b"1")
    decision = db16.decisions.make("keep", ids(db16, "a", "b", "c"), chosen=ids(db16, "b"))
    records = list(db16.records())
    assert deciding.kept(decision, records) == set(ids(db16, "b"))
    renamed = [replace(one, path="z") if one.path == "b" else one for one in records]
    assert deciding.kept(decision, renamed) == set(ids(db16, "b"))
    without = [record for record in records if record.path != "b"]
    assert deciding.kept(decision, without) == set(ids(db16, "a", "c"))  # none of which is the one to keep
    every = db16.decisions.make("keep", ids(db16, "a", "b"), chosen=ids(db16, "a", "b"))
    assert deciding.kept(every, records) == set(ids(db16, "a", "b", "c"))


def test_what_is_not_a_decision_is_refused(db16: Database) -> None:
    put(db16, {"a": 0, "b": 0})
    a, b = ids(db16, "a", "b")
    for error, match, kind, about, chosen in (
        (ConfigError, "must be one of keep, different, later", "delete", [a, b], []),
        (DataError, "no image 999", "later", [a, 999], []),
        (ConfigError, "at least two", "later", [a, a], []),
        (ConfigError, "choose at least one", "keep", [a, b], []),
        (ConfigError, "must be among the images of the decision", "keep", [a, b], [999]),
    ):
        with pytest.raises(error, match=match):
            db16.decisions.make(kind, about, chosen=chosen)
    put(db16, {"code": 0}, digest=lambda name: None)
    with pytest.raises(DataError, match="code has an imported code and was never read; index it"):
        db16.decisions.make("later", ids(db16, "a", "code"))
    with db16.store.local().transaction():
        db16.store.local().write(IndexOutcome(item=Item("/r", "locked", 1, 1), error="Permission denied"))
    with pytest.raises(DataError, match=r"locked could not be read \(Permission denied\); fix that and index it"):
        db16.decisions.make("later", ids(db16, "a", "locked"))
    with pytest.raises(DataError, match="no decision 7"):
        db16.decisions.undo(7)
    assert db16.decisions.newest() == []


def test_decisions_can_be_made_while_another_process_writes(db16: Database) -> None:
    put(db16, {"a": 0, "b": 0})
    with Database.open(db16.path) as other, db16.store.changing():
        other.decisions.make("later", ids(other, "a", "b"))
    assert len(db16.decisions.newest()) == 1


def test_the_images_of_a_decision_are_found_again_by_content(db16: Database) -> None:
    put(db16, {"a": 0, "b": 0, "b2": 0}, digest=lambda name: name[:1].encode())
    made = db16.decisions.make("different", ids(db16, "a", "b2"))
    assert db16.decisions.ids(made.images) == ids(db16, "a", "b2")
    with db16.store.local().transaction():
        db16.store.local().delete(ids(db16, "a", "b2"))
    assert db16.decisions.ids(made.images) == [None, *ids(db16, "b")]
    assert [db16.decisions.count(kind) for kind in (None, Kind.DIFFERENT, Kind.KEEP)] == [1, 1, 0]
    assert db16.decisions.newest(kind=Kind.KEEP) == []
