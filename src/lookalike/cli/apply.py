from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import options, terminal

if TYPE_CHECKING:
    from lookalike.duplicates.cleanup.apply import Step


def command(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan that `lookalike plan` or the page wrote.")],
    db: options.FolderDb,
    trash: Annotated[
        Path | None, typer.Option("--trash", metavar="FOLDER", help="Move removed files into this folder.")
    ] = None,
    hardlink: Annotated[
        bool, typer.Option("--hardlink", help="Replace identical files with hard links to the kept file.")
    ] = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> None:
    """Carry out a plan: move removed files to the trash, or link them.

    Nothing is deleted. Each file and the copy that is kept are read again first; a file that has changed, or would be
    the last copy, is left alone. A log next to the plan lets `lookalike undo` revert everything.
    """
    from lookalike.database import Database
    from lookalike.duplicates.cleanup import plan_file
    from lookalike.duplicates.cleanup.apply import ApplyOptions

    if (trash is not None) == hardlink:
        raise typer.BadParameter("give --trash FOLDER or --hardlink, one of them")
    apply_options = ApplyOptions(log=_log_of(plan), trash=trash, dry_run=dry_run)
    with Database.open(db) as database, terminal.stages() as progress:
        steps = database.apply(plan_file.read(plan), apply_options, progress=progress)
    report(
        steps,
        "linked" if trash is None else "moved",
        undo=f"lookalike undo {apply_options.log} --db {db}",
        json=json,
    )


def _log_of(plan: Path) -> Path:
    """The path of a plan's log.

    >>> _log_of(Path("a/plan.json")).name
    'plan.json.undo.jsonl'
    """
    return plan.with_name(f"{plan.name}.undo.jsonl")


def report(steps: Sequence[Step], what: str, *, undo: str = "", json: bool) -> None:
    """Print what happened to each file, and a summary. Raises `LookalikeError` if some were left alone."""
    from lookalike.core.errors import LookalikeError
    from lookalike.duplicates.cleanup.apply import Outcome

    for step in steps:
        if json:
            terminal.echo_json(step._asdict())
        else:
            typer.echo("\t".join(terminal.shown(one) for one in (step.outcome, step.path, step.why) if one))
    counts = Counter(step.outcome for step in steps if not step.of)
    companions = sum(bool(step.of) and step.outcome in (Outcome.WOULD, Outcome.DONE) for step in steps)
    would = "would be " if counts[Outcome.WOULD] else ""
    worked = terminal.count(counts[Outcome.WOULD] + counts[Outcome.DONE], "file")
    summary = f"{worked} {would}{what}, {terminal.size(sum(step.size for step in steps))}"
    summary += f", with {terminal.count(companions, 'companion file')}" if companions else ""
    others = (Outcome.BEFORE, Outcome.GONE, Outcome.LEFT)
    terminal.say("; ".join([summary, *(f"{counts[one]} {one}" for one in others if counts[one])]))
    if undo and counts[Outcome.DONE]:
        terminal.say(f"undo it with: {undo}")
    left = [step for step in steps if step.outcome is Outcome.LEFT]
    if left:
        raise LookalikeError(
            f"{len(left)} of {terminal.count(len(steps), 'file')} left alone; the first: {left[0].path} {left[0].why}"
        )
