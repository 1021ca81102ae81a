"""A model's description: a JSON document in its file, fully validated because it may come from a stranger."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lookalike.core import display
from lookalike.core.codes import MAX_BITS, check_bits
from lookalike.core.errors import ConfigError, ModelError
from lookalike.imaging.spec import ImageSpec

METADATA_KEY = "lookalike"
FORMAT = 1
MAX_DOCUMENT = 1 << 20  # characters
MAX_LINE = 1000  # characters of a value that is shown on one line
LARGEST = 2**53  # the largest integer that every JSON parser preserves


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """A model's description. Distances are in bits, losses in nats an image."""

    name: str  # such as "csvae-64"
    model: str  # of the paper's "vae", "cvae", "csvae", "vte"; or a method such as "itq"
    bits: int  # K
    image: ImageSpec
    theta_digest: str  # BLAKE2b (16 bytes, hexadecimal) of the float32 threshold
    data_name: str  # training data
    data_images: int  # number of training images
    data_validation: int  # number of further images for validation
    seed: int
    epochs: int
    validation_loss: float | None = None
    near: int = 0  # at most 1 in 10,000 pairs of different images are within this distance; -1: more have equal codes
    similar: int = 0  # the same for 1 in 100
    pairs: int = 0  # number of pairs on which `near` and `similar` were measured
    copies: int | None = None  # about one pair in tens of millions is within this distance; None: not measured
    versions: dict[str, str] = field(default_factory=dict)  # of the packages that made it
    backbone: str = ""  # the encoder in front of it, its training data and licence
    supervised: bool = False  # trained with labels
    nested: dict[str, dict[str, int]] = field(default_factory=dict)  # near and similar for truncated codes
    card: str = ""  # a model card: intended uses and limitations
    format: int = FORMAT

    def to_json(self) -> str:
        """The JSON document stored in the file; deterministic."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def within(cls, metadata: Mapping[str, str]) -> ModelInfo:
        """The description in a model file's metadata. Raises `ModelError` if it is missing or invalid."""
        if METADATA_KEY not in metadata:
            raise ModelError("is an ONNX file, but not a lookalike model; make one with: lookalike train IMAGES")
        return cls.from_json(metadata[METADATA_KEY])

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """The description in a JSON document. Raises `ModelError` if it is damaged or of a later format."""
        values = _parse(text)
        try:
            if _checked("format", values["format"], int) > FORMAT:
                raise ModelError(f"has format {values['format']}; this version reads up to {FORMAT}. Upgrade lookalike")
            spec = {name: _checked(f"image.{name}", value, SPEC[name]) for name, value in values["image"].items()}
            fields = {name: _checked(name, value, TYPES[name]) for name, value in values.items() if name != "image"}
            info = cls(**fields, image=ImageSpec(**spec))
            check_bits(info.bits)
        except (ValueError, KeyError, TypeError, AttributeError, ConfigError) as error:
            raise ModelError(f"its metadata is damaged ({type(error).__name__}: {error})") from error
        return info

    @property
    def origin(self) -> str:
        """Training data and backbone, to be shown with the model's figures."""
        learnt = "with their labels" if self.supervised else "without labels"
        text = f"{self.data_images} images of {self.data_name}, {learnt}"
        return f"{text}; backbone: {self.backbone}" if self.backbone else text

    @property
    def duplicate(self) -> int:
        """The distance, in bits, up to which two images count as copies of one picture.

        `near` is a rate among pairs, and a collection of n images has n²/2 of them: among 10,000 images, 5,000 pairs of
        different images are within `near`. So the limit is `copies`, or a sixteenth of the bits if that was not
        measured; recompression flips fewer. It is -1 if different images often have equal codes, as with methods that
        learn classes: those cannot identify copies.
        """
        return min(self.near, self.bits // 16 if self.copies is None else self.copies)


TYPES: dict[str, Any] = {
    "name": str, "model": str, "bits": int, "theta_digest": str, "data_name": str, "data_images": int,
    "data_validation": int, "seed": int, "epochs": int, "validation_loss": (float, None), "near": int, "similar": int,
    "pairs": int, "copies": (int, None), "versions": {str: str}, "backbone": str, "supervised": bool,
    "nested": {str: {str: int}}, "card": str, "format": int,
}  # fmt: skip
SPEC: dict[str, Any] = {"side": int, "colour": bool, "resampling": str, "trim": bool}
SEVERAL_LINES = ("card",)


def _parse(text: str) -> dict[str, Any]:
    """The object in a JSON document. Raises `ModelError` for anything else, and for non-finite numbers."""
    if len(text) > MAX_DOCUMENT:
        raise ModelError(f"its metadata has {len(text):,} characters; at most {MAX_DOCUMENT:,} are supported")
    try:
        values = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"its metadata is damaged ({type(error).__name__}: {error})") from error
    if not isinstance(values, dict):
        raise ModelError("its metadata is damaged (expected a JSON object)")
    return values


def _checked(name: str, value: Any, kind: Any) -> Any:
    """The value, if it has a field's type. Raises `ValueError`, naming the field."""
    if isinstance(kind, tuple):
        return None if value is None else _checked(name, value, kind[0])
    if isinstance(kind, dict):
        [(_, inner)] = kind.items()
        if not isinstance(value, dict):
            raise ValueError(f"{name} is not a JSON object")
        return {_checked(name, key, str): _checked(f"{name}.{key}", one, inner) for key, one in value.items()}
    expected = (int, float) if kind is float else (kind,)
    if type(value) not in expected:
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
        raise ValueError(f"{name} has control characters")
    if not several and len(text) > MAX_LINE:
        raise ValueError(f"{name} has {len(text):,} characters; expected at most {MAX_LINE:,}")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")
