"""Requests and responses, as described in the OpenAPI document."""

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
from lookalike.verification.verdict import Relation

MOST_HITS = 1000
LARGEST_ID = (1 << 63) - 1  # of a catalog
Label = str | list[str] | None


def _plain(text: str) -> str:
    """The text, if it is valid Unicode without zero bytes."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must be text without zero bytes or lone surrogates")
    return text


Plain = Annotated[str, StringConstraints(min_length=1, max_length=4096), AfterValidator(_plain)]
Id = Annotated[int, Field(ge=1, le=LARGEST_ID, description="The image's id in the database.", examples=[1])]


class Query(BaseModel):
    """Options of a search."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    top: Annotated[int, Field(ge=1, le=MOST_HITS, description="Maximum number of hits.")] = 10
    radius: Annotated[int | None, Field(ge=0, le=MAX_BITS, description="Maximum distance, in bits.")] = None
    label: Annotated[Plain | None, Field(description="Only images with this label.")] = None
    below: Annotated[Plain | None, Field(description="Only images in this folder of the server.")] = None
    since: Annotated[datetime | None, Field(description="Only images indexed at this time or later.")] = None
    verify: Annotated[bool, Field(description="Whether pixels decide; if false, codes alone.")] = True
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
        return self


class FileQuery(Query):
    """A search for an image file."""

    file: Annotated[UploadFile, WithJsonSchema({"type": "string", "format": "binary", "description": "An image file."})]
    asymmetric: Annotated[
        bool, Field(description="Weight each bit by how certain the image is of it; not with radius.")
    ] = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.asymmetric and self.radius is not None:
            raise ValueError("an asymmetric search ranks by its own distance; leave out radius")
        return self


class Sort(StrEnum):
    """Orders of images."""

    ID = "id"
    NEWEST = "newest"
    NAME = "name"
    RANDOM = "random"


class Problem(BaseModel):
    """An error."""

    type: str = Field(examples=["not_found"])
    message: str = Field(examples=["there is no image 7"])


class Failure(BaseModel):
    """An error response."""

    error: Problem


class Image(BaseModel):
    """An image of the database."""

    id: int = Field(examples=[1])
    name: str = Field(description="The path within the indexed folder.", examples=["2024/coffee.png"])
    path: str = Field(description="The full path; bytes that are not UTF-8 are written as \\xff.")
    label: Label = Field(description="One label, several, or null.", examples=["cats"])
    width: int | None = Field(description="Pixels, as shown.", examples=[640])
    height: int | None = Field(examples=[480])
    thumbnail: str = Field(examples=["/api/images/1/thumbnail?v=3f2a1b9c3f2a1b9c"])


class Hit(Image):
    """An image that a search found."""

    relation: Relation = Field(description="What it is to the query.", examples=["edited"])
    edits: list[str] = Field(description="Edits that lead from the query to it.", examples=[["crop", "brighter"]])
    done: str = Field(description="The same in words; empty if nothing.", examples=["cropped, brighter"])
    inliers: int = Field(description="Keypoints of both that support the transform.", examples=[212])
    agreement: float = Field(description="Share of the detail of both that is the same.", examples=[0.98])
    transform: list[float] | None = Field(
        description="3 × 3, row by row: points in shares of the sides, from the query to it; null if not aligned."
    )
    verified: bool = Field(description="Whether pixels say so; if not, its code does.")
    distance: int = Field(description="Bits that differ.", examples=[3])
    bits: int = Field(description="Length of the codes.", examples=[64])
    weighted_distance: float | None = Field(None, description="The weighted distance of an asymmetric search.")


class Asked(BaseModel):
    """The query as the server understood it."""

    code: str = Field(description="The code in hexadecimal digits.", examples=["8102ff00a1b2c3d4"])
    id: int | None = Field(description="The image of the database.")
    width: int | None = Field(description="Width of the image that was sent, in pixels.")
    height: int | None
    format: str | None = Field(examples=["JPEG"])


class Answer(BaseModel):
    """What a search found: copies, the same scene, then similar images."""

    query: Asked
    hits: list[Hit]
    images: int = Field(description="Number of images that were searched.", examples=[10000])
    unverified: int = Field(description="Candidates that cannot be verified, without a thumbnail or file.")
    bits: int = Field(examples=[64])
    seconds: float = Field(description="Time to answer.", examples=[0.004])


