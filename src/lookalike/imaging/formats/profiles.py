"""Conversion to sRGB where a file declares another colour space, as viewers do.

Most profiles are sRGB by another name. These are ignored, so that a picture has the same code with and without them; a
small table of colours, computed once a profile, identifies them. Damaged or unsuitable profiles are ignored, as viewers
do. A PNG without a profile may declare its gamma instead.
"""

from __future__ import annotations

import functools
import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from lookalike.imaging.formats import tones

SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # a profile's colour space → Pillow's mode of its images
ALIKE, MOST_UNLIKE = 2.0, 10  # levels of 255: mean and largest deviation of colours that count as sRGB
GAMMAS = (0.4, 0.5)  # range of a PNG's gamma that counts as sRGB's, 1/2.2
SANE_GAMMAS = (0.1, 4.0)
WHITE = (255, 255, 255, 255)
_STEPS = 9  # a colour in the table
_LARGEST = 4 << 20  # bytes; real profiles are smaller


def flatten(pixels: Image.Image, image: Image.Image, mode: str) -> Image.Image:
    """Decoded pixels in grey ("L") or colour ("RGB"), with transparent ones composed on white."""
    if tones.is_many_valued(pixels):
        pixels = tones.grey(pixels)
    if pixels.has_transparency_data:
        pixels = pixels.convert("RGBA")
        pixels = Image.alpha_composite(Image.new("RGBA", pixels.size, WHITE), pixels)
    if is_converted(image):
        pixels = _to_srgb(_as(pixels, mode_to_convert(image, mode)), image)
    return _as(pixels, mode)


def is_converted(image: Image.Image) -> bool:
    """Whether an image's colours need conversion; it need not be decoded yet."""
    return _mode_of_profile(image) is not None or _gamma(image) is not None


def mode_to_convert(image: Image.Image, mode: str) -> str:
    """The mode that an image needs before `_to_srgb`, if `mode` is wanted in the end."""
    return _mode_of_profile(image) or ("RGB" if _gamma(image) is not None and image.mode not in ("L", "LA") else mode)


def _to_srgb(pixels: Image.Image, image: Image.Image) -> Image.Image:
    """8-bit pixels in sRGB: RGB, or still grey. Without transparency."""
    profile, gamma = _profile(image), _gamma(image)
    if profile is not None and (transform := _transform(profile)) is not None and pixels.mode == transform.input_mode:
        return ImageCms.applyTransform(pixels, transform) or pixels
    if gamma is not None:
        return pixels.point(_curve(gamma).tolist() * len(pixels.getbands()))
    return pixels


def _mode_of_profile(image: Image.Image) -> str | None:
    profile = _profile(image)
    transform = None if profile is None else _transform(profile)
    if transform is None:
        return None
    if transform.input_mode == "CMYK" or image.mode == "CMYK":
        return "CMYK" if image.mode == transform.input_mode else None
    is_grey = image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")
    return transform.input_mode if is_grey == (transform.input_mode == "L") and image.mode != "LAB" else None


def _profile(image: Image.Image) -> bytes | None:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) and 128 < len(profile) <= _LARGEST else None


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """The transform to sRGB; None if the profile is close to sRGB or damaged."""
    try:
        parsed = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = SPACES[parsed.profile.xcolor_space]
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(parsed, srgb, mode, "RGB")
        return None if mode != "CMYK" and _changes_little(transform, mode) else transform
    except Exception:  # whatever is wrong with the profile, the picture is usable
        return None


def _changes_little(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    levels = np.linspace(0, 255, _STEPS if mode == "RGB" else 256).astype(np.uint8)
    table = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3) if mode == "RGB" else levels[None]
    converted = np.asarray(ImageCms.applyTransform(Image.fromarray(table), transform)).astype(int)
    difference = np.abs(converted - (table if mode == "RGB" else table[..., None]))
    return bool(difference.mean() <= ALIKE and difference.max() <= MOST_UNLIKE)


def _gamma(image: Image.Image) -> float | None:
    """A PNG file's declared gamma, if it matters."""
    gamma = image.info.get("gamma")
    if not isinstance(gamma, float) or _profile(image) is not None or image.info.get("srgb") is not None:
        return None
    return gamma if SANE_GAMMAS[0] <= gamma <= SANE_GAMMAS[1] and not GAMMAS[0] <= gamma <= GAMMAS[1] else None


def _curve(gamma: float) -> npt.NDArray[np.uint8]:
    """The sRGB value for each of the 256 values at this gamma."""
    light = (np.arange(256) / 255) ** (1 / gamma)
    shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * np.clip(shown, 0, 1)).astype(np.uint8)


def _as(pixels: Image.Image, mode: str) -> Image.Image:
    if mode == "L" and pixels.mode not in ("L", "RGB", "RGBA", "1"):
        pixels = pixels.convert("RGB")  # Pillow cannot convert some modes directly
    return pixels if pixels.mode == mode else pixels.convert(mode)
