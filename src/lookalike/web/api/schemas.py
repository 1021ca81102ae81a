"""What is asked and answered, as the OpenAPI document has it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator
from starlette.datastructures import UploadFile

from lookalike.core.codes import MAX_BITS
from lookalike.database import Filter
from lookalike.duplicates.decisions import State
from lookalike.store.decisions import Kind

MOST_HITS = 1000
LARGEST_ID = (1 << 63) - 1  # that a catalog can hold
Text = dict[str, str]
Label = str | list[str] | None


def _plain(text: str) -> str:
    """Text that is Unicode, without zero bytes."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must be text without zero bytes or half characters")
    return text


Plain = Annotated[str, StringConstraints(min_length=1, max_length=4096), AfterValidator(_plain)]
Id = Annotated[int, Field(ge=1, le=LARGEST_ID, description="An image's number in the database.", examples=[1])]


class Query(BaseModel):
    """Options of a search."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    top: Annotated[int, Field(ge=1, le=MOST_HITS, description="Maximum number of hits.")] = 10
    radius: Annotated[int | None, Field(ge=0, le=MAX_BITS, description="Maximum distance, in bits.")] = None
    label: Annotated[Plain | None, Field(description="Only images with this label.")] = None
    below: Annotated[Plain | None, Field(description="Only images in this folder of the server.")] = None
    since: Annotated[datetime | None, Field(description="Only images indexed at this time or later.")] = None
    turned: Annotated[
        bool, Field(description="Also find mirrored and rotated copies; not for a code. Takes eight times as long.")
    ] = False

    @property
    def filter(self) -> Filter | None:
        """The images to search, if not all."""
        if self.label is None and self.below is None and self.since is None:
            return None
        return Filter(label=self.label, below=self.below, since=None if self.since is None else _seconds(self.since))


class IdOrCode(Query):
    """A search for an image of the database, by its id, or for a code."""

    id: Id | None = None
    code: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9a-fA-F]+$", min_length=2, max_length=MAX_BITS // 4,
            description="A code in hexadecimal digits, of the database's length.",
        ),
    ] = None  # fmt: skip

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.id is None) == (self.code is None):
            raise ValueError("give an image as `file` (multipart/form-data), or an id, or a code, and only one of them")
        if self.turned and self.code is not None:
            raise ValueError("a code cannot be turned; give the image as `file`, or an id")
        return self


class FileQuery(Query):
    """A search for an image file."""

    file: Annotated[UploadFile, WithJsonSchema({"type": "string", "format": "binary", "description": "An image file."})]
    asymmetric: Annotated[
        bool, Field(description="Weight each bit by how certain the image is of it; not with radius or turned.")
    ] = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.asymmetric and (self.radius is not None or self.turned):
            raise ValueError("an asymmetric search ranks by its own distance; leave out radius and turned")
        return self


def _seconds(moment: datetime) -> float:
    """Seconds since 1970; UTC unless a zone is given."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class Sort(StrEnum):
    """Orders of images."""

    ID = "id"
    NEWEST = "newest"
    NAME = "name"
    RANDOM = "random"


class Problem(BaseModel):
    """What went wrong."""

    type: str = Field(examples=["not_found"])
    message: str = Field(examples=["there is no image 7"])


class Failure(BaseModel):
    """An answer that says why there is none."""

    error: Problem


class Image(BaseModel):
    """An image of the database."""

    id: int = Field(examples=[1])
    name: str = Field(description="Its path below the folder that was indexed.", examples=["2024/coffee.png"])
    path: str = Field(description="Its whole path; bytes that are no UTF-8 are written as \\xff.")
    label: Label = Field(description="Its label, or several, or null.", examples=["cats"])
    width: int | None = Field(description="Pixels, as shown.", examples=[640])
    height: int | None = Field(examples=[480])
    thumbnail: str = Field(examples=["/api/images/1/thumbnail?v=3f2a1b9c3f2a1b9c"])


class Hit(Image):
    """An image that a search found."""

    distance: int = Field(description="Bits that differ.", examples=[3])
    bits: int = Field(description="Length of the codes.", examples=[64])
    tier: str = Field(
        description="What the distance means: identical, same (if calibrated), near-duplicate, similar, different; or "
        "same code, where that says little.",
        examples=["near-duplicate"],
    )
    weighed: float | None = Field(None, description="Bits that differ, as sure as the image is of each: if asymmetric.")
    turned: str | None = Field(
        None,
        description="If asked for: how the query is to be turned to look like it; upright, turned right, upside down, "
        "turned left, or mirrored and then turned.",
        examples=["mirrored"],
    )


