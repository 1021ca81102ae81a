"""A process that decodes images for the server: `python -m lookalike.web.worker MEMORY`, over stdin and stdout.

A message is the length of its head (4 bytes, most significant first), the head (JSON), and as many bytes as the head's
`length` says. Whatever a broken file does to a decoder happens here: it may take MEMORY bytes, write no file, and if it
brings the process down, the server starts another.
"""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import sys
from typing import Any, BinaryIO

from PIL import Image

from lookalike.errors import ImageError, RetryableImageError
from lookalike.imaging import decode
from lookalike.imaging.decode import ImageSpec

QUALITY = 85  # of thumbnails
LENGTH = struct.Struct(">I")
Message = tuple[dict[str, Any], bytes]


def main(memory: int) -> None:
    """Answer until there is no more to read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then closes stdin
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what libraries print is no answer
    _warm()
    _limit(memory)
    write(answers, {"ready": True}, b"")
    while (message := read(asked)) is not None:
        write(answers, *answer(*message))


def read(stream: BinaryIO) -> Message | None:
    """The next message, or nothing at the end."""
    start = stream.read(LENGTH.size)
    if len(start) < LENGTH.size:
        return None
    head = json.loads(stream.read(LENGTH.unpack(start)[0]))
    return head, stream.read(head["length"])


def write(stream: BinaryIO, head: dict[str, Any], content: bytes) -> None:
    """Send a message."""
    stream.write(packed(head, len(content)))
    stream.write(content)
    stream.flush()


def packed(head: dict[str, Any], length: int) -> bytes:
    """The beginning of a message with that much content."""
    text = json.dumps({**head, "length": length}).encode()
    return LENGTH.pack(len(text)) + text


def answer(head: dict[str, Any], content: bytes) -> Message:
    """What came of an image: its array, a thumbnail, a digest of its pixels, or the reason why there is none."""
    try:
        return WORK[head["do"]](head, content)
    except RetryableImageError as error:
        return {"error": str(error), "tired": True}, b""
    except ImageError as error:
        return {"error": str(error)}, b""
    except MemoryError:
        return {"error": "there is not enough memory to decode it", "tired": True}, b""


def _array(head: dict[str, Any], content: bytes) -> Message:
    found = decode.decode(content, ImageSpec(**head["spec"]), max_pixels=head["max_pixels"])
    about = {"width": found.width, "height": found.height, "format": found.format, "animated": found.animated}
    return about, found.array.tobytes()


def _thumbnail(head: dict[str, Any], content: bytes) -> Message:
    shown = decode.thumbnail(content, head["side"], max_pixels=head["max_pixels"])
    out = io.BytesIO()
    shown.save(out, "JPEG", quality=QUALITY, optimize=True)
    return {"width": shown.width, "height": shown.height}, out.getvalue()


def _pixels(head: dict[str, Any], content: bytes) -> Message:
    return {}, decode.pixel_digest(content, max_pixels=head["max_pixels"])


WORK = {"array": _array, "thumbnail": _thumbnail, "pixels": _pixels}


def _warm() -> None:
    """Load Pillow's plugins, so that the first image is no slower than others."""
    out = io.BytesIO()
    Image.new("RGB", (16, 16)).save(out, "JPEG")
    decode.decode(out.getvalue(), ImageSpec())


def _limit(memory: int) -> None:
    """Let this process have no more memory than now and so many bytes, write no file, and leave no core behind."""
    try:
        import resource
    except ImportError:  # Windows has nothing like it; what remains is the limit on pixels
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":  # others take the number and do not heed it
        with open("/proc/self/statm", encoding="ascii") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + memory, size + memory))


if __name__ == "__main__":
    main(int(sys.argv[1]))
