"""Who may import whom, as `docs/architecture.md` has it, and what is not loaded before it is needed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src/lookalike"
LAYERS = (  # a part imports from the lines above its own only
    ("errors", "borders", "limits"),
    ("core", "codes", "imaging", "client", "quality", "names"),
    ("data", "objectives", "engines", "hasher", "miniatures", "registration"),
    ("models", "store", "evaluation", "backbones"),
    ("training", "database"),
    ("recipes", "web", "demo"),
    ("reproduction",),
    ("cli",),
)
HEIGHT = {part: height for height, line in enumerate(LAYERS) for part in line}
FACADE = {"__init__", "__main__"}  # they open the door to all of it
ONLY_IN = {
    "torch": {"models", "objectives", "backbones", "training", "recipes", "reproduction"},
    "onnx": {"backbones", "training"},
    "sqlite3": {"store"},
    "typer": {"cli"},
    "fastapi": {"web"},
    "starlette": {"web"},
    "uvicorn": {"web"},
    "prometheus_client": {"web"},
    "matplotlib": {"reproduction"},
    "faiss": {"engines"},
    "pymilvus": {"engines"},
    "onnxruntime": {"hasher", "backbones"},
    "timm": {"backbones"},
    "transformers": {"backbones"},
    "huggingface_hub": {"backbones"},
    "pickle": set(),
}
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
    "timm",
    "transformers",
)
MODULES = sorted(SOURCE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imports(path: Path) -> Iterator[str]:
    """Absolute names of all that a module imports, wherever in it; of `from a import b` it is `a.b`."""
    package = ["lookalike", *path.relative_to(SOURCE).parent.parts]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 15
    assert "lookalike.errors.DatabaseError" in set(imports(SOURCE / "store/catalog.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_module_has_its_place(path: Path) -> None:
    assert part_of(path) in HEIGHT.keys() | FACADE, "a new part must be given a line in LAYERS and in the architecture"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_part_imports_from_the_lines_above_it_only(path: Path) -> None:
    part = part_of(path)
    if part in FACADE:
        return
    wrong = []
    for name in imports(path):
        names = name.split(".")
        other = names[1] if names[0] == "lookalike" and len(names) > 1 else part
        if other in HEIGHT and other != part and HEIGHT[other] >= HEIGHT[part]:
            wrong.append(name)
    assert wrong == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_packages_stay_in_their_parts(path: Path) -> None:
    packages = {name.split(".")[0] for name in imports(path)}
    wrong = {package for package in packages & ONLY_IN.keys() if part_of(path) not in ONLY_IN[package]}
    assert wrong == set()


def test_matplotlib_is_for_figures_only() -> None:
    users = {path.relative_to(SOURCE) for path in MODULES if any("matplotlib" in name for name in imports(path))}
    assert users <= {Path("reproduction/figures.py")}


def test_the_check_sees_wrong_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "SOURCE", tmp_path)
    (tmp_path / "engines").mkdir()
    bad = tmp_path / "engines/bad.py"
    for text in ("from lookalike import hasher", "from lookalike.store.catalog import Catalog", "import lookalike.cli",
                 "from ..database import Database", "def f():\n    from lookalike.data import Item"):  # fmt: skip
        bad.write_text(text)
        with pytest.raises(AssertionError):
            test_a_part_imports_from_the_lines_above_it_only(bad)
    bad.write_text("from lookalike.codes import pack\nfrom lookalike.engines import Hits\nfrom . import scan")
    test_a_part_imports_from_the_lines_above_it_only(bad)
    bad.write_text("import torch.nn")
    with pytest.raises(AssertionError):
        test_packages_stay_in_their_parts(bad)


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
        seconds.append(usage.ru_utime + usage.ru_stime)  # not the wall: others may be at work on this machine
    assert min(seconds) < 0.5


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


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_library_does_not_print(path: Path) -> None:
    if part_of(path) == "cli":
        return
    calls = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert calls == []
