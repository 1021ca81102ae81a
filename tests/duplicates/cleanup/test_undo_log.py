"""The undo log: its format is fixed, and logs that no run has written are refused with the reason."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from lookalike.core.errors import DataError
from lookalike.duplicates.cleanup import file_identity, undo_log
from lookalike.duplicates.cleanup.undo_log import Action, How, Log

MOVE = Action(how=How.TRASH, path="/photos/ä\udcff.jpg", digest="0a", size=3, to="/trash/run/photos/a.jpg")
LINK = Action(
    how=How.HARDLINK, path="/photos/b.jpg", digest="0b", size=4, to="/photos/a.jpg",
    aside=undo_log.aside("/photos/b.jpg"), of="/photos/c.jpg", mode=0o644, mtime_ns=5,
)  # fmt: skip


def written(path: Path, *actions: Action) -> Path:
    log = Log(path)
    for action in actions:
        log.about_to(action)
    log.close()
    return path


def test_actions_come_back_in_their_order(tmp_path: Path) -> None:
    path = written(tmp_path / "log", MOVE, LINK)
    assert undo_log.read(path) == [MOVE, LINK]
    assert undo_log.is_begun(path)
    written(path, replace(MOVE, size=9))  # goes on with the same log
    assert [one.size for one in undo_log.read(path)] == [3, 4, 9]


def test_the_layout_is_pinned(tmp_path: Path) -> None:
    content = written(tmp_path / "log", MOVE).read_bytes()
    assert content == (
        b'{"lookalike_undo": 1}\n'
        b'{"how": "trash", "path": "/photos/\\u00e4\\udcff.jpg", "digest": "0a", "size": 3, '
        b'"to": "/trash/run/photos/a.jpg", "aside": "", "of": "", "mode": 0, "mtime_ns": 0}\n'
    )


def test_the_name_aside_is_the_same_each_time_and_another_for_each_file() -> None:
    assert undo_log.aside("/photos/a.jpg") == "/photos/.lookalike-fe47f0026e12a789"
    assert len({undo_log.aside(f"/photos/{name}") for name in ("a", "b", "ä", "\udcff")}) == 4


def test_a_line_that_was_cut_off_is_ended_before_the_next(tmp_path: Path) -> None:
    path = written(tmp_path / "log", MOVE)
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    written(path, LINK)
    assert undo_log.read(path) == [LINK]
    assert path.read_bytes().splitlines()[:2] == whole[:-9].splitlines()
    path.write_bytes(whole)
    assert written(path, LINK).read_bytes().startswith(whole + b'{"how"')  # no empty line


def test_each_line_is_on_the_disk_before_the_action(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[bytes] = []
    plain, path = os.fsync, tmp_path / "log"

    def fsync(descriptor: int) -> None:
        plain(descriptor)
        flushed.append(path.read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    log = Log(path)
    assert flushed == [undo_log.HEAD] * 2  # the file and its folder
    log.about_to(MOVE)
    assert flushed[-1].endswith(b"\n")
    assert undo_log.read(path) == [MOVE]
    log.close()


def test_a_folder_that_cannot_be_flushed_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise OSError(22, "Invalid argument", str(folder))

    monkeypatch.setattr(undo_log, "flush_folder", refuse)
    assert undo_log.read(written(tmp_path / "log", MOVE)) == [MOVE]


@pytest.mark.parametrize("content", [b"notes\n", b"", b"[]\n", b'{"lookalike_undo": 2}\n', b"[" * 100_000, b"\xff\n"])
def test_another_file_is_not_a_log(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(DataError) as raised:
        undo_log.read(path)
    assert str(raised.value) == (f"{path} is not an undo log, as written by: lookalike apply PLAN")
    assert undo_log.is_begun(path) == bool(content)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"path": "a/b"}, "path is 'a/b'; expected a normalised absolute path"),
        ({"path": "/a/../b"}, "path is '/a/../b'; expected a normalised absolute path"),
        ({"to": "b"}, "to is 'b'; expected a normalised absolute path"),
        ({"path": "/a\0b"}, "path has a zero byte"),
        ({"to": "/a\0b"}, "to has a zero byte"),
        ({"of": 3}, "of is not a path"),
        ({"to": LINK.path}, "/photos/b.jpg would be replaced by itself"),
        ({"aside": "/photos/x"}, "aside is '/photos/x'"),
        ({"how": "trash"}, f"aside is '{LINK.aside}'"),
        ({"how": "burn"}, "'burn' is not a valid How"),
        ({"how": None}, "None is not a valid How"),
        ({"size": "many"}, "'many' is not an integer"),
        ({"mode": 1.5}, "'1.5' is not an integer"),
        ({"mtime_ns": "9" * 500}, f"'{'9' * 200}' is not an integer"),
        ({"more": 1}, "Action.__init__() got an unexpected keyword argument 'more'"),
    ],
)
def test_an_action_that_no_run_has_written_is_refused_with_the_reason(
    values: dict[str, Any], why: str, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    path.write_bytes(undo_log.HEAD + json.dumps({**asdict(LINK), **values}).encode())
    with pytest.raises(DataError) as raised:
        undo_log.read(path)
    assert str(raised.value) == f"{path} has an unknown action ({why[:200]})"


def test_an_action_without_its_path_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(undo_log.HEAD + b'{"path": "/a"}\n')
    with pytest.raises(DataError, match=r"unknown action \('how'\)"):
        undo_log.read(path)


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, said in (
        (tmp_path / "absent", f"{tmp_path / 'absent'} is unreadable (No such file or directory)"),
        (tmp_path, f"{tmp_path} is not a file; name a log that lookalike apply has written"),
        (Path("a\0b"), r"a\x00b is not a valid file name (embedded null byte)"),
    ):
        with pytest.raises(DataError) as raised:
            undo_log.read(path)
        assert str(raised.value) == said
    monkeypatch.setattr(file_identity, "LARGEST", 5 << 20)
    (tmp_path / "log").write_bytes(b"\0" * (5 << 20))
    with pytest.raises(DataError, match="is not an undo log"):
        undo_log.read(tmp_path / "log")
    (tmp_path / "log").write_bytes(b"\0" * (5 << 20) + b"\0")
    with pytest.raises(DataError) as raised:
        undo_log.read(tmp_path / "log")
    assert str(raised.value) == f"{tmp_path / 'log'} is larger than 5 MiB; name a log that lookalike apply has written"
