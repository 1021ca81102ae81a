"""The stored answers, and how they differ from new ones."""

from __future__ import annotations

import difflib
import itertools
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.golden.collection import answers, make
from tests.golden.collection.normal import lines, normal

FOLDER = Path(__file__).with_name("expected")
MADE, CODES = "made", "default-codes"  # versions and digests of the files; codes of the built-in model
SHOWN = 24  # lines of a difference


def stored(part: str) -> Any:
    """A part of the expectation."""
    return json.loads((FOLDER / f"{part}.json").read_text(encoding="utf-8"))


def given(folder: Path, codes: Mapping[str, str]) -> dict[str, list[str]]:
    """The lines of each part, as this version answers. `codes`: of the built-in model."""
    found = answers.answers(folder, codes)
    return {part: list(lines(normal(answer, folder))) for part, answer in found.items()}


def differences(parts: Mapping[str, list[str]]) -> str:
    """What differs, with the part that it is in; nothing if all is equal."""
    known = {path.stem for path in FOLDER.glob("*.json")} - {MADE, CODES}
    said = [f"{part}: is only in the {'expectation' if part in known else 'answers'}" for part in known ^ set(parts)]
    for part in sorted(known & set(parts)):
        before = (FOLDER / f"{part}.json").read_text(encoding="utf-8").splitlines()
        changed = list(difflib.unified_diff(before, parts[part], "stored", "now", n=2, lineterm=""))[2:]
        if changed:
            said += [f"== {part}: {sum(line[0] in '+-' for line in changed)} lines differ", *changed[:SHOWN]]
            said += ["…"] if len(changed) > SHOWN else []
    return "\n".join(said)


def write() -> None:
    """Make the collection in a temporary folder, and store what this version says."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work).resolve()
        made = {"versions": make.versions(), "files": make.make(folder)}
        with answers.inside(folder):
            codes = answers.default_codes()
            parts = {MADE: list(lines(made)), CODES: list(lines(codes)), **given(folder, codes)}
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for part, text in parts.items():
        (FOLDER / f"{part}.json").write_text("\n".join(itertools.chain(text, [""])), encoding="utf-8")
