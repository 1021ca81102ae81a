"""The best copy, the likeness of the others, and the resulting plan; on real files."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.core.errors import ConfigError, DataError, ImageError
from lookalike.database import Database
from lookalike.duplicates import review as reviewing
from lookalike.duplicates.cleanup import inspection, plan_file
from lookalike.duplicates.cleanup import plan as plans
from lookalike.duplicates.cleanup.plan import Action, Entry, Plan, PlanGroup
from lookalike.duplicates.review import Review, ReviewOptions, Tier
from lookalike.imaging import decode
from tests.conftest import encoded


def names(plan: Plan, action: Action) -> list[set[str]]:
    return [{Path(entry.path).name for entry in group.of(action)} for group in plan.groups]


def test_pixels_are_the_same_only_if_each_is(pictures: list[Image.Image]) -> None:
    picture = pictures[0]
    digest = decode.pixel_digest(encoded(picture, "png"))
    assert decode.pixel_digest(encoded(picture, "bmp")) == digest
    assert decode.pixel_digest(encoded(picture, "png", compress_level=0)) == digest
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(picture.transpose(Image.Transpose.ROTATE_90), "png", exif=exif)
    assert decode.pixel_digest(turned) == digest
    assert decode.pixel_digest(encoded(picture, "jpg")) != digest
    assert decode.pixel_digest(encoded(picture.transpose(Image.Transpose.ROTATE_90), "png")) != digest
    assert decode.pixel_digest(encoded(picture, "png", icc_profile=b"another")) != digest
    grey = picture.convert("L")
    assert decode.pixel_digest(encoded(grey, "png")) == decode.pixel_digest(encoded(grey.convert("RGB"), "png"))


def test_what_eight_bits_and_white_would_hide_is_not_the_same(pictures: list[Image.Image]) -> None:
    values = np.asarray(pictures[0].convert("L"), np.uint16) << 8
    deep = [decode.pixel_digest(encoded(Image.fromarray(values + low), "png")) for low in (0, 1)]
    assert deep[0] != deep[1]
    clear = [Image.new("RGBA", (9, 9), (red, 0, 0, 0)) for red in (0, 1)]
    assert decode.pixel_digest(encoded(clear[0], "png")) != decode.pixel_digest(encoded(clear[1], "png"))
    with pytest.raises(ImageError):
        decode.pixel_digest(b"no image")
    png = encoded(pictures[0], "png")
    with pytest.raises(ImageError, match="is cut off"):
        decode.pixel_digest(png[: len(png) // 2])


@pytest.fixture
def copied(db: Database, pictures: list[Image.Image], tmp_path: Path) -> Database:
    """A database in which one picture is there five times: the same bytes twice, the same pixels, and near."""
    folder = tmp_path / "copies"
    folder.mkdir()
    picture = pictures[1].resize((200, 150))
    detail = np.random.default_rng(0).normal(0, 9, (150, 200, 1))  # or it would be an enlarged one
    picture = Image.fromarray(np.clip(np.asarray(picture) + detail, 0, 255).astype(np.uint8))
    png = encoded(picture, "png")
    (folder / "a.png").write_bytes(png)
    (folder / "b.png").write_bytes(png)
    (folder / "c.bmp").write_bytes(encoded(picture, "bmp"))
    (folder / "d.jpg").write_bytes(encoded(picture, "jpg", quality=95))
    (folder / "e.png").write_bytes(encoded(picture.resize((100, 75)), "png"))
    (folder / "z.png").write_bytes(encoded(pictures[7], "png"))
    os.utime(folder / "c.bmp", (0, 0))
    db.index(folder)
    return db


def reviews(database: Database, *, quick: bool = False, radius: int = 8) -> list[Review]:
    asked = ReviewOptions(compare_pixels=not quick, inspect_files=not quick)
    return database.review(database.duplicates(radius=radius), asked)


def tiers(review: Review) -> dict[str, Tier]:
    return {Path(one.member.path).name: one.tier for one in review.images}


def id_of(database: Database, name: str) -> int:
    return next(record.id for record in database.records() if record.path == name)


def test_three_tiers_are_distinguished(copied: Database) -> None:
    (review,) = reviews(copied)
    assert review.best == id_of(copied, "c.bmp")
    assert review.why == "oldest file (1970-01-01)"
    kept, same, near = Tier.KEPT, Tier.PIXELS, Tier.NEAR
    assert tiers(review) == {"a.png": same, "b.png": same, "c.bmp": kept, "d.jpg": near, "e.png": near}
    (quick,) = reviews(copied, quick=True)
    assert tiers(quick) == {"a.png": near, "b.png": near, "c.bmp": kept, "d.jpg": near, "e.png": near}
    ids = [one.member.id for one in review.images]
    copied.decisions.make("keep", ids, chosen=[id_of(copied, "b.png")])
    (decided,) = reviews(copied)
    assert tiers(decided) == {"a.png": Tier.BYTES, "b.png": kept, "c.bmp": same, "d.jpg": near, "e.png": near}


def test_only_what_may_be_the_same_is_read(copied: Database, tmp_path: Path) -> None:
    groups = reviewing.records_of(copied.duplicates(radius=8), {record.id: record for record in copied.records()})
    read: list[str] = []

    def count(stage: str, done: int, total: int | None) -> None:
        read.append(f"{done}/{total}")

    found = inspection.read(groups, facts=False, progress=count)
    assert read == ["1/3", "2/3", "3/3"]  # a and b have the same bytes, e has another size
    assert len(found.pixels) == 3
    assert found.facts == {}
    (tmp_path / "copies/c.bmp").write_bytes(b"changed")
    (tmp_path / "copies/d.jpg").unlink()
    assert len(inspection.read(groups).pixels) == 1


def test_a_plan_keeps_edited_copies(copied: Database) -> None:
    found = reviews(copied)
    plan = plans.make(found)
    assert names(plan, Action.KEEP) == [{"c.bmp", "d.jpg", "e.png"}]
    assert names(plan, Action.REMOVE) == [{"a.png", "b.png"}]
    assert {entry.why for entry in plan.groups[0].of(Action.KEEP)} == {found[0].why, "edited copy: recompressed"}
    near = plans.make(found, plans.PlanOptions(include_edited=True))
    assert names(near, Action.KEEP) == [{"c.bmp"}]
    assert names(plans.make(reviews(copied, quick=True)), Action.REMOVE) == [{"b.png"}]


def test_a_plan_follows_what_was_decided(copied: Database) -> None:
    ids = [one.member.id for one in reviews(copied)[0].images]
    later = copied.decisions.make("later", ids)
    assert plans.make(reviews(copied)).groups == ()
    copied.decisions.undo(later.id)
    copied.decisions.make("keep", ids, chosen=[id_of(copied, "e.png"), id_of(copied, "d.jpg")])
    plan = plans.make(reviews(copied))
    assert names(plan, Action.KEEP) == [{"d.jpg", "e.png"}]
    assert {entry.why for entry in plan.groups[0].of(Action.KEEP)} == {"as was decided"}
    copied.decisions.make("keep", ids, chosen=ids)
    assert plans.make(reviews(copied)).groups == ()


def test_references_are_never_removed(copied: Database) -> None:
    fixed = frozenset({id_of(copied, "a.png"), id_of(copied, "e.png")})
    report = replace(copied.duplicates(radius=8), references=fixed)
    found = copied.review(report)
    assert found[0].best == id_of(copied, "a.png")
    for include_edited in (False, True):
        plan = plans.make(found, plans.PlanOptions(include_edited=include_edited))
        assert {"a.png", "e.png"} <= names(plan, Action.KEEP)[0]
        assert {"b.png", "c.bmp"} <= names(plan, Action.REMOVE)[0]
    copied.decisions.make("keep", [one.member.id for one in found[0].images], chosen=[id_of(copied, "c.bmp")])
    assert names(plans.make(copied.review(report)), Action.KEEP) == [{"a.png", "c.bmp", "e.png"}]


ENTRIES = (
    Entry(action=Action.KEEP, path='/r/a, "b"\n.jpg', digest="0a" * 16, size=3, tier="kept", why="oldest file"),
    Entry(action=Action.REMOVE, path="/r/\udcff ä.jpg", digest="", size=3, tier="near", distance=2, loses="date"),
)
PLAN = Plan((PlanGroup(ENTRIES), PlanGroup((replace(ENTRIES[0], path="/r/c"), replace(ENTRIES[1], path="/r/d")))))


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_a_plan_comes_back_from_its_file(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"plan.{ending}"
    plan_file.write(path, PLAN)
    assert plan_file.read(path) == PLAN
    assert os.listdir(tmp_path) == [path.name]


def test_a_table_may_be_changed_in_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    plan_file.write(path, PLAN)
    lines = path.read_bytes().split(b"\n", 1)
    text = lines[0] + b"\n" + lines[1].replace(b"keep", b"KEEP ")
    path.write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n2,", b"\r\n2,"))
    assert plan_file.read(path) == PLAN


def test_a_table_of_a_spreadsheet_that_writes_semicolons(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    rows = '1;keep;/r/a, b.jpg;00;3\r\n1;remove;"/r/c;d.jpg";00;3\r\n'
    path.write_text(f"\ufeffgroup;action;path;digest;size\r\n{rows}", encoding="utf-8", newline="")
    (group,) = plan_file.read(path).groups
    assert [(one.action, one.path, one.size) for one in group.entries] == [
        (Action.KEEP, "/r/a, b.jpg", 3), (Action.REMOVE, "/r/c;d.jpg", 3),
    ]  # fmt: skip


def one_entry(**values: object) -> str:
    """A plan of one file as JSON, as anybody may write it."""
    entry = {"action": "keep", "path": "/a", "digest": "00", **values}
    return json.dumps({"lookalike_plan": 1, "groups": [{"images": [entry]}]})


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("p.json", one_entry(size=float("inf")), "is not a plan .OverflowError"),
        ("p.json", one_entry(distance=float("nan")), "is not a plan"),
        ("p.json", one_entry(path="/\ud800"), "not an absolute path"),
        ("p.json", one_entry(path="/a\0"), "not an absolute path"),
        ("p.json", one_entry(path=5), "is not a plan"),
        ("p.csv", "group,action,path,digest\n1,keep,/" + 200_000 * "a" + ",00\n", "is not a plan .*field"),
        ("p.json", "[]", "is not a plan"),
        ("p.json", "{", "is not a plan"),
        ("p.json", '{"lookalike_plan": 9}', "version 9"),
        ("p.json", '{"lookalike_plan": 1, "groups": [{"images": [{"action": "keep"}]}]}', "is not a plan"),
        ("p.csv", "", "no column group"),
        ("p.csv", "group,action,path,digest\n1,burn,/a,00\n", "must be keep or remove"),
        ("p.csv", "group,action,path,digest\n1,keep,a,00\n", "not an absolute path"),
        ("p.csv", "group,action,path,digest\n1,remove,/a,00\n", "group 1 of the plan keeps nothing"),
        (
            "p.csv",
            "group,action,path,digest\n1,keep,/a,00\n2,keep,/b,00\n2,remove,/x/../a,00\n",
            "keeps and removes /a",
        ),
        ("p.csv", "group,action,path,digest\n1,keep,/a,\n1,remove,/b,\n2,keep,/c,\n2,remove,/b,\n", "twice"),
    ],
)
def test_what_is_not_a_plan_is_refused(name: str, text: str, match: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=match) as refused:
        plan_file.read(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600 + len(str(path))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\0" * 99, b"\xff\xfe{\0", b"\x80abc", b"[" * 100_000, b'{"lookalike_plan": 1' + b"9" * 9999 + b"}",
        b"null",
        b'{"lookalike_plan": 1, "groups": {"a": 1}}', b'{"lookalike_plan": 1, "groups": [1]}',
        b"group,action,path,digest\n" + b"9" * 5000 + b",keep,/a,00\n", b"group,action,path,digest\n1\n",
        b'group,action,path,digest\n1,keep,"/a\nb",00\n1,keep,"/a\nb",00\n2,remove,"/a\nb",00\n2,keep,/c,00\n',
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["json", "csv"])
def test_a_bad_plan_file_is_one_line_that_names_it(content: bytes, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"p.{ending}"
    path.write_bytes(content)
    with pytest.raises(DataError) as refused:
        plan_file.read(path)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600 + len(str(path))


def test_what_is_not_a_file_is_not_a_plan(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")  # reading it would wait for ever
    for name in ("folder.json", "pipe.csv"):
        with pytest.raises(DataError, match="is not a file"):
            plan_file.read(tmp_path / name)
    with pytest.raises(DataError, match="null"):
        plan_file.read(tmp_path / "a\0.json")


def test_a_plan_has_a_name_that_says_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.json or \.csv"):
        plan_file.write(tmp_path / "plan.txt", PLAN)
    with pytest.raises(DataError, match="is unreadable"):
        plan_file.read(tmp_path / "absent.json")
    assert json.loads(plan_file.to_json(PLAN))["lookalike_plan"] == 1