class Details(Image):
    """Everything known about an image."""

    code: str | None = Field(description="Hexadecimal digits; null if it has none.")
    root: str = Field(description="The indexed folder.")
    size: int = Field(description="Bytes of the encoded image.")
    format: str | None = Field(examples=["JPEG"])
    animated: bool
    error: str | None = Field(description="The reason why it has no code.")
    missing: bool = Field(description="Whether its file is gone.")
    original: str = Field(examples=["/api/images/1/original"])


class Page(BaseModel):
    """A page of images."""

    images: list[Image]
    total: int = Field(description="Number of images that pass the filters.")
    next: str | None = Field(description="The `cursor` of the next page; null on the last.")


class Labels(BaseModel):
    """The labels of the images."""

    labels: dict[str, int] = Field(description="Number of images by label.", examples=[{"cats": 12, "dogs": 3}])


class Member(Image):
    """An image of a group of copies."""

    distance: int = Field(description="Bits, to the group's first image.")
    size: int = Field(description="Bytes of the encoded image.")
    tier: str = Field(
        description="Compared with the kept copy: kept, same bytes, same pixels, or near.", examples=["same pixels"]
    )
    loses: list[str] = Field(description="Metadata that only this copy has: date, place, camera.", examples=[["date"]])
    relation: str = Field(
        description="To the best copy: exact, same-pixels, edited, same-scene, similar or different.",
        examples=["edited"],
    )
    words: str = Field(description="The relation and the edits in words.", examples=["edited copy: cropped"])
    edits: list[str] = Field(description="Edits that lead from the best copy to it.", examples=[["crop"]])
    agreement: float = Field(description="Share of the detail that is the same, 0 to 1.", examples=[0.98])
    inliers: int = Field(description="Keypoints that support the alignment.", examples=[120])
    verified: bool = Field(description="False if codes alone decided.")


class Group(BaseModel):
    """Copies of one picture."""

    images: list[Member]
    best: int = Field(description="The id of the best copy.", examples=[1])
    why: str = Field(description="The reason why it is the best.", examples=["most pixels (4000×3000)"])
    state: State = Field(description="Whether it was decided, or skipped for later.")
    kept: list[int] = Field(description="The ids that a decision keeps.")
    decision: int | None = Field(description="The id of that decision.")


class Duplicates(BaseModel):
    """A page of groups. Images that were marked as different share no group."""

    groups: list[Group]
    total: int = Field(description="Number of groups.")
    images: int = Field(description="Number of images in groups.")
    states: dict[State, int] = Field(description="Number of groups by state.")
    pixels: bool = Field(description="Whether copies with the same pixels are known yet.")
    radius: int
    bits: int
    same_scene: int = Field(description="Pairs of images that show the same scene, but are not copies.")
    differing: int = Field(description="Candidate pairs whose pixels do not match.")
    by_code: int = Field(description="Images that were compared by code alone.")
    revision: int = Field(description="The revision of the compared codes.")
    fresh: bool = Field(description="Whether that is the current revision.")
    next: str | None


