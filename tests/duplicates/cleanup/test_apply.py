"""A plan is carried out on real files: nothing is lost, even if files change meanwhile, or after a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from lookalike.core.errors import ConfigError, DataError, Interrupted
from lookalike.data import content_digest
from lookalike.database import Database
from lookalike.duplicates.cleanup import apply as applying
from lookalike.duplicates.cleanup import plan_file, trash, undo_log
from lookalike.duplicates.cleanup import undo as undoing
from lookalike.duplicates.cleanup.apply import ApplyOptions, Outcome, Step
from lookalike.duplicates.cleanup.plan import Action, Entry, Plan, PlanGroup
from lookalike.store import catalog

COPIES = 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file, its copies, and a look-alike."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for number in range(COPIES):
        path = folder / ("sub" if number % 2 else "") / f"{number}.png"
        path.write_bytes(b"picture")
        os.utime(path, ns=(number * 10**9, number * 10**9))
        path.chmod(0o600 + number)
    (folder / "near.png").write_bytes(b"like it")
    return folder


def entry(path: Path, action: Action) -> Entry:
    return Entry(action=action, path=os.fspath(path), digest=content_digest(path.read_bytes()).hex())


def plan_of(kept: Path, *removed: Path) -> Plan:
    return Plan((PlanGroup((entry(kept, Action.KEEP), *(entry(path, Action.REMOVE) for path in removed))),))


@pytest.fixture
def plan(folder: Path) -> Plan:
    """Keep one file, remove its copies."""
    return plan_of(folder / "0.png", folder / "sub/1.png", folder / "2.png", folder / "sub/3.png", folder / "4.png")


@pytest.fixture
def options(tmp_path: Path) -> ApplyOptions:
    return ApplyOptions(log=tmp_path / "log.jsonl", trash=tmp_path / "trash")


def state(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Contents, mode and time of each file in a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            status = path.stat()
            found[str(path.relative_to(folder))] = (path.read_bytes(), status.st_mode, status.st_mtime_ns)
    return found


def outcomes(steps: list[Step]) -> list[Outcome]:
    return [step.outcome for step in steps]


def apply(plan: Plan, folder: Path, options: ApplyOptions) -> list[Step]:
    return list(applying.steps(plan, [str(folder)], options))


def undo(options: ApplyOptions, *, dry_run: bool = False) -> list[Step]:
    return list(undoing.steps(options.log, [str(options.log.parent / "photos")], dry_run=dry_run))


@pytest.mark.parametrize("how", ["trash", "hardlink"])
def test_it_is_done_once_and_undone_once(how: str, plan: Plan, folder: Path, options: ApplyOptions) -> None:
    options = options if how == "trash" else replace(options, trash=None)
    before, count = state(folder), COPIES - 1
    assert outcomes(apply(plan, folder, replace(options, dry_run=True))) == [Outcome.WOULD] * count
    assert state(folder) == before
    assert not options.log.exists()
    assert not (options.log.parent / "trash").exists()
    done = apply(plan, folder, options)
    assert outcomes(done) == [Outcome.DONE] * count
    assert sum(step.size for step in done) == count * len(b"picture")
    if how == "trash":
        assert set(state(folder)) == {"0.png", "near.png"}
        assert [path.read_bytes() for path in (options.log.parent / "trash").rglob("*.png")] == [b"picture"] * count
    else:
        assert (folder / "0.png").stat().st_nlink == COPIES
        assert set(os.listdir(folder)) == {"0.png", "2.png", "4.png", "near.png", "sub"}
    assert outcomes(apply(plan, folder, options)) == [Outcome.BEFORE] * count
    assert outcomes(undo(options, dry_run=True)) == [Outcome.WOULD] * count
    assert outcomes(undo(options)) == [Outcome.DONE] * count
    assert state(folder) == before
    assert (folder / "0.png").stat().st_nlink == 1
    assert outcomes(undo(options)) == [Outcome.BEFORE] * count
    assert outcomes(apply(plan, folder, options)) == [Outcome.DONE] * count
    assert outcomes(undo(options)) == [Outcome.DONE] * count
    assert state(folder) == before


def _changed(path: Path) -> None:
    path.write_bytes(b"another")


def _symlinked(path: Path) -> None:
    path.rename(path.with_name("away"))
    path.symlink_to(path.with_name("away"))


def _another_name(path: Path) -> None:
    os.link(path, path.with_name("further name.png"))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("how", ["trash", "hardlink"])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_changed, "has changed since the plan was made"),
        (_symlinked, "is a symbolic link"),
        (_another_name, "has 2 names"),
        (_folder, "is not a regular file"),
    ],
)
def test_what_is_not_as_it_was_is_left_alone(
    change: Callable[[Path], None], why: str, how: str, plan: Plan, folder: Path, options: ApplyOptions
) -> None:
    options = options if how == "trash" else replace(options, trash=None)
    change(folder / "2.png")
    steps = apply(plan, folder, options)
    assert outcomes(steps) == [Outcome.DONE, Outcome.LEFT, Outcome.DONE, Outcome.DONE]
    assert why in steps[1].why
    assert (folder / "2.png").exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_changed, "has changed"),
        (_symlinked, "symbolic link"),
        (Path.unlink, "is gone"),
        (_folder, "not a regular file"),
    ],
)
def test_nothing_goes_if_the_kept_copy_is_not_sure(
    change: Callable[[Path], None], why: str, plan: Plan, folder: Path, options: ApplyOptions
) -> None:
    change(folder / "0.png")
    before = state(folder)
    for one in (options, replace(options, trash=None)):
        steps = apply(plan, folder, one)
        assert outcomes(steps) == [Outcome.LEFT] * (COPIES - 1)
        assert all(f"may not be safe: {folder / '0.png'}" in step.why and why in step.why for step in steps)
    assert state(folder) == before


def test_a_kept_copy_that_is_the_file_itself_is_none(folder: Path, options: ApplyOptions, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    for kept in (tmp_path / "link/0.png", tmp_path / "link/../photos/0.png"):
        steps = apply(plan_of(kept, folder / "0.png"), folder, options)
        assert "is the same file under another name" in steps[0].why
    assert (folder / "0.png").exists()


def test_one_copy_of_all_that_must_stay_is_enough_to_stop(folder: Path, options: ApplyOptions) -> None:
    near, kept, copy = folder / "near.png", folder / "0.png", folder / "2.png"
    plan = Plan((PlanGroup((entry(near, Action.KEEP), entry(kept, Action.KEEP), entry(copy, Action.REMOVE))),))
    near.unlink()
    assert outcomes(apply(plan, folder, options)) == [Outcome.LEFT]
    assert copy.exists()


def test_nothing_outside_indexed_folders_is_touched(folder: Path, options: ApplyOptions, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.png").write_bytes(b"picture")
    (folder / "way out").symlink_to(outside)
    for path in (outside / "x.png", folder / "way out/x.png", Path(f"{folder}/../outside/x.png")):
        (step,) = apply(plan_of(folder / "0.png", path), folder, options)
        assert (step.outcome, step.why) == (Outcome.LEFT, "is not below an indexed folder")
    assert (outside / "x.png").exists()


def test_a_kept_copy_outside_indexed_folders_keeps_nothing(folder: Path, options: ApplyOptions, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.png").write_bytes(b"picture")
    (folder / "way out").symlink_to(outside)
    for path in (outside / "x.png", folder / "way out/x.png"):
        (step,) = apply(plan_of(path, folder / "0.png"), folder, options)
        assert step.outcome is Outcome.LEFT
        assert step.why.endswith("x.png is not below an indexed folder")
    assert (folder / "0.png").exists()


def test_rows_of_tables_are_not_changed(folder: Path, options: ApplyOptions) -> None:
    (folder / "t.parquet").write_bytes(b"table")
    row = Entry(action=Action.REMOVE, path=f"{folder}/t.parquet#3", digest="00" * 16)
    kept = entry(folder / "0.png", Action.KEEP)
    (step,) = apply(Plan((PlanGroup((kept, row)),)), folder, options)
    assert (step.outcome, step.why) == (Outcome.LEFT, "is a row of a table; tables are not changed")
    turned = PlanGroup((replace(row, action=Action.KEEP), replace(kept, action=Action.REMOVE)))
    (step,) = apply(Plan((turned,)), folder, options)
    assert "t.parquet#3 is a row of a table" in step.why
    assert (folder / "0.png").exists()


def test_what_was_never_read_is_left_alone(folder: Path, options: ApplyOptions) -> None:
    kept, gone = entry(folder / "0.png", Action.KEEP), replace(entry(folder / "2.png", Action.REMOVE), digest="")
    (step,) = apply(Plan((PlanGroup((kept, gone)),)), folder, options)
    assert "was never read" in step.why


def test_what_is_gone_is_no_mistake(plan: Plan, folder: Path, options: ApplyOptions) -> None:
    (folder / "2.png").unlink()
    assert outcomes(apply(plan, folder, options)) == [Outcome.DONE, Outcome.GONE, Outcome.DONE, Outcome.DONE]


def test_only_the_same_bytes_become_links(folder: Path, options: ApplyOptions) -> None:
    plan = plan_of(folder / "near.png", folder / "0.png")
    (step,) = apply(plan, folder, replace(options, trash=None))
    assert step.why == (
        "has other bytes than the kept copy, so it cannot become a link: use --trash, or plan with --skip-pixel-check"
    )
    assert outcomes(apply(plan, folder, options)) == [Outcome.DONE]


def test_the_trash_lies_where_nothing_is_indexed(
    plan: Plan, folder: Path, options: ApplyOptions, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(folder)
    for place in (folder, folder / "sub/trash/deep", tmp_path / "link/trash"):
        with pytest.raises(ConfigError, match="would be indexed again"):
            apply(plan, folder, replace(options, trash=place))
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        apply(plan, folder, replace(options, trash=tmp_path / "file"))


def test_the_trash_is_no_part_of_a_database(plan: Plan, folder: Path, options: ApplyOptions, tmp_path: Path) -> None:
    db = tmp_path / "db"
    db.mkdir()
    (db / catalog.FILE).touch()
    (tmp_path / "link").symlink_to(db)
    for place in (db, db / "trash/deep", tmp_path / "link/trash"):
        with pytest.raises(ConfigError, match="is inside a database"):
            apply(plan, folder, replace(options, trash=place))
    assert [path.name for path in db.iterdir()] == [catalog.FILE]


def test_a_trash_on_another_file_system_is_refused(plan: Plan, folder: Path, options: ApplyOptions) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == folder.stat().st_dev:
        pytest.skip("there is no other file system")
    steps = apply(plan, folder, replace(options, trash=other / "lookalike-trash"))
    assert outcomes(steps) == [Outcome.LEFT] * (COPIES - 1)
    assert "is on another file system than" in steps[0].why
    assert not (other / "lookalike-trash").exists()


def test_a_copy_on_another_file_system_becomes_no_link(folder: Path, options: ApplyOptions) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == folder.stat().st_dev:
        pytest.skip("there is no other file system")
    with tempfile.TemporaryDirectory(dir=shared) as other:
        copy = Path(other, "0.png")
        copy.write_bytes((folder / "0.png").read_bytes())
        steps = applying.steps(plan_of(copy, folder / "0.png"), [str(folder), other], replace(options, trash=None))
        assert [step.why for step in steps] == ["is on another file system than the kept copy; use --trash"]
    assert (folder / "0.png").stat().st_nlink == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_becomes_no_link(plan: Plan, folder: Path, options: ApplyOptions) -> None:
    os.chown(folder / "2.png", 12345, -1)
    steps = apply(plan, folder, replace(options, trash=None))
    assert steps[1].why == "belongs to another user than the kept copy; use --trash"
    assert outcomes(steps) == [Outcome.DONE, Outcome.LEFT, Outcome.DONE, Outcome.DONE]


def test_the_log_says_what_becomes_of_each_file(plan: Plan, folder: Path, options: ApplyOptions) -> None:
    before = (folder / "2.png").stat()
    digest = content_digest(b"picture").hex()
    apply(plan, folder, options)
    moved = undo_log.read(options.log)[1]
    assert moved == undo_log.Action(
        how=undo_log.How.TRASH, path=str(folder / "2.png"), digest=digest, size=7, to=moved.to
    )
    assert Path(moved.to).read_bytes() == b"picture"
    undo(options)
    options.log.unlink()
    apply(plan, folder, replace(options, trash=None))
    assert undo_log.read(options.log)[1] == undo_log.Action(
        how=undo_log.How.HARDLINK, path=str(folder / "2.png"), digest=digest, size=7, to=str(folder / "0.png"),
        aside=undo_log.aside(str(folder / "2.png")), mode=before.st_mode & 0o7777, mtime_ns=before.st_mtime_ns,
    )  # fmt: skip


def test_a_plan_that_makes_no_sense_is_refused(folder: Path, options: ApplyOptions) -> None:
    both = Plan((PlanGroup((entry(folder / "0.png", Action.REMOVE), entry(folder / "2.png", Action.REMOVE))),))
    with pytest.raises(DataError, match="keeps nothing"):
        apply(both, folder, options)
    assert (folder / "0.png").exists()


def test_undoing_takes_nothing_from_what_came_in_its_place(plan: Plan, folder: Path, options: ApplyOptions) -> None:
    apply(plan, folder, options)
    (folder / "2.png").write_bytes(b"new")
    moved = next((options.log.parent / "trash").rglob("3.png"))
    moved.write_bytes(b"damaged")
    next((options.log.parent / "trash").rglob("4.png")).unlink()
    found = {Path(step.path).name: step for step in undo(options)}
    assert "another file is in its place" in found["2.png"].why
    assert "has changed since" in found["3.png"].why
    assert "neither in place nor in the trash" in found["4.png"].why
    assert found["1.png"].outcome is Outcome.DONE
    assert (folder / "2.png").read_bytes() == b"new"


def test_a_link_of_which_the_kept_name_is_gone_is_in_its_place(plan: Plan, folder: Path, options: ApplyOptions) -> None:
    options = replace(options, trash=None)
    apply(plan, folder, options)
    (folder / "0.png").unlink()
    assert outcomes(undo(options)) == [Outcome.BEFORE] * (COPIES - 1)
    assert (folder / "2.png").read_bytes() == b"picture"


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "{victim}", "path": "{victim}", "aside": "{victim}"},  # would be taken for a link left by a kill
        {"aside": "{victim}"},  # would be overwritten
        {"how": "trash", "to": "{victim}", "path": "../elsewhere"},
        {"path": 5},
        {"path": "/\ud800"},
        {"to": "/photos/../victim"},
        {"size": "many"},
    ],
)
def test_a_log_that_no_run_has_written_reaches_no_file(
    changes: dict[str, object], plan: Plan, folder: Path, options: ApplyOptions, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"picture")
    apply(plan, folder, replace(options, trash=None))
    head, first, *_ = options.log.read_text().splitlines()
    made_up = {name: str(value).format(victim=victim) if value != 5 else 5 for name, value in changes.items()}
    options.log.write_text(f"{head}\n{json.dumps(json.loads(first) | made_up)}\n")
    before = state(tmp_path)
    runs: list[Callable[[], list[Step]]] = [lambda: undo(options), lambda: apply(plan, folder, options)]
    for act in runs:
        with pytest.raises(DataError, match="has an unknown action"):
            act()
    assert state(tmp_path) == before


def test_a_log_that_is_none_is_refused_and_a_line_cut_off_is_not(
    plan: Plan, folder: Path, options: ApplyOptions
) -> None:
    options.log.write_text("notes\n")
    with pytest.raises(DataError, match="is not an undo log"):
        apply(plan, folder, options)
    assert len(state(folder)) == COPIES + 1
    options.log.unlink()
    apply(plan, folder, options)
    with options.log.open("ab") as file:
        file.write(b'{"how": "tra')
    assert len(undo_log.read(options.log)) == COPIES - 1
    undo(options)
    assert outcomes(apply(plan, folder, options)) == [Outcome.DONE] * (COPIES - 1)
    assert len(undo_log.read(options.log)) == 2 * (COPIES - 1)


@pytest.mark.parametrize("how", ["trash", "hardlink"])
def test_a_log_reaches_nothing_outside_the_roots_and_the_trash(
    how: str, plan: Plan, folder: Path, options: ApplyOptions, tmp_path: Path
) -> None:
    options = options if how == "trash" else replace(options, trash=None)
    apply(plan, folder, options)
    for elsewhere in (tmp_path / "other", folder / "sub"):
        elsewhere.mkdir(exist_ok=True)
        before = state(tmp_path)
        with pytest.raises(DataError, match="is not below a folder of this database; nothing was done"):
            list(undoing.steps(options.log, [str(elsewhere)]))
        assert state(tmp_path) == before


def _forged(options: ApplyOptions, path: Path, to: Path) -> None:
    digest = content_digest(to.read_bytes()).hex() if to.exists() else "00"
    action = undo_log.Action(how=undo_log.How.TRASH, path=str(path), digest=digest, size=1, to=str(to))
    with suppress(FileNotFoundError):
        options.log.unlink()
    log = undo_log.Log(options.log)
    log.about_to(action)
    log.close()


def test_a_log_that_somebody_has_sent_plants_no_file(folder: Path, options: ApplyOptions, tmp_path: Path) -> None:
    run_folder = tmp_path / "sent/lookalike-20240101-000000"
    planted = trash.path_in(run_folder, str(folder / "planted.png"))
    planted.parent.mkdir(parents=True)
    planted.write_bytes(b"planted")
    (tmp_path / "outside").mkdir()
    (folder / "way out").symlink_to(tmp_path / "outside")
    for path, to, match in (
        (folder / "planted.png", planted, "is not the trash of a run"),  # it has no marker
        (folder / "planted.png", tmp_path / "sent/x", "is not the trash of a run"),
        (tmp_path / "outside/x", planted, "not below a folder of this database"),
        (folder / "way out/x", planted, "not below a folder of this database"),
    ):
        (tmp_path / "sent/x").write_bytes(b"planted")
        _forged(options, path, to)
        before = state(tmp_path)
        with pytest.raises(DataError, match=match):
            undo(options)
        assert state(tmp_path) == before
    (run_folder / trash.MARKER).touch()
    (tmp_path / "sent/secret").symlink_to(tmp_path / "outside")
    (run_folder / "link").symlink_to(tmp_path)
    _forged(options, folder / "planted.png", run_folder / "link/sent/x")
    with pytest.raises(DataError, match="is not the trash of a run"):
        undo(options)


def test_an_emptied_trash_is_no_obstacle(plan: Plan, folder: Path, options: ApplyOptions) -> None:
    apply(plan, folder, options)
    assert options.trash is not None
    shutil.rmtree(options.trash)
    assert outcomes(apply(plan, folder, options)) == [Outcome.GONE] * (COPIES - 1)
    assert outcomes(undo(options)) == [Outcome.LEFT] * (COPIES - 1)


@pytest.mark.parametrize("left", [b"", b"{", undo_log.HEAD[:-1], b"\0\0\0\0", undo_log.HEAD[:9] + b"\0\0"])
def test_a_partial_first_line_after_a_kill_is_not_a_log_and_no_obstacle(
    left: bytes, plan: Plan, folder: Path, options: ApplyOptions
) -> None:
    before = state(folder)
    options.log.write_bytes(left)
    if left != undo_log.HEAD[:-1]:
        with pytest.raises(DataError, match="is not an undo log"):
            undo(options)
    assert outcomes(apply(plan, folder, options)) == [Outcome.DONE] * (COPIES - 1)
    assert outcomes(undo(options)) == [Outcome.DONE] * (COPIES - 1)
    assert state(folder) == before


@pytest.mark.parametrize("how", ["trash", "hardlink"])
@pytest.mark.parametrize("where", ["logged", "linked"])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_stop_between_log_and_action_leaves_the_file(
    where: str, how: str, plan: Plan, folder: Path, options: ApplyOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = options if how == "trash" else replace(options, trash=None)
    before = state(folder)

    def stop(*given: object, **named: object) -> None:
        os._exit(9)

    child = os.fork()
    if child == 0:
        names = {("trash", "logged"): "rename", ("trash", "linked"): "rename"}
        name = names.get((how, where), "link" if where == "logged" else "replace")
        monkeypatch.setattr(os, name, stop)
        apply(plan, folder, options)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    visible = {name: what for name, what in state(folder).items() if "/." not in f"/{name}"}
    assert visible == before
    assert outcomes(undo(options)) == [Outcome.BEFORE]
    assert state(folder) == before
    assert outcomes(apply(plan, folder, options)) == [Outcome.DONE] * (COPIES - 1)
    assert outcomes(undo(options)) == [Outcome.DONE] * (COPIES - 1)
    assert state(folder) == before


MANY = 60


@pytest.fixture
def many(db: Database, photo_bytes: list[bytes], tmp_path: Path) -> tuple[Database, Path]:
    """A database of photographs with a copy of each, and a plan to remove the copies."""
    folder, groups = tmp_path / "many", []
    (folder / "copies").mkdir(parents=True)
    for number in range(MANY):
        kept, copy = folder / f"{number:02}.img", folder / f"copies/{number:02}.img"
        for path in (kept, copy):
            path.write_bytes(photo_bytes[number % len(photo_bytes)] + bytes([number]))
        groups.append(PlanGroup((entry(kept, Action.KEEP), entry(copy, Action.REMOVE))))
    db.index(folder)
    plan_file.write(tmp_path / "plan.json", Plan(tuple(groups)))
    return db, folder


KILLED = """
import os, pathlib, signal, sys
from lookalike.database import Database
from lookalike.duplicates.cleanup import plan_file
from lookalike.duplicates.cleanup.apply import ApplyOptions

