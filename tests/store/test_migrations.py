"""Catalogs of earlier versions have the same content after migration."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from lookalike.core.errors import DatabaseError
from lookalike.store.catalog import Catalog
from lookalike.store.migrations import APPLICATION_ID, STEPS, statements
from lookalike.store.records import Filter

COLUMNS = (
    "root, path, row, size, mtime_ns, digest, length, label, code, width, height, format, animated, error, indexed_at,"
    " missing_since"
)
DIGEST = b"d" * 16
ROWS: list[tuple[Any, ...]] = [
    (1, "a.jpg", None, 10, 20, DIGEST, 9, '"cat"', b"12345678", 6, 4, "JPEG", 0, None, 1000, None),
    (1, "2021/07/ä/b.jpg", None, 11, 21, b"e" * 16, 9, '["cat", "dog"]', b"12345679", 6, 4, "GIF", 1, None, 1000, None),
    (1, "2021/07/\udcff/\udcfe.jpg", None, 12, 22, DIGEST, 9, None, b"12345677", 6, 4, "JPEG", 0, None, 1001, 5000),
    (1, "2021/t.parquet#12", 12, 13, 23, b"f" * 16, 9, '"cat"', b"12345670", 6, 4, "PNG", 0, None, 1001, None),
    (2, "a.parquet#1", None, 14, -1, None, None, None, None, None, None, None, 0, "damaged", 1002, None),
    (2, "codes.npy#7", 7, 0, -1, None, None, '"cat"', b"1234567x", None, None, None, None, None, 1003, None),
]


def old(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    """A catalog as the first version made it."""
    connection = sqlite3.connect(path)
    connection.executescript(
        f"BEGIN; {STEPS[0]} PRAGMA user_version = 1; PRAGMA application_id = {APPLICATION_ID}; COMMIT;"
    )
    connection.execute("INSERT INTO roots (path) VALUES ('/photos'), ('/photos/2021/tables')")
    connection.execute("INSERT INTO meta VALUES ('bits', '64'), ('revision', '17')")
    marks = ", ".join("CAST(? AS TEXT)" if name == "path" else "?" for name in COLUMNS.split(", "))
    for row in rows:
        connection.execute(f"INSERT INTO images ({COLUMNS}) VALUES ({marks})", (row[0], os.fsencode(row[1]), *row[2:]))
    connection.execute("INSERT INTO images (id, root, path, size, mtime_ns, indexed_at) VALUES (99, 1, 'x', 1, 1, 1)")
    connection.execute("DELETE FROM images WHERE id = 99")
    connection.commit()
    connection.close()
    return path


def test_all_is_there_as_it_was(tmp_path: Path) -> None:
    catalog = Catalog(old(tmp_path / "catalog.sqlite", ROWS))
    roots = {1: "/photos", 2: "/photos/2021/tables"}
    records = list(catalog.all_records())
    assert [record.id for record in records] == [1, 2, 3, 4, 5, 6]
    for record, (root, path, row, size, mtime_ns, digest, length, _, code, *rest) in zip(records, ROWS, strict=True):
        width, height, kind, animated, error, _, missing_since = rest
        assert (record.root, record.path, record.row) == (roots[root], path, row)
        assert (record.size, record.mtime_ns, record.digest, record.length) == (size, mtime_ns, digest, length)
        assert (record.code, record.width, record.height, record.format) == (code, width, height, kind)
        assert (record.animated, record.error, record.missing_since) == (bool(animated), error, missing_since)
        assert catalog.find(record.name) == record
        assert catalog.below(record.name) == [record.id]
    assert [record.label for record in records] == ["cat", ("cat", "dog"), None, "cat", None, "cat"]
    assert [record.id for record in catalog.with_digest(DIGEST)] == [1, 3]
    assert (catalog.revision, catalog.get("bits")) == (17, "64")
    assert catalog.counts() == {
        "images": 4, "errors": 1, "missing": 1, "labelled": 4, "without_thumbnail": 4,
    }  # fmt: skip
    assert catalog.below("/photos/2021") == [2, 3, 4, 5, 6]
    assert catalog.integrity.check({}) == []
    catalog.close()


@pytest.mark.parametrize(("since", "expected"), [(1000, 6), (1001, 4), (1002, 2), (1003, 1), (1004, 0)])
def test_when_an_image_came_in_is_kept(since: int, expected: int, tmp_path: Path) -> None:
    catalog = Catalog(old(tmp_path / "catalog.sqlite", ROWS))
    assert catalog.passing(Filter(since=since))[1:].sum() == expected
    catalog.close()


def test_ids_go_on_where_they_were(tmp_path: Path) -> None:
    for rows in (ROWS, []):
        path = tmp_path / f"{len(rows)}.sqlite"
        catalog = Catalog(old(path, rows))
        with catalog.transaction():
            assert catalog._session.run("INSERT INTO images (place, name) VALUES (0, 'new')").lastrowid == 100
        catalog.close()


def test_an_interrupted_step_leaves_the_old_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old(tmp_path / "catalog.sqlite", ROWS)
    with monkeypatch.context() as patch:
        patch.setattr("lookalike.store.migrations.STEPS", (STEPS[0], STEPS[1] + "SELECT no_such_function();"))
        with pytest.raises(DatabaseError, match="no_such_function"):
            Catalog(path)
    catalog = Catalog(path)
    assert len(list(catalog.all_records())) == len(ROWS)
    catalog.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_old_catalog_that_cannot_be_written_to_reports_it(tmp_path: Path) -> None:
    path = old(tmp_path / "catalog.sqlite", ROWS)
    path.chmod(0o444)
    with pytest.raises(DatabaseError, match=r"earlier version of lookalike .schema 1. .* Copy its folder"):
        Catalog(path)


def test_statements_are_distinguished() -> None:
    script = "CREATE TABLE a (b TEXT); -- c; d\n  INSERT INTO a VALUES (';');\n"
    assert len(list(statements(script))) == 2
    for step in STEPS:
        assert "".join(statements(step)).split() == step.split()
