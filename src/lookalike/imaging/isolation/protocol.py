"""Messages between a process and its workers, over pipes.

A message is the length of its head (4 bytes, big-endian), the head (JSON), and `length` bytes of content as stated in
the head.
"""

from __future__ import annotations

import json
import struct
from typing import IO, Any

LENGTH = struct.Struct(">I")
NUMBER = struct.Struct(">i")  # an order to the fork server, or its answer
Head = dict[str, Any]
Message = tuple[Head, bytes]


def read(stream: IO[bytes]) -> Message | None:
    """The next message; None at the end of the stream."""
    start = stream.read(LENGTH.size)
    if len(start) < LENGTH.size:
        return None
    text = stream.read(LENGTH.unpack(start)[0])
    try:
        head = json.loads(text)
    except ValueError:  # truncated
        return None
    content = stream.read(head["length"]) if head["length"] else b""
    return (head, content) if len(content) == head["length"] else None


def write(stream: IO[bytes], head: Head, content: bytes = b"") -> None:
    """Send a message."""
    start = _packed(head, len(content))
    stream.write(start + content if len(content) < 1 << 16 else start)
    if len(content) >= 1 << 16:
        stream.write(content)
    stream.flush()


def _packed(head: Head, length: int) -> bytes:
    """The start of a message with `length` bytes of content."""
    text = json.dumps({**head, "length": length}).encode()
    return LENGTH.pack(len(text)) + text
