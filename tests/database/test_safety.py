"""After interruption, damage or concurrent writes no image is lost or duplicated, and every problem is reported."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import numpy as np
import pytest

from lookalike.core.errors import DatabaseError, LookalikeError
from lookalike.database import Database
from lookalike.store.derived import codefile

Check = Callable[..., None]


# Two writers


def test_a_second_writer_is_turned_away(indexed: Database, photo_folder: Path, check: Check) -> None:
    writes: list[Callable[[Database], object]] = [
        lambda db: db.index(photo_folder),
        lambda db: db.remove([photo_folder]),
        lambda db: db.prune(),
        lambda db: db.verify(),
    ]
    with filelock.FileLock(indexed.folder / "lock"), Database.open(indexed.path) as second:
        for write in writes:
            with pytest.raises(DatabaseError, match=r"another process is writing to .*wait until it has finished"):
                write(second)
        assert len(second.search(photo_folder / "cats/01.png")) == 10
    assert indexed.index(photo_folder).unchanged == 40
    check(indexed.path, photo_folder)


def test_the_lock_is_held_while_indexing_and_given_back(db: Database, photo_folder: Path) -> None:
    errors = []

    def meanwhile(stage: str, done: int, total: int | None) -> None:
        with Database.open(db.path) as second:
            try:
                second.index(photo_folder)
            except DatabaseError as error:
                errors.append(str(error))

    db.index(photo_folder, progress=meanwhile)
    assert len(errors) == 1
    with Database.open(db.path) as second:
        assert second.index(photo_folder).unchanged == 40


HOLD = """
import filelock, sys
lock = filelock.FileLock(sys.argv[1])
lock.acquire()
print("held", flush=True)
input()
"""


def test_the_lock_of_another_process_holds(indexed: Database, photo_folder: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, indexed.folder / "lock"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(DatabaseError, match="another process is writing"):
            indexed.index(photo_folder)
    finally:
        child.kill()
        child.communicate()
    assert indexed.index(photo_folder).unchanged == 40


def test_rows_added_by_another_open_database_are_known(db: Database, photo_folder: Path, check: Check) -> None:
    with Database.open(db.path) as other:
        assert other.index(photo_folder).encoded == 40
        report = db.index(photo_folder)
        assert (report.unchanged, report.encoded) == (40, 0)
    check(db.path, photo_folder)


# kill -9

CHILD = """
import os, signal, sys
from pathlib import Path
from lookalike.core.progress import silent
from lookalike.database import Database, indexing
from lookalike.store import catalog
from lookalike.store.derived import codefile

path, folder, model, where, again = sys.argv[1:]
indexing.BATCH = 8

