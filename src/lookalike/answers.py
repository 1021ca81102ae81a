"""Answers of the HTTP API: the server fills them in, the client returns them, and the OpenAPI document describes them.

Standard library only, because clients need no other package.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, dataclass_transform

T = TypeVar("T")
Label = str | tuple[str, ...] | None
Relation = Literal["exact", "same-pixels", "edited", "same-scene", "similar", "different"]
State = Literal["undecided", "decided", "skipped"]
Kind = Literal["keep", "remove", "not-duplicates", "skip"]
Point = tuple[float, float]


def said(description: str, *examples: Any, **given: Any) -> Any:
    """A field with its description and examples in the OpenAPI document."""
    about = {"description": description} | ({"examples": list(examples)} if examples else {})
    return field(metadata=about, **given)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(said, field))
def answer(cls: type[T]) -> type[T]:
    """The class as a dataclass of an answer."""
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


# Errors and lists


@answer
class Problem:
    """What was wrong."""

    type: str = said("A word for programs.", "not_found")
    message: str = said("A sentence for people.", "there is no image 7")


@answer
class Failure:
    """An error."""

    error: Problem


@answer
class Progress:
    """Progress of background work; ask again."""

    done: int
    total: int = said("0 until it is known.")


@answer
class Page(Generic[T]):
    """A page of a list."""

    items: list[T]
    total: int = said("Number of items on all pages.")
    next: str | None = said("The `cursor` of the next page; null on the last.")


# Images


@answer
class Image:
    """An image of the database."""

    id: int = said("The image's id in the database.", 1)
    name: str = said("The path within the indexed folder.", "2024/coffee.png")
    path: str = said("The full path; bytes that are not UTF-8 are written as \\xff.")
    folder: str = said("The folder, below the indexed one; empty at its top.", "2024")
    label: Label = said("One label, several, or null.", "cats")
    width: int | None = said("Pixels, as shown.", 640)
    height: int | None = said("Pixels, as shown.", 480)
    thumbnail: str = said("Its address.", "/api/v1/images/1/thumbnail?v=3f2a1b9c3f2a1b9c")


@answer
class Details(Image):
    """Everything known about an image."""

    code: str | None = said("Hexadecimal digits; null if it has none.")
    root: str = said("The indexed folder.")
    size: int = said("Bytes of the encoded image.")
    format: str | None = said("The file's format.", "JPEG")
    animated: bool
    error: str | None = said("The reason why it has no code.")
    missing: bool = said("Whether its file is gone.")
    original: str = said("The address of its file.", "/api/v1/images/1/file")
    taken: str | None = said("When it was taken, by its metadata.", "2024-05-01 10:00:00", default=None)
    camera: str | None = said("The camera.", "NIKON D90", default=None)
    place: Point | None = said("Where it was taken: degrees north and east.", [47.37, 8.54], default=None)
    software: str | None = said("The program that wrote it.", "Adobe Lightroom", default=None)
    depth: int | None = said("Bits a channel.", 8, default=None)
    frames: int | None = said("Number of frames.", 1, default=None)


@answer
class LabelCount:
    """A label."""

    label: str = said("The label.", "cats")
    images: int = said("Number of findable images with it.", 12)


# Search


@answer
class Hit(Image):
    """An image that a search found, with its relation to the query."""

    relation: Relation = said("What it is to the query.", "edited")
    edits: tuple[str, ...] = said("Edits that lead from the query to it.", ["crop", "brighter"])
    done: str = said("The same in words; empty if nothing.", "cropped, brighter")
    inliers: int = said("Keypoints of both that support the transform.", 212)
    agreement: float = said("Share of the detail of both that is the same.", 0.98)
    transform: tuple[float, ...] | None = said(
        "3 × 3, row by row: points in shares of the sides, from the query to it; null if not aligned."
    )
    verified: bool = said("Whether pixels say so; if not, its code does.")
    distance: int = said("Bits that differ.", 3)
    bits: int = said("Length of the codes.", 64)
    copies: tuple[int, ...] = said("Ids of further hits with the same bytes, if folded.", [7], default=())
    weighted_distance: float | None = said("The weighted distance of an asymmetric search.", default=None)


@answer
class Query:
    """The query as the server understood it."""

    code: str = said("The code in hexadecimal digits.", "8102ff00a1b2c3d4")
    id: int | None = said("The image of the database.")
    width: int | None = said("Width of the image that was sent, in pixels.")
    height: int | None
    format: str | None = said("Format of the image that was sent.", "JPEG")


@answer
class Answer:
    """What was found for one query: copies, the same scene, then similar images."""

    name: str = said("The name of the file that was sent, or the image's.", "coffee.jpg")
    query: Query | None = said("Null if the image could not be read.")
    counts: dict[Relation, int] = said("Number of hits by relation, those that are folded included.")
    hits: list[Hit]
    histogram: list[int] | None = said("Number of images at each distance, from 0 bits on, if it was asked for.")
    unverified: int = said("Candidates that cannot be verified, without a thumbnail or file.")
    error: str | None = said("Why the image could not be read; null if it could.", default=None)


@answer
class Answers:
    """What a search found, for each query in turn."""

    answers: list[Answer]
    images: int = said("Number of images that were searched.", 10000)
    bits: int = said("Length of the codes.", 64)
    seconds: float = said("Time to answer.", 0.21)


@answer
class Code:
    """The code of an image."""

    code: str = said("Hexadecimal digits, first bit first.", "8102ff00a1b2c3d4")
    bits: int = said("Length of the code.", 64)
    model: str = said("The model that made it.", "csvae-64@3f2a1b9c")
    width: int
    height: int
    format: str = said("The file's format.", "JPEG")


# Duplicates


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


# The map, the model, the server


@answer
class Map:
    """Positions of images in a plane, similar images close together. All lists have the same order."""

    ids: list[int]
    x: list[int] = said("0 to 9999.")
    y: list[int]
    labels: list[str] = said("All labels.")
    label: list[int] = said("Index of the first label of each image; −1: none.")
    total: int = said("Number of images; of many, a sample is drawn.")
    revision: int
    fresh: bool


@answer
class Balance:
    """How the bits of the codes are used."""

    balance: list[float] = said("Share of ones of each bit; 0.5 is best.")
    constant: int = said("Bits that never change.")
    correlation: float = said("Mean |correlation| of two bits.")
    effective: float = said("Number of independent balanced bits that spread distances as much.")
    images: int = said("Number of codes examined.")


@answer
class Model:
    """The model that made the codes."""

    name: str
    card: str
    about: dict[str, Any] = said("The metadata of the model file.")
    theta: list[float] | None = said("The threshold of each bit, if known.")
    use: Balance | None = said("Null if there are no images.")


@answer
class Rate:
    """A share with its 95 % confidence interval."""

    count: int
    total: int
    low: float = said("Lower bound of count / total.")
    high: float = said("Upper bound, if all that is suspected belonged to it.")
    suspected: int = said("How many more may belong to it.")


@answer
class Calibration:
    """How often searches are right, as `lookalike calibrate` measured it."""

    model: str = said("Digest of the model.")
    at: int = said("Seconds since 1970.")
    images: int = said("Images of the collection at that time.")
    similar: int = said("Maximum distance of a similar image: 1 in 100 pairs are within it.")
    has_background: bool = said("Whether images from outside were searched for.")
    per_query: Rate | None = said("Searches that call a different image a copy; null: not measured.")
    per_pair: Rate | None = said("The same of pairs of a query and an image.")
    copies: dict[str, Rate] = said("Edited copies that are called copies, by kind of edit.")
    unverified: int = said("Searches with candidates that could not be verified.")
    format: int


@answer
class Info:
    """What the database holds, and what the server allows."""

    path: str
    model: str
    bits: int
    images: int
    errors: int
    missing: int = said("Images whose files are gone.")
    out_of_reach: int = said("Images whose folder or drive could not be reached.")
    labelled: int
    without_thumbnail: int = said("Images that cannot be verified without their files.")
    roots: list[str]
    trained_on: str
    near: int = said("Distance within which 1 in 10,000 pairs of different images are.")
    duplicate: int = said("Maximum distance of a copy if it cannot be verified; −1: none.")
    similar: int = said("Maximum distance of a similar image that is no copy.")
    calibration: Calibration | None = said("The calibration, if there is one.")
    plain: int = said("Images with too little content, grouped by their bytes only.")
    database: str = said("The database's name.", "photos.db")
    write: bool = said("Whether anything can be changed.")
    trash: str | None = said("Where plans move files; null if they cannot be carried out.")
    roots_to_index: list[str] = said("Folders below which may be indexed.")
    hide_paths: bool = said("Whether paths are shown from the indexed folders on only.")
    max_body: int = said("Maximum bytes of a request.")
    max_pixels: int = said("Maximum pixels of an image.")
    version: str = said("The version of lookalike.", "0.1.0")


@answer
class Status:
    """Whether the server is ready."""

    ready: bool
    model: str
    images: int
    index: str = said("fresh, or stale: the newest codes are not searched yet.", "fresh")
    revision: int
    decoders: int = said("Number of decoding processes.")
    error: str = said("Empty if nothing is wrong.")


@answer
class Live:
    """The server runs."""

    live: bool = True


# Jobs, plans, runs


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


# The collection's folders and problems, comparisons


@answer
class Folder:
    """A folder with images."""

    path: str = said("The folder, as `folder` filters by it.", "/home/ada/PHOTOS/2024")
    name: str = said("Its name.", "2024")
    depth: int = said("0 for an indexed folder, 1 for those in it.", 1)
    images: int = said("Number of findable images in it and below.", 120)


@answer
class Trouble:
    """What is wrong with an image, or a folder of images."""

    id: int | None = said("The image; null for a folder or a new file.", 7)
    path: str
    kind: Literal["unreadable", "missing", "out-of-reach", "plain"] = said("What is wrong.", "unreadable")
    images: int = said("Number of images concerned.", 1)
    reason: str = said("Why.", "the file ends too early")
    remedy: str = said("What helps.", "restore the file, and index its folder again")


@answer
class Troubles(Page[Trouble]):
    """A page of problems."""

    items: list[Trouble]
    counts: dict[str, int] = said("Number of items by kind.")


@answer
class Scene:
    """Shots of one scene: a burst, or a series."""

    images: list[Image]
    best: int = said("The id of the sharpest image.", 1)
    why: str = said("Why it is proposed.", "sharpest")


@answer
class Comparison:
    """What the second image is to the first."""

    a: Image
    b: Image
    relation: Relation = said("What b is to a.", "edited")
    words: str = said("The relation and the edits in words.", "edited copy: cropped")
    edits: tuple[str, ...] = said("Edits that lead from a to b.", ["crop"])
    agreement: float = said("Share of the detail that is the same.", 0.98)
    inliers: int = said("Keypoints that support the alignment.", 120)
    verified: bool = said("False if the images could not be compared.")
    transform: tuple[float, ...] | None = said("3 × 3, row by row: points in shares of the sides, from a to b.")
    outline_a: list[Point] | None = said("The part of a that b shows too: corners in shares of the sides.")
    outline_b: list[Point] | None = said("The part of b that a shows too.")
    loses_a: list[str] = said("What is lost if a is removed: date, place, camera.", ["date"])
    loses_b: list[str] = said("What is lost if b is removed.", [])
