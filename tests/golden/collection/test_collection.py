"""This version answers about the golden collection as the stored expectation says, byte by byte."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")
pytest.importorskip("pyarrow")
pytest.importorskip("skimage")
pytest.importorskip("sklearn")

from tests.golden.collection import answers, expectation, make

WRITE = "If that is meant: python -m tests.golden.collection --write, and look at git diff"
TOLERATED = 5  # images of whose code by the built-in model one bit is rounded otherwise


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection's folder; skips if it cannot be made as it was."""
    folder, made = tmp_path_factory.mktemp("golden").resolve(), expectation.stored(expectation.MADE)
    if make.versions() != made["versions"]:
        pytest.skip(f"the collection is known for {made['versions']}, not for {make.versions()}")
    files = make.make(folder)
    differ = [path for path, digest in made["files"].items() if files.get(path) != digest]
    if differ and platform.machine() != "x86_64":
        pytest.skip(f"{len(differ)} files are encoded otherwise on {platform.machine()}, such as {differ[0]}")
    assert files == made["files"], f"{len(differ)} files are made otherwise: {differ[:3]}. {WRITE}"
    return folder


@pytest.mark.slow
def test_answers_are_those_that_are_stored(collection: Path) -> None:
    with answers.inside(collection):
        given = expectation.given(collection, expectation.stored(expectation.CODES))
    differences = expectation.differences(given)
    if differences:
        pytest.fail(f"The answers about the golden collection differ.\n{differences}\n{WRITE}", pytrace=False)


def test_codes_of_the_built_in_model(collection: Path) -> None:
    with answers.inside(collection):
        known, found = expectation.stored(expectation.CODES), answers.default_codes()
    assert list(found) == list(known)
    bits = {path: (int(code, 16) ^ int(known[path], 16)).bit_count() for path, code in found.items()}
    other = {path: differ for path, differ in bits.items() if differ}
    assert max(bits.values()) <= 1, other
    assert len(other) <= TOLERATED, other
