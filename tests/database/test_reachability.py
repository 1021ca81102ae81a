"""Images out of reach are reported and kept; only images that are gone are forgotten."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookalike import data
from lookalike.core import mounts
from lookalike.database import Database
from lookalike.database.reachability import Reachability
from lookalike.store import originals
from lookalike.store.records import Record

Mount = Callable[..., None]
AS_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]


@pytest.fixture
def mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mount:
    """A function that mounts a disk, from `tmp_path / "disks"`, on a folder, or unmounts it."""
    table, disks = tmp_path / "mountinfo", tmp_path / "disks"
    monkeypatch.setattr(mounts, "MOUNTS", table)
    points: dict[Path, str] = {}
    table.write_text("")

    def mount(point: Path, disk: str | None) -> None:
        if point in points:
            point.rename(disks / points.pop(point))
            point.mkdir()
        if disk is not None:
            (disks / disk).mkdir(parents=True, exist_ok=True)
            point.rmdir()
            (disks / disk).rename(point)
            points[point] = disk
        lines = [f"1 1 0:1 / {place} rw - exfat /dev/{name} rw\n" for place, name in points.items()]
        table.write_text("1 1 0:1 / / rw - ext4 /dev/root rw\n" + "".join(lines))

    mount(tmp_path, None) if tmp_path in points else None
    table.write_text("1 1 0:1 / / rw - ext4 /dev/root rw\n")
    return mount


@pytest.fixture
def usb(db: Database, photo_folder: Path, mount: Mount) -> Path:
    """A folder of 26 images on a disk, inside an indexed folder with 14 others."""
    point = photo_folder / "cats"
    (photo_folder.parent / "disks").mkdir()
    point.rename(photo_folder.parent / "disks/usb")
    point.mkdir()
    mount(point, "usb")
    assert db.index(photo_folder, keep_originals=True).encoded == 40
    return point


def state(db: Database) -> tuple[int, int, int, int]:
    """Numbers of searchable, missing and unreachable images, and of originals."""
    info = db.info()
    return info.images, info.missing, info.out_of_reach, info.originals


# Mount points


def test_an_empty_mount_point_in_a_root_is_out_of_reach(
    db: Database, photo_folder: Path, usb: Path, mount: Mount
) -> None:
    mount(usb, None)
    report = db.index(photo_folder)
    assert (report.missing, report.out_of_reach, report.unchanged) == (0, 26, 14)
    (place,) = report.unreachable
    assert (place.path, place.images) == (str(usb), 26)
    assert "its file system (exfat /dev/usb /) is not mounted" in place.reason
    assert db.prune() == 0
    assert state(db) == (40, 0, 26, 40)
    mount(usb, "usb")
    report = db.index(photo_folder)
    assert (report.unchanged, report.out_of_reach) == (40, 0)
    assert state(db) == (40, 0, 0, 40)


def test_what_is_deleted_on_a_disk_is_gone(db: Database, photo_folder: Path, usb: Path) -> None:
    for path in sorted(usb.iterdir())[:3]:
        path.unlink()
    assert db.index(photo_folder).missing == 3
    assert db.prune() == 3
    assert state(db) == (37, 0, 0, 40)  # the originals may be the only copies
    assert all(finding.ok and not finding.repaired for finding in db.verify())
    assert db.prune(originals=True) == 0
    assert state(db) == (37, 0, 0, 37)


def test_another_disk_in_its_place_says_nothing_of_the_first(
    db: Database, photo_folder: Path, usb: Path, mount: Mount, photo_bytes: list[bytes]
) -> None:
    mount(usb, "other")
    (usb / "01.png").write_bytes(photo_bytes[0] + b"\0")  # a name that also exists on the first disk
    (usb / "new.png").write_bytes(photo_bytes[1] + b"\0")
    for _ in range(2):
        report = db.index(photo_folder)
        assert (report.missing, report.out_of_reach) == (0, 25)
        assert db.prune() == 0
    assert len(db) == 41


def test_a_collection_that_was_copied_to_another_disk_is_known_there(
    db: Database, photo_folder: Path, usb: Path, mount: Mount
) -> None:
    shutil.copytree(usb, photo_folder.parent / "disks/larger")
    (photo_folder.parent / "disks/larger/01.png").unlink()
    mount(usb, "larger")
    report = db.index(photo_folder)
    assert (report.missing, report.out_of_reach, report.unchanged) == (1, 0, 39)


def test_an_empty_mount_point_that_is_a_root(db: Database, photo_folder: Path, usb: Path, mount: Mount) -> None:
    db.index(usb)
    mount(usb, None)
    report = db.index(usb)
    assert (report.found, report.missing, report.out_of_reach) == (0, 0, 26)
    assert db.prune() == 0


def test_a_copy_of_an_image_on_a_disk_that_is_away_takes_its_row_not(
    db: Database, photo_folder: Path, usb: Path, mount: Mount
) -> None:
    shutil.copy(usb / "01.png", photo_folder / "copy.png")
    mount(usb, None)
    report = db.index(photo_folder)
    assert (report.copied, report.moved, report.out_of_reach) == (1, 0, 26)
    assert len(db) == 41


def test_a_folder_that_a_person_empties_or_deletes_is_gone(indexed: Database, photo_folder: Path) -> None:
    for path in (photo_folder / "dogs").iterdir():
        path.unlink()
    assert indexed.index(photo_folder).missing == 14
    (photo_folder / "dogs").rmdir()
    report = indexed.index(photo_folder / "cats")
    assert (report.missing, report.out_of_reach) == (0, 0)
    assert indexed.prune() == 14


def test_a_part_of_a_root_is_judged_by_the_rest_of_it(indexed: Database, photo_folder: Path) -> None:
    for path in (photo_folder / "dogs").iterdir():
        path.unlink()
    assert indexed.index(photo_folder / "dogs").missing == 14  # the cats are there


def test_a_root_that_yields_nothing_is_out_of_reach_until_something_known_is_back(
    indexed: Database, photo_folder: Path, tmp_path: Path, photo_bytes: list[bytes]
) -> None:
    for name in ("cats", "dogs"):
        (photo_folder / name).rename(tmp_path / name)
    report = indexed.index(photo_folder)
    assert (report.missing, report.out_of_reach, len(indexed)) == (0, 40, 40)
    assert [place.path for place in indexed.losses().unreachable] == [str(photo_folder)]
    (photo_folder / "dogs").mkdir()
    (tmp_path / "dogs/00.jpg").rename(photo_folder / "dogs/00.jpg")
    assert indexed.index(photo_folder).missing == 39
    assert indexed.prune() == 39


def test_what_a_plan_moved_is_gone_even_if_nothing_is_left(indexed: Database, photo_folder: Path) -> None:
    records = list(indexed.records())
    for record in records:
        os.unlink(record.name)
    from lookalike.database import absent

    absent._mark_moved(indexed.store.local(), records)
    assert indexed.info().missing == 40
    assert indexed.prune() == 40  # marked as missing while that was certain, and the folder exists


def test_a_disk_that_is_pulled_while_images_are_looked_for(
    db: Database, photo_folder: Path, usb: Path, mount: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Reachability.look
    names = []

    def look_and_pull(self: Reachability, record: Record) -> Any:
        found = look(self, record)
        if record.name.startswith(str(usb)):
            names.append(record.name)
            if len(names) == 5:
                mount(usb, None)
        return found

    monkeypatch.setattr(Reachability, "look", look_and_pull)
    assert db.prune() == 0
    assert len(names) >= 26
    monkeypatch.undo()
    assert len(list(db.records())) == 40


def test_a_disk_that_is_pulled_while_images_are_read(
    db: Database, photo_folder: Path, usb: Path, mount: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in sorted(usb.iterdir())[:20]:
        os.utime(path, (5, 5))
    survey = data.survey

    def survey_and_pull(*arguments: Any, **options: Any) -> data.Survey:
        found = survey(*arguments, **options)
        mount(usb, None)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(data, "survey", survey_and_pull)
        report = db.index(photo_folder)
    assert (report.missing, report.out_of_reach, len(db)) == (0, 20, 40)


# Unreadable files


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT])
@pytest.mark.parametrize("where", ["", "cats"])
def test_an_error_is_out_of_reach(
    number: int, where: str, indexed: Database, photo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, why = os.fspath(photo_folder / where), os.strerror(number)
    scandir, stat, access = os.scandir, os.stat, os.access

    def failing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **options: Any) -> Any:
            name = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
            if (name == bad.rstrip("/") and real is scandir) or name.startswith(bad.rstrip("/") + "/"):
                raise OSError(number, why, name)
            return real(path, *arguments, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", failing(scandir))
        patch.setattr(os, "stat", failing(stat))
        patch.setattr(os, "access", lambda path, mode: not os.fspath(path).startswith(bad) and access(path, mode))
        report = indexed.index(photo_folder)
        count = 26 if where else 40
        assert (report.missing, report.out_of_reach) == (0, count)
        assert [(place.path, place.reason, place.images) for place in report.unreachable] == [
            (bad.rstrip("/"), why, count)
        ]
        assert indexed.prune() == 0
    assert [(place.reason, place.images) for place in indexed.unreachable()] == [(why, count)]
    assert indexed.index(photo_folder).unreachable == []
    assert indexed.unreachable() == []


def test_a_known_file_that_cannot_be_read_keeps_its_code(
    indexed: Database, photo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photo_folder / "cats/01.png"
    os.utime(path, (5, 5))
    before = indexed.store.local().find(str(path))

    def refuse(item: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("lookalike.database.indexing.source", refuse)
        report = indexed.index(photo_folder)
    assert (report.failed, report.out_of_reach, report.unchanged) == (1, 1, 39)
    assert report.unreachable[0] == (str(path), "Permission denied", 1)
    assert indexed.store.local().find(str(path)) == before
    assert indexed.index(photo_folder).unchanged == 40


def test_a_link_whose_target_is_away_keeps_its_code(db: Database, tmp_path: Path, photo_bytes: list[bytes]) -> None:
    drive, folder = tmp_path / "drive", tmp_path / "links"
    drive.mkdir()
    folder.mkdir()
    for number in range(3):
        (drive / f"{number}.jpg").write_bytes(photo_bytes[number])
        (folder / f"{number}.jpg").symlink_to(drive / f"{number}.jpg")
    assert db.index(folder).encoded == 3
    drive.rename(tmp_path / "unplugged")
    report = db.index(folder)
    assert (report.failed, report.missing, report.out_of_reach, len(db)) == (3, 0, 3, 3)
    assert db.prune() == 0


def test_one_root_that_is_away_does_not_keep_another_from_being_indexed(
    db: Database, photo_folder: Path, tmp_path: Path, photo_bytes: list[bytes]
) -> None:
    roots = [photo_folder / "cats", photo_folder / "dogs"]
    db.index(roots)
    roots[0].rename(tmp_path / "unplugged")
    (roots[1] / "new.jpg").write_bytes(photo_bytes[0] + b"\0")
    report = db.index(roots)
    assert (report.encoded, report.unchanged, report.out_of_reach) == (1, 14, 26)


# Real permissions and mounts


SCRIPT = """
    import os, sys
    from pathlib import Path
    from lookalike.database import Database
    work, model = Path(sys.argv[1]), sys.argv[2]
    photos = work / "photos"
