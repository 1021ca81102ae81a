"""Raw files are recognised by content, and read by their best preview, at the sensor's size."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lookalike.core.errors import ImageError
from lookalike.imaging import decode, evidence
from lookalike.imaging.decode import ImageSpec
from lookalike.imaging.formats import directories, kinds, raw
from tests.imaging.test_decode import photo, save

tifffile = pytest.importorskip("tifffile")
Array = npt.NDArray[Any]
SPEC = ImageSpec(side=32, colour=True)
WIDTH, HEIGHT = 192, 128
CFA = 32803
DNG_VERSION = (50706, 1, 4, bytes([1, 4, 0, 0]), True)


def sensor() -> Array:
    """Values of a sensor of 12 bits with a colour filter array."""
    full = np.asarray(photo(WIDTH, HEIGHT)).astype(np.uint16) * 16
    seen = full[..., 1].copy()
    seen[::2, ::2], seen[1::2, 1::2] = full[::2, ::2, 0], full[1::2, 1::2, 2]
    return seen


def jpeg(width: int = 96, height: int = 64, **options: Any) -> bytes:
    return save(photo(WIDTH, HEIGHT).resize((width, height)), "JPEG", quality=95, **options)


def tiff_raw(
    *, make: str = "Maker", tags: tuple[Any, ...] = (), photometric: int | str = CFA, seen: Array | None = None,
    thumbnail: tuple[int, int] = (48, 32), byteorder: str = "<", compression: Any = None,
) -> bytes:  # fmt: skip
    """A preview in the first directory, the sensor's data in a sub-directory."""
    out = io.BytesIO()
    small = np.asarray(photo(WIDTH, HEIGHT).resize(thumbnail))
    extra = [(33421, 3, 2, (2, 2), True), (33422, 1, 4, bytes([0, 1, 1, 2]), True)] if photometric == CFA else []
    with tifffile.TiffWriter(out, byteorder=byteorder) as writer:
        about = [(271, 2, 0, make, True), *tags]
        writer.write(small, photometric="rgb", subfiletype=1, subifds=1, metadata=None, extratags=about)
        writer.write(
            sensor() if seen is None else seen, photometric=photometric, subfiletype=0, metadata=None, extratags=extra,
            compression=compression,
        )  # fmt: skip
    return out.getvalue()


def tiff_by_hand(entries: dict[int, tuple[int, int, int]], *, start: bytes = b"II*\0", behind: bytes = b"") -> bytes:
    """One directory at byte 16, followed by the data of its entries."""
    body = b"".join(struct.pack("<HHII", tag, *entry) for tag, entry in sorted(entries.items()))
    return start + struct.pack("<I", 16) + bytes(8) + struct.pack("<H", len(entries)) + body + bytes(4) + behind


def with_jpeg(magic: bytes = b"II*\0", **others: Any) -> bytes:
    """A raw file of one directory, with a full-size JPEG at any offset."""
    entries = {
        256: (4, 1, WIDTH),
        257: (4, 1, HEIGHT),
        258: (3, 1, 14),
        259: (3, 1, 1),
        262: (3, 1, CFA),
        277: (3, 1, 1),
    }
    entries |= others.get("entries", {})
    return tiff_by_hand(
        entries, start=magic, behind=b"maker's notes" + jpeg() + b"\xff\xd8\xff\xe1" + jpeg(48, 32) + bytes(500)
    )


def raf() -> bytes:
    picture = jpeg()
    table = struct.pack(">IHHHHHHHH", 2, 0x100, 4, HEIGHT + 8, WIDTH + 8, 0x111, 4, HEIGHT, WIDTH)
    head = b"FUJIFILMCCD-RAW 0201FF129502X-T1".ljust(84, b"\0")
    return head + struct.pack(">IIII", 100, len(picture), 100 + len(picture), len(table)) + picture + table + bytes(500)


def cr3(*, orientation: int = 1) -> bytes:
    about = tiff_by_hand({256: (4, 1, WIDTH), 257: (4, 1, HEIGHT), 274: (3, 1, orientation)})
    box = struct.pack(">I", 8 + len(about)) + b"CMT1" + about
    return b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + box + b"\0\0\0\x20PRVW" + jpeg(48, 32) + jpeg()


