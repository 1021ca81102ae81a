"""Plans of `lookalike duplicates`: written, carried out, undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lookalike.cli import terminal

if TYPE_CHECKING:
    from lookalike.duplicates.cleanup.apply import Step
    from lookalike.duplicates.cleanup.plan import Options, Plan
    from lookalike.duplicates.review import Review
    from lookalike.opening import AnyDatabase


def check(
    *, plan: Path | None, near: bool, apply: Path | None, trash: Path | None, hardlink: bool, undo: Path | None,
    dry_run: bool,
) -> None:  # fmt: skip
    """Raise for options that say nothing together."""
    if sum(one is not None for one in (plan, apply, undo)) > 1:
        raise typer.BadParameter("give one of --plan, --apply and --undo")
    if apply is not None and (trash is not None) == hardlink:
        raise typer.BadParameter("--apply needs --trash FOLDER or --hardlink, one of them")
    if apply is None and (trash is not None or hardlink):
        raise typer.BadParameter("--trash and --hardlink say what --apply PLAN does; write a plan with --plan first")
    if plan is not None:
        _check_place(plan)
    if near and plan is None:
        raise typer.BadParameter("--near is about what --plan FILE removes")
    if dry_run and apply is None and undo is None:
        raise typer.BadParameter("--dry-run is about --apply and --undo")


def _check_place(plan: Path) -> None:
    """Raise, before any work, for a plan that cannot be written."""
    from lookalike.core.errors import ConfigError
    from lookalike.duplicates.cleanup import plan_file

    plan_file.check_name(plan)
    if not plan.absolute().parent.is_dir():
        raise ConfigError(f"{plan.parent} is no folder; make it, or name another for --plan")


def write(
    path: Path, reviews: Sequence[Review], same: Mapping[bytes, bytes], options: Options, *, database: str,
    radius: int, bits: int,
) -> None:  # fmt: skip
    """Write a plan for groups, and say what is in it."""
    from lookalike.duplicates.cleanup import plan as plans
    from lookalike.duplicates.cleanup import plan_file

    plan = plans.with_companions(plans.make(reviews, same, options, database=database, radius=radius, bits=bits))
    plan_file.write(path, plan)
    removals = plan.removals
    typer.echo(
        f"{terminal.shown(path)}: of {terminal.count(len(reviews), 'group')}, {len(plan.groups)} with "
        f"{terminal.count(len(removals), 'file')} to remove, {terminal.size(sum(one.size for one in removals))}"
    )
    companions = [name for one in removals for name in one.companions]
    if companions:
        terminal.say(
            f"{terminal.count(len(companions), 'companion file')} of what is removed (column companions) go with "
            f"--trash, too; the first: {companions[0]}"
        )
    left = len(reviews) - len(plan.groups)
    if left and not options.near:
        terminal.say(
            f"left out: {terminal.count(left, 'group')} without copies of the same bytes or pixels, put off, or all "
            "kept; decide on the page of `lookalike serve --write`, or remove what only looks alike, too, with --near"
        )
    _say_losses(plan)
    if removals:
        terminal.say(
            "nothing is done yet; look it through, then: lookalike duplicates --db DB --apply PLAN --trash FOLDER"
        )


def _say_losses(plan: Plan) -> None:
    """What is lost with what is removed, and what stays so that nothing is."""
    losing = [entry for entry in plan.removals if entry.loses]
    if losing:
        terminal.say(
            f"{terminal.count(len(losing), 'file')} to remove say what no kept copy says (column loses); the first: "
            f"{losing[0].path} loses: {losing[0].loses}"
        )
    if plan.spared:
        terminal.say(
            f"{terminal.count(plan.spared, 'file')} kept as the only copy with a date, place or camera; "
            "--allow-metadata-loss removes them, too"
        )


def log_of(plan: Path) -> Path:
    """Where the log of a plan is written.

    >>> log_of(Path("a/plan.json")).name
    'plan.json.undo.jsonl'
    """
    return plan.with_name(f"{plan.name}.undo.jsonl")


def carry_out(
    database: AnyDatabase, *, apply: Path | None, trash: Path | None, undo: Path | None, dry_run: bool, json: bool
) -> None:
    """Do what a plan says, or undo it; a line for each file."""
    from lookalike.core.errors import ConfigError
    from lookalike.database import Database
    from lookalike.duplicates.cleanup import plan_file
    from lookalike.duplicates.cleanup.apply import Ways

    if not isinstance(database, Database):
        raise ConfigError(f"{database.path} is in Milvus; plans are applied by way of a database in a folder")

    def show(step: Step) -> None:
        _print(step, json=json)

    if undo is not None:
        steps = database.undo(undo, dry_run=dry_run, on_step=show)
        _sum_up(steps, "put back", dry_run=dry_run)
        return
    assert apply is not None
    ways = Ways(log=log_of(apply), trash=trash, dry_run=dry_run)
    steps = database.apply(plan_file.read(apply), ways, on_step=show)
    done = any(step.outcome == "done" for step in steps)
    _sum_up(steps, "linked" if trash is None else "moved", dry_run=dry_run)
    if done:
        terminal.say(f"undo it with: lookalike duplicates --db {database.path} --undo {ways.log}")


def _print(step: Step, *, json: bool) -> None:
    if json:
        terminal.echo_json(step._asdict())
    else:
        typer.echo("\t".join(terminal.shown(one) for one in (step.outcome, step.path, step.why) if one))


def _sum_up(steps: Sequence[Step], what: str, *, dry_run: bool) -> None:
    from lookalike.core.errors import LookalikeError
    from lookalike.duplicates.cleanup.apply import Outcome

    counts = Counter(step.outcome for step in steps if not step.of)
    bytes_ = sum(step.size for step in steps)
    companions = sum(bool(step.of) and step.outcome in (Outcome.WOULD, Outcome.DONE) for step in steps)
    worked = counts[Outcome.WOULD] if dry_run else counts[Outcome.DONE]
    said = f"{terminal.count(worked, 'file')} {'would be ' if dry_run else ''}{what}, {terminal.size(bytes_)}"
    said += f", with {terminal.count(companions, 'companion file')}" if companions else ""
    others = (Outcome.BEFORE, Outcome.GONE, Outcome.LEFT)
    terminal.say("; ".join([said, *(f"{counts[one]} {one}" for one in others if counts[one])]))
    left = [step for step in steps if step.outcome is Outcome.LEFT]
    if left:
        raise LookalikeError(
            f"{len(left)} of {terminal.count(len(steps), 'file')} left alone; the first: {left[0].path} {left[0].why}"
        )
