"""Requests, as validated and described in the OpenAPI document. Answers are in `lookalike.answers`."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from fastapi import Query
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from starlette.datastructures import UploadFile

from lookalike.answers import Kind
from lookalike.core.codes import MAX_BITS
from lookalike.core.errors import ConfigError
from lookalike.database import Filter, taken

MOST_HITS = 1000
MOST_QUERIES = 16  # images of a search
MOST_DECISIONS = 1000  # of a request
LARGEST_ID = (1 << 63) - 1  # of a catalog


def _plain(text: str) -> str:
    """The text, if it is valid Unicode without zero bytes."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must be text without zero bytes or lone surrogates")
    return text


def _period(text: str) -> str:
    """The text, if it is a period (see `taken.period`)."""
    try:
        taken.period(text)
    except ConfigError as error:
        raise ValueError(str(error).removeprefix("--")) from None
    return text


Plain = Annotated[str, StringConstraints(min_length=1, max_length=4096), AfterValidator(_plain)]
Taken = Annotated[str, StringConstraints(min_length=1, max_length=60), AfterValidator(_period)]
Id = Annotated[int, Field(ge=1, le=LARGEST_ID, description="The image's id in the database.", examples=[1])]
Cursor = Annotated[str | None, Query(max_length=60, description="`next` of the previous page.", examples=["100-217"])]

Limit = Annotated[int, Query(ge=1, le=1000, description="Maximum number of items.", examples=[50])]


def described(text: str, example: Any, **limits: Any) -> Any:
    """A field with its description and an example."""
    return Field(description=text, examples=[example], **limits)


class Options(BaseModel):
    """Options of a search."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    top: Annotated[int, described("Maximum number of hits for each query.", 5, ge=1, le=MOST_HITS)] = 10
    radius: Annotated[int | None, described("Maximum distance, in bits.", 8, ge=0, le=MAX_BITS)] = None
    label: Annotated[Plain | None, described("Only images with this label.", "cats")] = None
    below: Annotated[Plain | None, described("Only images in this folder of the server.", "/home/ada/PHOTOS")] = None
    since: Annotated[datetime | None, described("Only images indexed at this time or later.", "2026-05-01")] = None
    taken: Annotated[Taken | None, described("Only images taken in this period.", "2024-05..2024-06")] = None
    verify: Annotated[bool, described("Whether pixels decide; if false, codes alone.", True)] = True
    fold: Annotated[bool, described("Whether hits with the same bytes are one, with `copies`.", False)] = False
    histogram: Annotated[bool, described("Whether to count the images at each distance.", False)] = False
    turned: Annotated[
        bool, Field(deprecated=True, description="Ignored: mirrored and rotated copies are found without it.")
    ] = False

    @property
    def filter(self) -> Filter | None:
        """The images to search, if not all."""
        since = self.since if self.since is None or self.since.tzinfo else self.since.replace(tzinfo=UTC)
        if self.label is None and self.below is None and since is None:
            return None
        return Filter(label=self.label, below=self.below, since=None if since is None else since.timestamp())


class IdOrCode(Options):
    """A search for images of the database, by their ids, or for a code."""

    id: Id | None = None
    ids: Annotated[
        list[Id] | None, described("Several images of the database.", [1, 2], min_length=1, max_length=MOST_QUERIES)
    ] = None
    code: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9a-fA-F]+$", min_length=2, max_length=MAX_BITS // 4,
            description="A code in hexadecimal digits, of the database's length.",
        ),
    ] = None  # fmt: skip

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sum(one is not None for one in (self.id, self.ids, self.code)) != 1:
            raise ValueError(
                "give images as `image` (multipart/form-data), or an id, ids or a code, and only one of them"
            )
        return self


class FileQuery(Options):
    """A search for image files."""

    image: Annotated[
        list[UploadFile],
        WithJsonSchema({
            "type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1, "maxItems": MOST_QUERIES,
            "description": "Image files; `file` is another name.",
        }),
        Field(min_length=1, max_length=MOST_QUERIES),
    ]  # fmt: skip
    asymmetric: Annotated[
        bool, described("Weight each bit by how certain the image is of it; not with radius or taken.", False)
    ] = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.asymmetric and (self.radius is not None or self.taken is not None):
            raise ValueError("an asymmetric search ranks by its own distance; leave out radius and taken")
        return self


class Sort(StrEnum):
    """Orders of images."""

    ID = "id"
    NEWEST = "newest"
    PATH = "path"
    TAKEN = "taken"
    RANDOM = "random"


class NewDecision(BaseModel):
    """A decision to store."""

    model_config = ConfigDict(extra="forbid")

    kind: Annotated[
        Kind,
        described(
            "keep: the chosen stay, the others go. remove: the chosen go, the others stay. not-duplicates: the chosen "
            "are not copies of the others or, without a choice, all differ. skip: not now.",
            "keep",
        ),
    ]
    images: Annotated[list[Id], described("Ids of all images concerned.", [1, 2], min_length=2, max_length=100_000)]
    chosen: Annotated[list[Id], described("Some of them.", [1], max_length=100_000)] = []


class NewDecisions(BaseModel):
    """Decisions to store, all or none."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"decisions": [{"kind": "keep", "images": [1, 2], "chosen": [1]}]}]},
    )

    decisions: Annotated[list[NewDecision], Field(min_length=1, max_length=MOST_DECISIONS)]


class Undone(BaseModel):
    """Decisions to undo, all or none."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[
        list[Annotated[int, Field(ge=1, le=LARGEST_ID)]],
        described("Ids of decisions.", [1], min_length=1, max_length=MOST_DECISIONS),
    ]
