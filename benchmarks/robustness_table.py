"""A table of docs/robustness.md from a `result.json` of `lookalike robustness`; nothing is measured here.

    python benchmarks/robustness_table.py RESULT "jpeg 20" "crop 0.25" ...

Markdown on stdout, with a column for each method and a row for each edit at a strength: the share of copies found at
the first rate.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def table(result: dict[str, Any], rows: list[str]) -> str:
    """Recall at the first rate, of each method (columns) by edits and strengths (rows)."""
    methods = result["methods"]
    recalls = [{(copy["edit"], copy["strength"]): copy["recall"][0] for copy in method["copies"]} for method in methods]
    lines = ["| copy | " + " | ".join(f"`{one['name']}`" for one in methods) + " |", "|---" * (1 + len(methods)) + "|"]
    for row in rows:
        edit, strength = row.split()
        lines.append(f"| {row} | " + " | ".join(f"{one[edit, float(strength)]:.3f}" for one in recalls) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2:]))