RAW: dict[str, tuple[str, Callable[[], bytes]]] = {
    "DNG": ("DNG", lambda: tiff_raw(tags=(DNG_VERSION,))),
    "DNG, big-endian": ("DNG", lambda: tiff_raw(tags=(DNG_VERSION,), byteorder=">")),
    "DNG, linear": ("DNG", lambda: tiff_raw(
        tags=(DNG_VERSION,), photometric=34892, seen=np.repeat(sensor()[..., None], 3, axis=-1))),
    "NEF": ("NEF", lambda: tiff_raw(make="NIKON CORPORATION")),
    "ARW": ("ARW", lambda: tiff_raw(make="SONY")),
    "PEF": ("PEF", lambda: tiff_raw(make="PENTAX Corporation")),
    "SRW": ("SRW", lambda: tiff_raw(make="SAMSUNG")),
    "IIQ": ("IIQ", lambda: tiff_raw(make="Phase One A/S", photometric="minisblack")),
    "unknown maker": ("RAW", lambda: tiff_raw(make="Some camera")),
    "deflate": ("NEF", lambda: tiff_raw(make="NIKON", compression="zlib")),
    "only a sensor's directory": ("PEF", lambda: with_jpeg(entries={271: (2, 7, 16 + 2 + 12 * 7 + 4)})),
    "CR2": ("CR2", lambda: with_jpeg()[:8] + b"CR\2\0" + with_jpeg()[12:]),
    "ORF": ("ORF", lambda: with_jpeg(b"IIRO")),
    "RW2": ("RW2", lambda: with_jpeg(b"IIU\0", entries={
        4: (3, 1, 4), 5: (3, 1, 6), 6: (3, 1, HEIGHT + 4), 7: (3, 1, WIDTH + 6), 256: (4, 1, 999)})),
    "RAF": ("RAF", raf),
    "CR3": ("CR3", cr3),
}  # fmt: skip


@pytest.mark.parametrize("kind", RAW)
def test_raw_files_are_seen_by_their_preview(kind: str) -> None:
    name, write = RAW[kind]
    data = write()
    if kind == "only a sensor's directory":
        data = data.replace(b"maker's notes", b"PENTAX\0 notes")
    found = decode.decode(data, SPEC)
    assert (found.format, found.width, found.height) == (name, WIDTH, HEIGHT)
    assert kinds.is_raw(found.format)
    assert not found.animated
    expected = decode.read(save(photo(WIDTH, HEIGHT), "PNG"), SPEC).astype(int)
    assert np.abs(found.array - expected).mean() < 6
    assert decode.thumbnail(data, 48).size == (48, 32)
    assert kinds.recognise(data[: kinds.HEAD]) in ("TIFF", name)


@pytest.mark.parametrize("kind", RAW)
def test_a_raw_file_has_the_same_pixels_as_its_exact_copies_only(kind: str) -> None:
    data = RAW[kind][1]()
    assert decode.pixel_digest(data) == decode.pixel_digest(bytes(data))
    assert decode.pixel_digest(data) != decode.pixel_digest(data + b"\1")
    assert decode.pixel_digest(data) != decode.pixel_digest(jpeg())


def test_the_largest_picture_is_taken() -> None:
    large = jpeg(180, 120)
    data = tiff_raw(tags=(DNG_VERSION,)) + jpeg(60, 40) + large
    (first, *_) = raw.recognise(data).pictures  # type: ignore[union-attr]
    assert first.pixels == 180 * 120


