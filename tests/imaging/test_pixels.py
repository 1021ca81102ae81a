"""Files share a pixel digest only if all pixels are equal, in all frames and all bits."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from lookalike.imaging import pixels
from lookalike.imaging.pixels import pixel_digest
from tests.imaging.test_decode import photo, png, save, turned

tifffile = pytest.importorskip("tifffile")
Array = npt.NDArray[Any]
DEEP = np.asarray(photo()).astype(np.uint16) * 257


def tiff(values: Array, **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, values, metadata=None, **options)
    return out.getvalue()


def chunk_of(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def rows(values: Array) -> bytes:
    return b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)


def frames(count: int = 4, *, last: int = 0) -> list[Image.Image]:
    made = [Image.fromarray(np.roll(np.asarray(photo()), 9 * i, axis=1)) for i in range(count)]
    pixel = made[-1].getpixel((3, 3))
    assert isinstance(pixel, tuple)
    made[-1].putpixel((3, 3), (pixel[0], pixel[1], pixel[2] ^ last))
    return made


def animated(format_: str, pictures: list[Image.Image], **options: Any) -> bytes:
    return save(pictures[0], format_, save_all=True, append_images=pictures[1:], **options)


def changed(values: Array) -> Array:
    """The same except for the lowest bit of one value."""
    values = values.copy()
    values.reshape(-1)[999] ^= 1
    return values


def test_other_files_of_the_same_pixels_are_the_same() -> None:
    expected = pixel_digest(save(photo(), "PNG"))
    palette = photo().quantize(40)
    same = {
        "TIFF": save(photo(), "TIFF", compression="tiff_lzw"),
        "BMP": save(photo(), "BMP"),
        "PPM": save(photo(), "PPM"),
        "WebP": save(photo(), "WEBP", lossless=True),
        "opaque alpha": save(photo().convert("RGBA"), "PNG"),
        "turned": turned(photo(), 6, "PNG"),
        "turned TIFF": turned(photo(), 5, "TIFF"),
        "other compression": save(photo(), "PNG", compress_level=0),
        "text": png(96, 64, colour=2, rows=b"".join(b"\0" + row.tobytes() for row in np.asarray(photo()))),
    }
    assert {name for name, data in same.items() if pixel_digest(data) != expected} == set()
    assert pixel_digest(save(palette, "PNG")) == pixel_digest(save(palette.convert("RGB"), "PNG"))
    jpeg = save(photo(), "JPEG")
    assert pixel_digest(jpeg) == pixel_digest(save(Image.open(io.BytesIO(jpeg)), "PNG"))


def test_what_differs_in_kind_is_not_the_same() -> None:
    grey = photo().convert("L")
    clear = photo().convert("RGBA")
    clear.putpixel((5, 5), (1, 2, 3, 0))
    hidden = clear.copy()
    hidden.putpixel((5, 5), (3, 2, 1, 0))
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    files = [
        save(photo(), "PNG"), save(clear, "PNG"), save(hidden, "PNG"), save(grey, "PNG"),
        save(photo(), "PNG", icc_profile=lab), save(photo().rotate(180), "PNG"),
        save(photo().convert("CMYK"), "TIFF"), save(Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), "PNG"),
        save(photo().crop((0, 0, 95, 64)), "PNG"), tiff(DEEP, photometric="rgb"), save(photo(), "JPEG"),
        save(grey.convert("1"), "PNG"),
    ]  # fmt: skip
    assert len({pixel_digest(data) for data in files}) == len(files)


@pytest.mark.parametrize(
    "write",
    [
        lambda values: png(96, 64, depth=16, colour=2, rows=rows(values)),
        lambda values: tiff(values, photometric="rgb"),
        lambda values: tiff(values, photometric="rgb", byteorder=">"),
        lambda values: tiff(values, photometric="rgb", compression="zlib", predictor=True),
        lambda values: tiff(values, photometric="rgb", tile=(16, 16)),
        lambda values: tiff(np.moveaxis(values, -1, 0), photometric="rgb", planarconfig="separate"),
        lambda values: png(96, 64, depth=16, colour=6, rows=rows(np.dstack([values, values[..., :1]]))),
        lambda values: tiff(values[..., 0]),
        lambda values: tiff(values[..., 0], photometric="miniswhite"),
        lambda values: tiff(values[..., 0].astype(np.uint32)),
        lambda values: tiff(values[..., 0].astype(np.float32)),
        lambda values: save(Image.fromarray(values[..., 0]), "PNG"),
        lambda values: png(96, 64, depth=16, colour=4, rows=rows(values[..., :2])),
    ],
)
def test_the_low_byte_counts(write: Any) -> None:
    assert pixel_digest(write(DEEP)) == pixel_digest(write(DEEP))
    assert pixel_digest(write(DEEP)) != pixel_digest(write(changed(DEEP)))


def test_16_bit_colour_is_compared_across_formats() -> None:
    expected = pixel_digest(png(96, 64, depth=16, colour=2, rows=rows(DEEP)))
    for options in ({}, {"byteorder": ">"}, {"compression": "zlib"}, {"tile": (32, 32)}):
        assert pixel_digest(tiff(DEEP, photometric="rgb", **options)) == expected
    grey = DEEP[..., 0]
    for data in (tiff(grey), tiff(grey, byteorder=">"), save(Image.fromarray(grey), "PPM")):
        assert pixel_digest(data) == pixel_digest(save(Image.fromarray(grey), "PNG"))


@pytest.mark.parametrize(("format_", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})])
def test_every_frame_counts(format_: str, options: dict[str, Any]) -> None:
    made = animated(format_, frames(), **options)
    assert pixel_digest(made) == pixel_digest(animated(format_, frames(), **options))
    assert pixel_digest(made) != pixel_digest(animated(format_, frames(last=128), **options))
    assert pixel_digest(made) != pixel_digest(animated(format_, frames()[:3], **options))
    assert pixel_digest(made) != pixel_digest(save(frames()[0], format_, **options))


@pytest.mark.parametrize(("format_", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})])
def test_durations_count(format_: str, options: dict[str, Any]) -> None:
    fast, slow = (animated(format_, frames(), duration=ms, **options) for ms in (100, 200))
    assert pixel_digest(fast) != pixel_digest(slow)
    assert pixel_digest(save(photo(), format_, duration=100, **options)) == pixel_digest(
        save(photo(), format_, **options)
    )


def test_animations_are_compared_across_formats() -> None:
    webp, apng = animated("WEBP", frames(), lossless=True, duration=100), animated("PNG", frames(), duration=100)
    assert pixel_digest(webp) == pixel_digest(apng)


def test_pages_of_16_bits_count() -> None:
    def pages(*values: Array) -> bytes:
        out = io.BytesIO()
        with tifffile.TiffWriter(out) as writer:
            for page in values:
                writer.write(page, photometric="rgb", metadata=None)
        return out.getvalue()

    assert pixel_digest(pages(DEEP, DEEP[::-1])) == pixel_digest(pages(DEEP, DEEP[::-1]))
    assert pixel_digest(pages(DEEP, DEEP[::-1])) != pixel_digest(pages(DEEP, changed(DEEP[::-1])))
    assert pixel_digest(pages(DEEP, DEEP[::-1])) != pixel_digest(pages(DEEP))


def with_subdirectory(shade: int) -> bytes:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(np.asarray(photo()), photometric="rgb", subifds=1, metadata=None)
        writer.write(np.full((200, 300), shade, np.uint8), photometric="minisblack", metadata=None)
    return out.getvalue()


MORE = {
    "sub-directory": (with_subdirectory(1), with_subdirectory(2)),
    "dropped channel": tuple(
        tiff(np.dstack([np.asarray(photo()), np.full((64, 96), shade, np.uint8)]), photometric="rgb", extrasamples=[0])
        for shade in (1, 2)
    ),
    "layers": tuple(
        tiff(np.asarray(photo()), extratags=[(37724, 7, 9, b"layers" + text, True)]) for text in (b"abc", b"xyz")
    ),
    "video behind a JPEG": tuple(save(photo(), "JPEG") + b"\0\0\0\x18ftypmp42" + text for text in (b"film", b"FILM")),
    "depth in XMP": tuple(save(photo(), "JPEG", xmp=b'<x GDepth:Data="' + text + b'"/>') for text in (b"a", b"b")),
    "behind a PNG": (save(photo(), "PNG") + b"more", save(photo(), "PNG") + b"less"),
    "behind a WebP": tuple(save(photo(), "WEBP", lossless=True) + text for text in (b"more", b"less")),
    "behind an AVIF": tuple(save(photo(), "AVIF") + b"\0\0\0\x0cmpvd" + text for text in (b"more", b"less")),
    "several pictures": tuple(animated("MPO", frames(2, last=last)) for last in (0, 128)),
    "16-bit PPM": tuple(b"P6 96 64 65535\n" + values.astype(">u2").tobytes() for values in (DEEP, changed(DEEP))),
    "private chunk": tuple(
        png(96, 64, rows=bytes(97 * 64), extra=chunk_of(b"mkBT", text))
        for text in (b"a" * 100, b"b" * 100)
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", MORE)
def test_what_was_not_compared_is_the_same_only_as_its_exact_copy(kind: str) -> None:
    one, other = MORE[kind]
    assert pixel_digest(one) == pixel_digest(bytes(one))
    assert pixel_digest(one) != pixel_digest(other)
    assert pixel_digest(one) != pixel_digest(save(photo(), "PNG"))


def test_zeros_behind_a_file_are_nothing() -> None:
    for format_ in ("JPEG", "PNG", "WEBP"):
        assert pixel_digest(save(photo(), format_) + bytes(512)) == pixel_digest(save(photo(), format_))


def test_an_avif_is_compared_with_its_opacity() -> None:
    data = save(photo().convert("RGBA").rotate(20), "AVIF", quality=90)
    decoded = Image.open(io.BytesIO(data))
    assert pixel_digest(data) == pixel_digest(save(decoded.convert("RGBA"), "PNG"))
    still = save(photo(), "AVIF")
    assert pixel_digest(still) == pixel_digest(save(Image.open(io.BytesIO(still)).convert("RGB"), "PNG"))


def test_more_frames_than_may_be_decoded_are_the_same_only_as_their_exact_copy() -> None:
    one, other = (animated("GIF", frames(last=last)) for last in (0, 128))
    size = photo().width * photo().height
    digests = {pixel_digest(data, max_pixels=2 * size) for data in (one, other)}
    assert len(digests) == 2
    assert pixel_digest(one, max_pixels=2 * size) != pixel_digest(one, max_pixels=9 * size)


def test_more_frames_than_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    data = animated("GIF", frames())
    expected = pixel_digest(data)
    monkeypatch.setattr(pixels, "MAX_FRAMES", 4)
    assert pixel_digest(data) == expected
    monkeypatch.setattr(pixels, "MAX_FRAMES", 3)
    assert pixel_digest(data) != expected


def test_a_stated_gamma_counts_unless_it_is_the_usual_one() -> None:
    def chunk(gamma: int) -> bytes:
        return png(96, 64, rows=bytes(97 * 64), extra=chunk_of(b"gAMA", gamma.to_bytes(4, "big")))

    plain = pixel_digest(png(96, 64, rows=bytes(97 * 64)))
    assert pixel_digest(chunk(45455)) == plain
    assert pixel_digest(chunk(100000)) != plain