db, after, trash = sys.argv[1], int(sys.argv[2]), pathlib.Path("trash") if sys.argv[3] == "--trash" else None
options = ApplyOptions(log=pathlib.Path("plan.json.undo.jsonl"), trash=trash)
kill = lambda stage, done, total: done == after and os.kill(os.getpid(), signal.SIGKILL)
Database.open(db).apply(plan_file.read(pathlib.Path("plan.json")), options, progress=kill)
"""


@pytest.mark.parametrize("how", [["--trash", "trash"], ["--hardlink"]], ids=["trash", "hardlink"])
@pytest.mark.parametrize("after", [1, 17, 50])
def test_a_kill_loses_nothing(after: int, how: list[str], many: tuple[Database, Path], tmp_path: Path) -> None:
    db, folder = many
    before = state(folder)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(db.path), str(after), how[0]], cwd=tmp_path)
    assert killed.returncode == -signal.SIGKILL
    here = [path.read_bytes() for path in folder.rglob("*.img")]
    trash = [path.read_bytes() for path in (tmp_path / "trash").rglob("*.img")]
    assert sorted(here + trash) == sorted(content for content, _, _ in before.values())
    command, about = [sys.executable, "-m", "lookalike"], ["--db", str(db.path)]
    apply = [*command, "apply", "plan.json", *how, *about]
    again = subprocess.run(apply, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {line.split("\t")[0] for line in again.stdout.splitlines()} <= {"done", "done before"}
    assert len(again.stdout.splitlines()) == MANY
    if "--hardlink" in how:
        assert {path.stat().st_nlink for path in folder.rglob("*.img")} == {2}
    else:
        assert len(list(folder.rglob("*.img"))) == MANY
    assert not list(folder.rglob(".*"))
    subprocess.run([*command, "undo", "plan.json.undo.jsonl", *about], cwd=tmp_path, capture_output=True, check=True)
    assert state(folder) == before
    assert all(finding.ok for finding in db.verify())


def test_the_database_follows(many: tuple[Database, Path], options: ApplyOptions, tmp_path: Path) -> None:
    db, folder = many
    plan = plan_file.read(tmp_path / "plan.json")
    db.apply(plan, options)
    assert len(db) == MANY
    assert {record.name for record in db.records() if record.missing_since} == {
        str(path) for path in (folder / f"copies/{number:02}.img" for number in range(MANY))
    }
    db.undo(options.log)
    assert len(db) == 2 * MANY
    report = db.index(folder)
    assert report.unchanged == 2 * MANY


def test_after_ctrl_c_the_database_follows_what_was_done(
    many: tuple[Database, Path], options: ApplyOptions, tmp_path: Path
) -> None:
    db, folder = many

    def stop(stage: str, done: int, total: int | None) -> None:
        assert (stage, total) == ("applying", MANY)
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="the same command resumes"):
        db.apply(plan_file.read(tmp_path / "plan.json"), options, progress=stop)
    assert len(list((folder / "copies").iterdir())) == MANY - 8
    assert len(db) == 2 * MANY - 8
    assert len(undo_log.read(options.log)) == 8
    assert json.loads(options.log.read_text().splitlines()[1])["how"] == "trash"
