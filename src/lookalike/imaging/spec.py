"""A model's input format. Separate from `decode`, so that a model can be loaded without the decoders."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.core.errors import ConfigError

Array = npt.NDArray[np.uint8]
Source = str | os.PathLike[str] | bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSpec:
    """Input format that a model expects; stored in the model file."""

    side: int = 128  # S, pixels
    colour: bool = False
    resampling: str = "bilinear"  # a name of PIL.Image.Resampling
    trim: bool = field(default=False, repr=False)  # cut borders off

    def __post_init__(self) -> None:
        if not 8 <= self.side <= 1024:
            raise ConfigError(f"an image side of {self.side} pixels is out of range; expected 8 to 1024")
        if self.resampling.upper() not in Image.Resampling.__members__:
            raise ConfigError(f"unknown resampling {self.resampling!r}; Pillow has bilinear, box, bicubic …")

    @property
    def shape(self) -> tuple[int, ...]:
        """(S, S) for grey, (S, S, 3) for colour."""
        return (self.side, self.side, 3) if self.colour else (self.side, self.side)

    @property
    def mode(self) -> str:
        """Pillow's mode of the array's pixels."""
        return "RGB" if self.colour else "L"
