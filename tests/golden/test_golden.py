"""Models and databases of all earlier versions open, and give the same answers."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from lookalike.database import Database
from lookalike.hasher import Hasher
from lookalike.store import migrations, originals
from lookalike.store.derived import code_array
from tests.golden.make import EXPECTED, FOLDER, MODEL, NAMES, pictures

SCHEMAS = sorted(int(path.name[7:].partition(".")[0]) for path in FOLDER.glob("schema-*.tar.gz"))
CODES = json.loads(EXPECTED.read_text())["codes"]


def opened(schema: int, folder: Path) -> Path:
    """A copy of the database of a schema."""
    with tarfile.open(FOLDER / f"schema-{schema}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    shutil.copy(MODEL, folder / "model.onnx")
    return folder


def test_every_schema_is_there() -> None:
    every = list(range(migrations.FIRST, migrations.newest() + 1))
    assert every == SCHEMAS, "add the new schema: python -m tests.golden.make database"


def test_the_model_gives_the_same_codes() -> None:
    hasher = Hasher.load(MODEL)
    codes_NW = np.array([list(bytes.fromhex(code)) for code in CODES], np.uint8)
    differ_N = np.unpackbits(hasher.encode_arrays(pictures()) ^ codes_NW, axis=1).sum(axis=1)
    assert (
        differ_N.max() <= 1
    )  # other versions of ONNX Runtime, and other processors, may round differently at a threshold
    assert (hasher.bits, hasher.info.model, hasher.info.near, hasher.info.similar) == (16, "cvae", 3, 6)
    assert hasher.name == "golden-16@b318a8ce"


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_database_opens_and_answers_as_it_did(schema: int, tmp_path: Path) -> None:
    folder = opened(schema, tmp_path / "db")
    with Database.open(folder) as database:
        found = [
            [(hit.path, hit.distance) for hit in hits] for hits in database.search_codes(_codes(), top=None, radius=16)
        ]
        assert found == _expected()
        records = list(database.records())
        assert [record.name for record in records] == [f"/photos/{name}" for name in NAMES]
        labels = (None, "cat", ("cat", "dog"))
        assert [record.label for record in records] == [labels[number % 3] for number in range(8)]
        assert [record.row for record in records] == [None, None, None, None, 12, None, None, None]
        assert [record.size for record in records] == [1000 + number for number in range(8)]
        assert [record.mtime_ns for record in records] == [10**18 + number for number in range(8)]
        assert (records[6].error, records[6].code) == ("is no image", None)
        assert [record.name for record in records if record.missing_since] == ["/photos/e.jpg"]
        assert database.labels() == {"cat": 4, "dog": 2}
        assert len(database) == 6
        assert [record.quality for record in records[:2]] == [60] * 2
        assert database.thumbnails([2]) == ({2: bytes([1] * 9)} if schema >= 8 else {})
        assert database.info().without_thumbnail == (0 if schema >= 8 else 6)
        assert [len(decision.images) for decision in database.store.local().decisions.all()] == [2]
        assert database.info().originals == 1
        assert code_array.count(database.store.local()) == 6  # codes.bin of that time is read
        findings = database.verify()
        assert [finding.what for finding in findings if not finding.ok] == []
    with Database.open(folder) as database:
        assert not any(finding.repaired for finding in database.verify())
        (digest,) = originals.digests(folder)
        assert records[0].digest == digest
        assert originals.is_intact(folder, digest)
        assert database.remove(["/photos/2021"]) == 4
        assert len(database) == 2


def _codes() -> np.ndarray:
    return np.array([list(bytes.fromhex(code)) for code in CODES], np.uint8)


def _expected() -> list[list[tuple[str, int]]]:
    """Hits by counting bits: nearest first, ties in order of insertion, without images that cannot be searched."""
    numbers = [int(code, 16) for code in CODES]
    there = [number for number in range(8) if number not in (6, 7)]
    ranked = [sorted(((numbers[one] ^ query).bit_count(), one) for one in there) for query in numbers]
    return [[(os.path.join("/photos", NAMES[one]), distance) for distance, one in row] for row in ranked]
