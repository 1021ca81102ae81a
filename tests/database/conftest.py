"""Databases to begin with, and what must hold of every one.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lookalike.database import Database
from lookalike.imaging import decode
from lookalike.store import codefile

Check = Callable[..., None]


@pytest.fixture
def db(tmp_path: Path, model: Path) -> Iterator[Database]:
    """A new and empty database."""
    with Database.create(tmp_path / "db", model=model) as database:
        yield database


@pytest.fixture
def indexed(db: Database, photo_folder: Path) -> Database:
    """A database of the 40 photographs, which are labelled by their sub-folders."""
    report = db.index(photo_folder, labels_from_folders=True)
    assert (report.found, report.encoded, report.failed) == (40, 40, 0)
    return db


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is decoded from now on."""
    seen: list[bytes] = []
    plain = decode.decode

    def spy(data: bytes, spec: decode.ImageSpec, *, max_pixels: int = decode.MAX_PIXELS) -> decode.Decoded:
        seen.append(data)
        return plain(data, spec, max_pixels=max_pixels)

    monkeypatch.setattr(decode, "decode", spy)
    return seen


@pytest.fixture(scope="session")
def check() -> Check:
    """A function that asserts that a database holds just the images of folders, each once, with the right code."""

    def check(path: Path, *folders: Path, failed: int = 0) -> None:
        with Database.open(path) as database:
            files = sorted(str(file) for folder in folders for file in folder.rglob("*") if file.is_file())
            here = [record for record in database.records() if not record.missing_since]
            assert sorted(record.name for record in here) == files
            coded = [record for record in here if record.code is not None]
            assert len(coded) == len(files) - failed
            assert all((record.code is None) == (record.error is not None) for record in here)
            expected_NW = database.hasher.encode([record.name for record in coded])
            assert [record.code for record in coded] == [bytes(code_W) for code_W in expected_NW]
            ids_N, codes_NW = database.codes()
            assert ids_N.tolist() == [record.id for record in coded]
            assert np.array_equal(codes_NW, expected_NW)
            for hits, record in zip(database.search_codes(expected_NW, top=len(coded)), coded, strict=True):
                assert len(hits) == len(coded)
                assert record.name in [hit.path for hit in hits if hit.distance == 0]
            findings = database.verify()
            assert all(finding.ok for finding in findings), findings
            assert codefile.read(path / codefile.FILE)[0].count == len(coded)
            assert not any(finding.repaired for finding in database.verify())

    return check
