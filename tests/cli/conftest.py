from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from lookalike.cli import main


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: `run("search", path, "--db", db)`."""

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["lookalike", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        return Result(int(stopped.value.code or 0), out, err)

    return call
