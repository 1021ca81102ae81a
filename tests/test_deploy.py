"""What deploys and publishes has the form that its reader expects; nothing is started here.

The Dockerfile is for hadolint, the unit for systemd-analyze, where they are installed; both are no dependencies.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCHEMAS = {
    "deploy/compose.yaml": "vendor.compose-spec",
    ".github/workflows/tests.yml": "vendor.github-workflows",
    ".github/workflows/wheels.yml": "vendor.github-workflows",
}


def call(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("file", SCHEMAS)
def test_it_follows_its_schema(file: str) -> None:
    pytest.importorskip("check_jsonschema")
    call(sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[file], ROOT / file)


@pytest.mark.skipif(not shutil.which("hadolint"), reason="hadolint is not installed")
def test_the_dockerfile_has_no_known_mistake() -> None:
    call("hadolint", ROOT / "deploy/Dockerfile")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_the_unit_is_valid_and_confined(tmp_path: Path) -> None:
    unit = tmp_path / "lookalike.service"
    unit.write_text(
        (ROOT / "deploy/lookalike.service").read_text().replace("/opt/lookalike/bin/lookalike", "/bin/true")
    )
    call("systemd-analyze", "verify", unit)
    exposure = call("systemd-analyze", "security", "--offline=yes", "--threshold=20", unit)
    assert "OK" in exposure


def test_the_image_gets_every_file_that_it_copies() -> None:
    kept = {line[1:] for line in (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert {"hatch_build.py", "src", "pyproject.toml", "README.md", "LICENSE", "requirements.lock"} <= kept
    assert all((ROOT / name).exists() for name in kept)
