"""Clean up years of photos: index folders, prefer originals, write a plan, and try it without moving anything.

    python examples/photographer.py DB FOLDER [FOLDER …]

Then read DB/plan.csv, change `keep` and `remove` as you like, and move the files:
lookalike apply DB/plan.csv --db DB --trash TRASH
"""

import sys
from pathlib import Path

import lookalike
from lookalike.duplicates.cleanup import best_copy, plan_file
from lookalike.duplicates.cleanup.apply import ApplyOptions
from lookalike.duplicates.cleanup.plan import PlanOptions

PREFER = ("original", "oldest")  # a camera's own file first, then the oldest


def main(path: str, *folders: str) -> None:
    with lookalike.open(path, create=True) as database:
        for folder in folders:
            report = database.index(folder)
            print(f"{folder}: {report.found} images, {report.indexed} new, {report.failed} not readable")
        plan = database.plan(options=PlanOptions(prefer=tuple(best_copy.preference(rule) for rule in PREFER)))
        for group in plan.groups:
            print(*(f"{entry.action:6} {entry.path}  {entry.why}" for entry in group.entries), sep="\n")
        file = Path(path) / "plan.csv"
        plan_file.write(file, plan)
        tried = database.apply(plan, ApplyOptions(log=file.with_suffix(".log"), trash=Path(path).parent, dry_run=True))
        size = sum(entry.size for entry in plan.removals)
        print(f"{file}: {len(tried)} files can go, which frees {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
