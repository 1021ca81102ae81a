"""Answers about banks."""

from __future__ import annotations

from lookalike.answers.base import Relation, answer, said


@answer
class Matched:
    """An entry that an image matches."""

    bank: str = said("The bank.", "known")
    bank_content_id: int = said("The entry's id.", 7)
    signal_type: str = said("`image` if pixels were compared, or the hash that was.", "image")
    relation: Relation | None = said(
        "What the entry is to the image; null if only hashes say that they are alike.", "edited"
    )
    path: str = said("The entry's image, or what its list calls it.", "list/coffee.png")
    edits: tuple[str, ...] = said("Edits that lead from the image to the entry.", ["crop"])
    done: str = said("The same in words.", "cropped to the middle 56 %")
    agreement: float = said("Share of the detail of both that is the same.", 0.98)
    distance: int = said("Bits that differ, of codes or hashes.", 9)
    threshold: int | None = said("Bits up to which these hashes match; null for images.")


@answer
class Match:
    """The answer for one image or hash."""

    name: str = said("The name of the file that was sent.", "photo.jpg")
    sha256: str = said("Of the file; empty for a hash.")
    matched: bool = said("Yes or no.")
    matches: list[Matched] = said("The closest relation first.")
    unverified: int = said("Images in the banks that could not be compared, without a thumbnail or file.")
    error: str | None = said("Why the image could not be decoded; only its bytes were compared then.", default=None)


@answer
class MatchRate:
    """The share of images without a copy in the banks that match all the same, with its 95 % interval."""

    value: float
    low: float
    high: float
    measured: str = said("`here`, by a calibration, or `default`.", "default")


@answer
class Matches:
    """What images match."""

    request: str = said("Its id in the audit log; empty without one.", "b882050d22b6bd0d")
    answers: list[Match] = said("For each image in turn.")
    banks: list[str] = said("The banks that were asked.", ["known"])
    rate: MatchRate = said("For each image.")
    model: str = said("The model of the database.", "copies-64@4afb6c4b")


@answer
class Bank:
    """A bank."""

    name: str = said("Its name.", "known")
    entries: dict[str, int] = said("Number of entries by kind.", {"image": 300, "pdq": 2000})


@answer
class BankEntry:
    """An entry of a bank."""

    bank_content_id: int = said("Its id.", 7)
    signal_type: str = said("`image`, or the hash.", "pdq")
    signal_value: str = said("The hash, in hexadecimal digits; of an image, the BLAKE2b digest of its bytes.")
    path: str = said("The image, or what its list calls it.", "list/coffee.png")
    at: str = said("When it was added.", "2026-05-01T10:00:00Z")


@answer
class Changed:
    """A change of a bank."""

    bank: str = said("The bank.", "known")
    changed: int = said("Number of entries that were added or removed.", 2)