"""


def run(how: list[str], script: str, tmp_path: Path, model: Path) -> None:
    """Run a script as another user or with its own mounts; skip if that is impossible."""
    if shutil.which(how[0]) is None or subprocess.run([*how, "true"], capture_output=True, check=False).returncode:
        pytest.skip(f"{how[0]} cannot do that here")
    code = textwrap.dedent(SCRIPT) + textwrap.dedent(script)
    command = [*how, sys.executable, "-c", code, os.fspath(tmp_path), os.fspath(model)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def user() -> list[str]:
    """How to run a command as a user bound by permissions."""
    return AS_USER if os.geteuid() == 0 else ["env"]


def test_folders_and_roots_without_permission(user: list[str], tmp_path: Path, photo_folder: Path, model: Path) -> None:
    script = """
        private = photos / "cats"
        private.chmod(0)
        with Database.create(work / "first", model=model) as db:  # at the first index, too
            report = db.index(photos)
            assert (report.indexed, report.unreachable) == (14, [(str(private), "Permission denied", 0)]), report
            assert db.unreachable() == report.unreachable
            private.chmod(0o755)
            assert db.index(photos).encoded == 26
            for mode in (0, 0o400):  # cannot be listed; can be listed, and nothing in it can be looked at
                private.chmod(mode)
                report = db.index(photos)
                assert (report.missing, report.out_of_reach, report.unchanged) == (0, 26, 14) or mode, report
                assert report.missing == 0 and report.unreachable, report
                assert db.prune() == 0 and len(db) == 40
            private.chmod(0o755)
            photos.chmod(0)
            report = db.index(photos)
            assert (report.missing, report.out_of_reach) == (0, 40), report
            assert db.prune() == 0 and len(db) == 40
            photos.chmod(0o755)
            report = db.index(photos)
            assert (report.unchanged, report.unreachable, db.unreachable()) == (40, [], []), report
    """
    try:
        run(user, script, tmp_path, model)
    finally:
        photo_folder.chmod(0o755)
        (photo_folder / "cats").chmod(0o755)


def test_real_mount_points(tmp_path: Path, photo_folder: Path, model: Path) -> None:
    script = """
        import subprocess
        def call(*command): subprocess.run(command, check=True)
        drive, point = work / "drive", photos / "cats"
        point.rename(drive)
        point.mkdir()
        call("mount", "--bind", drive, point)  # of the same device
        with Database.create(work / "new", model=model) as db:
            assert db.index(photos).encoded == 40
            call("umount", point)
            report = db.index(photos)
            assert (report.missing, report.out_of_reach) == (0, 26), report
            assert db.prune() == 0 and len(db) == 40
            call("mount", "-t", "tmpfs", "none", point)
            (point / "new.png").write_bytes((drive / "01.png").read_bytes() + b"x")
            report = db.index(photos)
            assert (report.encoded, report.missing, report.out_of_reach) == (1, 0, 26), report
            call("umount", point)
            call("mount", "--bind", drive, point)
            report = db.index(photos)
            assert (report.unchanged, report.missing, report.out_of_reach) == (40, 0, 1), report
            (drive / "01.png").unlink()
            assert db.index(photos).missing == 1
            assert db.prune() == 1
    """
    run(["unshare", "-m"], script, tmp_path, model)


# Pruning


def test_what_would_be_forgotten_is_shown_by_root(db: Database, photo_folder: Path) -> None:
    db.index([photo_folder / "cats", photo_folder / "dogs"])
    for path in sorted((photo_folder / "cats").iterdir())[:7]:
        path.unlink()
    losses = db.losses()
    (loss,) = losses.roots
    assert (loss.root, loss.gone, loss.known, len(loss.names)) == (str(photo_folder / "cats"), 7, 26, 5)
    assert round(loss.share, 3) == 0.269
    assert db.info().missing == 0  # looking changes nothing
    assert db.prune(losses.ids[:3]) == 3
    assert db.prune() == 4


def test_removing_keeps_the_originals_of_what_is_not_there(db: Database, photo_folder: Path, tmp_path: Path) -> None:
    db.index(photo_folder, keep_originals=True)
    (photo_folder / "cats").rename(tmp_path / "unplugged")
    assert db.remove([photo_folder]) == 40
    assert db.info().originals == 26
    assert len(list(originals.digests(db.folder))) == 26
    db.index(photo_folder)
    assert db.remove([photo_folder], originals=True) == 14
    assert db.info().originals == 26  # of images forgotten before


# Excluded files


def test_what_is_excluded_leaves_the_database_and_comes_back(db: Database, photo_folder: Path) -> None:
    db.index(photo_folder, keep_originals=True)
    report = db.index(photo_folder, exclude=["dogs"])
    assert (report.found, report.dropped, report.missing, report.left_out) == (26, 14, 0, {"excluded": 14})
    assert state(db) == (26, 0, 0, 40)
    assert db.index(photo_folder).found == 26  # it is kept
    assert db.index(photo_folder / "dogs", include=["*.none"]).found == 14  # unless it is named itself
    assert db.index(photo_folder).found == 40
    places = db.info().places
    assert places.exclude == {str(photo_folder): ["dogs"]}
    assert places.include[str(photo_folder)] == ["/dogs"]


def test_an_exclusion_is_taken_back_by_the_same_glob(db: Database, photo_folder: Path) -> None:
    db.index(photo_folder, exclude=["dogs", "*.PNG"])
    assert {Path(record.name).suffix for record in db.records()} >= {".jpg"}
    assert len(db) < 26
    assert db.index(photo_folder, include=["dogs", "*.PNG"]).found == 40
    assert db.index(photo_folder).found == 40
    assert db.info().places.exclude == {}


def test_images_that_earlier_versions_included_are_reported_as_excluded(indexed: Database, photo_folder: Path) -> None:
    (photo_folder / "dogs").rename(photo_folder / "#recycle")
    shutil.copytree(photo_folder / "#recycle", photo_folder / "dogs")
    report = indexed.index(photo_folder)
    assert (report.missing, report.dropped, report.left_out) == (0, 0, {"recycle bins": 14})
    indexed.index(photo_folder, include=["#recycle"])
    assert len(indexed) == 54
    report = indexed.index(photo_folder, exclude=["#recycle"])
    assert (report.dropped, len(indexed)) == (14, 40)


def test_what_is_excluded_on_a_disk_that_is_away_stays(
    db: Database, photo_folder: Path, usb: Path, mount: Mount
) -> None:
    mount(usb, None)
    report = db.index(photo_folder, exclude=["cats"])
    assert (report.dropped, report.out_of_reach) == (0, 26)
    mount(usb, "usb")
    assert db.index(photo_folder).dropped == 26


def test_companions_that_were_failures_are_none_any_more(db: Database, photo_folder: Path) -> None:
    (photo_folder / "cats/x.mov").write_bytes(b"\0\0\0\x14ftypqt  " + bytes(300))
    assert db.index(photo_folder).failed == 1
    shutil.copy(photo_folder / "cats/01.png", photo_folder / "cats/x.png")
    report = db.index(photo_folder)
    assert (report.failed, report.companions, report.dropped, report.missing) == (0, 1, 0, 0)
    assert db.info().errors == 0
