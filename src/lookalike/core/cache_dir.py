"""Location of cached files: $LOOKALIKE_CACHE, or the operating system's cache folder."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """The user's cache folder; it may not exist yet."""
    if place := os.environ.get("LOOKALIKE_CACHE"):
        return Path(place)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "lookalike"
