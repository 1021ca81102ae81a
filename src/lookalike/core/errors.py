"""The one tree of errors. Each message names the value, what was expected and what mends it.

On the command line every `LookalikeError` becomes one line on stderr and exit code 1.
"""

from __future__ import annotations


class LookalikeError(Exception):
    """Anything this package refuses to do, said in one line."""


class ConfigError(LookalikeError):
    """A setting is outside what is allowed."""


class ImageError(LookalikeError):
    """Bytes that are no image, or not one that may be decoded."""


class RetryableImageError(ImageError):
    """An image that may be readable another time: a package is missing, a cap is too low, memory ran out."""


class DataError(LookalikeError):
    """A folder, file or table that cannot serve as a collection of images."""


class TrainingError(LookalikeError):
    """Training cannot start or go on."""


class ModelError(LookalikeError):
    """A model file that cannot be used."""


class CodeError(LookalikeError):
    """Codes whose shape or length does not fit."""


class DatabaseError(LookalikeError):
    """A database that is absent, damaged, busy or made with another model."""


class ServerError(LookalikeError):
    """What a server refuses, with HTTP's number for the reason; 0 if it does not answer."""

    def __init__(self, message: str, *, status: int = 0, type: str = "") -> None:  # noqa: A002 as in the answer
        super().__init__(message)
        self.status, self.type = status, type


class MissingExtra(LookalikeError):
    """A part that needs a package which is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what}. Install it with: pip install 'lookalike[{extra}]'"
            f" (in a clone of the repository: pip install -c constraints.txt '.[{extra}]')"
        )


class Interrupted(LookalikeError):
    """Work that was stopped by the user and can go on where it stopped."""
