"""Mutation testing: how many small changes of the code some test notices, by area, with mutmut.

    python benchmarks/mutation.py [AREA …] [--sample 40] [--children 1]

Areas are the parts whose faults would go unnoticed: codes, search engines, metrics, the store, plans of duplicates. Of
each module, a sample of mutants drawn with a fixed seed is tried against the tests of its area (`--sample 0`: all of
them). A mutant counts as killed if a test fails or it takes too long. Works on a copy in `build/mutation/AREA`; adds to
the record `results/mutation.json`, with what each survivor changes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import record

ROOT = Path(__file__).resolve().parents[1]
SEED = 0
STATUS = {0: "survived", 5: "no tests", 33: "no tests", 34: "skipped", None: "not checked"}  # the others: killed


class Area(NamedTuple):
    """Modules, and the tests that are to notice changes of them."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    left_out: str = ""  # of these: the slowest, which would take most of the time, as an expression for `pytest -k`


AREAS = {
    "codes": Area(("core/codes",), ("tests/core/test_codes.py",)),
    "engines": Area(
        ("search/scan", "search/multi_index", "search/table", "search/hits", "search/kernels"),
        (
            "tests/search/test_engines.py", "tests/search/test_kernels.py", "tests/search/test_all_pairs.py",
        ),
        left_out="milvus or server or numpy or test_equal_codes_come_in_the_order_of_their_rows",
    ),
    "metrics": Area(
        (
            "metrics/counts", "metrics/ranking", "metrics/precision", "metrics/collisions",
            "metrics/bits", "metrics/nearest",
        ),
        (
            "tests/metrics/test_ranking.py", "tests/metrics/test_measure.py", "tests/metrics/test_nearest.py",
            "tests/metrics/test_codes_in_use.py",
        ),
    ),
    "store": Area(
        (
            "store/catalog", "store/derived/codefile", "store/places", "store/filters",
        ),
        ("tests/store",),
    ),
    "duplicates": Area(
        (
            "duplicates/groups", "duplicates/cleanup/plan", "duplicates/cleanup/apply", "duplicates/cleanup/undo",
            "duplicates/cleanup/undo_log",
        ),
        (
            "tests/duplicates/cleanup/test_apply.py", "tests/duplicates/cleanup/test_companions.py",
            "tests/duplicates/cleanup/test_plan.py", "tests/duplicates/cleanup/test_undo_log.py",
            "tests/duplicates/test_groups.py", "tests/duplicates/test_review.py",
        ),
        left_out="test_a_kill_loses_nothing or test_a_built_in_model_is_put_back",
    ),
}  # fmt: skip


def main() -> None:
    """Try the areas that are named, one after another, and keep what comes of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("areas", nargs="*", default=list(AREAS), metavar="AREA", help=", ".join(AREAS))
    parser.add_argument("--sample", type=int, default=40, help="mutants of a module; 0: all")
    parser.add_argument("--children", type=int, default=1, help="processes")
    asked = parser.parse_args()
    for name in asked.areas:
        folder = _copy(name, AREAS[name])
        _mutmut(folder, ["nothing*"], children=1)  # writes the mutants, and then finds none of that name
        chosen = [one for module in AREAS[name].modules for one in _sample(_results(folder, module), asked.sample)]
        _mutmut(folder, chosen, children=asked.children)
        _keep(name, {module: _outcome(folder, module) for module in AREAS[name].modules})


def _copy(name: str, area: Area) -> Path:
    """A copy of the project whose configuration names an area."""
    folder = ROOT / "build/mutation" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for one in ("src", "tests"):
        shutil.copytree(ROOT / one, folder / one, ignore=shutil.ignore_patterns("__pycache__", "browser", "static"))
    chosen = ["-k", f"not ({area.left_out})"] if area.left_out else []
    settings = {
        "source_paths": ["src"],
        "only_mutate": [f"src/lookalike/{module}.py" for module in area.modules],
        "pytest_add_cli_args": ["-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist", *chosen],
        "pytest_add_cli_args_test_selection": list(area.tests),
        "use_git_change_detection": False,
        "timeout_multiplier": 2,
        "timeout_constant": 30,  # seconds: on a busy machine most would else count as killed
        "process_isolation": "forkserver",  # threads of the search, forked, may wait for ever
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    text = (ROOT / "pyproject.toml").read_text() + "\n[tool.mutmut]\n" + "\n".join(lines) + "\n"
    (folder / "pyproject.toml").write_text(text)
    return folder


def _mutmut(folder: Path, mutants: Sequence[str], *, children: int) -> None:
    command = [os.fspath(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(children), *mutants]
    with (folder / "mutmut.log").open("ab") as log:
        own = {"OMP_NUM_THREADS": "1", "LOOKALIKE_HYPOTHESIS": "mutation"}
        subprocess.run(command, cwd=folder, env={**os.environ, **own}, stdout=log, stderr=log)


def _results(folder: Path, module: str) -> dict[str, int | None]:
    """The exit code of each mutant of a module, by its name."""
    path = folder / f"mutants/src/lookalike/{module}.py.meta"
    found: dict[str, int | None] = json.loads(path.read_text())["exit_code_by_key"]
    return found


def _sample(names: Sequence[str] | dict[str, Any], count: int) -> list[str]:
    ordered = sorted(names)
    return ordered if not count or len(ordered) <= count else random.Random(SEED).sample(ordered, count)


def _outcome(folder: Path, module: str) -> dict[str, Any]:
    results = _results(folder, module)
    tried = {name: STATUS.get(code, "killed") for name, code in results.items()}
    tried = {name: status for name, status in tried.items() if status not in ("not checked", "skipped")}
    survivors = sorted(name for name, status in tried.items() if status != "killed")
    return {
        "mutants": len(results),
        "tried": len(tried),
        "killed": len(tried) - len(survivors),
        "survivors": {name: [tried[name], *_change(folder, name)] for name in survivors},
    }


def _change(folder: Path, mutant: str) -> Iterator[str]:
    """The lines that a mutant takes away and puts in."""
    command = [os.fspath(Path(sys.executable).with_name("mutmut")), "show", mutant]
    shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    for line in shown.splitlines():
        if line[:1] in "+-" and line[:3] not in ("+++", "---"):
            yield line[0] + " " + line[1:].strip()


def _keep(area: str, modules: dict[str, Any]) -> None:
    """Put an area's outcome in the record, in place of an earlier one, and say it."""
    path = record.RESULTS / "mutation.json"
    values = json.loads(path.read_text()) if path.exists() else {}
    tried, killed = (sum(one[key] for one in modules.values()) for key in ("tried", "killed"))
    about = {"machine": record.machine("mutmut", "pytest"), "tried": tried, "killed": killed, "modules": modules}
    values[area] = about
    record.write("mutation", values)
    print(f"{area}: {killed} of {tried} killed ({killed / max(1, tried):.1%})")
    for module, one in modules.items():
        print(f"  {module}: {one['killed']} of {one['tried']}, of {one['mutants']} mutants")


if __name__ == "__main__":
    main()
