"""8-bit pixels without transparency, in sRGB, of whatever a file holds."""

from __future__ import annotations

from PIL import Image

from lookalike.imaging.formats import profiles, tones

WHITE = (255, 255, 255, 255)


def flatten(pixels: Image.Image, image: Image.Image, mode: str) -> Image.Image:
    """Decoded pixels of an image in grey ("L") or colour ("RGB"), transparent ones composed on white."""
    if tones.is_many_valued(pixels):
        pixels = tones.grey(pixels)
    if pixels.has_transparency_data:
        pixels = pixels.convert("RGBA")
        pixels = Image.alpha_composite(Image.new("RGBA", pixels.size, WHITE), pixels)
    if profiles.is_converted(image):
        pixels = profiles.to_srgb(_as(pixels, profiles.mode_to_convert(image, mode)), image)
    return _as(pixels, mode)


def _as(pixels: Image.Image, mode: str) -> Image.Image:
    if mode == "L" and pixels.mode not in ("L", "RGB", "RGBA", "1"):
        pixels = pixels.convert("RGB")  # Pillow has no direct way from some modes
    return pixels if pixels.mode == mode else pixels.convert(mode)
