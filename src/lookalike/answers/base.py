"""How answers are described, and what all of them share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, dataclass_transform

T = TypeVar("T")
Label = str | tuple[str, ...] | None
Relation = Literal["exact", "same-pixels", "edited", "same-scene", "similar", "different"]
State = Literal["undecided", "decided", "skipped"]
Kind = Literal["keep", "remove", "not-duplicates", "skip"]
Point = tuple[float, ...]  # two coordinates


def said(description: str, *examples: Any, **given: Any) -> Any:
    """A field with its description and examples in the OpenAPI document."""
    about = {"description": description} | ({"examples": list(examples)} if examples else {})
    return field(metadata=about, **given)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(said, field))
def answer(cls: type[T]) -> type[T]:
    """The class as a dataclass of an answer."""
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


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
    lossless: bool | None = said("Whether its compression loses nothing.", False, default=None)


@answer
class LabelCount:
    """A label."""

    label: str = said("The label.", "cats")
    images: int = said("Number of findable images with it.", 12)