class Asked(BaseModel):
    """The query, as it was understood."""

    code: str = Field(description="Its code as hexadecimal digits.", examples=["8102ff00a1b2c3d4"])
    id: int | None = Field(description="Of an image of the database.")
    width: int | None = Field(description="Pixels of an image that was sent.")
    height: int | None
    format: str | None = Field(examples=["JPEG"])


class Answer(BaseModel):
    """What a search found, nearest first."""

    query: Asked
    hits: list[Hit]
    images: int = Field(description="How many images were searched.", examples=[10000])
    bits: int = Field(examples=[64])
    seconds: float = Field(description="From the request's arrival to the answer.", examples=[0.004])


class Details(Image):
    """All that is known of an image."""

    code: str | None = Field(description="Hexadecimal digits; null if it has none.")
    root: str = Field(description="The folder that was indexed.")
    size: int = Field(description="Bytes of the encoded image.")
    format: str | None = Field(examples=["JPEG"])
    animated: bool
    error: str | None = Field(description="Why it has no code.")
    missing: bool = Field(description="Whether its file was found gone.")
    original: str = Field(examples=["/api/images/1/original"])


class Page(BaseModel):
    """Some of the images, in an order."""

    images: list[Image]
    total: int = Field(description="How many images there are that pass.")
    next: str | None = Field(description="The `cursor` of the next page; null on the last.")


class Labels(BaseModel):
    """The labels of the images."""

    labels: dict[str, int] = Field(description="How many images have each.", examples=[{"cats": 12, "dogs": 3}])


class Member(Image):
    """An image of a group of look-alikes."""

    distance: int = Field(description="Bits, to the group's first image.")
    size: int = Field(description="Bytes of the encoded image.")
    tier: str = Field(
        description="How alike it is to what is kept, which is the best copy, or what was decided: kept, same bytes, "
        "same pixels, near.",
        examples=["same pixels"],
    )
    loses: list[str] = Field(
        description="What none of the kept ones says and this one does: date, place, camera.", examples=[["date"]]
    )


class Group(BaseModel):
    """Images that look alike: each at most `radius` bits from the first."""

    images: list[Member]
    best: int = Field(description="The image that is proposed to be kept.", examples=[1])
    why: str = Field(description="What makes it the best.", examples=["most pixels (4000×3000)"])
    state: State = Field(description="Whether it was decided which are kept, or put off.")
    kept: list[int] = Field(description="The images that were decided to be kept.")
    decision: int | None = Field(description="The number of that decision.")


class Duplicates(BaseModel):
    """Some of the groups. Images that were decided to be no duplicates are in no group together."""

    groups: list[Group]
    total: int = Field(description="How many groups there are.")
    images: int = Field(description="How many images are in groups.")
    states: dict[State, int] = Field(description="How many groups are undecided, decided, and put off.")
    pixels: bool = Field(description="Whether it is known which have the same pixels; else that is being read.")
    radius: int
    bits: int
    differing: int = Field(description="Pairs of near codes left out, as their pictures laid over each other differ.")
    by_code: int = Field(
        description="Images near another that went by code alone: what they show is not kept, or too many share a code."
    )
    revision: int = Field(description="Of the codes that were compared.")
    fresh: bool = Field(description="Whether these are the newest; else they are being compared anew.")
    next: str | None


