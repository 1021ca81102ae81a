"""Limits that the command line names before anything heavy is loaded."""

from __future__ import annotations

MAX_PIXELS = 200_000_000  # of an image that is decoded
