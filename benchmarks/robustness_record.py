"""From `result.json` of `lookalike robustness` to the record that docs/robustness.md keeps, and a table of it.

    python benchmarks/robustness_record.py RESULT RECORD [--rows "jpeg 20" "crop 0.25" ...]

RECORD is RESULT without counts by distance, closest pairs and intervals. The table, as Markdown on stdout, has a column
for each method and a row for each edit at a strength: the share of copies found at the first rate. Nothing is measured
here.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

KEPT = ("edit", "strength", "bit_error", "micro_ap", "mean_other")
LEFT_OUT = ("closest", "distances")


def reduced(result: dict[str, Any]) -> dict[str, Any]:
    """A result without what takes room and no table shows."""
    methods = []
    for method in result["methods"]:
        copies = [
            {name: copy[name] for name in KEPT} | {"recall": [found["share"] for found in copy["recall"]]}
            for copy in method["copies"]
        ]
        methods.append({k: v for k, v in method.items() if k not in LEFT_OUT} | {"copies": copies})
    return result | {"methods": methods}


def table(record: dict[str, Any], rows: list[str]) -> str:
    """Recall at the first rate, of each method (columns) by edits and strengths (rows)."""
    methods = record["methods"]
    recalls = [{(copy["edit"], copy["strength"]): copy["recall"][0] for copy in method["copies"]} for method in methods]
    lines = ["| copy | " + " | ".join(f"`{one['name']}`" for one in methods) + " |", "|---" * (1 + len(methods)) + "|"]
    for row in rows:
        edit, strength = row.split()
        lines.append(f"| {row} | " + " | ".join(f"{one[edit, float(strength)]:.3f}" for one in recalls) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("record", type=Path)
    parser.add_argument("--rows", nargs="*", default=[], metavar="EDIT STRENGTH", help='such as "crop 0.25"')
    arguments = parser.parse_args()
    record = reduced(json.loads(arguments.result.read_text()))
    try:
        shown = table(record, arguments.rows)
    except (KeyError, ValueError) as error:
        parser.error(f"{error}: a row is an edit and a strength that were measured, such as 'crop 0.25'")
    arguments.record.write_text(json.dumps(record, separators=(",", ":")) + "\n")
    if arguments.rows:
        print(shown)


if __name__ == "__main__":
    main()