def test_parts_of_the_sensors_data_are_not_a_preview() -> None:
    """Lossy DNG: the data are JPEG streams, each a part of the image."""
    part = jpeg(90, 60)
    data = bytearray(tiff_raw(tags=(DNG_VERSION,)))
    (place,) = next(one.numbers(273) for one in directories.read(bytes(data)) if one.number(262) == CFA)
    data[place : place + len(part)] = part
    found = decode.decode(bytes(data), SPEC)
    assert np.abs(found.array - decode.read(save(photo(), "PNG"), SPEC).astype(int)).mean() < 6
    assert [one.pixels for one in raw.recognise(bytes(data)).pictures] == [48 * 32]  # type: ignore[union-attr]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_raw_files_are_upright(orientation: int) -> None:
    tag = (274, 3, 1, orientation, True)
    turned = (HEIGHT, WIDTH) if orientation >= 5 else (WIDTH, HEIGHT)
    exif = Image.Exif()
    exif[274] = orientation
    expected = decode.read(save(photo(WIDTH, HEIGHT), "PNG", exif=exif), SPEC).astype(int)
    entry = {274: (3, 1, orientation)}
    for data in (tiff_raw(tags=(DNG_VERSION, tag)), with_jpeg(entries=entry), cr3(orientation=orientation)):
        found = decode.decode(data, SPEC)
        assert (found.width, found.height) == turned
        assert np.abs(found.array - expected).mean() < 6


def test_a_raw_file_tells_its_camera() -> None:
    found = evidence.inspect(tiff_raw(make="NIKON CORPORATION", tags=((272, 2, 0, "NIKON D5", True),)))
    assert "D5" in found.metadata.camera
    assert (found.width, found.height, found.format) == (WIDTH, HEIGHT, "NEF")


def test_a_raw_file_without_a_preview_is_refused_in_words() -> None:
    seen = {256: (4, 1, 9), 257: (4, 1, 9), 258: (3, 1, 14), 259: (3, 1, 1), 262: (3, 1, CFA), 277: (3, 1, 1)}
    for data in (tiff_by_hand(seen), tiff_by_hand(seen, start=b"IIRO"), cr3()[:200], raf()[:120]):
        with pytest.raises(
            ImageError, match=r"^an? \w+ raw file without a preview, which cannot be read here"
        ) as caught:
            decode.decode(data, SPEC)
        assert kinds.foreign_kind(str(caught.value))


def test_tiff_files_of_scanners_are_not_raw_files() -> None:
    grey = np.asarray(photo().convert("L")).astype(np.uint16) * 257
    out = io.BytesIO()
    tifffile.imwrite(out, grey, metadata=None, extratags=[(271, 2, 0, "Scanner", True)])
    for data in (out.getvalue(), save(photo(), "TIFF"), save(photo(), "TIFF", compression="jpeg")):
        assert raw.recognise(data) is None
        assert decode.decode(data, SPEC).format == "TIFF"


def test_the_full_picture_of_a_tiff_is_read_though_its_first_is_small() -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        small = np.asarray(photo(WIDTH, HEIGHT).resize((48, 32)))
        writer.write(small, photometric="rgb", subfiletype=1, subifds=1, metadata=None)
        writer.write(np.asarray(photo(WIDTH, HEIGHT)), photometric="rgb", subfiletype=0, metadata=None)
    found = decode.decode(out.getvalue(), SPEC)
    assert (found.width, found.height, found.format) == (WIDTH, HEIGHT, "TIFF")


def test_hostile_directories_end() -> None:
    loop = struct.pack("<HHHII", 1, 330, 4, 1, 16)
    many = struct.pack("<H", 65535) + struct.pack("<HHII", 330, 4, 1 << 30, 0) * 65535
    for body in (loop, many, b"", b"\xff" * 99, struct.pack("<HHHII", 1, 330, 4, 1 << 31, 8) + bytes(99)):
        data = b"II*\0" + struct.pack("<I", 16) + bytes(8) + body
        assert len(directories.read(data)) <= directories.MAX_DIRECTORIES
        with pytest.raises(ImageError):
            decode.decode(data, SPEC)
    starts = b"IIRO" + struct.pack("<I", 16) + bytes(8) + b"\xff\xd8\xff\xe0" * 300_000
    with pytest.raises(ImageError, match="without a preview"):
        decode.decode(starts, SPEC)


@pytest.mark.parametrize("kind", ["DNG", "CR2", "RAF", "CR3", "RW2"])
def test_cut_off_raw_files_are_read_or_refused(kind: str) -> None:
    data = RAW[kind][1]()
    refused = 0
    for length in range(0, len(data), max(1, len(data) // 60)):
        try:
            assert decode.decode(data[:length], SPEC).array.shape == (32, 32, 3)
        except ImageError:
            refused += 1
    assert refused > 2
