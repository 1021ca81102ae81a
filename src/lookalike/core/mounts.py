"""File systems: which one a folder is on, and what can be relied on there.

A *volume* is a mounted file system or the mounted part of one. Its identity (a disk's UUID, a network share's address)
survives a restart; a device number does not. Where the system does not list its mounts, a volume is identified by its
mount point.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
UUIDS = Path("/dev/disk/by-uuid")
NETWORK = re.compile(
    r"(nfs\d?|cifs|smb\d?|smbfs|afpfs|ncpfs|9p|ceph|glusterfs|lustre|beegfs|gpfs|afs|davfs|webdav|fuse\.(sshfs|rclone"
    r"|glusterfs|davfs2?|s3fs|ceph|gvfsd-fuse|smbnetfs|curlftpfs|juicefs))"
)
NUMBERED = frozenset(  # file systems whose inode numbers stay the same for the life of a file
    ["ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "jfs", "reiserfs", "tmpfs", "ramfs", "apfs"]
)


@dataclass(frozen=True, slots=True)
class Volume:
    """A mounted file system."""

    identity: str = ""  # the same after a restart; empty if unknown
    kind: str = ""  # of file system, such as ext4; empty if unknown

    @property
    def is_network(self) -> bool:
        """Whether it is on another machine."""
        return NETWORK.fullmatch(self.kind) is not None

    @property
    def keeps_inodes(self) -> bool:
        """Whether a different inode number means a different file."""
        return self.kind in NUMBERED


class Mounts:
    """A snapshot of the mount table."""

    def __init__(self) -> None:
        self._table = dict(_read())
        self._known: dict[str, Volume] = {}

    def of(self, path: str | os.PathLike[str]) -> Volume:
        """The volume of a path; for a path that does not exist, the volume it would be created on."""
        folder = os.path.realpath(path)
        while not os.path.isdir(folder) and (parent := os.path.dirname(folder)) != folder:
            folder = parent
        if folder not in self._known:
            self._known[folder] = self._find(folder)
        return self._known[folder]

    def below(self, volume: Volume, folder: str, *, device: int, parent_device: int) -> Volume:
        """The volume of a sub-folder (a path without links) of a folder on `volume`."""
        beneath = volume if device == parent_device else Volume(f"at {folder}", volume.kind)
        return self._table.get(folder, beneath)

    def _find(self, folder: str) -> Volume:
        """The volume of an existing folder: that of the nearest mount point or device boundary above it."""
        here = folder
        while (mounted := self._table.get(here)) is None:
            parent = os.path.dirname(here)
            if parent == here:
                return Volume(f"at {here}")
            if _device(parent) != _device(here):
                return Volume(f"at {here}", self._find(parent).kind)
            here = parent
        return mounted


def _device(folder: str) -> int:
    try:
        return os.stat(folder).st_dev
    except OSError:
        return -1


def _read() -> Iterator[tuple[str, Volume]]:
    """Mount points and their volumes; where several share a mount point, the last one is visible."""
    try:
        lines = MOUNTS.read_bytes().splitlines()
    except OSError:
        return
    uuids = _uuids()
    for line in lines:
        head, _, tail = line.partition(b" - ")
        fields, about = head.split(), tail.split()
        if len(fields) >= 5 and len(about) >= 2:
            within, point = _text(fields[3]), _text(fields[4])
            kind, source = _text(about[0]), _text(about[1])
            name = uuids.get(os.path.realpath(source), source) if source.startswith("/dev/") else source
            if name == source and ":" not in source and not source.startswith(("/dev/", "//")):
                name = f"{source}@{point}"  # such as tmpfs, which can be mounted many times
            yield point, Volume(f"{kind} {name} {within}", kind)


def _uuids() -> dict[str, str]:
    """Disk UUIDs by device path."""
    try:
        return {os.path.realpath(link): f"UUID={link.name}" for link in UUIDS.iterdir()}
    except OSError:
        return {}


def _text(field: bytes) -> str:
    """A field of the mount table, with \\040 decoded as a space."""
    return os.fsdecode(re.sub(rb"\\(\d{3})", lambda found: bytes([int(found[1], 8) & 255]), field))
