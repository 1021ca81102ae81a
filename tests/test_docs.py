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
from typing import Any, NamedTuple

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


def run(
    snippet: Snippet, folder: Path, *, scripts: Path = Path(sys.executable).parent
) -> subprocess.CompletedProcess[str]:
    """Run a snippet with the commands of an environment: this one, or another."""
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    if scripts != Path(sys.executable).parent:
        environment.pop("PYTHONPATH", None)
    program = ["sh", "-e"] if snippet.kind == "console" else [str(scripts / "python")]
    return subprocess.run(
        [*program, "-c", snippet.text], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("page", [page for page in PAGES if snippets(page)], ids=lambda page: page.name)
def test_snippets_run(page: Path, folder: Path) -> None:
    for snippet in snippets(page):
        done = run(snippet, folder)
        assert done.returncode == 0, f"{snippet.text}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", *(ROOT / "research").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_tests_that_pages_name_are_there() -> None:
    for page in PAGES:
        for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page.read_text()):
            text = (ROOT / path).read_text()
            assert not name or f"def {name}(" in text, f"{page.name} names {path}::{name}"


def parameters(command: str) -> list[Any]:
    found: list[Any] = _Commands().get_command(None, command).params
    return found


def options(command: str) -> set[str]:
    """The options of a command, also the hidden ones."""
    return {name for option in parameters(command) for name in option.opts if name.startswith("--")}


def named(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_section_and_help_for_each_option(command: str) -> None:
    headings = re.findall(r"^## lookalike (.*)$", (ROOT / "docs/cli.md").read_text(), re.M)
    assert any(command in re.findall(r"\w+", heading) for heading in headings)
    assert not [one.name for one in parameters(command) if not (one.help or getattr(one, "hidden", False))]


def test_options_that_pages_name_are_there() -> None:
    known = {"--help", *(name for command in COMMANDS for name in options(command))}
    assert named((ROOT / "docs/cli.md").read_text()) - known == set()
    for page in PAGES:
        for command, rest in re.findall(r"\blookalike (\w+)((?:[^`|#\n\\]|\\\n)*)", page.read_text()):
            if command in COMMANDS:
                assert named(rest) - options(command) == set(), f"{page.name}: lookalike {command}{rest}"
