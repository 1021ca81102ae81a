"""A marker for all tests of `research`, and its command line as a fixture."""

from __future__ import annotations

from pathlib import Path

import pytest

from research.__main__ import main
from tests.cli.conftest import Result, Run

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.research)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`python -m research` in this process: `run("datasets", "--data", folder)`."""

    def call(*arguments: object) -> Result:
        monkeypatch.setattr("sys.argv", ["research", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        return Result(int(stopped.value.code or 0), out, err)

    return call
