"""Which radii a search and a look for duplicates may have, in bits."""

from __future__ import annotations

from lookalike.errors import CodeError, ConfigError
from lookalike.hasher import Hasher


def check_radius(radius: int | None, bits: int) -> None:
    """Raise `CodeError` for a radius that codes of so many bits cannot reach."""
    if radius is not None and radius > bits:
        raise CodeError(f"radius is {radius}; codes of {bits} bits differ in at most {bits}")


def duplicate_radius(hasher: Hasher) -> int:
    """The radius up to which a model takes images for copies. Raises `ConfigError` if it has none."""
    radius = hasher.info.duplicate
    if radius < 0:
        raise ConfigError(
            f"{hasher.name} gives different images equal codes, so it cannot tell copies; give --radius 0 "
            "all the same, or index with a model of pictures, such as the built-in one"
        )
    return radius
