"""What a plan keeps and removes, and the reason for each file, given the facts of each group."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lookalike.core.errors import DataError
from lookalike.duplicates.cleanup import plan as plans
from lookalike.duplicates.cleanup.best_copy import preference
from lookalike.duplicates.cleanup.facts import Facts
from lookalike.duplicates.cleanup.plan import Action, Entry, Plan, PlanGroup, PlanOptions
from lookalike.duplicates.decisions import State
from lookalike.duplicates.review import GroupImage, Review, Tier
from lookalike.imaging.metadata import Metadata
from lookalike.store.derived.results import Member
from lookalike.store.records import Record

KNOWN = {"date": "2024-05-01 10:00:00", "place": (1.0, 2.0), "camera": "Canon"}


def image(id_: int, says: str | None = None, **values: Any) -> GroupImage:
    """An image with the bytes of `content`, by default its own; `says` is None if its file was not read."""
    content, format_ = str(values.get("content", id_)).encode(), values.get("format", "JPEG")
    record = Record(
        id_, "/r", f"{id_}.jpg", None, 10, 100, content if values.get("digest", True) else None, 10, None, b"c", 4, 3,
        format_, False, None, None,
    )  # fmt: skip
    member = Member(record.name, values.get("distance", 0), 4, 3, 1000 + id_, None, id_)
    words = {word: KNOWN[word] for word in says.split()} if says else {}
    facts = None if says is None else Facts(width=4, height=3, format=format_, metadata=Metadata(**words))  # type: ignore[arg-type]
    return GroupImage(member, record, Tier.NEAR, values.get("reference", False), facts)


def review(*images: GroupImage, best: int = 1, state: State = State.UNDECIDED, kept: tuple[int, ...] = ()) -> Review:
    return Review(images, best, "oldest file", state, None, frozenset(kept))


def made(*images: GroupImage, same: dict[bytes, bytes] | None = None, **options: Any) -> dict[int, Entry]:
    """The entries of a plan for one group, by id; empty if nothing is removed."""
    plan = plans.make([replace(review(*images), pixels=same or {})], PlanOptions(**options))
    return {int(entry.path[3:-4]): entry for group in plan.groups for entry in group.entries}


def removed(entries: dict[int, Entry]) -> set[int]:
    return {id_ for id_, entry in entries.items() if entry.action is Action.REMOVE}


def test_entries_say_all_that_is_known_of_a_file() -> None:
    groups = [review(image(1), image(2, distance=3, content=1), image(3, distance=4))]
    plan = plans.make(groups, database="db", radius=5, bits=64)
    assert (plan.database, plan.radius, plan.bits, plan.spared) == ("db", 5, 64, 0)
    first, second, third = plan.groups[0].entries
    assert first == Entry(
        action=Action.KEEP, path="/r/1.jpg", digest=b"1".hex(), size=1001, tier="kept", why="oldest file"
    )
    assert second == Entry(
        action=Action.REMOVE, path="/r/2.jpg", digest=b"1".hex(), size=1002, tier="same bytes", distance=3,
        why="similar, not verified",
    )  # fmt: skip
    assert third == Entry(
        action=Action.KEEP, path="/r/3.jpg", digest=b"3".hex(), size=1003, tier="kept", distance=4,
        why="similar, not verified",
    )  # fmt: skip
    assert plan.removals == [second]


def test_the_only_copy_with_metadata_stays_unless_it_may_be_lost() -> None:
    images = image(1, "date"), image(2, "date place camera"), image(3, "place"), image(4, "camera")
    assert made(*images) == {}
    found = made(*images, include_edited=True)
    assert removed(found) == {3, 4}  # the second has all of their metadata
    assert found[2].why == "only copy with place and camera"
    assert [found[id_].loses for id_ in (1, 2, 3, 4)] == [""] * 4
    found = made(*images, include_edited=True, allow_metadata_loss=True)
    assert removed(found) == {2, 3, 4}
    assert [found[id_].loses for id_ in (2, 3, 4)] == ["place, camera", "place", "camera"]


def test_what_knows_as_much_as_the_best_is_spared_by_its_place() -> None:
    found = made(image(3, "date"), image(2, "date"), image(1, ""), include_edited=True)
    assert removed(found) == {2}
    assert (found[3].why, found[1].why) == ("only copy with date", "oldest file")


def test_files_that_were_not_read_lose_nothing_that_is_known() -> None:
    found = made(image(1, "date"), image(2), include_edited=True)
    assert removed(found) == {2}
    assert found[2].loses == ""


def test_spared_files_are_counted_in_groups_that_are_excluded_too() -> None:
    groups = [review(image(1, ""), image(2, "date")), review(image(3), image(4, content=3), best=3)]
    plan = plans.make(groups, PlanOptions(include_edited=True))
    assert (plan.spared, len(plan.groups)) == (1, 1)
    assert plans.make([replace(one, state=State.LATER) for one in groups], PlanOptions(include_edited=True)) == Plan(())


def test_a_raw_file_goes_only_in_favour_of_another_raw_file() -> None:
    found = made(image(1), image(2, format="DNG"), image(3), include_edited=True)
    assert removed(found) == {3}
    assert found[2].why == "only raw copy"
    found = made(image(1, format="DNG"), image(2, format="DNG"), image(3, "", format="NEF"), include_edited=True)
    assert removed(found) == {2, 3}
    found = made(image(1), image(2, "date", format="DNG"), include_edited=True, allow_metadata_loss=True)
    assert removed(found) == set()


def test_a_file_goes_in_favour_of_its_equals_if_one_of_them_stays() -> None:
    same = {b"2": b"pixels", b"3": b"pixels"}
    found = made(image(1, "date"), image(2, "camera"), image(3, "date camera"), same=same)
    assert removed(found) == {2}  # the first has other pixels and does not count; the third has the metadata
    found = made(image(1, "date"), image(2, "", reference=True), image(3, "date"), same=same, include_edited=True)
    assert removed(found) == set()  # the first has the date too, but is no copy
    assert found == {}


def test_of_equal_pixels_the_reference_or_the_best_stays() -> None:
    same = {b"1": b"p", b"2": b"p", b"3": b"p"}
    assert removed(made(image(1), image(2), image(3), same=same)) == {2, 3}
    assert removed(made(image(1), image(2, reference=True), image(3), same=same)) == {1, 3}
    others = image(4, content="4"), image(5, content="5")
    found = made(image(1), *others, same={b"4": b"q", b"5": b"q"}, prefer=(preference("newest"),))
    assert len(removed(found)) == 1
    assert {entry.why for entry in found.values() if entry.action is Action.KEEP} == {
        "oldest file",
        "similar, not verified",
    }


def test_preferences_choose_among_equals_that_only_look_like_the_best() -> None:
    old, new = image(2, content="x"), image(3, content="x")
    new = replace(new, record=replace(new.record, mtime_ns=999))
    assert removed(made(image(1), old, new, prefer=(preference("newest"),))) == {2}
    assert removed(made(image(1), old, new, prefer=(preference("oldest"),))) == {3}


def test_files_of_unknown_bytes_are_not_copies_of_each_other() -> None:
    assert made(image(1), image(2, digest=False), image(3, digest=False)) == {}
    found = made(image(1), image(2, digest=False), include_edited=True)
    assert (found[2].digest, found[2].tier) == ("", "near")


def test_what_was_decided_is_kept_and_references_with_it() -> None:
    images = image(1), image(2), image(3, reference=True), image(4)
    plan = plans.make([review(*images, state=State.DECIDED, kept=(2,))], PlanOptions(include_edited=True))
    found = {entry.path: entry.why for entry in plan.groups[0].of(Action.KEEP)}
    assert found == {"/r/2.jpg": "as was decided", "/r/3.jpg": "reference"}
    assert [entry.path for entry in plan.removals] == ["/r/1.jpg", "/r/4.jpg"]


def entries(*actions: str) -> PlanGroup:
    return PlanGroup(
        tuple(Entry(action=Action.KEEP if one[0] == "+" else Action.REMOVE, path=one[1:], digest="") for one in actions)
    )


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (
            [entries("+a", "-b"), entries("-c")],
            "group 2 of the plan keeps nothing; keep at least one of its files",
        ),
        ([entries("+a", "-b"), entries("+b", "-c")], "the plan both keeps and removes b; choose one"),
        ([entries("+a", "-b"), entries("+c", "-b")], "the plan removes b twice; list it in one group"),
    ],
)
def test_a_plan_without_sense_is_refused_in_words(groups: list[PlanGroup], said: str) -> None:
    with pytest.raises(DataError) as raised:
        plans.check(Plan(tuple(groups)))
    assert str(raised.value) == said


def test_a_plan_that_makes_sense_comes_back() -> None:
    plan = Plan((entries("+a", "-b", "-c"), entries("+a", "-d")))
    assert plans.check(plan) is plan
