"""Images as programs have them: arrays, tensors, Pillow images, file objects and rows of data sets, as files' bytes.

What follows reads all of them as it reads files: orientation, colour profiles and borders are treated alike.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from lookalike.core.errors import ImageError
from lookalike.imaging.spec import Source

MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}  # of Pillow images that PNG keeps
CHANNELS = (1, 3, 4)


def is_one(images: Any) -> bool:
    """Whether a value is one image and not several: neither a list nor another iterable of images."""
    one = (str, bytes, bytearray, memoryview, os.PathLike, Image.Image, Mapping, np.ndarray)
    return (
        isinstance(images, one)
        or any(hasattr(images, name) for name in ("read", "detach"))
        or not hasattr(images, "__iter__")
    )


def source_of(image: Any) -> Source:
    """A path or encoded bytes, whatever an image is given as. Raises `ImageError` if it is nothing of the kind.

    Besides these it may be a binary file object, a `PIL.Image`, a uint8 array of shape (H, W), (H, W, 3) or (H, W, 4),
    a tensor of these shapes or with its channels first (of floats from 0 to 1, too), or a row of a Hugging Face data
    set: a mapping with `image`, `bytes` or `path`.
    """
    if isinstance(image, str | bytes | os.PathLike):
        return image
    if isinstance(image, bytearray | memoryview):
        return bytes(image)
    if isinstance(image, Image.Image):
        return _png(image)
    if isinstance(image, Mapping):
        return _of_row(image)
    if hasattr(image, "read"):
        content = image.read()
        if not isinstance(content, bytes):
            raise ImageError(f"{getattr(image, 'name', 'a file object')} gives text; open the file with mode 'rb'")
        return content
    if hasattr(image, "detach"):
        image = _pixels_of(image)
    if isinstance(image, np.ndarray):
        return _png(_picture(image))
    raise ImageError(
        f"a value of type {type(image).__name__} is not an image; give a path, encoded bytes, a file object, a "
        "PIL.Image, a uint8 array (H, W) or (H, W, 3), or a tensor"
    )


def _of_row(row: Mapping[str, Any]) -> Source:
    for name in ("image", "bytes", "path"):
        if row.get(name) is not None:
            return source_of(row[name])
    raise ImageError(f"a row with {', '.join(map(str, row)) or 'no columns'} has no image; name the column `image`")


def _pixels_of(tensor: Any) -> Any:
    """A tensor's values, its channels last; floats from 0 to 1 become uint8."""
    array = np.asarray(tensor.detach().cpu())
    if array.ndim == 3 and array.shape[0] in CHANNELS and array.shape[2] not in CHANNELS:
        array = array.transpose(1, 2, 0)
    if array.dtype.kind != "f":
        return array
    if array.size and not (array.min() >= 0 and array.max() <= 1):
        raise ImageError(
            f"a tensor of floats from {array.min():g} to {array.max():g}; pixels are 0 to 1, or uint8: undo the "
            "normalisation first"
        )
    return np.rint(array * 255).astype(np.uint8)


def _picture(array: np.ndarray[Any, Any]) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in CHANNELS)):
        raise ImageError(
            f"an array of shape {array.shape} and type {array.dtype} is not an image; one is uint8, of shape (H, W), "
            "(H, W, 3) or (H, W, 4)"
        )
    if 0 in array.shape:
        raise ImageError(f"an array of shape {array.shape} has no pixels")
    return Image.fromarray(np.ascontiguousarray(array))


def _png(image: Image.Image) -> bytes:
    kept = image if image.mode in MODES else image.convert("RGBA" if image.has_transparency_data else "RGB")
    known = {"icc_profile": image.info.get("icc_profile"), "exif": image.getexif() or None}
    content = io.BytesIO()
    kept.save(content, "PNG", compress_level=1, **{name: value for name, value in known.items() if value})
    return content.getvalue()
