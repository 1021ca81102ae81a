"""The snippets of README and docs run, in order, in a folder with a collection PHOTOS.

A fenced block of `console` or `python` is run unless the line above it is a comment `<!-- skip: reason -->`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from lookalike.cli import COMMANDS, _Commands

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"(?P<skip><!-- skip: [^>]+ -->\n)?^```(?P<kind>console|python)\n(?P<text>.*?)^```$", re.M | re.S)
NEEDED = ("coffee.png", "rocket.jpg")  # the photographs used in the pages


class Snippet(NamedTuple):
    kind: str
    text: str


def snippets(page: Path) -> list[Snippet]:
    return [Snippet(found["kind"], found["text"]) for found in FENCE.finditer(page.read_text()) if not found["skip"]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    skimage = pytest.importorskip("skimage")
    photos = tmp_path / "PHOTOS"
    photos.mkdir()
    for file in sorted((Path(skimage.__file__).parent / "data").iterdir()):
        if file.suffix in (".png", ".jpg"):
            shutil.copy(file, photos)
    for number, file in enumerate(sorted(photos.iterdir())):
        album = tmp_path / "ALBUMS" / ("one" if number % 2 else "two")
        album.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, album)
    assert all((photos / name).exists() for name in NEEDED)
    return tmp_path


def run(snippet: Snippet, folder: Path) -> subprocess.CompletedProcess[str]:
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["sh", "-e", "-c", snippet.text] if snippet.kind == "console" else [sys.executable, "-c", snippet.text]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": scripts}, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("page", [page for page in PAGES if snippets(page)], ids=lambda page: page.name)
def test_snippets_run(page: Path, folder: Path) -> None:
    for snippet in snippets(page):
        done = run(snippet, folder)
        assert done.returncode == 0, f"{snippet.text}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", *(ROOT / "research").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_tests_that_pages_name_are_there() -> None:
    for page in PAGES:
        for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page.read_text()):
            text = (ROOT / path).read_text()
            assert not name or f"def {name}(" in text, f"{page.name} names {path}::{name}"


def section(command: str) -> tuple[str, set[str]]:
    """The text on a command in docs/cli.md, and all commands of that section."""
    for text in re.split(r"^## lookalike ", (ROOT / "docs/cli.md").read_text(), flags=re.M)[1:]:
        about = set(re.findall(r"[a-z]+", text.partition("\n")[0])) & set(COMMANDS)
        if command in about:
            return text, about
    raise AssertionError(f"docs/cli.md has no section on {command}")


def options(command: str) -> set[str]:
    """The options of a command in its --help."""
    found = _Commands().get_command(None, command).params
    return {name for option in found for name in option.opts if name.startswith("--")} - {"--help"}


def named(text: str) -> set[str]:
    return set(re.findall(r"--[a-z][a-z-]*", text))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented_with_its_options(command: str) -> None:
    text, about = section(command)
    assert options(command) - named(text) == set()
    synopsis = "".join(re.findall(r"^```\n(.*?)^```$", text, re.M | re.S))
    assert named(synopsis) - {name for one in about for name in options(one)} == set()
