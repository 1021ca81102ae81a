"""Decoding any file gives the model's input array or an `ImageError`.

Shapes: S pixels a side.
"""

from __future__ import annotations

import functools
import io
import struct
import sys
import tarfile
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin

from lookalike.core.errors import ConfigError, ImageError
from lookalike.imaging import decode
from lookalike.imaging.decode import ImageSpec
from lookalike.imaging.formats import kinds

SPEC = ImageSpec(side=32)
COLOUR = ImageSpec(side=32, colour=True)
Array = npt.NDArray[Any]

RAMP = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))  # from black at the left to nearly white at the right
UNDONE_BY = {  # orientation tag → how the pixels must be stored so that it shows the image upright
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
FORMATS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 90},
    "PNG": {},
    "WEBP": {"lossless": True},
    "GIF": {},
    "TIFF": {"compression": "tiff_lzw"},
    "BMP": {},
    "AVIF": {"quality": 90},
    "PPM": {},
}


def save(picture: Image.Image, format_: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, format_, **options)
    return out.getvalue()


def grey(data: bytes) -> Array:
    return decode.read(data, SPEC).astype(int)


@functools.cache
def photo(width: int = 96, height: int = 64) -> Image.Image:
    """A smooth image without symmetry, so that a wrong rotation is detected."""
    x, y = np.meshgrid(np.linspace(0, 3, width), np.linspace(0, 2, height))
    planes = [np.sin(x + 0.3) * np.cos(y), np.sin(2 * x) * y / 2, np.cos(x * y)]
    return Image.fromarray(np.round(127.5 + 120 * np.stack(planes, -1)).astype(np.uint8))


