"""A worker's tasks on an image: open it, then return its array, display picture or pixel digest."""

from __future__ import annotations

import io
import struct
from dataclasses import fields
from typing import BinaryIO

import numpy as np

from lookalike.core.errors import ImageError, RetryableImageError
from lookalike.imaging import decode, files
from lookalike.imaging.decode import ImageSpec
from lookalike.imaging.isolation.protocol import Head, Message

STARVED = {"error": "there is not enough memory to decode it", "again": True, "starved": True}
QUALITY = 85  # JPEG quality of thumbnails
PIXELS = ("array", "thumbnail")  # fields of `Decoded` that are sent as bytes, one after the other
NEEDS = {"1": 4, "L": 4, "RGB": 8, "JPEG2000": 32, "JXL": 32}  # bytes a pixel, by Pillow's mode or the format
NEEDS_OTHERWISE = 20
SCANS = 100  # in a JPEG; encoders write about ten
SCANNED = 5e9  # pixels that all scans of a JPEG may cover in total
LARGE = 1 << 20  # bytes
_SCAN = b"\xff\xda"
_FRAMES = (b"\xff\xc2", b"\xff\xc6", b"\xff\xca", b"\xff\xce")  # of progressive JPEG files


class ImageTasks:
    """Tasks on an open image."""

    def __init__(self) -> None:
        self._content = b""
        self._refusal: str | None = None  # why decoding is not attempted
        self._work = {
            "array": self._array,
            "picture": self._picture,
            "frames": self._frames,
            "thumbnail": self._thumbnail,
            "pixels": self._pixels,
            "evidence": self._evidence,
            "taken": self._taken,
            "needs": self._needs,
        }

    def answer(self, head: Head, content: bytes = b"") -> Message:
        """The result of a request, or the reason for its failure."""
        try:
            if head["do"] == "open":
                return self._open(head, content), b""
            if self._refusal:
                return {"error": self._refusal, "settled": True}, b""
            return self._work[head["do"]](head)
        except ImageError as error:
            if isinstance(error.__cause__, MemoryError):
                return dict(STARVED), b""
            return {**_reason(error), "needs": _needs(self._content)}, b""
        except MemoryError:
            return dict(STARVED), b""

    def _open(self, head: Head, content: bytes) -> Head:
        """Open an image, given as bytes or a path; returns what is known before decoding."""
        self._content, self._refusal = content, None
        about = self._read(head["path"], head["most"]) if "path" in head else _identity(content)
        try:
            _check_work(self._content)
        except ImageError as error:
            self._refusal = str(error)
        return about

    def _read(self, path: str, most: int) -> Head:
        try:
            with files.open_regular(path) as file:
                return self._take(file, most)
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            reason, number = getattr(error, "strerror", None) or str(error), getattr(error, "errno", None) or 0
            return {"error": reason, "again": True, "unread": True, "errno": number}

    def _take(self, file: BinaryIO, most: int) -> Head:
        """Read a file; returns its digest and length, and the reason if it cannot be decoded."""
        try:
            decode.recognise(file.read(decode.HEAD))
            file.seek(0)
            self._content = files.read_whole(file, most=most)
            return _identity(self._content)
        except ImageError as error:
            if files.is_sparse(file):  # endless zeros
                return _reason(error)
            digest, length = files.digest_of(file)
            return {**_reason(error), "digest": digest.hex(), "bytes": length} if length else _reason(error)

    def _array(self, head: Head) -> Message:
        spec, limit = ImageSpec(**head["spec"]), head["max_pixels"]
        decoded = decode.decode(self._content, spec, max_pixels=limit, with_thumbnail=head["with_thumbnail"])
        about = {field.name: getattr(decoded, field.name) for field in fields(decoded) if field.name not in PIXELS}
        return about, decoded.array.tobytes() + (decoded.thumbnail or b"")

    def _picture(self, head: Head) -> Message:
        shown = np.asarray(decode.thumbnail(self._content, head["side"], max_pixels=head["max_pixels"]))
        return {"shape": shown.shape}, shown.tobytes()

    def _frames(self, head: Head) -> Message:
        found = decode.frames(self._content, head["side"], max_pixels=head["max_pixels"])
        return {"shapes": [one.shape for one in found]}, b"".join(one.tobytes() for one in found)

    def _thumbnail(self, head: Head) -> Message:
        out = io.BytesIO()
        shown = decode.thumbnail(self._content, head["side"], max_pixels=head["max_pixels"])
        shown.save(out, "JPEG", quality=QUALITY, optimize=True)
        return {}, out.getvalue()

    def _pixels(self, head: Head) -> Message:
        return {}, decode.pixel_digest(self._content, max_pixels=head["max_pixels"])

    def _evidence(self, head: Head) -> Message:
        from lookalike.imaging import evidence  # needed only to choose a best copy

        return evidence.pack(evidence.inspect(self._content, max_pixels=head["max_pixels"]))

    def _taken(self, head: Head) -> Message:
        from lookalike.imaging import evidence

        return {"taken": evidence.taken(self._content, max_pixels=head["max_pixels"])}, b""

    def _needs(self, head: Head) -> Message:
        return {"needs": _needs(self._content)}, b""


def _needs(content: bytes) -> int:
    """Rough estimate of the memory that decoding needs, in bytes, from the header; 0 if that is unreadable."""
    if (size := _canvas(content)) is not None:
        return len(content) + size[0] * size[1] * NEEDS_OTHERWISE
    try:
        image = decode.header(content)
        width, height = image.size
        if image.format in ("JPEG", "MPO"):  # reduced during decoding; only progressive ones are kept whole
            return len(content) + (6 * width * height if image.info.get("progressive") else 0)
        return len(content) + width * height * NEEDS.get(image.format or "", NEEDS.get(image.mode, NEEDS_OTHERWISE))
    except Exception:  # the decoder will say why
        return 0


def _check_work(content: bytes) -> None:
    """Raise `ImageError` for a JPEG with an absurd number of scans, or a large one without any."""
    if not content.startswith(b"\xff\xd8"):
        return
    if len(content) > LARGE and content.find(_SCAN) < 0:  # a decoder would search it byte by byte
        raise ImageError(f"begins like JPEG, but has no picture in {len(content) / 1e6:.0f} MB")
    scans = content.count(_SCAN)
    if scans > SCANS and scans * _frame_pixels(content) > SCANNED:
        raise ImageError(f"has {scans:,} scans, more than any program writes; it is made to keep a decoder busy")


def _canvas(content: bytes) -> tuple[int, int] | None:
    """Width and height of an extended WebP file, read here because opening it takes much memory; else None."""
    if content[:4] == b"RIFF" and content[8:16] == b"WEBPVP8X" and len(content) >= 30:
        width, height = (int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27))
        return width, height
    return None


def _frame_pixels(content: bytes) -> int:
    """Pixels of a JPEG's largest progressive frame."""
    most = 0
    for marker in _FRAMES:
        at = content.find(marker)
        if 0 <= at <= len(content) - 9:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            most = max(most, width * height)
    return most


def warm() -> None:
    """Load Pillow's plugins in advance, so that the first image is not slower."""
    decode.decode(b"P5 1 1 255 \0", ImageSpec())


def _reason(error: ImageError) -> Head:
    return {"error": str(error), "again": isinstance(error, RetryableImageError)}


def _identity(content: bytes) -> Head:
    return {"digest": files.content_digest(content).hex(), "bytes": len(content)}
