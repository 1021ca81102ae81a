"""Small or sparse files that cost a decoder much memory or time; all made here.

Each function writes one file. None of them is a real picture.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

Maker = Callable[[Path], object]
SIDE = 13_900  # pixels: 193 million, below the usual cap


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *, colour: int = 2, bits: int = 8, before: bytes = b"") -> bytes:
    """A PNG whose rows are all zero; `colour` 2 is RGB, 6 RGBA."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    row_bytes = 1 + width * {0: 1, 2: 3, 6: 4}[colour] * bits // 8
    packer, rows = zlib.compressobj(1), b""
    for _ in range(height):
        rows += packer.compress(bytes(row_bytes))
    image = png_chunk(b"IDAT", rows + packer.flush())
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + before + image + png_chunk(b"IEND", b"")


def progressive_jpeg(path: Path, *, side: int = 8000, scans: int = 450) -> None:
    """A JPEG of very many scans, each over the whole frame."""
    first = io.BytesIO()
    Image.new("L", (side, side)).save(first, "JPEG", progressive=True, quality=50)
    data = first.getvalue()
    start = data.rindex(b"\xff\xda")  # the last scan is repeated
    path.write_bytes(data[:start] + data[start:-2] * scans + b"\xff\xd9")


def slow_jpeg(path: Path) -> None:
    """A JPEG with the maximum numbers of scans and pixels: half a minute of work."""
    progressive_jpeg(path, side=SIDE, scans=85)


def tiff(path: Path, *, compression: str, mode: str = "RGBA", side: int = SIDE) -> None:
    """A TIFF of one colour, in one strip."""
    Image.new(mode, (side, side)).save(path, "TIFF", compression=compression)


def tiff_of(path: Path, tags: list[tuple[int, int, int, int]], *, then: int = 0, more: bytes = b"") -> None:
    """A TIFF of one directory with entries (tag, type, count, value)."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", then) + more)


def _tiff_tags(side: int, **changed: int) -> list[tuple[int, int, int, int]]:
    values = {"strip": 8, "strips": 1, "bytes": 100, "bytes_of": 1} | changed
    return [
        (256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, values["strips"], values["strip"]), (277, 3, 1, 1), (278, 4, 1, side),
        (279, 4, values["bytes_of"], values["bytes"]),
    ]  # fmt: skip


def tiff_tiles(path: Path) -> None:
    """Tiles of 65,520 pixels a side, deflated, in a small image."""
    tile = zlib.compress(bytes(1 << 26), 9)
    tags = [
        (256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1),
        (322, 4, 1, 65_520), (323, 4, 1, 65_520), (324, 4, 1, 8 + 2 + 12 * 10 + 4), (325, 4, 1, len(tile)),
    ]  # fmt: skip
    tiff_of(path, tags, more=tile)


def tiff_pages(path: Path, *, pages: int = 200) -> None:
    """Many large pages."""
    one = Image.new("1", (12_000, 12_000))
    one.save(path, "TIFF", compression="group4", save_all=True, append_images=[one] * (pages // 20))


def gif(path: Path, *, side: int = 12_000, frames: int = 40) -> None:
    """A GIF of many large frames, each covering the whole image."""
    one = io.BytesIO()
    Image.new("P", (side, side)).save(one, "GIF")
    data = one.getvalue()
    start = data.index(b"\x2c", 13)
    path.write_bytes(data[:start] + data[start:-1] * frames + b"\x3b")


def webp(path: Path) -> None:
    """An animated WebP of large frames."""
    frames = [Image.new("RGB", (8000, 8000), (shade, 0, 0)) for shade in (0, 90)]
    frames[0].save(path, "WEBP", save_all=True, append_images=frames[1:], lossless=True, method=0, quality=0)


def png_texts(path: Path) -> None:
    """A PNG with compressed texts of hundreds of megabytes, and a similar colour profile."""
    zeros = zlib.compress(bytes(200 << 20), 9)
    before = png_chunk(b"iCCP", b"p\0\0" + zeros) + b"".join(
        png_chunk(b"zTXt", b"key%d\0\0" % number + zeros) + png_chunk(b"iTXt", b"k%d\0\1\0\0\0" % number + zeros)
        for number in range(3)
    )
    path.write_bytes(png(64, 64, before=before))


def exif(path: Path) -> None:
    """A JPEG whose EXIF claims very many entries of very many values."""
    count = 5400
    entries = b"".join(struct.pack("<HHII", 0x9000 + number % 500, 7, 0x7FFFFFFF, 8) for number in range(count))
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, count) + entries + struct.pack("<I", 8)
    one = io.BytesIO()
    Image.new("RGB", (64, 64)).save(one, "JPEG", exif=block[:65_500])
    path.write_bytes(one.getvalue())


def sparse(path: Path, *, start: bytes, size: int) -> None:
    """A sparse file that begins like an image and continues with zeros."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)


