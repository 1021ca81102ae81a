"""Commands that break promises, to see that the harness finds it."""

from __future__ import annotations

from pathlib import Path


def write_in_place(path: str) -> None:
    """Write a file at its own place, in two halves, not aside."""
    with open(path, "wb", buffering=0) as file:
        file.write(b"half")
        file.write(b"half")


def rewrite_a_photo(photo: str) -> None:
    """Write a person's file again, with the bytes that it has."""
    data = Path(photo).read_bytes()
    with open(photo, "wb", buffering=0) as file:
        file.write(data[:100])
        file.write(data[100:])


def hide_an_error(path: str) -> None:
    """Write a file, and say nothing if it cannot be written."""
    try:
        Path(path).write_bytes(b"x")
    except OSError:
        return


def fail_without_words(path: str) -> None:
    """Meet a fault with a traceback."""
    try:
        Path(path).write_bytes(b"x")
    except OSError as error:
        raise ValueError("a bug") from error