def end(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def end_after(call, times):
    count = iter(range(1, 10**6))
    def wrapped(*arguments, **options):
        result = call(*arguments, **options)
        if next(count) >= times:
            end()
        return result
    return wrapped

database = Database.open(path) if again == "again" else Database.create(path, model=model)
progress = silent
if where == "between two transactions":
    progress = end_after(silent, 2)
elif where == "inside a transaction":
    catalog.Catalog.write = end_after(catalog.Catalog.write, 13)
elif where == "before a commit":
    catalog.Catalog.touch = end_after(catalog.Catalog.touch, 3)
elif where == "while codes are written":
    os.fsync = end
elif where == "before codes are put in place":
    os.replace = Path.replace = end
elif where == "while marking what is gone":
    catalog.Catalog.set_missing = end_after(catalog.Catalog.set_missing, 1)
if where == "while removing":
    catalog.Catalog.delete = end_after(catalog.Catalog.delete, 1)
    database.remove([folder])
database.index(folder, progress=progress)
"""


def run_and_be_killed(*arguments: object) -> None:
    child = subprocess.run([sys.executable, "-c", CHILD, *map(os.fspath, arguments)], capture_output=True, text=True)  # type: ignore[arg-type]
    assert child.returncode == -signal.SIGKILL, child.stderr


@pytest.mark.parametrize(
    ("where", "least", "most"),
    [
        ("between two transactions", 16, 16),
        ("inside a transaction", 8, 8),
        ("before a commit", 8, 24),
        ("while codes are written", 40, 40),
        ("before codes are put in place", 40, 40),
    ],
)
def test_killed_while_indexing(
    where: str, least: int, most: int, tmp_path: Path, photo_folder: Path, model: Path, check: Check
) -> None:
    path = tmp_path / "killed"
    run_and_be_killed(path, photo_folder, model, where, "new")
    with Database.open(path) as database:
        assert least <= len(database) <= most
        hits = database.search(photo_folder / "cats/01.png", top=None, radius=64)
        assert len(hits) == len(database)
        assert all(finding.ok for finding in database.verify())
        report = database.index(photo_folder)
        assert (report.found, report.indexed, report.unchanged) == (40, 40, len(hits))
    check(path, photo_folder)


@pytest.mark.parametrize("where", ["while removing", "while marking what is gone", "inside a transaction"])
def test_killed_while_changing(where: str, indexed: Database, photo_folder: Path, model: Path, check: Check) -> None:
    indexed.close()
    (photo_folder / "cats/01.png").unlink()
    for path in sorted(photo_folder.rglob("*.*"))[::2]:
        os.utime(path, (7, 7))
    run_and_be_killed(indexed.path, photo_folder, model, where, "again")
    with Database.open(indexed.path) as database:
        assert len(database.search(photo_folder / "cats/02.webp", top=None, radius=64)) == len(database) == 40
        report = database.index(photo_folder)
        assert (report.found, report.indexed, report.encoded, report.missing) == (39, 39, 0, 1)
    check(indexed.path, photo_folder)


@pytest.mark.parametrize("where", ["the model", "the catalog", "its first rows"])
def test_cut_off_while_being_made(
    where: str, tmp_path: Path, model: Path, photo_folder: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(BaseException):
        pass

    def cut(*_: object, **__: object) -> None:
        raise Cut

    targets = {
        "the model": "lookalike.store.model_file.copy",
        "the catalog": "lookalike.store.folder.Catalog",
        "its first rows": "lookalike.store.folder._set_model",
    }
    with monkeypatch.context() as patch:
        patch.setattr(targets[where], cut)
        with pytest.raises(Cut):
            Database.create(tmp_path / "db", model=model)
    try:  # like the command line: open it if it exists, else create it
        database = Database.open(tmp_path / "db")
    except DatabaseError:
        database = Database.create(tmp_path / "db", model=model)
    with database:
        assert database.index(photo_folder).encoded == 40
    check(tmp_path / "db", photo_folder)


# Damage


@pytest.mark.parametrize("damage", ["absent", "empty", "truncated", "flipped", "another", "of old"])
def test_codes_are_made_again_from_the_catalog(
    damage: str, indexed: Database, photo_folder: Path, tmp_path: Path, check: Check
) -> None:
    query, path = photo_folder / "cats/01.png", indexed.folder / "codes.bin"
    expected = indexed.search(query, top=None, radius=64)
    content = path.read_bytes()
    if damage == "of old":
        indexed.index(photo_folder, reindex=True, labels_from_folders=True)  # the catalog has changed since
        path.write_bytes(content)
    elif damage == "flipped":
        path.write_bytes(content[:-3] + bytes([content[-3] ^ 4]) + content[-2:])
    elif damage == "another":
        codefile.write(path, np.arange(3), np.zeros((3, 2), np.uint8), model="x", revision=1)
    else:
        path.unlink()
        if damage != "absent":
            path.write_bytes(content[:-7] if damage == "truncated" else b"")
    with Database.open(indexed.path) as database:
        if damage != "flipped":  # only detected by reading all of it
            assert database.search(query, top=None, radius=64) == expected
        (finding,) = [finding for finding in database.verify() if finding.repaired]
        assert finding.ok
        assert finding.what.startswith("codes: ")
        assert database.search(query, top=None, radius=64) == expected
    check(indexed.path, photo_folder)


@pytest.mark.parametrize("length", [0, 1, 100, 4096, 8192, -4096, -1])
def test_a_truncated_catalog_is_one_clear_error(length: int, indexed: Database, photo_folder: Path) -> None:
    indexed.close()
    path = indexed.folder / "catalog.sqlite"
    path.write_bytes(path.read_bytes()[:length])
    uses: list[Callable[[Database], object]] = [
        lambda db: db.search(photo_folder / "cats/01.png"),
        lambda db: db.index(photo_folder),
        lambda db: db.duplicates(),
        lambda db: db.info(),
        lambda db: list(db.records()),
        lambda db: len(db),
        lambda db: db.bits,
        lambda db: db.remove([photo_folder]),
        lambda db: db.prune(),
    ]
    errors = 0
    for use in uses:
        try:
            with Database.open(indexed.path) as database:
                use(database)
        except LookalikeError:
            errors += 1
    assert errors > 0


@pytest.mark.parametrize("length", [0, 4096, -4096])
def test_verify_says_that_the_catalog_is_damaged(length: int, indexed: Database) -> None:
    indexed.close()
    path = indexed.folder / "catalog.sqlite"
    path.write_bytes(path.read_bytes()[:length])
    try:
        with Database.open(indexed.path) as database:
            assert not all(finding.ok for finding in database.verify())
    except LookalikeError as error:
        assert "catalog" in str(error)  # noqa: PT017


def test_verify_finds_nothing_wrong_with_what_is_right(indexed: Database) -> None:
    for _ in range(2):
        findings = indexed.verify()
        assert all(finding.ok and not finding.repaired for finding in findings)
        assert [finding.what.split(":")[0] for finding in findings] == ["catalog", "model", "codes"]


def test_what_others_leave_in_the_database_does_no_harm(indexed: Database, photo_folder: Path, check: Check) -> None:
    indexed.index(photo_folder, keep_originals=True, reindex=True)
    (indexed.folder / ".DS_Store").write_bytes(b"")
    next((indexed.folder / "originals").iterdir()).joinpath(".DS_Store").write_bytes(b"")
    assert indexed.info().originals == 40
    check(indexed.path, photo_folder)


def test_a_closed_database_reports_it(indexed: Database, photo_folder: Path) -> None:
    uses: list[Callable[[], object]] = [
        lambda: indexed.search(photo_folder / "cats/01.png"),
        lambda: indexed.index(photo_folder),
        lambda: indexed.remove([photo_folder]),
        lambda: list(indexed.records()),
        lambda: len(indexed),
        lambda: indexed.bits,
        indexed.duplicates,
        indexed.info,
        indexed.verify,
        indexed.prune,
        indexed.losses,
        indexed.codes,
    ]
    indexed.close()
    indexed.close()
    for use in uses:
        with pytest.raises(DatabaseError) as refused:
            use()
        assert str(refused.value) == f"the database {indexed.path} is closed; open it again"


# Read-only folders


@contextmanager
def unprivileged(path: Path) -> Iterator[None]:
    """Run without write permission below a path; permission bits do not bind root, so root becomes nobody."""
    inside = [path, *path.rglob("*")]
    for entry in inside:
        entry.chmod(0o555 if entry.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.setresuid(65534, 65534, 0)
    try:
        if os.access(path, os.W_OK):
            pytest.skip("nothing is read-only for this user")
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)
        for entry in inside:
            entry.chmod(stat.S_IRWXU | 0o055)


@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="this system has no users to become")
def test_a_read_only_database_can_be_searched_and_says_why_not_more(
    indexed: Database, photo_folder: Path, admitted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = (photo_folder / "cats/01.png").read_bytes()
    expected = [(hit.path, hit.distance) for hit in indexed.search(query)]
    indexed.close()
    folder = Path(tempfile.mkdtemp())  # pytest's own folder is closed to other users
    try:
        shutil.copytree(indexed.path, folder / "db")
        (folder / "db/lock").unlink(missing_ok=True)
        shutil.copytree(admitted, folder / "cache/models")  # records that the model was tried
        monkeypatch.setenv("LOOKALIKE_CACHE", str(folder / "cache"))
        folder.chmod(0o755)
        with unprivileged(folder / "db"), Database.open(folder / "db") as database:
            assert [(hit.path, hit.distance) for hit in database.search(query)] == expected
            assert database.info().images == 40
            database.duplicates()
            writes: list[Callable[[], object]] = [
                lambda: database.remove([photo_folder]),
                database.prune,
                database.verify,
            ]
            for write in writes:
                with pytest.raises(DatabaseError, match="cannot be written to"):
                    write()
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="this system has no users to become")
@pytest.mark.parametrize("where", ["between two transactions", "inside a transaction"])
def test_a_read_only_database_whose_writer_was_killed_is_not_read_wrongly(
    where: str, tmp_path: Path, photo_folder: Path, model: Path
) -> None:
    query = (photo_folder / "cats/01.png").read_bytes()
    run_and_be_killed(tmp_path / "db", photo_folder, model, where, "new")
    folder = Path(tempfile.mkdtemp())
    try:
        shutil.copytree(tmp_path / "db", folder / "db")  # including the writer's files next to the catalog
        with Database.open(tmp_path / "db") as database:
            expected = [(hit.path, hit.distance) for hit in database.search(query, top=None, radius=64)]
        assert len(expected) in (8, 16)
        folder.chmod(0o755)
        found: list[tuple[str, int]] | None = None
        with unprivileged(folder / "db"):
            try:
                with Database.open(folder / "db") as database:
                    found = [(hit.path, hit.distance) for hit in database.search(query, top=None, radius=64)]
            except DatabaseError:  # an error is right, too; silently finding less is not
                pass
        assert found in (None, expected)
    finally:
        shutil.rmtree(folder)


def test_a_lock_that_cannot_be_taken_is_one_clear_error(indexed: Database, photo_folder: Path) -> None:
    (indexed.folder / "lock").unlink(missing_ok=True)
    (indexed.folder / "lock").mkdir()
    with pytest.raises(DatabaseError, match="cannot be written to"):
        indexed.index(photo_folder)


def test_the_child_is_valid_python() -> None:
    compile(textwrap.dedent(CHILD), "child", "exec")
