"""Valid radii for searches and duplicates, in bits."""

from __future__ import annotations

from lookalike.calibration.stored import Calibration
from lookalike.core.errors import CodeError, ConfigError
from lookalike.hasher import Hasher


def check_radius(radius: int | None, bits: int) -> None:
    """Raise `CodeError` for a radius above the length of the codes."""
    if radius is not None and radius > bits:
        raise CodeError(f"radius is {radius}; codes of {bits} bits differ in at most {bits}")


def duplicate_radius(hasher: Hasher, calibration: Calibration | None = None) -> int:
    """The radius up to which images count as copies: calibrated, or the model's. Raises `ConfigError`."""
    radius = hasher.info.duplicate if calibration is None else calibration.radii.duplicate
    if radius < 0 and calibration is not None:
        raise ConfigError(
            f"calibration found that more than {calibration.rate:g} of the pairs of different images have equal codes; "
            "give --radius 0 to search anyway, or calibrate with a higher --fpr"
        )
    if radius < 0:
        raise ConfigError(
            f"{hasher.name} gives different images equal codes, so it cannot identify copies; give --radius 0 "
            "to search anyway, or index with another model, such as the built-in one"
        )
    return radius
