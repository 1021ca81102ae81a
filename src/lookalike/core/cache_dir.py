"""Where files are kept that can be made again: in $LOOKALIKE_CACHE, or the system's folder for such things."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """The cache folder of this user, which may not exist yet."""
    if place := os.environ.get("LOOKALIKE_CACHE"):
        return Path(place)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "lookalike"