def png(width: int, height: int, *, depth: int = 8, colour: int = 0, rows: bytes = b"", extra: bytes = b"") -> bytes:
    """A PNG put together by hand, for features that Pillow does not write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + body + chunk(b"IEND", b"")


# All modes


MODES: dict[str, Callable[[], bytes]] = {
    "L png": lambda: save(Image.fromarray(RAMP), "PNG"),
    "LA png": lambda: save(Image.fromarray(RAMP).convert("LA"), "PNG"),
    "P png": lambda: save(Image.fromarray(RAMP).convert("P"), "PNG"),
    "P gif": lambda: save(Image.fromarray(RAMP), "GIF"),
    "P bmp": lambda: save(Image.fromarray(RAMP).convert("P"), "BMP"),
    "RGB png": lambda: save(Image.fromarray(RAMP).convert("RGB"), "PNG"),
    "RGB ppm": lambda: save(Image.fromarray(RAMP).convert("RGB"), "PPM"),
    "RGB bmp": lambda: save(Image.fromarray(RAMP).convert("RGB"), "BMP"),
    "RGBA png": lambda: save(Image.fromarray(RAMP).convert("RGBA"), "PNG"),
    "RGBA webp": lambda: save(Image.fromarray(RAMP).convert("RGBA"), "WEBP", lossless=True),
    "RGBA tiff": lambda: save(Image.fromarray(RAMP).convert("RGBA"), "TIFF"),
    "RGBA avif": lambda: save(Image.fromarray(RAMP).convert("RGBA"), "AVIF", quality=95),
    "CMYK jpeg": lambda: save(Image.fromarray(RAMP).convert("CMYK"), "JPEG", quality=98),
    "CMYK tiff": lambda: save(Image.fromarray(RAMP).convert("CMYK"), "TIFF"),
    "YCbCr jpeg": lambda: save(Image.fromarray(RAMP).convert("RGB"), "JPEG", quality=98),
    "YCbCr tiff": lambda: save(Image.fromarray(RAMP).convert("YCbCr"), "TIFF"),
    "RGB jpeg": lambda: save(Image.fromarray(RAMP).convert("RGB"), "JPEG", quality=98, keep_rgb=True),
    "L jpeg": lambda: save(Image.fromarray(RAMP), "JPEG", quality=98),
    "LAB tiff": lambda: save(lab(), "TIFF"),
    "I;16 png": lambda: save(Image.fromarray(RAMP.astype(np.uint16) << 8), "PNG"),
    "I;16 tiff": lambda: save(Image.fromarray(RAMP.astype(np.uint16) << 8), "TIFF"),
    "I;16B tiff": lambda: save(
        Image.frombytes("I;16B", (64, 64), (RAMP.astype(np.uint16) << 8).astype(">u2").tobytes()), "TIFF"
    ),
    "I;16 pgm": lambda: save(Image.fromarray(RAMP.astype(np.uint16) << 8), "PPM"),
    "I tiff, 8 bits": lambda: save(Image.fromarray(RAMP.astype(np.int32)), "TIFF"),
    "I tiff, 16 bits": lambda: save(Image.fromarray(RAMP.astype(np.int32) << 8), "TIFF"),
    "RGB png of 16 bits": lambda: png(
        64, 64, depth=16, colour=2, rows=b"".join(b"\0" + np.repeat(row, 6).tobytes() for row in RAMP)
    ),
    "RGBA png of 16 bits": lambda: png(
        64,
        64,
        depth=16,
        colour=6,
        rows=b"".join(
            b"\0" + b"".join(bytes([value] * 6 + [255] * 2) for value in row) for row in RAMP.tolist()
        ),
    ),
}  # fmt: skip


def lab() -> Image.Image:
    planes = [Image.fromarray(RAMP), Image.new("L", (64, 64), 128), Image.new("L", (64, 64), 128)]
    return Image.merge("LAB", planes)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_same_ramp(mode: str) -> None:
    expected = grey(save(Image.fromarray(RAMP), "PNG"))
    found = grey(MODES[mode]())
    assert found.shape == (32, 32)
    # L of Lab is not grey, but as steep; the palette of 216 colours and lossy formats are coarse.
    assert np.abs(found - expected).mean() < (12 if mode.startswith(("LAB", "P ")) else 2.5)
    assert (np.diff(found[:, ::8].mean(0)) > 10).all()


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_colours(mode: str) -> None:
    found = decode.read(MODES[mode](), COLOUR)
    assert found.shape == (32, 32, 3)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int).mean(-1) - grey(MODES[mode]())).mean() < 6


def test_black_and_white() -> None:
    half = np.zeros((64, 64), bool)
    half[:, 32:] = True
    for format_ in ("PNG", "TIFF", "BMP", "PPM", "GIF"):
        found = grey(save(Image.fromarray(half), format_))
        assert (found[:, :15] == 0).all(), format_
        assert (found[:, 17:] == 255).all(), format_


def test_floating_pixels_are_stretched() -> None:
    expected = grey(save(Image.fromarray(np.round(RAMP * (255 / RAMP.max())).astype(np.uint8)), "PNG"))
    for scale, shift in ((1 / 255, 0.0), (1e6, -5e5), (1e36, 0.0)):
        values = RAMP.astype(np.float32) * np.float32(scale) + np.float32(shift)
        assert np.abs(grey(save(Image.fromarray(values), "TIFF")) - expected).max() <= 1


def test_negative_whole_numbers_are_stretched() -> None:
    expected = grey(save(Image.fromarray(np.round(RAMP * (255 / RAMP.max())).astype(np.uint8)), "PNG"))
    assert np.abs(grey(save(Image.fromarray(RAMP.astype(np.int32) - 100), "TIFF")) - expected).max() <= 1
    assert np.abs(grey(save(Image.fromarray(RAMP.astype(np.int32) * 8_000_000), "TIFF")) - expected).max() <= 1


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_a_pixel_that_is_not_a_number_does_not_change_the_others(odd: float) -> None:
    values = RAMP.astype(np.float32) + 1000
    expected = grey(save(Image.fromarray(values), "TIFF"))
    values[0, 63] = odd
    assert np.abs(grey(save(Image.fromarray(values), "TIFF"))[4:] - expected[4:]).max() <= 1


def test_constant_floating_pixels_have_a_value() -> None:
    assert len(np.unique(grey(save(Image.fromarray(np.full((9, 9), 0.25, np.float32)), "TIFF")))) == 1


# Transparency


def half_transparent(mode: str, format_: str, **options: Any) -> bytes:
    """Black on the left, fully transparent black on the right."""
    picture = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
    picture.paste((0, 0, 0, 0), (32, 0, 64, 64))
    return save(picture.convert(mode) if mode != "RGBA" else picture, format_, **options)


def palette_with_transparency(format_: str, transparency: Any) -> bytes:
    picture = Image.new("P", (64, 64), 0)
    picture.putpalette([0, 0, 0, 10, 10, 10])
    picture.paste(1, (32, 0, 64, 64))
    return save(picture, format_, transparency=transparency)


TRANSPARENT: dict[str, Callable[[], bytes]] = {
    "RGBA png": lambda: half_transparent("RGBA", "PNG"),
    "RGBA webp": lambda: half_transparent("RGBA", "WEBP", lossless=True, exact=True),
    "RGBA tiff": lambda: half_transparent("RGBA", "TIFF"),
    "RGBA avif": lambda: half_transparent("RGBA", "AVIF", quality=95),
    "LA png": lambda: half_transparent("LA", "PNG"),
    "P png, one index": lambda: palette_with_transparency("PNG", 1),
    "P png, tRNS of many": lambda: palette_with_transparency("PNG", bytes([255, 0])),
    "P gif": lambda: palette_with_transparency("GIF", 1),
    "L png, tRNS": lambda: two_greys(np.uint8, 10),
    "RGB png, tRNS": lambda: save(Image.open(io.BytesIO(two_greys(np.uint8, 10))).convert("RGB"), "PNG"),
    "1 png, tRNS": lambda: save(Image.fromarray(np.arange(64)[None].repeat(64, 0) >= 32), "PNG", transparency=255),
    "I;16 png, tRNS": lambda: two_greys(np.uint16, 2570),
}


def two_greys(dtype: type, value: int) -> bytes:
    values: Array = np.zeros((64, 64), dtype)
    values[:, 32:] = value
    return save(Image.fromarray(values), "PNG", transparency=value)


@pytest.mark.parametrize("kind", TRANSPARENT)
def test_what_is_transparent_is_white(kind: str) -> None:
    data = TRANSPARENT[kind]()
    for found in (decode.read(data, SPEC), decode.read(data, COLOUR).mean(-1)):
        assert (found[:, :14] < 8).all()
        assert (found[:, 18:] > 247).all()


def test_half_transparent_black_is_grey() -> None:
    assert (grey(save(Image.new("RGBA", (8, 8), (0, 0, 0, 128)), "PNG")) == 127).all()


# Orientation


def turned(picture: Image.Image, orientation: int, format_: str, **options: Any) -> bytes:
    """A file whose stored pixels are rotated according to its EXIF tag."""
    how = UNDONE_BY[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    return save(picture if how is None else picture.transpose(how), format_, exif=exif, **options)


@pytest.mark.parametrize("orientation", UNDONE_BY)
@pytest.mark.parametrize("format_", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("spec", [SPEC, COLOUR, ImageSpec(side=128)], ids=["grey", "colour", "128"])
def test_a_rotated_lossless_file_gives_the_same_array(format_: str, orientation: int, spec: ImageSpec) -> None:
    options = FORMATS[format_]
    upright = decode.decode(save(photo(), format_, **options), spec)
    found = decode.decode(turned(photo(), orientation, format_, **options), spec)
    assert np.array_equal(found.array, upright.array)
    assert (found.width, found.height, found.format) == (96, 64, format_)


@pytest.mark.parametrize("orientation", UNDONE_BY)
@pytest.mark.parametrize("format_", ["JPEG", "AVIF"])
def test_a_rotated_lossy_file_gives_nearly_the_same_array(format_: str, orientation: int) -> None:
    upright = decode.decode(save(photo(), format_, **FORMATS[format_]), SPEC)
    found = decode.decode(turned(photo(), orientation, format_, **FORMATS[format_]), SPEC)
    assert np.abs(found.array.astype(int) - upright.array).mean() < 1
    assert (found.width, found.height) == (96, 64)


@pytest.mark.parametrize("orientation", UNDONE_BY)
def test_a_rotated_file_that_is_transparent(orientation: int) -> None:
    picture = photo().convert("RGBA")
    picture.paste((0, 0, 0, 0), (10, 5, 40, 30))
    expected = decode.read(save(picture, "PNG"), SPEC)
    assert np.array_equal(decode.read(turned(picture, orientation, "PNG"), SPEC), expected)


@pytest.mark.parametrize("value", [0, 9, 255, 65535])
def test_an_impossible_orientation_is_passed_over(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert np.array_equal(grey(save(photo(), "PNG", exif=exif)), grey(save(photo(), "PNG")))


def test_damaged_metadata_do_not_make_a_picture_unreadable() -> None:
    plain = save(photo(), "JPEG")
    for rubbish in (b"Exif\0\0", b"Exif\0\0rubbish that is no TIFF", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12\0\x03"):
        assert np.array_equal(grey(save(photo(), "JPEG", exif=rubbish)), grey(plain))


# Animations


@pytest.mark.parametrize(("format_", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})])
def test_of_an_animation_the_first_frame_is_taken(format_: str, options: dict[str, Any]) -> None:
    frames = [Image.fromarray(np.roll(RAMP, 20 * i, axis=1)).convert("RGB") for i in range(4)]
    data = save(frames[0], format_, save_all=True, append_images=frames[1:], **options)
    found = decode.decode(data, SPEC)
    still = decode.decode(save(frames[0], format_, **options), SPEC)
    assert np.array_equal(found.array, still.array)
    assert (found.animated, still.animated) == (True, False)
    assert np.asarray(decode.thumbnail(data, 64)).std() > 50


# Large files


def test_a_large_photograph_is_decoded_small(monkeypatch: pytest.MonkeyPatch) -> None:
    data = save(photo(4000, 3000), "JPEG")
    decoded: list[tuple[tuple[int, int], str]] = []
    load = JpegImagePlugin.JpegImageFile.load

    def spy(self: JpegImagePlugin.JpegImageFile) -> Any:
        pixels = load(self)
        decoded.append((self.size, self.mode))
        return pixels

    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", spy)
    found = decode.decode(data, ImageSpec())
    assert decoded[0] == ((1000, 750), "L")  # 1/4, and still more than four times 128
    assert (found.width, found.height) == (4000, 3000)
    decoded.clear()
    decode.decode(data, ImageSpec(colour=True, side=256))
    assert decoded[0] == ((2000, 1500), "RGB")


@pytest.mark.parametrize("size", [(4000, 3000), (1030, 520), (300, 2000), (257, 255)])
@pytest.mark.parametrize("colour", [False, True])
def test_decoding_small_gives_nearly_what_decoding_in_full_does(size: tuple[int, int], colour: bool) -> None:
    spec = ImageSpec(colour=colour)
    data = save(photo(*size), "JPEG")
    full = Image.open(io.BytesIO(data)).convert(spec.mode).resize((128, 128), Image.Resampling.BILINEAR)
    difference = np.abs(decode.read(data, spec).astype(int) - np.asarray(full))
    assert difference.mean() < 1.5
    assert difference.max() < 24


def test_a_small_jpeg_is_not_reduced() -> None:
    data = save(photo(200, 150), "JPEG")
    full = Image.open(io.BytesIO(data)).convert("L").resize((128, 128), Image.Resampling.BILINEAR)
    assert np.abs(decode.read(data).astype(int) - np.asarray(full)).max() <= 2


BMP_BOMB = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 1 << 20, 0, 0, 54, 40, 60_000, 60_000, 1, 24, *[0] * 6) + bytes(99)
GIF_BOMB = (
    b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0)
    + b"," + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0) + b"\x02\x02D\x01\0;"
)  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        png(60_000, 60_000),
        png(60_000, 60_000, depth=16, colour=6),
        b"P6 60000 60000 255\n" + bytes(100),
        BMP_BOMB,
        GIF_BOMB,
    ],
    ids=["png", "png of 64 bits a pixel", "ppm", "bmp", "gif"],
)  # fmt: skip
def test_a_bomb_is_refused_by_its_header(data: bytes) -> None:
    tracemalloc.start()
    start = time.perf_counter()
    try:
        with pytest.raises(ImageError, match=r"60000×60000 are 3600 megapixels; at most 200 .*--max-pixels"):
            decode.read(data, SPEC)
        assert time.perf_counter() - start < 0.5
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()
    with pytest.raises(ImageError, match="3600 megapixels"):
        decode.thumbnail(data, 64)


def test_a_hundred_megapixels_are_read_without_a_warning() -> None:
    data = save(Image.new("1", (10_000, 10_000), 1), "PNG")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert (decode.read(data, SPEC) == 255).all()
    assert [str(warning.message) for warning in caught] == []


def test_the_cap_alone_decides_whatever_the_format(recwarn: pytest.WarningsRecorder) -> None:
    # Pillow's own limit for the process is lowered here, so that small files stand for large ones.
    data = {name: save(photo(), name, **options) for name, options in FORMATS.items()}
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, 500
    try:
        for name, encoded in data.items():
            assert decode.read(encoded, SPEC).shape == (32, 32), name
            with pytest.raises(ImageError, match=r"at most 0.006143 are decoded"):
                decode.read(encoded, SPEC, max_pixels=6143)
            assert decode.read(encoded, SPEC, max_pixels=6144).shape == (32, 32)
    finally:
        Image.MAX_IMAGE_PIXELS = before
    assert len(recwarn) == 0


# Files that are not images


FOREIGN = {
    "cursor": b"\0\0\2\0\1\0\x10\x10" + bytes(30),
    "nearly tga": bytes([0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 0, 4, 0, 24, 0]) + bytes(48),
    "font": b"\0\1\0\0\0\x13\1\0" + bytes(30),
    "text": b"Dear all, this is no picture.\n",
    "html": b"<!doctype html><title>404 Not Found</title>",
    "random": bytes.fromhex("9b1f0d6a3c77e2584410bba90f3e5d21"),
    "zeros": bytes(4096),
    "one byte": b"\xff",
    "parquet": b"PAR1" + bytes(30) + b"PAR1",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_formats_are_refused_by_name_of_what_is_read(kind: str) -> None:
    with pytest.raises(ImageError, match=r"not an image in a format that is read here.*JPEG, PNG"):
        decode.read(FOREIGN[kind], SPEC)
    with pytest.raises(ImageError):
        kinds.recognise(FOREIGN[kind][:16])


def test_formats_that_pillow_writes_but_are_not_allowed() -> None:
    for format_ in ("XBM", "SPIDER"):
        with pytest.raises(ImageError, match="not an image in a format that is read here"):
            decode.read(save(photo(64, 64).convert("1" if format_ != "SPIDER" else "F"), format_), SPEC)


def test_an_empty_file_is_called_empty() -> None:
    with pytest.raises(ImageError, match="empty"):
        decode.read(b"", SPEC)


@pytest.mark.parametrize("format_", FORMATS)
def test_the_first_bytes_tell_the_format(format_: str) -> None:
    assert kinds.recognise(save(photo(), format_)[:16]) == format_


def test_the_ending_of_a_name_means_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(save(photo(), "PNG"))
    assert decode.decode((tmp_path / "a.jpg").read_bytes(), SPEC).format == "PNG"
    assert np.array_equal(decode.read(tmp_path / "a.jpg", SPEC), decode.read(save(photo(), "PNG"), SPEC))


@pytest.mark.parametrize("brand", [b"mif1", b"msf1"])
def test_an_avif_file_under_a_general_brand_is_read(brand: bytes) -> None:
    data = save(photo(), "AVIF")
    assert data[8:12] == b"avif"
    general = data[:8] + brand + data[12:]  # `avif` remains among the compatible brands
    assert np.array_equal(decode.read(general, SPEC), decode.read(data, SPEC))


def test_heic_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    kinds._register_heif.cache_clear()
    with pytest.raises(ImageError, match=r"pip install 'lookalike\[heic\]'"):
        decode.read(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50), SPEC)


def test_broken_heic_is_an_image_error() -> None:
    pytest.importorskip("pi_heif")
    kinds._register_heif.cache_clear()
    for brand in kinds._HEIF_BRANDS:
        with pytest.raises(ImageError):
            decode.read(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(50), SPEC)


# Broken files


@pytest.mark.parametrize("format_", FORMATS)
def test_truncated_files_are_read_or_refused(format_: str) -> None:
    data = save(photo(), format_, **FORMATS[format_])
    refused = 0
    for length in sorted({*range(0, 64, 3), *range(64, len(data), max(1, len(data) // 40)), len(data) - 1}):
        refused += not read_or_refused(data[:length])
    assert refused > 10


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_cut_in_half_is_refused(format_: str) -> None:
    data = save(photo(), format_, **FORMATS[format_])
    for call in (decode.read, lambda cut: decode.thumbnail(cut, 64)):
        with pytest.raises(ImageError):
            call(data[: len(data) // 2])


@given(st.sampled_from(sorted(FORMATS)), st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=6))
def test_files_with_flipped_bits_are_read_or_refused(format_: str, flips: list[tuple[float, int]]) -> None:
    data = bytearray(save(photo(), format_, **FORMATS[format_]))
    for place, flip in flips:
        data[int(place * (len(data) - 1))] ^= flip
    read_or_refused(bytes(data))


@given(st.sampled_from(sorted(FORMATS)), st.binary(max_size=300))
def test_rubbish_behind_a_true_beginning_is_read_or_refused(format_: str, rubbish: bytes) -> None:
    read_or_refused(save(photo(), format_)[:16] + rubbish)


def read_or_refused(data: bytes) -> bool:
    """Whether it was read; only `ImageError` is caught."""
    found: decode.Decoded | None = None
    text = ""
    try:
        found = decode.decode(data, SPEC, max_pixels=50_000_000)
    except ImageError as error:
        text = str(error)
    if found is None:
        assert text
        assert "\n" not in text
        return False
    assert found.array.shape == (32, 32)
    assert found.array.dtype == np.uint8
    assert found.width >= 1
    assert found.height >= 1
    return True


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            if file is not None:
                yield member.name, file.read()


@pytest.mark.parametrize(("archive", "least"), [("malformed_pngsuite.tar.gz", 160), ("malformed_pillow.tar.gz", 450)])
def test_malformed_archives(archive: str, least: int, shared_data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = shared_data / archive
    if not path.exists():
        pytest.skip(f"{path} is absent")
    counts, slow = {True: 0, False: 0}, []
    for name, data in members(path):
        start = time.perf_counter()
        try:
            counts[read_or_refused(data)] += 1
        except Exception as error:  # to name the file
            raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error
        if time.perf_counter() - start > 5:
            slow.append(name)
    capfd.readouterr()  # output of LibTIFF
    assert slow == []
    assert counts[True] >= least
    assert counts[False] > 10


# Odd sizes, other specs


@pytest.mark.parametrize("size", [(1, 1), (1, 50_000), (50_000, 1), (3, 7), (128, 128)])
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF"])
def test_odd_sizes(size: tuple[int, int], format_: str) -> None:
    picture = Image.new("L", size, 77)
    found = decode.decode(save(picture, format_), ImageSpec())
    assert found.array.shape == (128, 128)
    assert np.abs(found.array.astype(int) - 77).max() <= 1
    assert (found.width, found.height) == size
    shown = decode.thumbnail(save(picture, format_), 64)
    assert max(shown.size) <= 64
    assert min(shown.size) >= 1


def test_colours_are_kept_apart() -> None:
    found = decode.read(save(Image.new("RGB", (20, 10), (200, 100, 50)), "PNG"), COLOUR)
    assert (found == [200, 100, 50]).all()


@pytest.mark.parametrize("resampling", ["nearest", "BOX", "bilinear", "hamming", "bicubic", "lanczos"])
def test_resampling_is_the_one_named(resampling: str) -> None:
    spec = ImageSpec(side=48, resampling=resampling)
    expected = photo().convert("L").resize((48, 48), Image.Resampling[resampling.upper()])
    assert np.array_equal(decode.read(save(photo(), "PNG"), spec), np.asarray(expected))


@pytest.mark.parametrize("side", [-1, 0, 7, 1025])
def test_impossible_sides_are_refused(side: int) -> None:
    with pytest.raises(ConfigError, match=f"{side} pixels is out of range; expected 8 to 1024"):
        ImageSpec(side=side)


def test_unknown_resampling_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown resampling 'cubist'"):
        ImageSpec(resampling="cubist")


def test_spec_says_shape_and_mode() -> None:
    assert (ImageSpec().shape, ImageSpec().mode) == ((128, 128), "L")
    assert (COLOUR.shape, COLOUR.mode) == ((32, 32, 3), "RGB")


# Sources


def test_paths_and_bytes_give_the_same(tmp_path: Path) -> None:
    data = save(photo(), "PNG")
    path = tmp_path / "a b%20#ü\n.png"
    path.write_bytes(data)
    expected = decode.read(data, SPEC)
    assert np.array_equal(decode.read(path, SPEC), expected)
    assert np.array_equal(decode.read(str(path), SPEC), expected)


def test_errors_name_the_file(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(save(photo(), "PNG")[:100])
    for path in (tmp_path / "absent.png", tmp_path, broken, tmp_path / ("x" * 300)):
        with pytest.raises(ImageError) as caught:
            decode.read(path, SPEC)
        assert str(path) in str(caught.value)


def test_a_name_that_cannot_exist_is_an_image_error() -> None:
    with pytest.raises(ImageError):
        decode.read("a\0b.png", SPEC)


def test_reading_the_same_twice_gives_the_same(photo_bytes: list[bytes]) -> None:
    for data in photo_bytes:
        assert np.array_equal(decode.read(data), decode.read(data))


# Thumbnails


@pytest.mark.parametrize("format_", FORMATS)
def test_thumbnails_are_rgb_and_keep_their_aspect(format_: str) -> None:
    shown = decode.thumbnail(save(photo(), format_, **FORMATS[format_]), 48)
    assert shown.mode == "RGB"
    assert shown.size == (48, 32)


@pytest.mark.parametrize("orientation", UNDONE_BY)
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF"])
def test_thumbnails_are_upright(format_: str, orientation: int) -> None:
    upright = np.asarray(decode.thumbnail(save(photo(), format_, **FORMATS[format_]), 48)).astype(int)
    found = np.asarray(decode.thumbnail(turned(photo(), orientation, format_, **FORMATS[format_]), 48)).astype(int)
    assert found.shape == (32, 48, 3)
    assert np.abs(found - upright).mean() < 3


def test_thumbnails_have_a_white_ground_and_are_not_enlarged() -> None:
    shown = decode.thumbnail(save(Image.new("RGBA", (9, 6), (0, 0, 0, 0)), "PNG"), 100)
    assert shown.size == (9, 6)
    assert (np.asarray(shown) == 255).all()


def test_thumbnails_heed_the_cap() -> None:
    with pytest.raises(ImageError, match="--max-pixels"):
        decode.thumbnail(save(photo(), "PNG"), 48, max_pixels=100)


def test_the_order_of_bytes_in_a_16_bit_tiff_does_not_matter() -> None:
    dark = np.arange(4096, dtype="<u2").reshape(64, 64) % 256
    little, big = (
        Image.frombytes(mode, (64, 64), dark.astype(kind).tobytes())
        for mode, kind in (("I;16", "<u2"), ("I;16B", ">u2"))
    )
    arrays = []
    for image in (little, big):
        out = io.BytesIO()
        image.save(out, "TIFF")
        arrays.append(decode.read(out.getvalue(), SPEC))
    assert np.array_equal(arrays[0], arrays[1])
