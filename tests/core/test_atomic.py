"""A file is replaced atomically, and keeps its mode and links."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lookalike.core import atomic


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_content_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for content in (b"one", b"two"):
        atomic.write(path, content)
        assert path.read_bytes() == content
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_the_old_file_stays_when_writing_fails(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"one")

    def fail() -> None:
        with atomic.replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(type(error)) as raised:
        fail()
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["a.json"]
    if isinstance(raised.value, OSError):
        assert raised.value.filename == str(path)


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "absent/a.json"
    with pytest.raises(FileNotFoundError) as raised:
        atomic.write(path, b"x")
    assert raised.value.filename == str(path)


def test_an_error_that_also_keeps_the_temporary_file_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(PermissionError) as caught:
        atomic.write(tmp_path / "new", b"x")
    assert caught.value.filename == str(tmp_path / "new")


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_that_the_umask_gives(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        atomic.write(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == 0o666 & ~umask


@pytest.mark.parametrize("kept", [0o600, 0o640, 0o664, 0o444])
def test_a_replaced_file_keeps_its_mode_from_the_start(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    path.chmod(kept)
    with atomic.replacing(path) as temporary:
        assert mode(temporary) & ~stat.S_IWUSR == kept & ~stat.S_IWUSR  # nobody else may read it meanwhile
        temporary.write_bytes(b"two")
    assert (path.read_bytes(), mode(path)) == (b"two", kept)


@pytest.mark.parametrize("is_there", [True, False])
def test_the_target_of_a_link_is_replaced(is_there: bool, tmp_path: Path) -> None:
    target, link = tmp_path / "elsewhere/plan.json", tmp_path / "plan.json"
    target.parent.mkdir()
    if is_there:
        target.write_bytes(b"one")
    link.symlink_to(target)
    atomic.write(link, b"two")
    assert link.is_symlink()
    assert target.read_bytes() == b"two"
    assert names(target.parent) == ["plan.json"]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    atomic.write(pipe, b"content")
    reader.join(10)
    assert read == [b"content"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError):
        atomic.write(tmp_path / "a", b"x")


@pytest.mark.parametrize("name", ["é" * 127, "x" * 255, "a\nb", "\udcff"])
def test_any_name_can_be_written(name: str, tmp_path: Path) -> None:
    with atomic.replacing(tmp_path / name) as temporary:
        assert atomic.is_temporary(temporary, name)
        assert not atomic.is_temporary(temporary, "other")
    assert names(tmp_path) == [name]
    assert not atomic.is_temporary(tmp_path / name)


def test_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with atomic.replacing(path) as one, atomic.replacing(path) as two:
        one.write_bytes(b"1" * 100)
        two.write_bytes(b"2" * 10)
    assert path.read_bytes() == b"1" * 100
    assert names(tmp_path) == ["a"]


def test_what_a_killed_process_left_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    foreign = [".plan.json.tmp", ".plan.json.0123abc.tmp", ".plan.json.0123abcx.tmp", ".other.json.0123abcd.tmp"]
    for name in (".plan.json.0123abcd.tmp", *foreign):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / ".plan.json.89abcdef.tmp").mkdir()
    (tmp_path / ".plan.json.ffffffff.tmp").symlink_to(tmp_path / foreign[0])
    atomic.write(path, b"x")
    kept = ["plan.json", ".plan.json.89abcdef.tmp", ".plan.json.ffffffff.tmp", *foreign]
    assert names(tmp_path) == sorted(kept)


@pytest.mark.skipif(sys.platform == "win32", reason="leftovers stay there")
def test_what_another_process_is_writing_is_no_leftover(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    child = (
        "import sys; from pathlib import Path; from lookalike.core import atomic\n"
        "with atomic.replacing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('from elsewhere'); print('ready', flush=True); sys.stdin.read()"
    )
    arguments = [sys.executable, "-c", child, str(path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        atomic.write(path, b"x")
        assert len(names(tmp_path)) == 2
        other.kill()
    assert names(tmp_path) != ["plan.json"]
    atomic.write(path, b"x")
    assert names(tmp_path) == ["plan.json"]


def test_a_file_that_is_taken_for_a_leftover_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = atomic._lock
    taken: list[Path] = []

    def lock(descriptor: int, *, wait: bool) -> bool:
        if wait and not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].unlink()
        return plain(descriptor, wait=wait)

    monkeypatch.setattr(atomic, "_lock", lock)
    atomic.write(tmp_path / "a", b"x")
    assert taken
    assert names(tmp_path) == ["a"]


def test_file_and_folder_are_flushed_unless_it_is_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[bool] = []
    plain = os.fsync

    def fsync(descriptor: int) -> None:
        flushed.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        plain(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    atomic.write(tmp_path / "a", b"x", durable=False)
    assert flushed == []
    atomic.write(tmp_path / "a", b"x")
    assert flushed == [False, True]
    made = tmp_path / "made"
    (made / "b").mkdir(parents=True)
    (made / "b/c").write_bytes(b"x")
    flushed.clear()
    atomic.put_in_place(made, tmp_path / "folder")
    assert flushed == [True, False, True, True]
    assert (tmp_path / "folder/b/c").read_bytes() == b"x"