class NewDecision(BaseModel):
    """A decision to store."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"kind": "keep", "images": [1, 2], "chosen": [1]}]}
    )

    kind: Kind = Field(
        description="keep: keep the chosen, the others may be removed. different: the chosen are not copies of the "
        "others or, without a choice, all differ. later: skip."
    )
    images: Annotated[list[Id], Field(min_length=2, max_length=100_000, description="Ids of all images concerned.")]
    chosen: Annotated[list[Id], Field(max_length=100_000, description="Some of them.")] = []


class DecidedImage(BaseModel):
    """An image of a decision; it may have been removed since."""

    id: int | None = Field(description="Its id, or that of an image with the same bytes; null if there is none.")
    path: str = Field(description="Its path when the decision was made.")
    digest: str = Field(description="Digest of its bytes, in hexadecimal.")
    part: int = Field(description="keep: 1 is kept. different: images of the same part may still be copies.")


class Decision(BaseModel):
    """A stored decision."""

    id: int = Field(examples=[1])
    kind: Kind
    at: datetime
    images: list[DecidedImage]


class Decisions(BaseModel):
    """A page of decisions, newest first."""

    decisions: list[Decision]
    total: int
    next: str | None = Field(description="The `cursor` of the next page; null on the last.")


class Progress(BaseModel):
    """Progress of background work; ask again."""

    done: int
    total: int = Field(description="0 until it is known.")


class Code(BaseModel):
    """The code of an image."""

    code: str = Field(description="Hexadecimal digits, first bit first.", examples=["8102ff00a1b2c3d4"])
    bits: int = Field(examples=[64])
    model: str = Field(examples=["csvae-64@3f2a1b9c"])
    width: int
    height: int
    format: str = Field(examples=["JPEG"])


class Rate(BaseModel):
    """A share with its 95 % confidence interval."""

    count: int
    total: int
    low: float = Field(description="Lower bound of count / total.")
    high: float = Field(description="Upper bound, if all that is suspected belonged to it.")
    suspected: int = Field(description="How many more may belong to it.")


class Calibrated(BaseModel):
    """How often searches are right, as `lookalike calibrate` measured it."""

    model: str = Field(description="Digest of the model.")
    at: int = Field(description="Seconds since 1970.")
    images: int = Field(description="Images of the collection at that time.")
    similar: int = Field(description="Maximum distance of a similar image: 1 in 100 pairs are within it.")
    has_background: bool = Field(description="Whether images from outside were searched for.")
    per_query: Rate | None = Field(description="Searches that call a different image a copy; null: not measured.")
    per_pair: Rate | None = Field(description="The same of pairs of a query and an image.")
    copies: dict[str, Rate] = Field(description="Edited copies that are called copies, by kind of edit.")
    unverified: int = Field(description="Searches with candidates that could not be verified.")
    format: int


class Info(BaseModel):
    """What the database holds, and what the server allows."""

    path: str
    model: str
    bits: int
    images: int
    errors: int
    missing: int = Field(description="Images whose files are gone.")
    out_of_reach: int = Field(description="Images whose folder or drive could not be reached.")
    labelled: int
    roots: list[str]
    trained_on: str
    near: int = Field(description="Distance within which 1 in 10,000 pairs of different images are.")
    duplicate: int = Field(description="Maximum distance of a copy if it cannot be verified; −1: none.")
    similar: int = Field(description="Maximum distance of a similar image that is no copy.")
    calibration: Calibrated | None = Field(description="The calibration, if there is one.")
    plain: int = Field(description="Images with too little content, grouped by their bytes only.")
    write: bool = Field(description="Whether decisions can be stored.")
    max_body: int = Field(description="Maximum bytes of a request.")
    max_pixels: int = Field(description="Maximum pixels of an image.")
    version: str = Field(description="The version of lookalike.", examples=["0.1.0"])


class Map(BaseModel):
    """Positions of images in a plane, similar images close together. All lists have the same order."""

    ids: list[int]
    x: list[int] = Field(description="0 to 9999.")
    y: list[int]
    labels: list[str] = Field(description="All labels.")
    label: list[int] = Field(description="Index of the first label of each image; −1: none.")
    total: int = Field(description="Number of images; of many, a sample is drawn.")
    revision: int
    fresh: bool


class Balance(BaseModel):
    """How the bits of the codes are used."""

    balance: list[float] = Field(description="Share of ones of each bit; 0.5 is best.")
    constant: int = Field(description="Bits that never change.")
    correlation: float = Field(description="Mean |correlation| of two bits.")
    effective: float = Field(description="Number of independent balanced bits that spread distances as much.")
    images: int = Field(description="Number of codes examined.")


class Model(BaseModel):
    """The model that made the codes."""

    name: str
    card: str
    about: dict[str, Any] = Field(description="The metadata of the model file.")
    theta: list[float] | None = Field(description="The threshold of each bit, if known.")
    use: Balance | None = Field(description="Null if there are no images.")


class Status(BaseModel):
    """Whether the server is ready."""

    ready: bool
    model: str
    images: int
    index: str = Field(description="fresh, or stale: the newest codes are not searched yet.", examples=["fresh"])
    revision: int
    decoders: int = Field(description="Number of decoding processes.")
    error: str = Field(description="Empty if nothing is wrong.")


class Live(BaseModel):
    """The server runs."""

    live: bool = True
