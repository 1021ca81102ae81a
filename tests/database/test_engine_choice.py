"""Tables that are older than the codes find the same as a scan of the codes.

Shapes: N codes, W = 8 bytes a code.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lookalike.core.codes import Codes
from lookalike.core.errors import ConfigError, DatabaseError
from lookalike.database import Database
from lookalike.search.multi_index import MultiIndex
from lookalike.search.scan import Scan
from lookalike.store.derived import code_array, codefile, tablefile
from lookalike.store.derived.code_array import CodeArray, Ids, write
from lookalike.store.derived.codefile import RowIds
from lookalike.store.folder import EngineName, make_engine

MODEL = "ab" * 16


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_array, "LEAST", 20)


def collection(count: int, *, seed: int = 0) -> tuple[Ids, Codes]:
    random = np.random.default_rng(seed)
    centres = random.integers(0, 256, (10, 8), np.uint8)
    codes_NW = centres[random.integers(0, 10, count)]
    codes_NW[np.arange(count), random.integers(0, 8, count)] ^= np.uint8(1) << random.integers(0, 8, count).astype(
        np.uint8
    )
    return np.arange(1, 3 * count, 3)[:count].astype(np.int64), codes_NW


def held(folder: Path) -> CodeArray:
    """What was written."""
    header, ids_N, codes_NW = codefile.read(folder / codefile.FILE)
    return CodeArray(RowIds(ids_N), codes_NW, header.digest)


def assert_finds_the_same(folder: Path, ids_N: Ids, codes_NW: Codes) -> MultiIndex:
    assert np.array_equal(held(folder).ids_N, ids_N)
    engine, found_ids = make_engine(folder, held(folder), model=MODEL)
    assert isinstance(engine, MultiIndex)
    assert len(engine) == len(ids_N)
    scan = Scan(64, codes_NW=codes_NW)
    queries_QW = np.concatenate([codes_NW[:5], codes_NW[-5:], collection(5, seed=9)[1]])
    for found, expected in zip(
        engine.search(queries_QW, top=None, radius=6), scan.search(queries_QW, top=None, radius=6), strict=True
    ):
        assert sorted(zip(found_ids.all[found.rows].tolist(), found.distances.tolist(), strict=True)) == sorted(
            zip(ids_N[expected.rows].tolist(), expected.distances.tolist(), strict=True)
        )
    return engine


def test_tables_are_made_once_and_opened(tmp_path: Path) -> None:
    ids_N, codes_NW = collection(200)
    assert write(tmp_path, ids_N, codes_NW, model=MODEL, revision=1)
    assert not write(tmp_path, ids_N, codes_NW, model=MODEL, revision=2)
    assert write(tmp_path, ids_N, codes_NW, model=MODEL, revision=3, rebuild=True)
    engine = assert_finds_the_same(tmp_path, ids_N, codes_NW)
    assert len(engine.tables) > 1


def test_changes_since_then_are_found(tmp_path: Path) -> None:
    ids_N, codes_NW = collection(200)
    write(tmp_path, ids_N, codes_NW, model=MODEL, revision=1)
    kept = np.ones(200, bool)
    kept[[0, 50, 199]] = False  # removed
    codes_NW[7] = codes_NW[120] ^ np.uint8(1)  # another image at the same path
    new_N = np.array([ids_N[-1] + 1, ids_N[-1] + 9])
    ids_N, codes_NW = np.concatenate([ids_N[kept], new_N]), np.concatenate([codes_NW[kept], codes_NW[:2] ^ np.uint8(2)])
    assert not write(tmp_path, ids_N, codes_NW, model=MODEL, revision=2)
    assert tablefile.read(tmp_path).codes.revision == 1
    assert (tmp_path / tablefile.CODES).exists()
    assert_finds_the_same(tmp_path, ids_N, codes_NW)
    (tmp_path / tablefile.CHANGES).unlink()  # then all codes are compared
    assert_finds_the_same(tmp_path, ids_N, codes_NW)
    assert not write(tmp_path, ids_N, codes_NW, model=MODEL, revision=3)  # once more, with the codes of revision 1 kept
    assert_finds_the_same(tmp_path, ids_N, codes_NW)
    assert write(tmp_path, ids_N, codes_NW, model=MODEL, revision=3, rebuild=True)
    assert not (tmp_path / tablefile.CODES).exists()
    assert_finds_the_same(tmp_path, ids_N, codes_NW)


def test_changes_are_kept_beside_their_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids_N, codes_NW = collection(200)
    write(tmp_path, ids_N, codes_NW, model=MODEL, revision=1)
    write(tmp_path, ids_N[3:], codes_NW[3:], model=MODEL, revision=2)
    compared = code_array.changes(tablefile.read(tmp_path), ids_N[3:], codes_NW[3:])
    assert (compared.gone.tolist(), compared.new.tolist()) == ([0, 1, 2], [])
    monkeypatch.setattr(code_array, "changes", None)  # nothing needs to be compared
    assert_finds_the_same(tmp_path, ids_N[3:], codes_NW[3:])


def test_a_damaged_table_never_ends_the_process(tmp_path: Path) -> None:
    ids_N, codes_NW = collection(200)
    write(tmp_path, ids_N, codes_NW, model=MODEL, revision=1)
    whole = (tmp_path / tablefile.FILE).read_bytes()
    random = np.random.default_rng(0)
    for _ in range(50):
        content = bytearray(whole)
        at = random.integers(4096, len(content) - 200)
        content[at : at + 200] = random.bytes(200)
        (tmp_path / tablefile.FILE).write_bytes(content)
        engine, _ = make_engine(tmp_path, held(tmp_path), model=MODEL)
        for hits in engine.search(codes_NW[:20], top=5):
            assert len(hits.rows) <= 5
            assert (hits.rows < 200).all()


def test_codes_that_are_again_what_they_were_need_not_be_kept_twice(tmp_path: Path) -> None:
    ids_N, codes_NW = collection(200)
    for removed in (0, 1, 0):
        write(tmp_path, ids_N[removed:], codes_NW[removed:], model=MODEL, revision=1)
        assert (tmp_path / tablefile.CODES).exists() == (removed == 1)
        assert_finds_the_same(tmp_path, ids_N[removed:], codes_NW[removed:])


def test_tables_without_their_codes_are_not_used(tmp_path: Path) -> None:
    ids_N, codes_NW = collection(200)
    write(tmp_path, ids_N, codes_NW, model=MODEL, revision=1)
    write(tmp_path, ids_N[1:], codes_NW[1:], model=MODEL, revision=2)
    (tmp_path / tablefile.CODES).unlink()
    with pytest.raises(DatabaseError, match="tables of codes that no longer exist"):
        tablefile.read(tmp_path)
    assert not isinstance(make_engine(tmp_path, held(tmp_path), model=MODEL)[0], MultiIndex)
    assert write(tmp_path, ids_N[1:], codes_NW[1:], model=MODEL, revision=3)


def test_many_changes_make_tables_anew(tmp_path: Path) -> None:
    ids_N, codes_NW = collection(200)
    write(tmp_path, ids_N[:150], codes_NW[:150], model=MODEL, revision=1)
    assert write(tmp_path, ids_N, codes_NW, model=MODEL, revision=2)
    assert_finds_the_same(tmp_path, ids_N, codes_NW)


@pytest.mark.parametrize("what", ["none", "damaged", "of another model", "few codes", "forced"])
def test_without_fitting_tables_codes_are_scanned(tmp_path: Path, what: str) -> None:
    ids_N, codes_NW = collection(200)
    if what != "none":
        model = "cd" * 16 if what == "of another model" else MODEL
        write(tmp_path, ids_N, codes_NW, model=model, revision=1)
    if what == "damaged":
        (tmp_path / tablefile.FILE).write_bytes(b"")
    name = EngineName.SCAN if what == "forced" else EngineName.AUTO
    if what == "few codes":
        ids_N, codes_NW = ids_N[:10], codes_NW[:10]
        assert not write(tmp_path, ids_N, codes_NW, model=MODEL, revision=2)
        assert not (tmp_path / tablefile.FILE).exists()
    engine, found_ids = make_engine(tmp_path, CodeArray(RowIds(ids_N), codes_NW), model=MODEL, name=name)
    assert not isinstance(engine, MultiIndex)
    assert np.array_equal(found_ids.all, ids_N)
    (hits,) = engine.search(codes_NW[4:5], top=1)
    assert hits.distances.tolist() == [0]


def test_a_database_keeps_and_uses_tables(indexed: Database) -> None:
    assert indexed.compact()
    codes_NW = indexed.codes()[1]
    scanned = _distances(indexed, codes_NW, "scan")
    assert _distances(indexed, codes_NW, "multi_index") == scanned
    assert _distances(indexed, codes_NW, "auto") == scanned
    assert isinstance(indexed.store.local().open_engine().engine, MultiIndex)
    with pytest.raises(ConfigError, match="faiss"):
        indexed.use("faiss")


def test_verify_makes_damaged_tables_anew(indexed: Database) -> None:
    indexed.compact()
    path = indexed.folder / tablefile.FILE
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DatabaseError):
        tablefile.read(indexed.folder)
    finding = next(one for one in indexed.verify() if one.what.startswith("tables"))
    assert (finding.ok, finding.repaired) == (True, True)
    assert tablefile.read(indexed.folder).codes.count == 40


def _distances(database: Database, codes_NW: Codes, engine: str) -> list[list[int]]:
    database.use(engine)
    return [[hit.distance for hit in hits] for hits in database.search_codes(codes_NW, top=5)]
