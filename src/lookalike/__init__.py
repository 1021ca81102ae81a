"""lookalike learns short binary hash codes from your own images and finds the images that look alike.

Names are loaded on first use: importing the package loads neither torch nor onnxruntime.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lookalike.client import Client as Client
    from lookalike.core.errors import LookalikeError as LookalikeError
    from lookalike.core.progress import Progress as Progress
    from lookalike.database import Database as Database
    from lookalike.database import Filter as Filter
    from lookalike.database import Group as Group
    from lookalike.database import Hit as Hit
    from lookalike.hasher import Hasher as Hasher
    from lookalike.imaging.decode import ImageSpec as ImageSpec
    from lookalike.imaging.decode import read as read
    from lookalike.opening import find_duplicates as find_duplicates
    from lookalike.opening import open as open  # noqa: A004
    from lookalike.training import train as train
    from lookalike.verification.files import compare as compare
    from lookalike.verification.verdict import Relation as Relation
    from lookalike.verification.verdict import Verdict as Verdict

__version__ = "0.1.0"

# ONNX Runtime 1.32 identifies the machine and sends usage data to its maker, unless told otherwise before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "Client": "lookalike.client",
    "Database": "lookalike.database",
    "Filter": "lookalike.store.records",
    "Group": "lookalike.store.derived.results",
    "Hasher": "lookalike.hasher",
    "Hit": "lookalike.store.derived.results",
    "ImageSpec": "lookalike.imaging.decode",
    "LookalikeError": "lookalike.core.errors",
    "Progress": "lookalike.core.progress",
    "Relation": "lookalike.verification.verdict",
    "Verdict": "lookalike.verification.verdict",
    "compare": "lookalike.verification.files",
    "find_duplicates": "lookalike.opening",
    "open": "lookalike.opening",
    "read": "lookalike.imaging.decode",
    "train": "lookalike.training",
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lookalike' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
