"""Arguments and options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lookalike.core.limits import MAX_PIXELS as MAX_PIXELS

if TYPE_CHECKING:
    from lookalike.duplicates.request import DuplicateSearch
    from lookalike.duplicates.review import ReviewOptions


def _check_bits(bits: int) -> int:
    from lookalike.core.codes import check_bits
    from lookalike.core.errors import ConfigError

    try:
        return check_bits(bits)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from None


def _not_needed(orientations: bool) -> bool:
    from lookalike.cli import terminal

    if orientations:
        terminal.say("--orientations does nothing any more: mirrored and turned copies are always found")
    return orientations


def _place(text: str) -> str:
    """A database's location: an address unchanged, or a normalised path."""
    return text if text.startswith("milvus:") else os.fspath(Path(text))


Bits = Annotated[
    int, typer.Option("--bits", callback=_check_bits, help="Length of a code in bits: 8 to 512, in steps of 8.")
]
Images = Annotated[list[str], typer.Argument(metavar="IMAGES", help="Folders, image files, or Parquet files.")]
Db = Annotated[
    str,
    typer.Option(
        "--db",
        metavar="DB",
        envvar="LOOKALIKE_DB",
        parser=_place,
        help="Folder of the database, or milvus://HOST:PORT/NAME.",
    ),
]
FolderDb = Annotated[
    str,
    typer.Option("--db", metavar="DB", envvar="LOOKALIKE_DB", parser=_place, help="Folder of the database."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON lines.")]
Top = Annotated[int, typer.Option("--top", min=1, help="Maximum number of hits.")]
Radius = Annotated[int | None, typer.Option("--radius", min=0, help="Maximum distance, in bits.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Use at most N images.")]
Model = Annotated[
    str | None, typer.Option("--model", metavar="NAME|FILE", help="A built-in model's name, or a model file.")
]
LabelsFromFolders = Annotated[
    bool, typer.Option("--labels-from-folders", help="Label images by their first sub-folder below IMAGES.")
]
MaxPixels = Annotated[int, typer.Option("--max-pixels", min=1, help="Skip images with more pixels.")]
Workers = Annotated[
    int, typer.Option("--workers", min=0, help="Threads and processes that read and encode; 0: one per core.")
]

NoIsolation = Annotated[
    bool, typer.Option("--no-isolation", help="Decode images in this process, without limits on memory and time.")
]
IgnoreDecisions = Annotated[
    bool, typer.Option("--ignore-decisions", help="Include pairs that were marked as different.")
]
IncludeBlank = Annotated[bool, typer.Option("--include-blank", help="Also compare nearly blank images by their codes.")]
Turned = Annotated[bool, typer.Option("--orientations", hidden=True, callback=_not_needed)]
ByRadius = Annotated[int | None, typer.Option("--radius", min=0, hidden=True, metavar="R")]  # for experts
StrictnessName = Annotated[
    Literal["strict", "normal", "thorough"],
    typer.Option(
        "--strictness", help="strict: the same bytes or pixels; normal: edited copies, too; thorough: search longer."
    ),
]
NoVerify = Annotated[
    bool, typer.Option("--no-verify", help="Report every pair of similar codes, even if the pictures do not match.")
]
SkipPixelCheck = Annotated[
    bool, typer.Option("--skip-pixel-check", help="Do not read files to find copies with the same pixels.")
]
Reference = Annotated[
    list[str] | None,
    typer.Option(
        "--reference", metavar="FOLDER", help="Find only copies of images in FOLDER; these are always kept. Repeatable."
    ),
]
NotSameFolder = Annotated[
    bool,
    typer.Option("--not-same-folder", help="Leave out groups within one folder; keep those that span several."),
]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE.html", help="Also write a report with thumbnails, as a single file."),
]
Csv = Annotated[Path | None, typer.Option("--csv", metavar="FILE.csv", help="Also write a table, one image a row.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")]
Bank = Annotated[str | None, typer.Option("--bank", metavar="NAME", help="A bank: a named set that `match` asks.")]
HashKind = Annotated[
    str | None,
    typer.Option("--hash", metavar="HASH", help="What a list has: md5, sha1, sha256, pdq, phash, or code (ours)."),
]
Prefer = Annotated[
    list[str] | None,
    typer.Option(
        "--prefer",
        metavar="RULE",
        help="Which copy to keep, before the built-in rules: folder=PATH, not-folder=PATH, original, oldest, newest, "
        "largest, most-pixels, shortest-path. Repeatable, in order.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of the random numbers.")]


def duplicate_search(
    *, strictness: str, radius: int | None, ignore_decisions: bool, include_blank: bool, no_verify: bool,
    reference: Sequence[str] | None, not_same_folder: bool, max_pixels: int,
) -> DuplicateSearch:  # fmt: skip
    """The search options of `duplicates` and `plan`."""
    from lookalike.duplicates.request import DuplicateSearch, Strictness

    return DuplicateSearch(
        strictness=Strictness(strictness), radius=radius, verify=not no_verify, include_blank=include_blank,
        ignore_decisions=ignore_decisions, reference=tuple(reference or ()),
        not_same_folder=not_same_folder, max_pixels=max_pixels,
    )  # fmt: skip


def review_options(
    *, skip_pixel_check: bool, prefer: Sequence[str] | None, max_pixels: int, inspect_files: bool = False
) -> ReviewOptions:
    """Their review options; files are also inspected if pixels are compared."""
    from lookalike.duplicates.cleanup import best_copy
    from lookalike.duplicates.review import ReviewOptions

    return ReviewOptions(
        compare_pixels=not skip_pixel_check, inspect_files=inspect_files or not skip_pixel_check,
        prefer=tuple(map(best_copy.preference, prefer or ())), max_pixels=max_pixels,
    )  # fmt: skip
