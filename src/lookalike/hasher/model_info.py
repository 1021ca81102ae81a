"""The description in a model file: one JSON document whose values are all checked, as it may come from a stranger."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from lookalike.core import display
from lookalike.core.codes import MAX_BITS, check_bits
from lookalike.core.errors import ConfigError, ModelError
from lookalike.imaging.spec import ImageSpec

METADATA_KEY = "lookalike"
DECODER_KEY = "lookalike-decoder"
FORMAT = 1
MAX_DOCUMENT = 1 << 20  # characters
MAX_LINE = 1000  # characters of a value that is shown within a line
LARGEST = 2**53  # a number that any program's JSON gives back


class Radii(NamedTuple):
    """Up to how many bits images are called what."""

    same: int  # 0: only equal codes, which have a word of their own
    duplicate: int  # -1: different images often have equal codes
    similar: int

    def tier(self, distance: int) -> str:
        """A plain word for a distance in bits."""
        if distance == 0:
            return "identical" if self.duplicate >= 0 else "same code"
        if distance <= self.duplicate:
            return "same" if distance <= self.same else "near-duplicate"
        return "similar" if distance <= self.similar else "different"


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What a model file says of itself. Distances are in bits, losses in nats an image."""

    name: str  # such as "csvae-64"
    model: str  # of the paper's "vae", "cvae", "csvae", "vte"; or a method such as "itq"
    bits: int  # K
    image: ImageSpec
    theta_digest: str  # BLAKE2b, 16 bytes in hexadecimal, of the float32 threshold
    data_name: str  # what it was trained on
    data_images: int  # how many images it was trained on
    data_validation: int  # how many more were held out
    seed: int
    epochs: int
    validation_loss: float | None = None
    near: int = 0  # at most 1 in 10,000 pairs of different images is this near or nearer; -1: more have equal codes
    similar: int = 0  # at most 1 in 100; -1: more have equal codes
    pairs: int = 0  # number of pairs that `near` and `similar` were measured on
    copies: int | None = None  # hardly one in tens of millions is this near, so that it is a copy; None: not measured
    versions: dict[str, str] = field(default_factory=dict)  # of the packages that made it
    backbone: str = ""  # the encoder behind which it was trained, what that was trained on and its licence
    supervised: bool = False  # whether it learnt from labels
    nested: dict[str, dict[str, int]] = field(default_factory=dict)  # near and similar of codes that are first bits
    card: str = ""  # for people: what it is good for, and what not
    format: int = FORMAT

    def to_json(self) -> str:
        """The document stored in the file, the same for the same values."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def within(cls, metadata: Mapping[str, str]) -> ModelInfo:
        """The description among the texts in a model file. Raises `ModelError` if there is none, or as `from_json`."""
        if METADATA_KEY not in metadata:
            raise ModelError("is an ONNX file, but not a model of lookalike; make one with: lookalike train IMAGES")
        return cls.from_json(metadata[METADATA_KEY])

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """The document read back. Raises `ModelError` if it is damaged or of a later format."""
        values = parse(text)
        try:
            if checked("format", values["format"], int) > FORMAT:
                raise ModelError(f"has format {values['format']}; this version reads up to {FORMAT}. Upgrade lookalike")
            spec = {name: checked(f"image.{name}", value, SPEC[name]) for name, value in values["image"].items()}
            fields = {name: checked(name, value, TYPES[name]) for name, value in values.items() if name != "image"}
            info = cls(**fields, image=ImageSpec(**spec))
            check_bits(info.bits)
        except (ValueError, KeyError, TypeError, AttributeError, ConfigError) as error:
            raise ModelError(f"its metadata are damaged ({type(error).__name__}: {error})") from error
        return info

    @property
    def origin(self) -> str:
        """What it was trained on, and behind which backbone: what must be printed with its figures."""
        learnt = "with their labels" if self.supervised else "without labels"
        found = f"{self.data_images} images of {self.data_name}, {learnt}"
        return f"{found}; backbone: {self.backbone}" if self.backbone else found

    @property
    def duplicate(self) -> int:
        """The distance, in bits, up to which two images are taken for copies of one picture.

        `near` is a rate among pairs, and a collection of n images has n²/2 of them: among 10,000 images 5,000 pairs of
        different ones are `near`. So `copies` is the most, or, where that was not measured, a sixteenth of the bits;
        recompression flips fewer. It is -1 where different images often have equal codes, as by methods that learn
        classes: those cannot tell copies.
        """
        return min(self.near, self.bits // 16 if self.copies is None else self.copies)

    def tier(self, distance: int) -> str:
        """A plain word for a distance in bits."""
        return self.radii.tier(distance)

    @property
    def radii(self) -> Radii:
        """Up to how many bits images are called what, as long as nobody has calibrated a collection."""
        return Radii(same=0, duplicate=self.duplicate, similar=self.similar)


TYPES: dict[str, Any] = {
    "name": str, "model": str, "bits": int, "theta_digest": str, "data_name": str, "data_images": int,
    "data_validation": int, "seed": int, "epochs": int, "validation_loss": (float, None), "near": int, "similar": int,
    "pairs": int, "copies": (int, None), "versions": {str: str}, "backbone": str, "supervised": bool,
    "nested": {str: {str: int}}, "card": str, "format": int,
}  # fmt: skip
SPEC: dict[str, Any] = {"side": int, "colour": bool, "resampling": str, "trim": bool}
SEVERAL_LINES = ("card",)


def parse(text: str) -> dict[str, Any]:
    """The object in a JSON document. Raises `ModelError` for anything else, and for numbers that are not finite."""
    if len(text) > MAX_DOCUMENT:
        raise ModelError(f"its metadata have {len(text):,} characters; at most {MAX_DOCUMENT:,} are read")
    try:
        values = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"its metadata are damaged ({type(error).__name__}: {error})") from error
    if not isinstance(values, dict):
        raise ModelError("its metadata are damaged (expected an object of JSON)")
    return values


def checked(name: str, value: Any, kind: Any) -> Any:
    """A value of the type that a field has. Raises `ValueError`, naming the field."""
    if isinstance(kind, tuple):
        return None if value is None else checked(name, value, kind[0])
    if isinstance(kind, dict):
        [(_, inner)] = kind.items()
        if not isinstance(value, dict):
            raise ValueError(f"{name} is no object of JSON")
        return {checked(name, key, str): checked(f"{name}.{key}", one, inner) for key, one in value.items()}
    wanted = (int, float) if kind is float else (kind,)
    if type(value) not in wanted:
        raise ValueError(f"{name} is of type {type(value).__name__}; expected {kind.__name__}")
    if kind is str:
        _check_text(name, value)
    elif kind is not bool and not -LARGEST <= value <= LARGEST:
        raise ValueError(f"{name} is out of range")
    elif kind is float and not math.isfinite(value):
        raise ValueError(f"{name} is not finite")
    elif name in ("near", "similar", "copies") and not -1 <= value <= MAX_BITS:
        raise ValueError(f"{name} is {value}; expected a distance in bits")
    return value


def _check_text(name: str, text: str) -> None:
    several = name in SEVERAL_LINES
    if display.printable(text, but="\n\t" if several else "") != text:
        raise ValueError(f"{name} has characters that act on a terminal")
    if not several and len(text) > MAX_LINE:
        raise ValueError(f"{name} has {len(text):,} characters; expected at most {MAX_LINE:,}")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def decoder_theta(text: str) -> str:
    """The digest of θ of the model that a decoder was trained with, by the decoder's metadata. Raises `ModelError`."""
    try:
        return str(checked("theta_digest", parse(text)["theta_digest"], str))
    except (ModelError, ValueError, KeyError) as error:
        raise ModelError("is not a decoder; lookalike train writes one next to a model of the paper") from error