class NewDecision(BaseModel):
    """Something to be decided about images that look alike."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"kind": "keep", "images": [1, 2], "chosen": [1]}]}
    )

    kind: Kind = Field(
        description="keep: the chosen are kept, the others may go. different: the chosen are no duplicates of the "
        "others; with none chosen, none is one of another. later: it is put off."
    )
    images: Annotated[list[Id], Field(min_length=2, max_length=100_000, description="All that this is about.")]
    chosen: Annotated[list[Id], Field(max_length=100_000, description="Some of them.")] = []


class DecidedImage(BaseModel):
    """An image of a decision, which need not be there any more."""

    id: int | None = Field(description="Its number, or that of an image of the same bytes; null if there is none.")
    path: str = Field(description="Its path at that time.")
    digest: str = Field(description="Of its bytes, in hexadecimal: what it is known by.")
    part: int = Field(description="keep: 1 is kept; different: images of one part are still duplicates.")


class Decision(BaseModel):
    """What somebody decided."""

    id: int = Field(examples=[1])
    kind: Kind
    at: datetime
    images: list[DecidedImage]


class Decisions(BaseModel):
    """Some decisions, the newest first."""

    decisions: list[Decision]
    total: int
    next: str | None = Field(description="The `cursor` of the next page; null on the last.")


class PlanFormat(StrEnum):
    """Forms of a plan."""

    JSON = "json"
    CSV = "csv"


class Progress(BaseModel):
    """How far work has come; ask again."""

    done: int
    total: int = Field(description="0 before it has begun.")


class Code(BaseModel):
    """The code of an image."""

    code: str = Field(description="Hexadecimal digits, first bit first.", examples=["8102ff00a1b2c3d4"])
    bits: int = Field(examples=[64])
    model: str = Field(examples=["csvae-64@3f2a1b9c"])
    width: int
    height: int
    format: str = Field(examples=["JPEG"])


class Calibrated(BaseModel):
    """When and on what the distances were measured, and how often different images are near-duplicates."""

    at: int = Field(description="Seconds since 1970.")
    images: int = Field(description="All pairs of which were compared.")
    edited: int = Field(description="Images of which copies were made.")
    rate: float = Field(description="Share of the pairs of different images that are near-duplicates.")
    rate_low: float = Field(description="At least, with 95 % confidence.")
    rate_high: float
    expected: float = Field(description="How many such pairs that makes among all images that there are now.")
    expected_low: float
    expected_high: float


class Info(BaseModel):
    """What the database holds, and what the server allows."""

    path: str
    model: str
    bits: int
    images: int
    errors: int
    missing: int = Field(description="Images whose files are gone.")
    out_of_reach: int = Field(description="Images whose folder or drive could not be reached when they were indexed.")
    labelled: int
    roots: list[str]
    trained_on: str
    near: int = Field(description="Bits that at most 1 in 10,000 pairs of different images are apart, or fewer.")
    duplicate: int = Field(description="Bits, up to which a hit is called near-duplicate; −1: none.")
    similar: int = Field(description="Bits, up to which a hit is called similar.")
    same: int = Field(description="Bits, up to which a hit is called same; 0 unless calibrated.")
    calibration: Calibrated | None = Field(description="What says so, if it is not the model.")
    plain: int = Field(description="Images with too little to see, which are in groups only with the same bytes.")
    write: bool = Field(description="Whether decisions can be stored.")
    max_body: int = Field(description="Bytes of a request.")
    max_pixels: int = Field(description="Pixels of an image that is sent.")
    version: str = Field(description="Of lookalike.", examples=["0.1.0"])


class Map(BaseModel):
    """Places of images in the plane, at which near codes lie together. All lists have the same order."""

    ids: list[int]
    x: list[int] = Field(description="0 to 9999.")
    y: list[int]
    labels: list[str] = Field(description="All labels; `label` counts in this list.")
    label: list[int] = Field(description="The first label of each image; −1: none.")
    total: int = Field(description="How many images there are; of many, some are drawn.")
    revision: int
    fresh: bool


class Balance(BaseModel):
    """How the bits of the codes are used."""

    balance: list[float] = Field(description="Share of ones of each bit; ½ is best.")
    constant: int = Field(description="Bits that never change.")
    correlation: float = Field(description="Mean |correlation| of two bits.")
    effective: float = Field(description="How many independent balanced bits would spread distances as much.")
    images: int = Field(description="How many codes were looked at.")


class Model(BaseModel):
    """The model that made the codes."""

    name: str
    card: str
    about: dict[str, Any] = Field(description="All that the model file says of itself.")
    theta: list[float] | None = Field(description="The threshold of each bit, if the file says what it is.")
    use: Balance | None = Field(description="Null if there are no images.")
    decoder: bool = Field(description="Whether it can draw an image from its latents.")


class Status(BaseModel):
    """Whether the server can be asked."""

    ready: bool
    model: str
    images: int
    index: str = Field(description="fresh, or stale: the newest codes are not found yet.", examples=["fresh"])
    revision: int
    decoders: int = Field(description="Processes that decode images.")
    error: str = Field(description="Empty, or what is wrong.")


class Live(BaseModel):
    """The server runs."""

    live: bool = True


FAILURES: dict[int, str] = {
    400: "The request cannot be read.",
    401: "A token is needed.",
    403: "The name, the page or the address may not ask, or nothing may be stored.",
    404: "There is no such thing.",
    413: "The request is too long.",
    415: "The body is of another type.",
    422: "A value, or the image, cannot be used.",
    503: "Not now; ask again.",
}


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These failures, for the OpenAPI document; with those that any request may meet."""
    wanted = sorted({400, 401, 403, 503, *statuses})
    return {status: {"model": Failure, "description": FAILURES[status]} for status in wanted}
