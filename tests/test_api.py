"""Every public name of `api.txt` is there, and what calls it with the parameters listed there still works.

A line is edited by hand, when the API grows, or when a breaking change was meant and CHANGELOG says so.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import lookalike

LINES = Path(__file__).with_name("api.txt").read_text(encoding="utf-8").splitlines()
ANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def found(name: str) -> Any:
    value: Any = lookalike
    for part in name.split("."):
        value = inspect.getattr_static(value, part) if inspect.isclass(value) else getattr(value, part)
    return value.__func__ if isinstance(value, staticmethod) else value


def breaks(listed: str, value: Any) -> str:
    """What in the parameters of a call would no longer work, or nothing."""
    then = inspect.signature(eval(f"lambda {listed.replace('…', '0')}: 0")).parameters
    value = value.__func__.__get__(0) if isinstance(value, classmethod) else value
    now = inspect.signature(value).parameters
    for name, parameter in then.items():
        if name not in now or now[name].kind != parameter.kind:
            return f"parameter {name} is gone, or of another kind"
        if now[name].default is inspect.Parameter.empty and parameter.default is not inspect.Parameter.empty:
            return f"parameter {name} has no default any more"
    if [name for name in now if name in then and now[name].kind is now[name].POSITIONAL_OR_KEYWORD] != [
        name for name in then if then[name].kind is then[name].POSITIONAL_OR_KEYWORD
    ]:
        return "positional parameters have another order"
    new = [name for name in now if name not in then and now[name].default is inspect.Parameter.empty]
    return next((f"parameter {name} is new, and has no default" for name in new if now[name].kind not in ANY), "")


@pytest.mark.parametrize("line", LINES)
def test_a_public_name_works_as_listed(line: str) -> None:
    name, parameters, members = re.fullmatch(r"([\w.]+)(?:\((.*)\))?(?:: (.*))?", line, re.A).groups()  # type: ignore[union-attr]
    value = found(name)
    if parameters is not None:
        assert breaks(parameters, value) == ""
    if members:
        assert {str(one) for one in value} >= set(members.split(", "))


def test_public_names_are_listed() -> None:
    names = {re.split(r"[(:]", line)[0] for line in LINES}
    assert set(lookalike.__all__) == {name for name in names if "." not in name}


@pytest.mark.parametrize(
    ("listed", "breaking"),
    [("a, b=0", ""), ("a", ""), ("a, c=0", "gone"), ("a, *, b=0", "kind"), ("b, a", "order"), ("", "no default")],
)
def test_breaking_changes_are_found(listed: str, breaking: str) -> None:
    assert breaking in breaks(listed, lambda a, b=0: 0)
    assert bool(breaking) == bool(breaks(listed, lambda a, b=0: 0))
