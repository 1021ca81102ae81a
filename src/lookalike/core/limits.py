"""Limits that the command line needs before it loads anything heavy."""

from __future__ import annotations

MAX_PIXELS = 200_000_000  # of a decoded image
