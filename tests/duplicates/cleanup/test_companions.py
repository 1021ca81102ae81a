"""Companion files are moved to the trash and restored together with their photo, all or none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lookalike.data import content_digest
from lookalike.duplicates.cleanup import apply as applying
from lookalike.duplicates.cleanup import companions as belongings
from lookalike.duplicates.cleanup import plan as plans
from lookalike.duplicates.cleanup import plan_file, undo, undo_log
from lookalike.duplicates.cleanup.apply import ApplyOptions, Outcome, Step
from lookalike.duplicates.cleanup.plan import Action, Entry, Plan, PlanGroup
from lookalike.duplicates.decisions import State
from lookalike.duplicates.members import member
from lookalike.duplicates.review import GroupImage, Review, Tier
from lookalike.imaging import companions
from lookalike.store.records import Record

NAMES = ("a.JPG", "a.MOV", "a.AAE", "a.JPG.xmp", "b.JPG", "b.MOV", "b.AAE", "b.JPG.xmp", "other.MOV")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes(b"photo" if name.endswith("JPG") else name.encode())
    return folder


@pytest.fixture
def options(tmp_path: Path) -> ApplyOptions:
    return ApplyOptions(log=tmp_path / "log.jsonl", trash=tmp_path / "trash")


def plan(folder: Path, *removed: str, kept: str = "a.JPG") -> Plan:
    def entry(name: str, action: Action) -> Entry:
        path = folder / name
        return Entry(action=action, path=str(path), digest=content_digest(path.read_bytes()).hex())

    return Plan((PlanGroup((entry(kept, Action.KEEP), *(entry(name, Action.REMOVE) for name in removed))),))


def left(folder: Path) -> set[str]:
    return set(os.listdir(folder))


def apply(plan: Plan, folder: Path, options: ApplyOptions) -> list[Step]:
    return list(applying.steps(plan, [str(folder)], options))


def test_companions_go_and_come_back_with_their_photo(folder: Path, options: ApplyOptions) -> None:
    would = apply(plan(folder, "b.JPG"), folder, ApplyOptions(log=options.log, trash=options.trash, dry_run=True))
    assert {(Path(step.path).name, step.outcome) for step in would} == {
        (name, Outcome.WOULD) for name in ("b.JPG", "b.MOV", "b.AAE", "b.JPG.xmp")
    }
    assert left(folder) == set(NAMES)
    steps = apply(plan(folder, "b.JPG"), folder, options)
    assert [Path(step.of).name for step in steps] == ["", "b.JPG", "b.JPG", "b.JPG"]
    assert left(folder) == {"a.JPG", "a.MOV", "a.AAE", "a.JPG.xmp", "other.MOV"}
    logged = {Path(one.path).name: Path(one.of).name for one in undo_log.read(options.log)}
    assert logged == {"b.JPG": "", "b.MOV": "b.JPG", "b.AAE": "b.JPG", "b.JPG.xmp": "b.JPG"}
    undone = list(undo.steps(options.log, [str(folder)]))
    assert {step.outcome for step in undone} == {Outcome.DONE}
    assert left(folder) == set(NAMES)
    assert (folder / "b.AAE").read_bytes() == b"b.AAE"


def test_what_belongs_to_another_photo_stays_and_is_named(folder: Path, options: ApplyOptions) -> None:
    (folder / "b.DNG").write_bytes(b"raw")
    (step, *rest) = apply(plan(folder, "b.JPG"), folder, options)
    assert "b.MOV stays: it belongs to b.DNG, too" in step.why
    assert [Path(one.path).name for one in rest] == ["b.JPG.xmp"]
    assert {"b.DNG", "b.MOV", "b.AAE"} <= left(folder)


def test_a_film_is_no_part_of_a_photo(folder: Path, options: ApplyOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companions, "LARGEST", 3)
    (step, *_) = apply(plan(folder, "b.JPG"), folder, options)
    assert "b.MOV stays: a video" in step.why
    assert "b.MOV" in left(folder)


def test_all_go_or_none(folder: Path, options: ApplyOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "b.AAE").unlink()
    (folder / "b.AAE").symlink_to(folder / "a.AAE")
    (step,) = apply(plan(folder, "b.JPG"), folder, options)
    assert step.outcome is Outcome.LEFT
    assert "companion that cannot be moved with it: b.AAE is a symbolic link" in step.why
    (folder / "b.AAE").unlink()
    before, rename = left(folder), os.rename

    def failing(source: str, target: Path) -> None:
        if str(source).endswith("b.JPG"):
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    (step,) = apply(plan(folder, "b.JPG"), folder, options)
    assert (step.outcome, step.why) == (Outcome.LEFT, "Input/output error")
    assert left(folder) == before
    monkeypatch.undo()
    assert apply(plan(folder, "b.JPG"), folder, options)[0].outcome is Outcome.DONE
    assert {step.outcome for step in list(undo.steps(options.log, [str(folder)]))} == {Outcome.DONE}
    assert left(folder) == before


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_kill_between_two_files_is_gone_on_from(folder: Path, options: ApplyOptions) -> None:
    rename, before = os.rename, left(folder)
    child = os.fork()
    if not child:
        moved = []

        def dying(source: str, target: Path) -> None:
            rename(source, target)
            moved.append(source)
            if len(moved) == 2:
                os._exit(9)

        os.rename = dying  # type: ignore[assignment]
        apply(plan(folder, "b.JPG"), folder, options)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert "b.JPG" in left(folder)
    assert apply(plan(folder, "b.JPG"), folder, options)[0].outcome is Outcome.DONE
    assert not {name for name in left(folder) if name.startswith("b.")}
    list(undo.steps(options.log, [str(folder)]))
    assert left(folder) == before


def test_links_leave_companions_where_they_are(folder: Path, options: ApplyOptions) -> None:
    apply(plan(folder, "b.JPG"), folder, ApplyOptions(log=options.log))
    assert left(folder) == set(NAMES)


def of(folder: Path, id_: int, name: str) -> Record:
    return Record(id_, str(folder), name, None, 5, 1, b"1" * 16, 5, None, bytes(8), 4, 3, "JPEG", False, None, None)


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_a_plan_names_them(ending: str, folder: Path, tmp_path: Path) -> None:
    images = tuple(
        GroupImage(member(record, 0), record, Tier.BYTES) for record in (of(folder, 1, "a.JPG"), of(folder, 2, "b.JPG"))
    )
    found = plans.make([Review(images, 1, "first by path", State.UNDECIDED, None, frozenset())])
    assert found.removals[0].companions == ("b.AAE", "b.JPG.xmp", "b.MOV")
    assert found.groups[0].of(Action.KEEP)[0].companions == ()
    plan_file.write(tmp_path / f"p.{ending}", found)
    assert plan_file.read(tmp_path / f"p.{ending}").groups == found.groups
    assert belongings.Folders().companions("/absent/a.jpg") == []
