"""Answers about groups of copies, decisions, plans and jobs."""

from __future__ import annotations

from typing import Any, Literal

from lookalike.answers.base import Image, Kind, Page, Relation, State, answer, said


@answer
class GroupImage(Image):
    """An image of a group of copies."""

    distance: int = said("Bits, from the first image of the group.", 2)
    size: int = said("Bytes of the encoded image.")
    format: str | None = said("The file's format.", "JPEG")
    action: Literal["keep", "remove"] = said("What was decided, or is proposed.", "remove")
    tier: str = said("Compared with the kept copy: kept, same bytes, same pixels, or near.", "same pixels")
    loses: tuple[str, ...] = said("Metadata that only this copy has: date, place, camera.", ["date"])
    relation: Relation = said("To the best copy.", "edited")
    words: str = said("The relation and the edits in words.", "edited copy: cropped")
    edits: tuple[str, ...] = said("Edits that lead from the best copy to it.", ["crop"])
    agreement: float = said("Share of the detail that is the same, 0 to 1.", 0.98)
    inliers: int = said("Keypoints that support the alignment.", 120)
    verified: bool = said("False if codes alone decided.")


@answer
class Group:
    """Copies of one picture."""

    id: int = said("The id of its first image, which names the group.", 1)
    images: list[GroupImage]
    best: int = said("The id of the best copy.", 1)
    why: str = said("The reason why it is the best.", "most pixels (4000×3000)")
    state: State = said("Whether it was decided, or skipped.")
    kept: list[int] = said("The ids that a decision keeps.")
    decision: int | None = said("The id of that decision.")
    freed: int = said("Bytes of the images to remove.")


@answer
class Groups(Page[Group]):
    """A page of groups. Images that were marked as no duplicates share no group."""

    items: list[Group]
    images: int = said("Number of images in groups.")
    states: dict[State, int] = said("Number of groups by state.")
    removable: int = said("Number of images that can go: as decided, or all but the best copy.")
    freed: int = said("Bytes of these images.")
    relations: dict[Relation, int] = said("Number of groups by the loosest relation in them.")
    pixels: bool = said("Whether copies with the same pixels and the best copies are known yet.")
    radius: int = said("Bits within which images that cannot be verified count as copies.")
    bits: int = said("Length of the codes.", 64)
    same_scene: int = said("Pairs of images that show the same scene, but are not copies.")
    differing: int = said("Candidate pairs whose pixels do not match.")
    by_code: int = said("Images that were compared by code alone.")
    revision: int = said("The revision of the compared codes.")
    fresh: bool = said("Whether that is the current revision.")


@answer
class DecidedImage:
    """An image of a decision; it may have been removed since."""

    id: int | None = said("Its id, or that of an image with the same bytes; null if there is none.")
    path: str = said("Its path when the decision was made.")
    digest: str = said("Digest of its bytes, in hexadecimal.")
    part: int = said("keep: 1 is kept. not-duplicates: images of the same part may still be copies.")


@answer
class Decision:
    """A stored decision."""

    id: int = said("The decision's id.", 1)
    kind: Kind = said("What was decided; remove is stored as keep, with the others.", "keep")
    at: str = said("When.", "2026-05-01T10:00:00Z")
    images: list[DecidedImage]


@answer
class Decisions:
    """The decisions that were made or undone, in the order of the request."""

    items: list[Decision]


@answer
class Job:
    """Work that somebody started."""

    id: str = said("The job's id.", "20260501-100000-3f2a1b")
    kind: Literal["index", "calibration", "check", "apply", "undo"] = said("What it does.", "apply")
    state: Literal["waiting", "running", "paused", "done", "failed", "stopped", "interrupted"] = said(
        "interrupted: its server ended.", "running"
    )
    stage: str = said("What it is doing.", "applying")
    done: int = said("Items of the stage that are done.", 120)
    total: int | None = said("Number of items of the stage, if known.", 213)
    error: str | None = said("Why it failed.")
    result: dict[str, Any] | None = said("What came of it.")
    at: str = said("When it was started.", "2026-05-01T10:00:00Z")
    about: str = said("The folder that it indexes, or its plan's id.", "20260501-100000-3f2a1b")

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in ("done", "failed", "stopped", "interrupted")


@answer
class Refused:
    """A file that is left alone."""

    path: str
    why: str = said("The reason.", "has changed since the plan was made")


@answer
class PlanFile:
    """A file of a plan."""

    group: int = said("Number of its group.", 1)
    path: str
    action: Literal["keep", "remove"] = said("What is done with it.", "remove")
    size: int = said("Bytes.")
    tier: str = said("Likeness to the kept copy.", "same bytes")
    why: str = said("Why it is kept; for a removal, its relation to the best copy.", "exact copy")
    loses: str = said("Metadata that only it has.", "date, place")
    companions: tuple[str, ...] = said("Names of files that move with it.", ["IMG_1.xmp"])


@answer
class Plan:
    """A plan for the trash, and its dry run."""

    id: str = said("The plan's id.", "20260501-100000-3f2a1b")
    groups: int = said("Number of groups with files to remove.")
    count: int = said("Files to move; after the dry run, those that can be moved.", 213)
    bytes: int = said("Bytes of these files.")
    companions: int = said("Number of companion files that move with them.")
    spared: int = said("Files that stay as the only copy with a date, place or camera.")
    trash: str = said("The folder into which they are moved.")
    checked: bool = said("Whether the dry run is over.")
    job: str = said("The id of the dry run's job.")
    refused: list[Refused] = said("Files that stay, with the reasons.")
    sample: list[PlanFile] = said("The first files to move.")


@answer
class Run:
    """A plan that was carried out."""

    id: str = said("The plan's id.", "20260501-100000-3f2a1b")
    at: str = said("When it was begun.", "2026-05-01T10:00:00Z")
    trash: str = said("The trash folder.")
    state: Literal["running", "interrupted", "applied", "partly-undone", "undone"] = said(
        "As the files themselves are.", "applied"
    )
    count: int = said("Files that were moved, companions included.", 213)
    files: int = said("Files of it that are in the trash now.", 213)
    bytes: int = said("Bytes of the files in the trash.")
    job: str | None = said("The id of its last job.")


@answer
class RunFile:
    """A file that was moved."""

    path: str = said("Where it was.")
    to: str = said("Where it is in the trash.")
    size: int = said("Bytes.")
    in_trash: bool = said("Whether it is there now.")
