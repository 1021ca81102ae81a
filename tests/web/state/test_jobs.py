"""A background job runs once, in one process, and its result is stored in a file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")

from lookalike.database import Database
from lookalike.duplicates.cleanup.inspection import Inspection
from lookalike.duplicates.request import Strictness
from lookalike.web.state import jobs as jobs_module
from lookalike.web.state import reviews
from lookalike.web.state.jobs import Done, Job, Jobs, Report, Running


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def task(run: Callable[[Any, Report], Any]) -> Job:
    return Job("task", run, lambda value: str(value).encode(), lambda content: int(content))


def made(jobs: Jobs, work: Job, revision: int) -> Done:
    """The result, as soon as it is available."""
    found = jobs.ask(work, revision)
    while not (isinstance(found, Done) and found.fresh):
        time.sleep(0.01)
        found = jobs.ask(work, revision)
    return found


@pytest.fixture
def revision(photo_db: Path) -> int:
    with Database.open(photo_db) as database:
        return database.revision


def test_work_is_done_once_for_all_who_ask(photo_db: Path, revision: int, tmp_path: Path) -> None:
    jobs, go, runs = Jobs(lambda: Database.open(photo_db), tmp_path), threading.Event(), []

    def run(database: Any, report: Report) -> int:
        runs.append(1)
        report(1, 2)
        assert go.wait(20)
        return len(database)

    asked = [jobs.ask(task(run), revision) for _ in range(5)]
    assert all(isinstance(one, Running) for one in asked)
    until(lambda: isinstance(asked[0], Running) and asked[0].done == 1)
    go.set()
    assert made(jobs, task(run), revision) == Done(40, revision, True)
    assert len(runs) == 1
    assert jobs.ask(task(run), revision + 1) == Done(40, revision, False)  # the old one, while it is made again
    jobs.stop()


def test_another_process_waits_and_takes_the_result(
    photo_db: Path, revision: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "EVERY", 0.01)
    first, second = (Jobs(lambda: Database.open(photo_db), tmp_path) for _ in range(2))
    began, go = threading.Event(), threading.Event()

    def run(database: Any, report: Report) -> int:
        began.set()
        while not go.is_set():
            report(3, 4)
            time.sleep(0.02)
        return 7

    def fail(database: Any, report: Report) -> int:
        raise AssertionError("it is done elsewhere")

    first.ask(task(run), revision)
    assert began.wait(20)
    waiting = second.ask(task(fail), revision)
    assert isinstance(waiting, Running)
    until(lambda: (waiting.done, waiting.total) == (3, 4))
    go.set()
    assert made(second, task(fail), revision) == made(first, task(fail), revision) == Done(7, revision, True)
    later = Jobs(lambda: Database.open(photo_db), tmp_path)  # of the next server
    assert later.ask(task(fail), revision) == Done(7, revision, True)


@pytest.mark.parametrize("damage", [b"", b"no head", b"[]\n8", b'["0", 1, "x"]\n8'])
def test_a_damaged_result_is_made_again(photo_db: Path, revision: int, tmp_path: Path, damage: bytes) -> None:
    jobs = Jobs(lambda: Database.open(photo_db), tmp_path)
    assert made(jobs, task(lambda database, report: 7), revision).value == 7
    (tmp_path / "task").write_bytes(damage)
    assert made(jobs, task(lambda database, report: 8), revision).value == 8


def test_without_a_folder_each_process_keeps_its_own(photo_db: Path, revision: int, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    jobs = Jobs(lambda: Database.open(photo_db), tmp_path / "file/background")
    assert made(jobs, task(lambda database, report: 7), revision).value == 7


def test_stopping_ends_work_at_its_next_report(photo_db: Path, tmp_path: Path) -> None:
    jobs, began = Jobs(lambda: Database.open(photo_db), tmp_path), threading.Event()

    def run(database: Any, report: Report) -> None:
        while True:
            began.set()
            report(0, 1)
            time.sleep(0.01)

    jobs.ask(task(run), 0)
    assert began.wait(20)
    jobs.stop()
    assert not any(thread.is_alive() for thread in jobs._threads)


def test_results_are_the_same_from_a_file(photo_db: Path) -> None:
    work = reviews.comparing(Strictness.NORMAL, 8)
    with Database.open(photo_db) as database:
        found = work.run(database, lambda done, total: None)
        again = work.load(work.dump(found))
        assert database.group(again) == database.group(found)
        np.testing.assert_array_equal(again.codes.codes_NW, found.codes.codes_NW)
        inspecting = reviews.Reviews().inspecting(found, lambda content: content[:4], _no_evidence)
        seen: Inspection = inspecting.run(database, lambda done, total: None)
    assert inspecting.load(inspecting.dump(seen)) == seen


def _no_evidence(content: bytes) -> Any:
    from lookalike.core.errors import ImageError

    raise ImageError("not read")
