"""`lookalike serve` before it serves: errors in one line. For serving itself see tests/web/test_life.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lookalike.database import Database
from tests.cli.conftest import Run

pytest.importorskip("fastapi")


@pytest.fixture
def db(tmp_path: Path, model: Path) -> Path:
    Database.create(tmp_path / "db", model=model).close()
    return tmp_path / "db"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--host", "0.0.0.0"], "--token"),
        (["--host", "0.0.0.0", "--token", "short"], "8 characters"),
        (["--host", "nowhere.invalid", "--token", "correct horse"], "not an address of this machine"),
        (["--host", "203.0.113.1", "--token", "correct horse"], "not an address of this machine"),
        (["--cors", "everything"], "not an origin"),
        (["--token", ""], "token is empty"),
    ],
)
def test_what_is_wrong_is_reported(run: Run, db: Path, arguments: list[str], part: str) -> None:
    result = run("serve", "--db", db, "--port", 0, *arguments)
    assert (result.code, result.out) == (1, "")
    assert part in result.err
    assert result.err.count("\n") == 1


def test_no_database(run: Run, tmp_path: Path) -> None:
    result = run("serve", "--db", tmp_path / "absent", "--port", 0)
    assert (result.code, result.out) == (1, "")
    assert "There is no database" in result.err
    assert "lookalike index" in result.err


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--port", "x"], ["--max-upload", "0"], ["--nonsense"]])
def test_wrong_usage(run: Run, db: Path, arguments: list[str]) -> None:
    assert run("serve", "--db", db, *arguments).code == 2


def test_without_the_extra(run: Run, db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("lookalike.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    result = run("serve", "--db", db)
    assert result.code == 1
    assert "pip install 'lookalike[serve]'" in result.err
    assert result.err.count("\n") == 1
