"""The lock file has digests of the tested versions, and covers everything for indexing and serving."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def pins(text: str) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {name.lower().replace("_", "-"): version for name, version in found}


def test_the_lock_has_the_versions_of_the_tested_set() -> None:
    locked = pins((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    tested = pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    assert {name: tested.get(name, version) for name, version in locked.items()} == locked


def test_the_lock_has_all_that_is_needed_each_with_digests() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = pins(text)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for line in (*project["dependencies"], *extras["serve"], *extras["parquet"]):
        name = re.match(r"[A-Za-z0-9-]+", line)
        assert name is not None
        assert name[0].lower() in locked, f"{name[0]} is not in requirements.lock; run: make lock"
    assert text.count("--hash=sha256:") >= len(locked)
    assert "://" not in text
