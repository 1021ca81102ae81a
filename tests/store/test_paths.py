"""Splitting of paths into folder and name, and of names into numbers, as stored in the catalog."""

from __future__ import annotations

import pytest

from lookalike.store import paths


@pytest.mark.parametrize(
    ("path", "row", "expected"),
    [
        ("a.jpg", False, ("", "a.jpg")),
        ("2021/07/a.jpg", False, ("2021/07/", "a.jpg")),
        ("x/t.parquet#12", True, ("x/t.parquet#", "12")),
        ("x/t.parquet#12", False, ("x/", "t.parquet#12")),
        ("no. #1/t.parquet#12", True, ("no. #1/t.parquet#", "12")),
        ("t.parquet#12/a.jpg", True, ("t.parquet#12/", "a.jpg")),
        ("t#", True, ("", "t#")),
        ("t#¹", True, ("", "t#¹")),
        ("12", True, ("", "12")),
    ],
)
def test_a_path_is_a_folder_and_a_name(path: str, row: bool, expected: tuple[str, str]) -> None:
    assert paths.split(path, row=row) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"0", 0),
        (b"9999999", 9_999_999),
        (b"10000000", 10_653_085),
        (b"a.jpg", 3_453_462),
        (b"", 0),
        (b"-1", 2_967_594),
    ],
)
def test_numbers_are_their_own_keys_and_other_names_have_a_checksum(name: bytes, expected: int) -> None:
    assert paths._name_key(name) == expected
    assert paths.path_key(5, name) == 5 * 2**24 + expected
