"""Lazy imports, and forbidden actions of the library. For dependencies between modules: `lint-imports`."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src/lookalike"
HEAVY = (
    "torch",
    "onnxruntime",
    "onnx",
    "faiss",
    "pyarrow",
    "skimage",
    "sklearn",
    "matplotlib",
    "scipy",
    "pymilvus",
    "ray",
    "transformers",
)
LIBRARY = sorted(path for path in SOURCE.rglob("*.py") if path.parent.name != "cli")


COMMANDS = {
    "import": ["-c", "import lookalike; lookalike.__version__; dir(lookalike)"],
    "python -m lookalike --help": ["-m", "lookalike", "--help"],
    "lookalike --help": ["-c", "from lookalike.cli import main; main()", "--help"],
    "lookalike index --help": ["-m", "lookalike", "index", "--help"],
    "lookalike train --help": ["-m", "lookalike", "train", "--help"],
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_heavy_is_loaded_before_it_is_needed(command: str) -> None:
    child = subprocess.run(
        [sys.executable, "-X", "importtime", *COMMANDS[command]], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr[-2000:]
    assert command == "import" or "IMAGES" in child.stdout or "index" in child.stdout
    loaded = {line.rpartition("|")[2].strip() for line in child.stderr.splitlines() if line.startswith("import time:")}
    assert "lookalike" in loaded
    assert {name for name in loaded if name.split(".")[0] in HEAVY} == set()


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the time that a child took is not told here")
def test_help_takes_less_than_half_a_second() -> None:
    seconds = []
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-m", "lookalike", "--help"], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        seconds.append(usage.ru_utime + usage.ru_stime)  # not wall time: this machine may be busy
    assert min(seconds) < 0.5


def test_info_loads_few_modules(tmp_path: Path, photo_folder: Path) -> None:
    db = str(tmp_path / "db")
    subprocess.run([sys.executable, "-m", "lookalike", "index", str(photo_folder), "--db", db], check=True)
    code = (
        "import sys; from lookalike.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    child = subprocess.run([sys.executable, "-c", code, "info", "--db", db], capture_output=True, text=True, check=True)
    assert "images" in child.stdout
    loaded = {name for name in child.stderr.split() if name.split(".")[0] == "lookalike"}
    assert "lookalike.store.folder" in loaded
    assert len(loaded) <= 50, sorted(loaded)


def test_public_names_exist() -> None:
    code = (
        "import lookalike\n"
        "for name in lookalike.__all__:\n"
        "    if name != 'train': assert getattr(lookalike, name) is not None, name\n"
        "import sys; assert 'torch' not in sys.modules\n"
        "try: lookalike.absent\n"
        "except AttributeError as error: assert 'absent' in str(error)\n"
        "else: raise AssertionError\n"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr


def test_the_library_does_not_print() -> None:
    assert len(LIBRARY) > 100
    calls = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in LIBRARY
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert calls == []
