"""What an image becomes for a model. Apart from `decode`, so that a model can be read without loading decoders."""

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
    """What an image must be turned into for a model; stored in the model file."""

    side: int = 128  # S, pixels
    colour: bool = False
    resampling: str = "bilinear"  # a name of PIL.Image.Resampling
    trim: bool = field(default=False, repr=False)  # whether borders are cut off

    def __post_init__(self) -> None:
        if not 8 <= self.side <= 1024:
            raise ConfigError(f"an image side of {self.side} pixels is outside 8 to 1024")
        if self.resampling.upper() not in Image.Resampling.__members__:
            raise ConfigError(f"there is no resampling {self.resampling!r}; Pillow has bilinear, box, bicubic …")

    @property
    def shape(self) -> tuple[int, ...]:
        """(S, S) in grey, (S, S, 3) in colour."""
        return (self.side, self.side, 3) if self.colour else (self.side, self.side)

    @property
    def mode(self) -> str:
        """Pillow's mode of the array's pixels."""
        return "RGB" if self.colour else "L"
