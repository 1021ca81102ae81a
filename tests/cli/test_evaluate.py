"""`lookalike evaluate`: figures next to chance, reports, and wrong usage."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Run


@pytest.fixture
def labelled(run: Run, photo_folder: Path, tmp_path: Path) -> Path:
    assert run("index", photo_folder, "--db", tmp_path / "labelled", "--labels-from-folders").code == 0
    return tmp_path / "labelled"


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "codes.npz"
    np.savez(path, codes=rng.integers(0, 256, (60, 8), np.uint8), labels=rng.integers(0, 3, 60))
    return path


def test_a_database_is_measured_next_to_chance(run: Run, labelled: Path) -> None:
    result = run("evaluate", "--db", labelled)
    assert result.code == 0, result.err
    assert result.out.startswith("40 queries among 39 images, 64 bits\nmAP ")
    found = json.loads(run("evaluate", "--db", labelled, "--json").out)
    assert f"{found['map']['expected']:.4f} ({found['map']['chance']:.4f})" in result.out


def test_codes_made_elsewhere_are_measured(run: Run, codes: Path) -> None:
    found = json.loads(run("evaluate", "--codes", codes, "--json").out)
    assert (found["queries"], found["bits"]) == (60, 64)
    assert found["map"]["expected"] == pytest.approx(found["map"]["chance"], abs=0.05)


def test_the_page_holds_figures_and_plots(run: Run, codes: Path, tmp_path: Path) -> None:
    result = run("evaluate", "--codes", codes, "--report", tmp_path / "page.html")
    assert f"report: {tmp_path / 'page.html'}" in result.err
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") == 2
    found = json.loads(run("evaluate", "--codes", codes, "--json").out)
    assert f"<td>{found['map']['expected']:.4f}</td><td>{found['map']['chance']:.4f}</td>" in page


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "give a database with --db, or codes with --codes"),
        (["--db", "a", "--codes", "b.npz"], 2, "not both"),
        (["--codes", "b.npz", "--queries", "q"], 2, "a file of codes has its own queries"),
        (["--db", "none"], 1, "There is no database at none"),
        (["--codes", "none.npz"], 1, "none.npz is not a readable .npz file"),
        (["--codes", "none.npz", "--report", "none/page.html"], 1, "none/page.html is not writable"),
    ],
)
def test_wrong_usage_is_reported(run: Run, arguments: list[str], code: int, said: str) -> None:
    result = run("evaluate", *arguments)
    assert result.code == code
    assert said in " ".join(result.err.split())


@pytest.mark.parametrize(("command", "there"), [("reproduce", "run"), ("datasets", "datasets")])
def test_what_moved_to_research_is_reported(run: Run, command: str, there: str) -> None:
    result = run(command, "--anything")
    assert (result.code, result.out) == (1, "")
    assert result.err == f"lookalike: {command} is not part of this package; in a clone: python -m research {there}\n"
