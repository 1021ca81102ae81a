"""Arrow types that can hold codes, paths, labels and sizes."""

from __future__ import annotations

from typing import Any

from pyarrow import types


def is_code(kind: Any) -> bool:
    """Whether it is bytes, or lists of bytes."""
    whole = is_bytes(kind) or types.is_fixed_size_binary(kind)
    return bool(whole or (_is_list(kind) and types.is_integer(_inner(kind))))


def is_path(kind: Any) -> bool:
    """Whether it is text."""
    return bool(types.is_null(kind) or (not _is_list(kind) and _is_text(_inner(kind))))


def is_bytes(kind: Any) -> bool:
    """Whether it is bytes of variable length."""
    one = plain(kind)
    return bool(types.is_null(one) or types.is_binary(one) or types.is_large_binary(one))


def is_label(kind: Any) -> bool:
    """Whether it is text, integers or booleans, or lists of them."""
    one = _inner(_inner(kind))  # of a dictionary in a list
    if _is_list(kind) and _is_list(_inner(kind)):
        return False
    return bool(_is_text(one) or types.is_integer(one) or types.is_boolean(one) or types.is_null(one))


def is_size(kind: Any) -> bool:
    """Whether it is integers."""
    return bool(types.is_integer(kind) or types.is_null(kind))


def plain(kind: Any) -> Any:
    """The type itself, or that of a dictionary's values: as stored, however it is read."""
    return kind.value_type if types.is_dictionary(kind) else kind


def _inner(kind: Any) -> Any:
    """The value type of a list or dictionary."""
    return kind.value_type if types.is_dictionary(kind) or _is_list(kind) else kind


def _is_list(kind: Any) -> bool:
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_text(kind: Any) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind))
