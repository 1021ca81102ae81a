"""The file system of a folder, and its identity across mounts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lookalike.core import address, mounts
from lookalike.core.mounts import Mounts, Volume

Table = list[str]


def line(point: object, *, kind: str, source: str, within: str = "/") -> str:
    return f"36 35 0:52 {within} {str(point).replace(' ', chr(92) + '040')} rw shared:1 - {kind} {source} rw"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of mounts of a system whose disk has a UUID, to be written."""
    (tmp_path / "by-uuid").mkdir()
    (tmp_path / "by-uuid/1234-ABCD").symlink_to("/dev/sdz1")
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mountinfo")
    monkeypatch.setattr(mounts, "UUIDS", tmp_path / "by-uuid")
    return tmp_path / "mountinfo"


def test_volumes_are_known_by_what_outlives_a_restart(tmp_path: Path, table: Path) -> None:
    folder = tmp_path / "my photos"
    (folder / "usb/2020").mkdir(parents=True)
    (folder / "nas").mkdir()
    (folder / "ram").mkdir()
    lines = [
        line("/", kind="ext4", source="/dev/sda1"),
        line(folder / "usb", kind="exfat", source="/dev/sdz1"),
        line(folder / "nas", kind="autofs", source="systemd-1"),
        line(folder / "nas", kind="nfs4", source="server:/export", within="/photos"),
        line(folder / "ram", kind="tmpfs", source="tmpfs"),
        "not a mount",
    ]
    table.write_text("\n".join(lines))
    here = Mounts()
    assert here.of(folder) == Volume("ext4 /dev/sda1 /", "ext4")
    assert here.of(folder / "usb/2020/gone/a.jpg") == Volume("exfat UUID=1234-ABCD /", "exfat")
    assert here.of(folder / "nas") == Volume("nfs4 server:/export /photos", "nfs4")  # the last is on top
    assert here.of(folder / "ram") == Volume(f"tmpfs tmpfs@{folder / 'ram'} /", "tmpfs")
    (tmp_path / "link").symlink_to(folder / "usb")
    assert here.of(tmp_path / "link/2020").kind == "exfat"


def test_without_a_list_a_volume_is_known_by_where_its_device_begins(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    real = os.stat

    def fake(path: str, **options: bool) -> os.stat_result:
        status = real(path, **options)
        within = os.fspath(path).startswith(str(tmp_path / "a/b"))
        return os.stat_result((*status[:2], 99 if within else 7, *status[3:]))

    monkeypatch.setattr("lookalike.core.mounts.os.stat", fake)
    here = Mounts()
    assert here.of(tmp_path / "a/b/c").identity == f"at {tmp_path}/a/b"
    assert here.of(tmp_path / "a").identity == "at /"
    below = here.below(here.of(tmp_path / "a"), str(tmp_path / "a/b"), device=99, parent_device=7)
    assert below.identity == f"at {tmp_path}/a/b"


@pytest.mark.parametrize(
    ("kind", "network", "numbered"),
    [
        ("ext4", False, True), ("btrfs", False, True), ("vfat", False, False), ("exfat", False, False),
        ("fuseblk", False, False), ("nfs", True, False), ("nfs4", True, False), ("cifs", True, False),
        ("smb3", True, False), ("fuse.sshfs", True, False), ("", False, False),
    ],
)  # fmt: skip
def test_what_can_be_relied_on(kind: str, network: bool, numbered: bool) -> None:
    volume = Volume("x", kind)
    assert (volume.is_network, volume.keeps_inodes) == (network, numbered)


def test_a_catalog_is_distinguished_from_other_sqlite_files(tmp_path: Path) -> None:
    ours, other = tmp_path / "ours", tmp_path / "other"
    ours.write_bytes(b"SQLite format 3\0".ljust(68, b"\0") + b"look" + bytes(28))
    other.write_bytes(b"SQLite format 3\0".ljust(100, b"\0"))
    assert address.is_ours(ours)
    assert not address.is_ours(other)
    assert not address.is_ours(tmp_path / "absent")
