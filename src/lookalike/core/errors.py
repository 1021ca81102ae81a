"""The package's exceptions. Each message names the value, what was expected and the remedy.

On the command line every `LookalikeError` becomes one line on stderr and exit code 1.
"""

from __future__ import annotations


class LookalikeError(Exception):
    """Base class: anything this package refuses to do, explained in one line."""


class ConfigError(LookalikeError):
    """A setting outside its allowed range."""


class ImageError(LookalikeError):
    """Bytes that are not an image, or an image that may not be decoded."""


class RetryableImageError(ImageError):
    """An image that may become readable: a package is missing, a limit is too low, or memory ran out."""


class DataError(LookalikeError):
    """A folder, file or table that is not a usable collection of images."""


class TrainingError(LookalikeError):
    """Training cannot start or continue."""


class ModelError(LookalikeError):
    """A model file that is unusable."""


class CodeError(LookalikeError):
    """Codes of the wrong shape or length."""


class DatabaseError(LookalikeError):
    """A database that is missing, damaged, busy or made with another model."""


class ServerError(LookalikeError):
    """A server's refusal, with the HTTP status; 0 if the server does not answer."""

    def __init__(self, message: str, *, status: int = 0, type: str = "") -> None:  # noqa: A002 as in the answer
        super().__init__(message)
        self.status, self.type = status, type


class MissingExtra(LookalikeError):
    """A feature whose optional package is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what}. Install it with: pip install 'lookalike[{extra}]'"
            f" (in a clone of the repository: pip install -c constraints.txt '.[{extra}]')"
        )


class Interrupted(LookalikeError):
    """Work that the user stopped and that can be resumed."""
