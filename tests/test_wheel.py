"""The wheel alone, in a new environment, can index and search, and does not install torch."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lookalike
from tests import test_docs

folder = test_docs.folder
ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 7_000_000


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


def test_the_wheel_can_be_published(wheel: Path) -> None:
    """Its metadata is right, and its tag is one that PyPI accepts, or that `auditwheel repair` makes one."""
    pytest.importorskip("twine")
    call(sys.executable, "-m", "twine", "check", "--strict", wheel)
    if wheel.name.endswith("-py3-none-any.whl") or sys.platform != "linux":
        return
    pytest.importorskip("auditwheel")
    assert 'consistent with the following platform tag: "manylinux' in " ".join(
        call(sys.executable, "-m", "auditwheel", "show", wheel).split()
    )


def test_without_kernels_the_wheel_is_for_every_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_KERNELS", "no")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT)
    (built,) = tmp_path.glob("*.whl")
    assert built.name == f"lookalike-{lookalike.__version__}-py3-none-any.whl"
    assert not [name for name in zipfile.ZipFile(built).namelist() if name.endswith((".so", ".dll"))]


@pytest.mark.parametrize(
    ("compiler", "tag", "options"),
    [
        ("gcc", "linux_x86_64", ["-fPIC"]),
        ("clang", "win_amd64", []),
        ("cc", "macosx_11_0_universal2", ["-arch", "x86_64", "-arch", "arm64"]),
        ("cl", "win_amd64", ["/LD"]),
    ],
)
def test_each_compiler_is_called_in_its_way(compiler: str, tag: str, options: list[str]) -> None:
    hook = runpy.run_path(str(ROOT / "hatch_build.py"))
    made = hook["command"]([compiler], Path("hamming.c"), Path("hamming.so"), tag=tag)
    assert set(options) <= set(made)
    assert ("-fPIC" in made) == (compiler in ("gcc", "cc"))


@pytest.mark.slow
@pytest.mark.parametrize("extra", ["", "[serve]"])
def test_nothing_of_cuda_is_installed(wheel: Path, extra: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    pip = (sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", report)
    call(*pip, "-c", ROOT / "constraints.txt", f"{wheel}{extra}")
    names = {one["metadata"]["name"].lower() for one in json.loads(report.read_text())["install"]}
    assert "onnxruntime" in names
    assert not [name for name in names if name.startswith(("nvidia", "cuda", "torch", "triton"))]


@pytest.mark.slow
def test_the_wheel_alone_does_what_the_readme_says(wheel: Path, folder: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    call(sys.executable, "-m", "venv", environment)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    call(scripts / "python", "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", f"{wheel}[serve]")
    installed = {entry["name"].lower() for entry in json.loads(call(scripts / "pip", "list", "--format", "json"))}
    assert "lookalike" in installed
    assert not installed & {"torch", "onnx", "pyarrow", "scipy"}
    for snippet in test_docs.snippets(ROOT / "README.md"):
        if "lookalike train" not in snippet.text:
            done = test_docs.run(snippet, folder, scripts=scripts)
            assert done.returncode == 0, f"{snippet.text}\n{done.stdout}\n{done.stderr}"
    said = call(scripts / "lookalike", "search", "PHOTOS/coffee.png", "--db", "photos.db", "--json", cwd=folder)
    assert json.loads(said.splitlines()[0])["distance"] == 0
