"""Plan files: JSON, or CSV for a spreadsheet, in which `keep` and `remove` may be edited."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from lookalike.core import atomic, display
from lookalike.core.errors import ConfigError, DataError
from lookalike.duplicates.cleanup import file_identity
from lookalike.duplicates.cleanup import plan as plans
from lookalike.duplicates.cleanup.plan import Action, Entry, Plan, PlanGroup

FORMAT = 1
SHOWN = 200  # characters of an error that are shown
COLUMNS = ("group", "action", "path", "digest", "size", "tier", "distance", "why", "loses", "companions")
BETWEEN = "/"  # separates names of companions in a table; no file name contains it
NEEDED = ("group", "action", "path", "digest")


def check_name(path: Path) -> None:
    """Raise `ConfigError` for a file whose name is neither JSON nor CSV."""
    if path.suffix.lower() not in (".json", ".csv"):
        raise ConfigError(f"{path} is not a valid plan name; it must end in .json or .csv")


def write(path: Path, plan: Plan) -> None:
    """Write a plan atomically."""
    check_name(path)
    text = to_csv(plan) if path.suffix.lower() == ".csv" else to_json(plan)
    atomic.write(path, os.fsencode(text))


def read(path: Path) -> Plan:
    """The plan in a file. Raises `DataError` if it is not a plan, or an inconsistent one."""
    check_name(path)
    parse = _from_csv if path.suffix.lower() == ".csv" else _from_json
    try:
        content = file_identity.read_whole(path, what="a plan that lookalike plan has written")
    except DataError as error:
        raise DataError(display.printable(f"{path} {error}")) from error
    try:
        return plans.check(_parsed(parse, os.fsdecode(content)))
    except DataError as error:
        raise DataError(display.printable(f"{path}: {error}")) from error


def to_json(plan: Plan) -> str:
    """The plan as ASCII JSON."""
    groups = [
        {"group": number, "images": [asdict(entry) for entry in group.entries]}
        for number, group in enumerate(plan.groups, start=1)
    ]
    about = {"lookalike_plan": FORMAT, "database": plan.database, "radius": plan.radius, "bits": plan.bits}
    return json.dumps({**about, "groups": groups}, indent=1) + "\n"


def to_csv(plan: Plan) -> str:
    """The plan as CSV, one line a file; bytes of paths that are not UTF-8 become lone surrogates."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for number, group in enumerate(plan.groups, start=1):
        for one in group.entries:
            *values, _ = (getattr(one, name) for name in COLUMNS[1:])
            table.writerow([number, *values, BETWEEN.join(one.companions)])
    return out.getvalue()


def _parsed(parse: Callable[[str], Plan], text: str) -> Plan:
    try:
        return parse(text)
    except (ValueError, OverflowError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        reason = f"{type(error).__name__}: {str(error)[:SHOWN]}"
        raise DataError(f"is not a plan ({reason}); make one with: lookalike plan FILE") from error


def _from_json(text: str) -> Plan:
    plan = json.loads(text)
    if plan["lookalike_plan"] != FORMAT:
        raise DataError(
            f"is a plan of version {plan['lookalike_plan']}; this version reads {FORMAT}. Upgrade lookalike"
        )
    groups = [PlanGroup(_entries(one["images"])) for one in plan["groups"]]
    return Plan(tuple(groups), plan.get("database", ""), plan.get("radius", 0), plan.get("bits", 0))


def _from_csv(text: str) -> Plan:
    text = text.removeprefix("\ufeff")  # a byte order mark, written by spreadsheets
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=_delimiter(text.partition("\n")[0]))
    absent = [name for name in NEEDED if name not in (table.fieldnames or ())]
    if absent:
        raise DataError(f"has no column {absent[0]}; its columns are {', '.join(COLUMNS)}")
    rows = sorted(table, key=lambda row: int(row["group"]))
    return Plan(tuple(PlanGroup(_entries(group)) for _, group in groupby(rows, key=lambda row: int(row["group"]))))


def _delimiter(head: str) -> str:
    """The column separator; a semicolon in locales that write decimals with a comma."""
    return ";" if head.count(";") > head.count(",") else ","


def _entries(values: Iterable[dict[str, Any]]) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            action=_action(one["action"]),
            path=_path(one["path"]),
            digest=bytes.fromhex(one["digest"]).hex(),
            size=int(one.get("size") or 0),
            tier=one.get("tier") or "",
            distance=int(one.get("distance") or 0),
            why=one.get("why") or "",
            loses=one.get("loses") or "",
            companions=_names(one.get("companions")),
        )
        for one in values
    )


def _names(value: str | list[str] | None) -> tuple[str, ...]:
    """File names, from a list or one cell of a table."""
    return tuple(map(str, value.split(BETWEEN) if isinstance(value, str) else value)) if value else ()


def _action(text: str) -> Action:
    if text.strip().lower() not in list(Action):
        raise DataError(f"the action {text[:SHOWN]!r} is unknown; it must be {' or '.join(Action)}")
    return Action(text.strip().lower())


def _path(text: str) -> str:
    try:
        is_path = os.path.isabs(text) and b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:  # a lone surrogate
        is_path = False
    if not is_path:
        raise DataError(f"{text[:SHOWN]!r} is not an absolute path; leave paths as they were when the plan was made")
    return os.path.normpath(text)
