"""Answers about the collection, its model and its server."""

from __future__ import annotations

from typing import Any, Literal

from lookalike.answers.base import Image, Page, Relation, answer, said


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
    labelled: int
    roots: list[str]
    trained_on: str
    near: int = said("Distance within which 1 in 10,000 pairs of different images are.")
    duplicate: int = said("Maximum distance of a copy if it cannot be verified; −1: none.")
    similar: int = said("Maximum distance of a similar image that is no copy.")
    calibration: Calibration | None = said("The calibration, if there is one.")
    plain: int = said("Images with too little content, grouped by their bytes only.")
    without_thumbnail: int = said("Images that cannot be verified without their files.")
    out_of_reach: int = said("Images whose folder or drive could not be reached.")
    database: str = said("The database's name.", "photos.db")
    database_id: str = said(
        "Tells it from any other database, wherever it is moved.", "9c0220ec41d7a0ee9c0220ec41d7a0ee"
    )
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
    done: str = said("These edits in words.", "cropped")
    agreement: float = said("Share of the detail that is the same.", 0.98)
    inliers: int = said("Keypoints that support the alignment.", 120)
    verified: bool = said("False if the images could not be compared.")
    transform: tuple[float, ...] | None = said("3 × 3, row by row: points in shares of the sides, from a to b.")
    loses_a: list[str] = said(
        "What is lost if a is removed, in words: metadata, resolution, colour depth, transparency, companion files …",
        ["date", "resolution"],
    )
    loses_b: list[str] = said("What is lost if b is removed.", [])
