"""The wheel alone, in a new environment, can index and search, and does not install torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 6_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    return next(folder.glob("*.whl"))


def call(*command: object, cwd: Path | None = None) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_the_package_and_its_model(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("lookalike/builtin/default.onnx", "lookalike/py.typed", "lookalike/reports/templates/demo.html"):
        assert name in names
    assert not [name for name in names if name.startswith(("tests", "research")) or name.endswith(".pyc")]
    assert wheel.stat().st_size < MOST_BYTES


@pytest.mark.slow
def test_the_wheel_alone_indexes_and_searches(wheel: Path, photo_folder: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    call(sys.executable, "-m", "venv", environment)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    call(scripts / "python", "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel)
    installed = {entry["name"].lower() for entry in json.loads(call(scripts / "pip", "list", "--format", "json"))}
    assert "lookalike" in installed
    assert not installed & {"torch", "onnx", "pyarrow", "scipy"}
    call(scripts / "lookalike", "index", photo_folder, "--db", "db", cwd=tmp_path)
    query = sorted(photo_folder.rglob("*.png"))[0]
    found = call(scripts / "lookalike", "search", query, "--db", "db", "--top", 1, "--json", cwd=tmp_path)
    assert json.loads(found)["distance"] == 0
