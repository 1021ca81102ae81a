"""What a worker does with an image: opens it, then gives its array, its picture or the digest of its pixels."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from lookalike.core.errors import ImageError, RetryableImageError
from lookalike.imaging import decode, files
from lookalike.imaging.decode import ImageSpec
from lookalike.imaging.formats import claims
from lookalike.imaging.isolation.protocol import Head, Message

STARVED = {"error": "there is not enough memory to decode it", "again": True, "starved": True}
QUALITY = 85  # of thumbnails
NEEDS = {"1": 4, "L": 4, "RGB": 8}  # bytes a pixel, by Pillow's mode
NEEDS_OTHERWISE = 20


class Desk:
    """The image that is open, and the work on it; one at a time."""

    def __init__(self) -> None:
        self._content = b""
        self._is_checked = False  # whether its claims were looked at
        self._claim: str | None = None  # what is wrong with them
        self._work: dict[str, Callable[[Head, bytes], Message]] = {
            "open": self._open,
            "array": self._array,
            "picture": self._picture,
            "thumbnail": self._thumbnail,
            "pixels": self._pixels,
            "evidence": self._evidence,
            "needs": self._needs,
        }

    def answer(self, head: Head, content: bytes = b"") -> Message:
        """The result of one request, or the reason why there is none."""
        if head["do"] != "open" and (claim := self._refusal(content)) is not None:
            return {"error": claim, "settled": True}, b""
        try:
            return self._work[head["do"]](head, content or self._content)
        except ImageError as error:
            if isinstance(error.__cause__, MemoryError):
                return dict(STARVED), b""
            return {
                "error": str(error),
                "again": isinstance(error, RetryableImageError),
                "needs": needs(self._content),
            }, b""
        except MemoryError:
            return dict(STARVED), b""

    def _refusal(self, content: bytes) -> str | None:
        """Why an image is not even tried; that of the open image is found out once."""
        if content or not self._is_checked:
            self._is_checked, self._claim = not content, None
            try:
                claims.check(content or self._content)
            except ImageError as error:
                self._claim = str(error)
        return self._claim

    def _open(self, head: Head, content: bytes) -> Message:
        """Take an image in, by its bytes or its path: what is known of it before it is decoded."""
        self._content, self._is_checked = b"", False
        if "path" not in head:
            self._content = content
            return _identity(content), b""
        try:
            with files.open_regular(head["path"]) as file:
                return self._take(file, head["most"]), b""
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            reason, number = getattr(error, "strerror", None) or str(error), getattr(error, "errno", None) or 0
            return {"error": reason, "again": True, "unread": True, "errno": number}, b""

    def _take(self, file: Any, most: int) -> Head:
        """Read a file: digest and length of it, and the reason if it cannot be decoded."""
        try:
            decode.recognise(file.read(decode.HEAD))
            file.seek(0)
            self._content = files.read_whole(file, most=most)
            return _identity(self._content)
        except ImageError as error:
            about = {"error": str(error), "again": isinstance(error, RetryableImageError)}
            if files.is_sparse(file):  # zeros without end
                return about
            digest, length = files.digest_of(file)
            return {**about, "digest": digest.hex(), "bytes": length} if length else about

    def _array(self, head: Head, content: bytes) -> Message:
        found = decode.decode(content, ImageSpec(**head["spec"]), max_pixels=head["max_pixels"])
        about = {field.name: getattr(found, field.name) for field in fields(found) if field.name != "array"}
        return about, found.array.tobytes()

    def _picture(self, head: Head, content: bytes) -> Message:
        shown = np.asarray(decode.thumbnail(content, head["side"], max_pixels=head["max_pixels"]))
        return {"shape": shown.shape}, shown.tobytes()

    def _thumbnail(self, head: Head, content: bytes) -> Message:
        shown = decode.thumbnail(content, head["side"], max_pixels=head["max_pixels"])
        out = io.BytesIO()
        shown.save(out, "JPEG", quality=QUALITY, optimize=True)
        return {"width": shown.width, "height": shown.height}, out.getvalue()

    def _pixels(self, head: Head, content: bytes) -> Message:
        return {}, decode.pixel_digest(content, max_pixels=head["max_pixels"])

    def _evidence(self, head: Head, content: bytes) -> Message:
        from lookalike.imaging import evidence  # only the choice of a best copy asks for it

        return evidence.pack(evidence.inspect(content, max_pixels=head["max_pixels"]))

    def _needs(self, head: Head, content: bytes) -> Message:
        return {"needs": needs(content)}, b""


def needs(content: bytes) -> int:
    """Bytes of memory that decoding an image may take, roughly, by its header; 0 if that cannot be read."""
    if (size := claims.canvas(content)) is not None:
        return len(content) + size[0] * size[1] * NEEDS_OTHERWISE
    try:
        image = decode.header(content)
        width, height = image.size
        if image.format in ("JPEG", "MPO"):  # reduced while it is decoded; only progressive ones are held whole
            return len(content) + (6 * width * height if image.info.get("progressive") else 0)
        return len(content) + width * height * NEEDS.get(image.mode, NEEDS_OTHERWISE)
    except Exception:  # the decoder will say why
        return 0


def warm() -> None:
    """Load Pillow's plugins, so that the first image is no slower than others."""
    decode.decode(b"P5 1 1 255 \0", ImageSpec())


def _identity(content: bytes) -> Head:
    return {"digest": files.content_digest(content).hex(), "bytes": len(content)}
