"""Commands that break promises, to test that the harness notices."""

from __future__ import annotations

from pathlib import Path


def write_in_place(path: str) -> None:
    """Write a file in place, in two halves, instead of atomically."""
    with open(path, "wb", buffering=0) as file:
        file.write(b"half")
        file.write(b"half")


def rewrite_a_photo(photo: str) -> None:
    """Rewrite a person's file with the same bytes."""
    data = Path(photo).read_bytes()
    with open(photo, "wb", buffering=0) as file:
        file.write(data[:100])
        file.write(data[100:])


def hide_an_error(path: str) -> None:
    """Write a file, and ignore errors."""
    try:
        Path(path).write_bytes(b"x")
    except OSError:
        return


def fail_without_words(path: str) -> None:
    """Fail with a traceback."""
    try:
        Path(path).write_bytes(b"x")
    except OSError as error:
        raise ValueError("a bug") from error
