"""lookalike learns short binary hash codes from your own images and finds the images that look alike.

Names are loaded on first use: importing the package loads neither torch nor onnxruntime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lookalike.client import Client as Client
    from lookalike.core.errors import LookalikeError as LookalikeError
    from lookalike.database import Database as Database
    from lookalike.hasher import Hasher as Hasher
    from lookalike.imaging.decode import ImageSpec as ImageSpec
    from lookalike.imaging.decode import read as read
    from lookalike.training import train as train

__version__ = "0.1.0"

_HOMES = {
    "Client": "lookalike.client",
    "Database": "lookalike.database",
    "Hasher": "lookalike.hasher",
    "ImageSpec": "lookalike.imaging.decode",
    "LookalikeError": "lookalike.core.errors",
    "read": "lookalike.imaging.decode",
    "train": "lookalike.training",
}
__all__ = ["Client", "Database", "Hasher", "ImageSpec", "LookalikeError", "__version__", "read", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lookalike' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
