"""The stored reference codes equal those of the installed packages."""

from __future__ import annotations

from tests.versions import check


def test_codes_are_those_that_are_kept() -> None:
    found = check.differing()
    assert len(found) == 30
    assert max(found.values()) <= check.MOST
