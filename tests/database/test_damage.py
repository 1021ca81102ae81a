"""Planted damage: it is always detected, derived files are repaired, and the source of truth is never overwritten.

A small database is made once, and copied for each damage.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.core.errors import DatabaseError
from lookalike.database import Database
from lookalike.duplicates.request import DuplicateSearch
from lookalike.store import originals
from lookalike.store.decisions import Decided, Kind
from lookalike.store.derived import codefile
from lookalike.store.derived.results import Finding

from ..conftest import MakeModel, encoded

Plant = Callable[[Path], object]


class World:
    """A database of 12 images in two roots, one of which is gone, and its answers."""

    def __init__(self, folder: Path, model: Path, other_model: Path, pictures: list[Image.Image]) -> None:
        self.folder, self.model, self.other_model = folder, model, other_model
        for number, picture in enumerate(pictures[:14]):
            root = "away" if number >= 8 else "photos"
            path = folder / root / ("cats" if number % 2 else "dogs") / f"{number:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(picture, "png"))
        self.db, self.foreign, self.older = folder / "db", folder / "foreign", folder / "older"
        with Database.create(self.foreign, model=model) as database:
            database.index(folder / "photos/dogs", isolation=False)
        with Database.create(self.db, model=model) as database:
            self._fill(database)
        shutil.rmtree(folder / "away")

    def _fill(self, database: Database) -> None:
        index = {"labels_from_folders": True, "keep_originals": True, "isolation": False}
        last = self.folder / "away/last"
        last.mkdir()
        for name in ("12.png", "13.png"):
            place = next((self.folder / "away").rglob(name))
            place.rename(last / name)
        last.rename(self.folder / "last")
        database.index([self.folder / "photos", self.folder / "away"], **index)  # type: ignore[arg-type]
        shutil.copytree(self.db, self.older)
        (self.folder / "last").rename(last)
        database.index([self.folder / "away"], **index)  # type: ignore[arg-type]
        database.remove([last / "13.png"])
        with database.store.local().transaction():
            some = [record for record in database.records() if record.digest]
            for kind in (Kind.KEEP, Kind.DIFFERENT):
                images = [Decided(record.digest or b"", record.name, part) for part, record in enumerate(some[:2])]
                database.store.local().decisions.add(kind, images)
        database.duplicates(DuplicateSearch())
        database.duplicates(DuplicateSearch(radius=8, verify=False))
        self.hits = self.answers(database)

    @staticmethod
    def answers(database: Database) -> list[list[tuple[int, int, str]]]:
        ids_N, codes_NW = database.codes()
        found = database.search_codes(codes_NW, top=None, radius=64)
        return [[(id_, hit.id, hit.path) for hit in hits] for id_, hits in zip(ids_N.tolist(), found, strict=True)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, make_model: MakeModel, pictures: list[Image.Image]) -> World:
    path = make_model(seed=0, bits=64, near=6, similar=16)
    mine = Path(shutil.copy(path, tmp_path_factory.mktemp("model") / "m.onnx"))
    return World(
        tmp_path_factory.mktemp("world"), mine,
        make_model(seed=1, bits=64, near=6, similar=16), pictures,
    )  # fmt: skip


@pytest.fixture
def db(world: World, tmp_path: Path) -> Path:
    return Path(shutil.copytree(world.db, tmp_path / "db"))


def verify(path: Path) -> list[Finding]:
    with Database.open(path) as database:
        return database.verify()


def truth(path: Path) -> dict[str, bytes]:
    """What cannot be derived from other files: intact originals, and the model."""
    files = {os.fspath(originals.path(path, digest)): digest for digest in originals.digests(path)}
    whole = [name for name, digest in files.items() if originals.is_intact(path, digest)]
    return {name: Path(name).read_bytes() for name in whole}


def rows(path: Path) -> dict[str, list[object]]:
    """All rows of a catalog except digests and settings that change with each use."""
    with closing(sqlite3.connect(path / "catalog.sqlite")) as connection:
        connection.text_factory = bytes
        names = [name.decode() for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {
            name: connection.execute(f"SELECT * FROM {name}").fetchall()
            for name in names
            if name not in ("digests", "meta", "decision_changes") and not name.startswith("sqlite")
        }


# Planting damage


def sql(*statements: str) -> Plant:
    """Another program changes the catalog."""

    def plant(path: Path) -> None:
        with closing(sqlite3.connect(path / "catalog.sqlite", isolation_level=None)) as connection:
            for statement in statements:
                assert connection.execute(statement).rowcount != 0, statement

    return plant


def flip(name: str, at: int | bytes, bit: int = 2) -> Plant:
    """A disk flips a bit of a file: at an offset, or in the first occurrence of some bytes."""

    def plant(path: Path) -> None:
        place = next(path.glob(name))
        content = bytearray(place.read_bytes())
        where = at if isinstance(at, int) else content.index(at)
        content[where] ^= 1 << bit
        place.write_bytes(content)

    return plant


def write(name: str, content: bytes) -> Plant:
    return lambda path: (path / name).write_bytes(content)


def cut(name: str, length: int) -> Plant:
    return lambda path: os.truncate(path / name, length if length >= 0 else (path / name).stat().st_size + length)


def delete(name: str) -> Plant:
    return lambda path: (path / name).unlink()


def flip_code_in_the_file(path: Path) -> None:
    with closing(sqlite3.connect(path / "catalog.sqlite")) as connection:
        (code,) = connection.execute("SELECT code FROM images WHERE id = 3").fetchone()
    flip("catalog.sqlite", code)(path)


def kept(path: Path, *, has_file: bool) -> Path:
    """A stored original of an image whose file exists, or does not."""
    with Database.open(path) as database:
        record = next(one for one in database.records() if os.path.exists(one.name) == has_file)
    assert record.digest is not None
    return originals.path(path, record.digest)


def original(how: Callable[[Path], object], *, has_file: bool) -> Plant:
    return lambda path: how(kept(path, has_file=has_file))


def swap_two(path: Path) -> None:
    one, two, *_ = [place for place in originals._files(path) if place.is_file()]
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def orphan(path: Path) -> None:
    originals.keep(path, bytes(16), b"an image that no row refers to")


def bit(table: str, column: str, where: str = "1") -> Plant:
    """Flip one bit of a value in a row, of any type."""

    def plant(path: Path) -> None:
        with closing(sqlite3.connect(path / "catalog.sqlite", isolation_level=None)) as connection:
            kind, value = connection.execute(
                f"SELECT typeof({column}), CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) ELSE {column}"
                f" END FROM {table} WHERE {where}"
            ).fetchone()
            new = value ^ 4 if kind == "integer" else bytes([value[0] ^ 4]) + value[1:]
            mark = "CAST(? AS TEXT)" if kind == "text" else "?"
            same = "CAST(? AS TEXT)" if kind == "text" else "?"
            changed = connection.execute(
                f"UPDATE {table} SET {column} = {mark} WHERE {column} IS {same} AND {where}", (new, value)
            )
            assert changed.rowcount >= 1

    return plant


INDEXES = (
    "images_by_place", "images_without_code", "images_missing", "files_by_digest", "files_with_error", "files_by_time",
    "files_of_little", "thumbnails_by_id",
)  # fmt: skip
CODES = codefile.HEADER

REPAIRED: dict[str, Plant] = {
    # the catalog: detected by its digests
    "a bit of a code": bit("images", "code", "id = 3"),
    "a bit of a name": bit("images", "name", "id = 3"),
    "a bit of a label's number": bit("images", "label", "id = 3"),
    "a bit of a place": bit("images", "place", "id = 3"),
    "a bit of a size": bit("files", "size", "id = 2"),
    "a bit of a time": bit("files", "mtime_ns", "id = 2"),
    "a bit of a digest": bit("files", "digest", "id = 2"),
    "a bit of a width": bit("files", "width", "id = 2"),
    "a bit of a quality": bit("files", "quality", "id = 2"),
    "a bit of a format": bit("files", "format", "id = 2"),
    "a bit of a root": bit("roots", "path", "id = 1"),
    "a bit of a folder": bit("folders", "path", "path <> '' AND id = (SELECT max(id) FROM folders)"),
    "a bit of a label": bit("labels", "label", "id = 1"),
    "a bit of a moment": bit("moments", "at", "id = 1"),
    "a bit of a decision's kind": bit("decisions", "kind", "id = 1"),
    "a bit of a decision's time": bit("decisions", "at", "id = 1"),
    "a bit of what was decided on": bit("decided", "digest", "decision = 1 AND part = 0"),
    "a bit of a part": bit("decided", "part", "decision = 1 AND part = 1"),
    "a bit of the length of codes": bit("meta", "value", "key = 'bits'"),
    "a bit of the revision": bit("meta", "value", "key = 'revision'"),
    "a bit of the model's digest": bit("meta", "value", "key = 'model'"),
    "a bit of which originals are kept": bit("originals", "digest", "1"),
    "a bit of a code, in the file": flip_code_in_the_file,
    "another code": sql("UPDATE images SET code = x'0011223344556677' WHERE id = 3"),
    "codes exchanged": sql(
        "UPDATE images SET code = (SELECT code FROM images WHERE id = 4) WHERE id = 3",
        "UPDATE images SET code = (SELECT code FROM images WHERE id = 5) WHERE id = 4",
    ),
    "no codes": sql("UPDATE images SET code = NULL"),
    "another model": sql("UPDATE meta SET value = 'x' WHERE key = 'model'"),
    "another length of codes": sql("UPDATE meta SET value = '128' WHERE key = 'bits'"),
    "no settings": sql("DELETE FROM meta"),
    "a lost folder": sql("DELETE FROM folders WHERE id = (SELECT place >> 24 FROM images WHERE id = 1)"),
    "which original is kept": sql("DELETE FROM originals WHERE digest = (SELECT min(digest) FROM originals)"),
    "an image that nobody wrote": sql("INSERT INTO images (place, name) VALUES (16777216 + 7, 'x')"),
    "a rule that nobody wrote": sql("INSERT INTO rules VALUES ('/', '*', 0)"),
    "a note that nobody wrote": sql("INSERT INTO unreachable VALUES ('/', 'x', 3)"),
    "a label that nobody wrote": sql("INSERT INTO labels (label) VALUES ('\"x\"')"),
    "how often decisions changed": sql("DELETE FROM decision_changes"),
    "the last ids": sql("UPDATE sqlite_sequence SET seq = 1"),
    "no last ids": sql("DELETE FROM sqlite_sequence"),
    "a digest of rows": sql("UPDATE digests SET digest = randomblob(16) WHERE tbl = 'images' AND block = 0"),
    "a digest of a table": sql("DELETE FROM digests WHERE tbl = 'files' AND block = -1"),
    "all digests": sql("DELETE FROM digests"),
    "the table of digests": sql("DROP TABLE digests"),
    **{f"the index {name}": sql(f"DROP INDEX {name}") for name in INDEXES},
    "another index": sql("DROP INDEX images_by_place", "CREATE INDEX images_by_place ON images (label)"),
    # derived files
    "no codes.bin": delete("codes.bin"),
    "an empty codes.bin": write("codes.bin", b""),
    "half of codes.bin": cut("codes.bin", CODES + 40),
    "another file for codes.bin": write("codes.bin", b"PK\3\4" * 2000),
    "a bit of the header of codes.bin": flip("codes.bin", 40),
    "a bit of the end of its header": flip("codes.bin", CODES - 20),
    "a bit of its ids": flip("codes.bin", CODES + 3),
    "a bit of its codes": flip("codes.bin", CODES + 60),
    "a bit of codes of variants": flip("variants.npz", 600),
    "codes of variants cut": cut("variants.npz", 300),
    "verdicts cut": cut("verdicts.sqlite", 300),
    # originals
    "a lost original": original(Path.unlink, has_file=True),
    "an empty original": original(lambda place: place.write_bytes(b""), has_file=True),
    "an original cut": original(lambda place: os.truncate(place, 50), has_file=True),
    "an original without a row": orphan,
    # leftovers of a kill
    "a codes.bin half written": write(".codes.bin.0123abcd.tmp", b"x"),
    "a model half written": write(".model.onnx.0123abcd.tmp", b"x"),
    "a model of an earlier version half written": write("model.onnx.part", b"x"),
    "a model that was not taken": write("model.onnx.tmp", b"x"),
    "a catalog half made": write("catalog.new", b"x"),
    "an original half written": write("originals/.00112233.0123abcd.tmp", b"x"),
}  # fmt: skip

REPORTED: dict[str, Plant] = {
    "another name": sql("UPDATE images SET name = 'other.png' WHERE id = 3"),
    "another digest": sql("UPDATE files SET digest = x'00112233445566778899aabbccddeeff' WHERE id = 3"),
    "another folder": sql("UPDATE folders SET path = 'elsewhere/' WHERE id = 1"),
    "another root": sql("UPDATE roots SET path = '/elsewhere' WHERE id = 1"),
    "marked as missing": sql("UPDATE images SET missing_since = 1700000000 WHERE id = 3"),
    "another decision": sql("UPDATE decisions SET kind = 'later' WHERE id = 1"),
    "another setting": sql("INSERT INTO meta VALUES ('x', 'y')", "UPDATE meta SET value = 'x' WHERE key = 'change'"),
    "a lost image": sql("DELETE FROM images WHERE id = 3"),
    "all images": sql("DELETE FROM images"),
    "a lost file": sql("DELETE FROM files WHERE id = 3"),
    "all files": sql("DELETE FROM files"),
    "all volumes": sql("DELETE FROM volumes"),
    "a lost root": sql("DELETE FROM roots WHERE id = 1"),
    "all folders": sql("DELETE FROM folders"),
    "a lost label": sql("DELETE FROM labels WHERE id = 1"),
    "a lost moment": sql("DELETE FROM moments"),
    "a bit of a thumbnail": bit("thumbnails", "thumbnail", "id = 2"),
    "a lost thumbnail": sql("DELETE FROM thumbnails WHERE id = 3"),
    "a lost decision": sql("DELETE FROM decisions WHERE id = 1"),
    "all that was decided on": sql("DELETE FROM decided"),
    "a lost table": sql("DROP TABLE thumbnails"),
    "the table of labels": sql("DROP TABLE labels"),
    "a lost column": sql("DROP INDEX files_of_little", "ALTER TABLE files DROP COLUMN quality"),
    "a column more": sql("ALTER TABLE images ADD COLUMN more INTEGER"),
    "a stranger's trigger": sql("CREATE TRIGGER t AFTER INSERT ON images BEGIN DELETE FROM files; END"),
    "a stranger's table": sql("CREATE TABLE strange (x)"),
    "no model": delete("model.onnx"),
    "an empty model": write("model.onnx", b""),
    "a bit of the model": flip("model.onnx", 2000),
    "half of the model": cut("model.onnx", 3000),
    "a lost original without a file": original(Path.unlink, has_file=False),
    "a damaged original without a file": original(lambda place: place.write_bytes(b"x"), has_file=False),
    "an empty original without a file": original(lambda place: place.write_bytes(b""), has_file=False),
}  # fmt: skip

REFUSED: dict[str, Plant] = {
    "no catalog": delete("catalog.sqlite"),
    "an empty catalog": write("catalog.sqlite", b""),
    "a catalog cut within a page": cut("catalog.sqlite", 5000),
    "a catalog cut between two pages": cut("catalog.sqlite", 4096),
    "another file for the catalog": write("catalog.sqlite", b"PK\3\4" * 4096),
    "a bit of what says whose file it is": flip("catalog.sqlite", 68),
    "a bit of the version of the schema": flip("catalog.sqlite", 63, bit=0),
    "the table of settings": sql("DROP TABLE meta"),
}


def test_there_is_enough_damage() -> None:
    assert len(REPAIRED) + len(REPORTED) + len(REFUSED) >= 100


def test_without_damage_nothing_is_found(db: Path, world: World) -> None:
    findings = verify(db)
    assert [finding for finding in findings if finding.repaired or not finding.ok] == []
    for name in ("codes.bin", "variants.npz"):
        assert (db / name).exists()
    with Database.open(db) as database:
        assert database.info().originals == 13
        assert World.answers(database) == world.hits


@pytest.mark.parametrize("damage", REPAIRED)
def test_what_can_be_made_again_is_repaired(damage: str, db: Path, world: World) -> None:
    before, good = rows(db), truth(db)
    REPAIRED[damage](db)
    findings = verify(db)
    assert [finding.what for finding in findings if not finding.ok] == []
    assert [finding.what for finding in findings if finding.repaired] != []
    assert [finding.what for finding in verify(db) if finding.repaired or not finding.ok] == []
    assert rows(db) == before
    assert truth(db).items() >= good.items()
    with Database.open(db) as database:
        assert World.answers(database) == world.hits
        database.index(world.folder / "photos", isolation=False)  # ids continue, and nothing conflicts
    assert [finding.what for finding in verify(db) if finding.repaired or not finding.ok] == []


@pytest.mark.parametrize("damage", REPORTED)
def test_what_cannot_be_proven_is_reported_and_left(damage: str, db: Path) -> None:
    codes = (db / "codes.bin").read_bytes()
    REPORTED[damage](db)
    before, good = rows(db), truth(db)
    for _ in range(2):
        bad = [finding.what for finding in verify(db) if not finding.ok]
        assert bad != []
        assert all(str(db) in what for what in bad if what.startswith("catalog"))  # the remedy
        if not any(what.startswith(("model", "originals")) for what in bad):
            assert (db / "codes.bin").read_bytes() == codes
        assert {name: found for name, found in rows(db).items() if name in before} == before
        assert truth(db) == good


@pytest.mark.parametrize("damage", REFUSED)
def test_what_is_not_a_catalog_is_refused(damage: str, db: Path) -> None:
    good, codes = truth(db), (db / "codes.bin").read_bytes()
    REFUSED[damage](db)
    for _ in range(2):
        with pytest.raises(DatabaseError):
            verify(db)
    assert truth(db) == good
    assert (db / "codes.bin").read_bytes() == codes


def test_a_catalog_that_lost_its_last_changes_is_reported_until_it_is_accepted(db: Path, world: World) -> None:
    codes = (db / "codes.bin").read_bytes()
    shutil.copy(world.older / "catalog.sqlite", db)
    good = truth(db)
    for _ in range(2):
        bad = [finding.what for finding in verify(db) if not finding.ok]
        assert any("are lost, perhaps with catalog.sqlite-wal" in what for what in bad)
        assert any("which the catalog has lost" in what for what in bad)
        assert (db / "codes.bin").read_bytes() == codes
        assert truth(db) == good  # including originals stored since
    with Database.open(db) as database:
        for _ in range(3):
            database.index(world.folder / "photos", isolation=False, reindex=True)  # revisions come a second time
        ids_N, codes_NW = database.codes()
        catalog_N, catalog_NW = database.store.local().codes(8)
        assert np.array_equal(ids_N, catalog_N)
        assert np.array_equal(codes_NW, catalog_NW)
        assert any("are lost" in finding.what for finding in database.verify() if not finding.ok)
        assert all(finding.ok for finding in database.verify(accept=True))
        assert not any(finding.repaired or not finding.ok for finding in database.verify())


def test_codes_of_an_earlier_state_are_not_used(db: Path, world: World) -> None:
    shutil.copy(world.older / "codes.bin", db)
    with Database.open(db) as database:
        assert World.answers(database) == world.hits
    assert [finding.what for finding in verify(db) if finding.repaired] == [
        "codes: does not match the catalog; rebuilt from the catalog"
    ]


def test_files_of_another_database_are_not_taken(db: Path, world: World) -> None:
    shutil.copy(world.foreign / "codes.bin", db)
    assert [finding.what for finding in verify(db) if finding.repaired] == [
        "codes: does not match the catalog; rebuilt from the catalog"
    ]
    shutil.copy(world.foreign / "catalog.sqlite", db)
    good = truth(db)
    assert any(finding.repaired for finding in verify(db))
    assert truth(db) == good


@pytest.mark.parametrize("at", [40, CODES - 20, CODES + 3])
def test_damaged_codes_are_not_opened(at: int, db: Path, world: World, caplog: pytest.LogCaptureFixture) -> None:
    flip("codes.bin", at)(db)
    with Database.open(db) as database:
        assert World.answers(database) == world.hits
    assert "codes are read from the catalog. Repair it with: lookalike verify" in caplog.text


def test_what_was_accepted_is_not_reported_again(db: Path) -> None:
    sql("DELETE FROM folders", "DELETE FROM labels", "UPDATE images SET name = 'x' || id")(db)
    assert any(not finding.ok for finding in verify(db))
    with Database.open(db) as database:
        assert all(finding.ok for finding in database.verify(accept=True))
        assert not any(finding.repaired or not finding.ok for finding in database.verify())


def test_any_flipped_bit_of_the_catalog_is_noticed_or_without_effect(db: Path, world: World) -> None:
    random = np.random.default_rng(7)
    content = (db / "catalog.sqlite").read_bytes()
    before, good = rows(db), truth(db)
    for place in random.integers(100, len(content), 25).tolist():
        (db / "catalog.sqlite").write_bytes(content)
        flip("catalog.sqlite", place, bit=int(random.integers(8)))(db)
        try:
            is_silent = not any(finding.repaired or not finding.ok for finding in verify(db))
            assert not is_silent or rows(db) == before, place
        except DatabaseError:
            pass
        assert truth(db) == good
        for left in db.glob("catalog.sqlite-*"):
            left.unlink()
