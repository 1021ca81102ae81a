"""Catalogs of earlier versions are migrated whole, or refused; `tests/golden` has databases of all schemas."""

from __future__ import annotations

import os
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from lookalike.core.errors import DatabaseError
from lookalike.store import migrations
from lookalike.store.catalog import Catalog
from lookalike.store.migrations import FIRST, STEPS, statements
from tests.golden.make import FOLDER


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A catalog of the first schema, with eight images."""
    with tarfile.open(FOLDER / f"schema-{FIRST}.tar.gz") as archive:
        archive.extract("catalog.sqlite", tmp_path, filter="data")
    return tmp_path / "catalog.sqlite"


def test_the_schema_is_that_of_a_new_catalog(old: Path) -> None:
    with closing(Catalog(old)) as catalog:
        assert catalog.integrity.check({}) == []


def test_ids_go_on_where_they_were(old: Path) -> None:
    with closing(Catalog(old)) as catalog, catalog.transaction():
        assert catalog._session.run("INSERT INTO images (place, name) VALUES (0, 'new')").lastrowid == 9


def test_an_interrupted_step_leaves_the_old_catalog(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", (STEPS[0], STEPS[1] + "SELECT no_such_function();"))
        with pytest.raises(DatabaseError, match="no_such_function"):
            Catalog(old)
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (FIRST,)
    with closing(Catalog(old)) as catalog:
        assert len(list(catalog.all_records())) == 8


def test_a_catalog_that_no_released_version_made_is_refused_and_left_alone(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute(f"PRAGMA user_version = {FIRST - 1}")
    before = old.read_bytes()
    with pytest.raises(DatabaseError, match=r"before 0\.1\.0 .schema 6.* new folder; decisions and originals remain"):
        Catalog(old)
    assert old.read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_old_catalog_that_cannot_be_written_to_reports_it(old: Path) -> None:
    old.chmod(0o444)
    with pytest.raises(DatabaseError, match=rf"earlier version of lookalike .schema {FIRST}. .* Copy its folder"):
        Catalog(old)


def test_statements_are_distinguished() -> None:
    script = "CREATE TABLE a (b TEXT); -- c; d\n  INSERT INTO a VALUES (';');\n"
    assert len(list(statements(script))) == 2
    for step in STEPS:
        assert "".join(statements(step)).split() == step.split()