def ppm_claim(path: Path) -> None:
    """A PPM whose header claims more data than the file has."""
    path.write_bytes(b"P6\n13900 13900\n255\n" + bytes(100))


def pfm_claim(path: Path) -> None:
    """The same with floating-point numbers."""
    path.write_bytes(b"Pf\n13900 13900\n-1.0\n" + bytes(100))


def ppm_plain(path: Path) -> None:
    """A PPM in text form with one endless token."""
    path.write_bytes(b"P3\n13000 13000\n255\n" + b"1" * 10_000_000)


def bmp_claim(path: Path) -> None:
    """A run-length encoded BMP whose header claims 193 million pixels."""
    info = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 8, 1, 0, 0, 0, 256, 0)
    head = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 14 + 40 + 1024)
    path.write_bytes(head + info + bytes(1024) + b"\xff\0" * 1000)


def jpeg_claim(path: Path) -> None:
    """A JPEG with the largest possible frame, with restart markers after each block."""
    one = io.BytesIO()
    Image.new("RGB", (64, 64)).save(one, "JPEG", restart_marker_blocks=1)
    data = bytearray(one.getvalue())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 13_900, 13_900)
    path.write_bytes(bytes(data))


def avif_claim(path: Path) -> None:
    """An AVIF whose `ispe` boxes claim 193 million pixels."""
    one = io.BytesIO()
    Image.new("RGB", (64, 64)).save(one, "AVIF")
    data = one.getvalue().replace(
        b"ispe\0\0\0\0" + struct.pack(">II", 64, 64), b"ispe\0\0\0\0" + struct.pack(">II", SIDE, SIDE)
    )
    path.write_bytes(data)


def avif(path: Path) -> None:
    """An AVIF of 100 million pixels of one colour."""
    Image.new("RGB", (10_000, 10_000)).save(path, "AVIF", speed=10, quality=1)


def icon(path: Path) -> None:
    """An icon that holds a PNG of 193 million pixels."""
    held = png(SIDE, SIDE)
    path.write_bytes(struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(held), 22) + held)


def claim(path: Path, *, side: int) -> None:
    """A file that claims very many pixels in its header, in the format that its name ends with."""
    little, big = struct.pack("<HH", side, side), struct.pack(">II", side, side)
    more = struct.pack("<HH", side - 1, side - 1)
    psd = b"8BPS\0\1" + bytes(6) + b"\0\3" + big + b"\0\x08\0\3" + bytes(14)
    dds = b"DDS " + struct.pack("<4I", 124, 0x1007, side, side) + bytes(56)
    targa = bytes([0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0]) + little + b"\x18\0"
    icns = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", big + b"\x08\2\0\0\0") + png(8, 8)[33:]
    one = io.BytesIO()
    Image.new("RGB", (8, 8)).save(one, "JPEG2000", no_jp2=path.suffix == ".j2k")
    before = struct.pack(">II", 8, 8)
    starts = {
        ".psd": psd + b"\0\1" + bytes(6 * min(side, 20_000)),  # rows of packed bits
        ".qoi": b"qoif" + big + b"\3\0" + b"\xfd" * 3_100_000,  # runs of 62 pixels
        ".dds": dds + struct.pack("<II4sIIIII", 32, 4, b"DXT5", 0, 0, 0, 0, 0) + bytes(20),
        ".rgb.dds": dds + struct.pack("<II4sIIIII", 32, 0x40, b"", 16, 0xF800, 0x7E0, 0x1F, 0) + bytes(10_000_000),
        ".sgi": b"\x01\xda\1\1\0\3" + struct.pack(">HH", side, side) + b"\0\3" + bytes(500),
        ".pcx": b"\n\5\1\x08\0\0\0\0" + more + bytes(53) + b"\3" + little[:2] + bytes(60) + b"\xff\0" * 5000,
        ".tga": targa + b"\xff\0\0\0" * 1_600_000,
        ".jp2": one.getvalue().replace(before, big),
        ".j2k": one.getvalue().replace(before, big),
        ".icns": b"icns" + struct.pack(">I4sI", 16 + len(icns), b"ic10", 8 + len(icns)) + icns,
        ".jxl": b"\xff\x0a" + (2 << 1 | (side - 1) << 3 | 2 << 24 | (side - 1) << 26 | 1 << 44).to_bytes(6, "little"),
    }
    path.write_bytes(starts["".join(path.suffixes[-2:])] + bytes(64))


