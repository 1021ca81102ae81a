from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import duplicates, options, terminal

if TYPE_CHECKING:
    from lookalike.duplicates.cleanup.plan import Plan


def command(
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="The .json or .csv file to write.")],
    db: options.Db,
    strictness: options.StrictnessName = "normal",
    radius: options.ByRadius = None,
    include_edited: Annotated[bool, typer.Option("--include-edited", help="Remove edited copies, too.")] = False,
    allow_metadata_loss: Annotated[
        bool, typer.Option("--allow-metadata-loss", help="Remove even the only copy with a date, place or camera.")
    ] = False,
    ignore_decisions: options.IgnoreDecisions = False,
    include_blank: options.IncludeBlank = False,
    orientations: options.Turned = False,
    no_verify: options.NoVerify = False,
    skip_pixel_check: options.SkipPixelCheck = False,
    reference: options.Reference = None,
    not_same_folder: options.NotSameFolder = False,
    prefer: options.Prefer = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
) -> None:
    """Write a plan of which copies to keep and which to remove.

    Decisions made on the page are followed. In other groups, the best copy is kept, and copies with the same bytes or
    pixels are removed. Nothing is changed yet: review the plan, edit `keep` and `remove` as you like, then run
    `lookalike apply`.
    """
    from lookalike import opening
    from lookalike.core.errors import ConfigError
    from lookalike.duplicates.cleanup import plan as plans
    from lookalike.duplicates.cleanup import plan_file

    plan_file.check_name(file)  # before any work
    if not file.absolute().parent.is_dir():
        raise ConfigError(f"{file.parent} is not a folder; create it, or choose another one for the plan")
    search = options.duplicate_search(
        strictness=strictness, radius=radius, ignore_decisions=ignore_decisions, include_blank=include_blank,
        no_verify=no_verify, reference=reference, not_same_folder=not_same_folder, max_pixels=max_pixels,
    )  # fmt: skip
    review = options.review_options(
        skip_pixel_check=skip_pixel_check, prefer=prefer, max_pixels=max_pixels, inspect_files=include_edited
    )
    plan_options = plans.PlanOptions(
        include_edited=include_edited, allow_metadata_loss=allow_metadata_loss, prefer=review.prefer
    )
    with opening.open(db) as database:
        report, reviews = duplicates.find(database, search, review)
        plan = plans.make(reviews, plan_options, database=str(database.path), radius=report.radius, bits=database.bits)
    plan_file.write(file, plan)
    _sum_up(file, plan, groups=len(reviews), include_edited=include_edited)


def _sum_up(file: Path, plan: Plan, *, groups: int, include_edited: bool) -> None:
    """Print what the plan does, what is lost, and what it leaves alone."""
    removals = plan.removals
    typer.echo(
        f"{terminal.shown(file)}: of {terminal.count(groups, 'group')}, {len(plan.groups)} with "
        f"{terminal.count(len(removals), 'file')} to remove, {terminal.size(sum(one.size for one in removals))}"
    )
    companions = [name for one in removals for name in one.companions]
    if companions:
        terminal.say(
            f"{terminal.count(len(companions), 'companion file')} of removed files (column companions) move to the "
            f"trash with them; the first: {companions[0]}"
        )
    left = groups - len(plan.groups)
    if left and not include_edited:
        terminal.say(
            f"left out: {terminal.count(left, 'group')} without exact copies, skipped, or all kept; decide on the page "
            "of `lookalike serve --write`, or add --include-edited to remove edited copies"
        )
    losing = [entry for entry in removals if entry.loses]
    if losing:
        terminal.say(
            f"{terminal.count(len(losing), 'removed file')} with metadata that no kept copy has (column loses); the "
            f"first: {losing[0].path} loses: {losing[0].loses}"
        )
    if plan.spared:
        terminal.say(
            f"{terminal.count(plan.spared, 'file')} kept as the only copy with a date, place or camera; "
            "--allow-metadata-loss removes them, too"
        )
    if removals:
        terminal.say(f"nothing is changed yet; review it, then: lookalike apply {file} --db DB --trash FOLDER")
