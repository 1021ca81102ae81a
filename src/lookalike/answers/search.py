"""Answers about searches."""

from __future__ import annotations

from lookalike.answers.base import Image, Relation, answer, said


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