def jpeg_xl(path: Path) -> None:
    """A JPEG XL image of 193 million pixels of one colour."""
    import imagecodecs

    path.write_bytes(imagecodecs.jpegxl_encode(np.zeros((SIDE, SIDE, 3), np.uint8), lossless=True, effort=1))


def jpeg_2000(path: Path) -> None:
    """A JPEG 2000 image of 100 million pixels of one colour."""
    Image.new("RGB", (10_000, 10_000)).save(path, "JPEG2000")


def text_chunks(path: Path) -> None:
    """A PNG of very many text chunks."""
    one = PngImagePlugin.PngInfo()
    for number in range(20_000):
        one.add_text(f"k{number}", "0" * 1000, zip=True)
    Image.new("L", (8, 8)).save(path, "PNG", pnginfo=one)


CLAIMED = (".psd", ".qoi", ".dds", ".rgb.dds", ".sgi", ".pcx", ".tga", ".jp2", ".j2k", ".icns", ".jxl")
JPEG_START = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
BOMBS: dict[str, Maker] = {
    "tiff-deflate.tif": lambda path: tiff(path, compression="tiff_adobe_deflate"),
    "tiff-lzw.tif": lambda path: tiff(path, compression="tiff_lzw", mode="RGB"),
    "tiff-packbits.tif": lambda path: tiff(path, compression="packbits", mode="RGBA"),
    "tiff-16-bit.tif": lambda path: tiff(path, compression="tiff_adobe_deflate", mode="I;16"),
    "tiff-floating.tif": lambda path: tiff(path, compression="tiff_adobe_deflate", mode="F"),
    "tiff-tiles.tif": tiff_tiles,
    "tiff-pages.tif": tiff_pages,
    "tiff-loop.tif": lambda path: tiff_of(path, _tiff_tags(64), then=8),
    "tiff-many-strips.tif": lambda path: tiff_of(path, _tiff_tags(64, strips=0x3FFFFFFF, bytes_of=0x3FFFFFFF)),
    "tiff-huge-strip.tif": lambda path: tiff_of(path, _tiff_tags(SIDE, bytes=0xFFFFFFF0)),
    "png-rgb.png": lambda path: path.write_bytes(png(SIDE, SIDE)),
    "png-rgba.png": lambda path: path.write_bytes(png(SIDE, SIDE, colour=6)),
    "png-rgba-16.png": lambda path: path.write_bytes(png(SIDE, SIDE, colour=6, bits=16)),
    "png-long.png": lambda path: path.write_bytes(png(1, 100_000_000 // 4, colour=6)),
    "png-texts.png": png_texts,
    "png-many-texts.png": text_chunks,
    "gif-frames.gif": gif,
    "webp-frames.webp": webp,
    "jpeg-scans.jpg": progressive_jpeg,
    "jpeg-slow.jpg": slow_jpeg,
    "jpeg-claim.jpg": jpeg_claim,
    "jpeg-exif.jpg": exif,
    "sparse-2500-mb.jpg": lambda path: sparse(path, start=JPEG_START, size=2_500_000_000),
    "sparse-400-mb.jpg": lambda path: sparse(path, start=JPEG_START, size=400_000_000),
    "sparse-50-gb.png": lambda path: sparse(path, start=b"\x89PNG\r\n\x1a\n", size=50_000_000_000),
    "sparse-50-gb.bin": lambda path: sparse(path, start=b"nothing", size=50_000_000_000),
    "ppm-claim.ppm": ppm_claim,
    "ppm-plain.ppm": ppm_plain,
    "pfm-claim.pfm": pfm_claim,
    "bmp-claim.bmp": bmp_claim,
    "avif-claim.avif": avif_claim,
    "avif-large.avif": avif,
    "icon.ico": icon,
    "large.jxl": jpeg_xl,
    "large.jp2": jpeg_2000,
    **{f"claim{ending}": partial(claim, side=SIDE) for ending in CLAIMED},
}
