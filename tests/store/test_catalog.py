"""The catalog stores everything it is given, under any name, and refuses foreign files."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.core.errors import DatabaseError
from lookalike.data import Item
from lookalike.store.catalog import Catalog
from lookalike.store.migrations import APPLICATION_ID, newest
from lookalike.store.records import Filter, ImportedCode, IndexOutcome

CODE = bytes(range(8))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.sqlite"


@pytest.fixture
def catalog(path: Path) -> Iterator[Catalog]:
    catalog = Catalog(path, create=True)
    yield catalog
    catalog.close()


def item(root: str, path: str, **values: Any) -> Item:
    return replace(Item(root, path, 10, 20), **values)


def add(catalog: Catalog, *items: Item, code: bytes | None = CODE) -> list[int]:
    with catalog.transaction():
        return [catalog.write(IndexOutcome(item=item, code=code, digest=b"d" * 16)) for item in items]


def names(catalog: Catalog, ids: list[int]) -> list[str]:
    return sorted(record.name for record in catalog.records(ids).values())


# Round trips


@pytest.mark.parametrize("label", [None, "cat", "Grüße \n", ("a", "b"), ("one",), "b\udcff"])
def test_a_row_comes_back(label: Any, catalog: Catalog, path: Path) -> None:
    outcome = IndexOutcome(
        item=item("/a", "b/c.jpg", label=label), digest=b"0123456789abcdef", code=CODE, width=640, height=480,
        format="JPEG", animated=True,
    )  # fmt: skip
    with catalog.transaction():
        id_ = catalog.write(outcome)
    again = Catalog(path)
    try:
        record = again.find("/a/b/c.jpg")
        assert record is not None
        assert (
            record
            == again.records([id_])[id_]
            == next(again.all_records())
            == again.with_digest(b"0123456789abcdef")[0]
        )
        assert record.item == outcome.item
        assert (record.digest, record.code, record.width, record.height) == (outcome.digest, CODE, 640, 480)
        assert (record.format, record.animated, record.error, record.missing_since) == ("JPEG", True, None, None)
    finally:
        again.close()


NAMES = ["\udcff.jpg", "a\udcffb/c\udcfe", "new\nline", "a%20b#1?x=y", "x" * 255, "é", "e\u0301", "🐈", "a.parquet#1"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("root", ["/photos", "/ph\udcffotos", "/", "/%#?", "/a/b c"])
def test_any_path_comes_back(root: str, name: str, catalog: Catalog) -> None:
    (id_,) = add(catalog, item(root, name))
    full = os.path.join(root, name)
    record = catalog.find(full)
    assert record is not None
    assert (record.id, record.root, record.path, record.name) == (id_, root, name, full)
    assert catalog.below(full) == [id_]
    assert catalog.below(root) == [id_]
    assert catalog.find(full + "x") is None
    assert catalog.roots() == [root]


@pytest.mark.parametrize("number", ["\u0661\u0662", "1" * 30])
def test_odd_row_numbers_come_back(number: str, catalog: Catalog) -> None:
    add(catalog, item("/photos", f"t.parquet#{number}"))
    assert next(catalog.all_records()).name == f"/photos/t.parquet#{number}"


def test_errors_are_text_whatever_is_in_them(catalog: Catalog) -> None:
    with catalog.transaction():
        id_ = catalog.write(IndexOutcome(item=item("/p", "a"), error="a\udcff.jpg is broken"))
    assert catalog.records([id_])[id_].error == "a\\udcff.jpg is broken"


def test_writing_in_place_of_a_row_keeps_its_id(catalog: Catalog) -> None:
    (id_,) = add(catalog, item("/p", "old.jpg"))
    with catalog.transaction():
        catalog.set_missing([id_], missing=True)
        assert catalog.write(IndexOutcome(item=item("/p", "new.jpg"), code=CODE), row=id_) == id_
    assert catalog.find("/p/old.jpg") is None
    record = catalog.find("/p/new.jpg")
    assert record is not None
    assert (record.id, record.missing_since) == (id_, None)


def test_ids_are_never_used_twice(catalog: Catalog) -> None:
    ids = add(catalog, item("/p", "a"), item("/p", "b"))
    with catalog.transaction():
        catalog.delete(ids)
    assert min(add(catalog, item("/p", "a"))) > max(ids)


def test_try_again_is_remembered(catalog: Catalog) -> None:
    with catalog.transaction():
        id_ = catalog.write(IndexOutcome(item=item("/p", "a"), error="busy", try_again=True))
    assert catalog.records([id_])[id_].mtime_ns == -1


def test_counts_codes_and_labels(catalog: Catalog) -> None:
    ids = add(catalog, item("/p", "a", label="x"), item("/p", "b"), item("/p", "c"))
    with catalog.transaction():
        catalog.write(IndexOutcome(item=item("/p", "d"), error="broken"))
        catalog.set_missing(ids[1:2], missing=True)
        catalog.set_label(ids[2], ("y", "z"))
    assert catalog.counts() == {"images": 2, "errors": 1, "missing": 1, "labelled": 2, "without_thumbnail": 2}
    ids_N, codes_NW = catalog.codes(8)
    assert ids_N.tolist() == [ids[0], ids[2]]
    assert codes_NW.tolist() == [list(CODE)] * 2
    with pytest.raises(DatabaseError, match=f"image {ids[0]} has no 128-bit code"):
        catalog.codes(16)
    with catalog.transaction():
        catalog.set_missing(ids, missing=False)
        catalog.forget_codes()
    assert catalog.codes(8)[1].shape == (0, 8)
    assert catalog.counts()["images"] == 0


def test_many_ids_at_once(catalog: Catalog) -> None:
    ids = add(catalog, *(item("/p", f"{i:04}") for i in range(2500)))
    assert list(catalog.records(ids)) == ids
    assert [record.id for record in catalog.all_records()] == ids
    assert catalog.records([]) == {}
    assert catalog.records([10**9]) == {}
    assert set(catalog.records(np.array(ids[:3]))) == set(ids[:3])  # type: ignore[arg-type]


def test_meta_and_revision(catalog: Catalog) -> None:
    assert catalog.get("absent") == ""
    assert catalog.get("absent", "x") == "x"
    assert catalog.revision == 0
    with catalog.transaction():
        catalog.set("key", "Wert 🐈")
        catalog.touch()
    assert (catalog.get("key"), catalog.revision) == ("Wert 🐈", 1)
    assert catalog.integrity.check({}) == []


# Roots and what lies below


def test_nested_roots_hold_each_file_once(catalog: Catalog) -> None:
    inner = add(catalog, item("/photos/2024", "a.jpg"))
    outer = add(catalog, item("/photos", "b.jpg"))
    assert [r.id for n in ("/photos/2024/a.jpg", "/photos/b.jpg") if (r := catalog.find(n))] == inner + outer
    found = catalog.find("/photos/2024/a.jpg")
    assert found is not None
    with catalog.transaction():  # the same file, seen from the outer root
        assert catalog.write(IndexOutcome(item=item("/photos", "2024/a.jpg"), code=CODE), row=found.id) == found.id
    assert sorted(r.name for r in catalog.all_records()) == ["/photos/2024/a.jpg", "/photos/b.jpg"]


def test_a_root_inside_a_root_is_not_made(catalog: Catalog) -> None:
    add(catalog, item("/photos", "2024/a.jpg"), item("/photos", "b.jpg"))
    add(catalog, item("/photos/2024", "c.jpg"))
    assert catalog.roots() == ["/photos"]
    with pytest.raises(DatabaseError):
        add(catalog, item("/photos/2024", "a.jpg"))  # there is a row for it already
    assert len(list(catalog.all_records())) == 3


TRAPS = {
    "/photos/2024/a.jpg": "file",
    "/photos/2024/b.jpg": "file",
    "/photos/2024.jpg": "beside",
    "/photos2/a.jpg": "beside",
    "/photos/20240/a.jpg": "beside",
    "/photos/2024 b/a.jpg": "beside",
    "/photos/2024#2/a.jpg": "beside",
    "/photos/2024#x.jpg": "beside",
    "/photos/2024.parquet#1": "row",
    "/photos/2024.parquet#10": "row",
    "/photos/2024.parquet": "table as a file",
    "/photos/2024.parquet2#1": "beside",
    "/photos/batch.bin#7": "row",
    "/photos/2024\udcff/a.jpg": "beside",
}


@pytest.fixture
def traps(catalog: Catalog) -> Catalog:
    for name in TRAPS:
        row = int(name.rpartition("#")[2]) if TRAPS[name] == "row" or "parquet2#" in name else None
        root = "/photos" if name.startswith("/photos/") else "/photos2"
        add(catalog, item(root, os.path.relpath(name, root), row=row))
    return catalog


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/photos/2024", ["/photos/2024/a.jpg", "/photos/2024/b.jpg"]),
        ("/photos/2024/a.jpg", ["/photos/2024/a.jpg"]),
        ("/photos/202", []),
        ("/photos/2024/a", []),
        ("/photos2", ["/photos2/a.jpg"]),
        ("/photos", sorted(name for name in TRAPS if name.startswith("/photos/"))),
        ("/photos/2024.parquet", [f"/photos/2024.parquet{end}" for end in ("", "#1", "#10")]),
        ("/photos/batch.bin", ["/photos/batch.bin#7"]),
        ("/photos/2024.parquet#1", ["/photos/2024.parquet#1"]),
        ("/", sorted(TRAPS)),
        ("/elsewhere", []),
    ],
)
def test_below_means_folders_and_tables_not_beginnings(name: str, expected: list[str], traps: Catalog) -> None:
    assert names(traps, traps.below(name)) == expected
    assert traps.any_below(name) == bool(expected)
    passing = np.flatnonzero(traps.passing(Filter(below=name))).tolist()
    assert names(traps, passing) == expected


# Codes that were made elsewhere


def take(catalog: Catalog, root: str, *rows: ImportedCode) -> int:
    with catalog.transaction():
        return catalog.bulk_import(root, rows)


def taken(folder: str, name: str, **values: Any) -> ImportedCode:
    return ImportedCode(folder, name, None, CODE, None, None, None)._replace(**values)


def test_what_is_taken_is_there_once_whichever_root_names_it(catalog: Catalog) -> None:
    add(catalog, item("/photos/2024", "a.jpg"), item("/photos/2024", "t.parquet#1", row=1))
    rows = [taken("2024/", "a.jpg"), taken("2024/", "b.jpg"), taken("2024/", "t.parquet#1"), taken("", "c.jpg")]
    assert take(catalog, "/photos", *rows) == 2
    assert take(catalog, "/photos/2024/x", taken("", "d.jpg")) == 1
    assert sorted(record.name for record in catalog.all_records()) == [
        "/photos/2024/a.jpg", "/photos/2024/b.jpg", "/photos/2024/t.parquet#1", "/photos/2024/x/d.jpg", "/photos/c.jpg",
    ]  # fmt: skip
    assert catalog.roots() == ["/photos", "/photos/2024"]
    assert take(catalog, "/photos", *rows) == 0


def test_of_equal_paths_the_last_is_taken_and_sizes_are_kept(catalog: Catalog) -> None:
    other = bytes(8)
    assert take(catalog, "/p", taken("", "\udcff"), taken("", "\udcff", code=other, label="x", size=5, width=3)) == 1
    (record,) = catalog.all_records()
    assert (record.path, record.code, record.label) == ("\udcff", other, "x")
    assert (record.size, record.length, record.width, record.height, record.mtime_ns) == (5, 5, 3, None, -1)
    with catalog.transaction():
        catalog.set_missing([record.id], missing=True)
    assert take(catalog, "/p", taken("", "\udcff", code=other, label="x")) == 1  # it is back
    assert catalog.counts() == {"images": 1, "errors": 0, "missing": 0, "labelled": 1, "without_thumbnail": 1}


def test_names_that_share_a_number_are_distinguished(catalog: Catalog) -> None:
    ids = add(catalog, *(item("/p", name) for name in ("1", "01", "001", "plumless", "buckeroo")))  # equal CRC-32
    assert [catalog.find(f"/p/{name}").id for name in ("1", "01", "001", "plumless", "buckeroo")] == ids  # type: ignore[union-attr]
    assert take(catalog, "/p", taken("", "1"), taken("", "0001"), taken("", "buckeroo")) == 1


# Transactions


def test_all_or_nothing(catalog: Catalog, path: Path) -> None:
    add(catalog, item("/p", "a"))

    def fail() -> None:
        with catalog.transaction():
            catalog.write(IndexOutcome(item=item("/q", "b"), code=CODE))
            catalog.touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [record.name for record in catalog.all_records()] == ["/p/a"]
    assert (catalog.roots(), catalog.revision) == (["/p"], 0)
    add(catalog, item("/q", "b"))  # the root that was rolled back is made again
    found = catalog.find("/q/b")
    assert found is not None
    assert found.root == "/q"


def test_an_interruption_rolls_back(catalog: Catalog) -> None:
    def stop() -> None:
        with catalog.transaction():
            catalog.write(IndexOutcome(item=item("/p", "a"), code=CODE))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert list(catalog.all_records()) == []
    assert add(catalog, item("/p", "a"))


def test_a_reader_sees_what_is_committed_and_nothing_else(catalog: Catalog, path: Path) -> None:
    add(catalog, item("/p", "a"))
    reader = Catalog(path)
    try:
        with catalog.transaction():
            catalog.write(IndexOutcome(item=item("/p", "b"), code=CODE))
            assert reader.counts()["images"] == 1
        assert reader.counts()["images"] == 2
    finally:
        reader.close()


def test_a_root_made_by_another_process_is_known(catalog: Catalog, path: Path) -> None:
    other = Catalog(path)
    try:
        (id_,) = add(catalog, item("/p", "a"))
        found = other.find("/p/a")
        assert found is not None
        assert found.id == id_
        assert len(add(other, item("/p", "b"))) == 1
    finally:
        other.close()


# Other files


def test_a_fresh_catalog_says_whose_it_is(catalog: Catalog, path: Path) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (newest(),)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert APPLICATION_ID.to_bytes(4, "big") == b"look"
    connection.close()


def test_a_later_version_asks_for_an_upgrade(catalog: Catalog, path: Path) -> None:
    catalog.close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {newest() + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match=f"later version of lookalike .schema {newest() + 1}.. Upgrade"):
        Catalog(path)
    assert path.read_bytes() == before


def test_there_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"There is no database at .*Make one with: lookalike index FOLDER --db"):
        Catalog(tmp_path / "catalog.sqlite")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"no SQLite file" * 100, b"\x89PNG\r\n\x1a\n" + bytes(5000), bytes(4096)])
def test_other_files_are_refused(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(DatabaseError, match=r"catalog\.sqlite"):
        Catalog(path)
    assert path.read_bytes() == content


def test_an_empty_file_is_not_a_catalog(path: Path) -> None:
    path.touch()
    with pytest.raises(DatabaseError, match=r"catalog\.sqlite"):
        Catalog(path)
    assert path.read_bytes() == b""


def test_a_folder_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(DatabaseError, match=r"catalog\.sqlite"):
        Catalog(path)


def test_a_foreign_sqlite_file_is_refused_and_not_changed(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match=r"catalog\.sqlite"):
        Catalog(path)
    assert path.read_bytes() == before


def test_a_truncated_catalog_is_an_error_whenever_it_shows(catalog: Catalog, path: Path) -> None:
    add(catalog, *(item("/p", f"{i:04}.jpg") for i in range(500)))
    catalog.close()
    whole = path.read_bytes()
    for length in (0, 1, 50, 100, 4096, 8192, len(whole) // 2, len(whole) - 4096, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DatabaseError, match=r"catalog\.sqlite|damaged"):
            use(path)


@pytest.mark.parametrize("seed", range(8))
def test_a_scribbled_catalog_is_an_error_whenever_it_shows(seed: int, catalog: Catalog, path: Path) -> None:
    add(catalog, *(item("/p", f"{i:04}.jpg", label="x") for i in range(500)))
    catalog.close()
    content = bytearray(path.read_bytes())
    random = np.random.default_rng(seed)
    for place in random.integers(100, len(content) - 200, 40):
        content[place : place + 100] = random.bytes(100)
    path.write_bytes(content)
    with pytest.raises(DatabaseError):
        use(path)


def use(path: Path) -> None:
    """Everything that reads; raises `DatabaseError` if anything is wrong, and nothing else."""
    catalog = Catalog(path)
    try:
        faults = catalog.integrity.check({})
        records = list(catalog.all_records())
        catalog.codes(8)
        catalog.below("/p")
        catalog.counts()
        catalog.find("/p/0001.jpg")
        catalog.with_digest(b"d" * 16)
        if faults or len(records) != 500:
            raise DatabaseError("damaged")
    finally:
        catalog.close()


def test_what_sqlite_says_ends_with_one_full_stop(catalog: Catalog) -> None:
    for said in ("disk I/O error", "Something went wrong."):
        assert f"{said.rstrip('.')}. Check the disk" in str(catalog._session.failed(sqlite3.OperationalError(said)))


def test_a_catalog_that_cannot_be_opened_is_let_go_of(catalog: Catalog, path: Path) -> None:
    add(catalog, item("/p", "a"))
    catalog.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096])
    with pytest.raises(DatabaseError) as held:
        Catalog(path)
    path.write_bytes(whole)
    start = time.perf_counter()
    again = Catalog(path)
    assert again.counts()["images"] == 1
    assert time.perf_counter() - start < 5
    again.close()
    assert held.value
    assert [entry.name for entry in path.parent.iterdir()] == ["catalog.sqlite"]


@pytest.mark.parametrize("name", ["a b", "100%", "a?mode=ro", "a#b", "é", "\udcff"])
def test_a_catalog_in_a_folder_of_any_name(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    catalog = Catalog(folder / "catalog.sqlite", create=True)
    add(catalog, item("/p", "a"))
    catalog.close()
    again = Catalog(folder / "catalog.sqlite")
    assert again.counts()["images"] == 1
    again.close()
    assert [entry.name for entry in folder.iterdir()] == ["catalog.sqlite"]


def test_ids_by_name_and_labels(catalog: Catalog) -> None:
    with catalog.transaction():
        for path, label in (("b.jpg", "x"), ("a.jpg", ("x", "y")), ("c.jpg", None)):
            item = Item("/photos", path, 1, 1, label)
            catalog.write(IndexOutcome(item=item, digest=path.encode() * 3, length=1, code=CODE))
        catalog.write(IndexOutcome(item=Item("/photos", "0.jpg", 1, 1, "z"), error="broken"))
    records = catalog.records(catalog.ids_by_name().tolist())
    assert [records[int(id_)].path for id_ in catalog.ids_by_name()] == ["a.jpg", "b.jpg", "c.jpg"]
    assert catalog.labels() == {"x": 2, "y": 1}


def test_a_path_has_one_row(catalog: Catalog, path: Path) -> None:
    first, second = add(catalog, item("/photos", "a.jpg"), item("/photos", "b.jpg"))
    said = f"{path}: /photos/a.jpg already has another row"
    for row in (None, second):
        with pytest.raises(DatabaseError) as raised, catalog.transaction():
            catalog.write(IndexOutcome(item=item("/photos", "a.jpg"), code=CODE), row=row)
        assert str(raised.value) == said
    with catalog.transaction():
        assert catalog.write(IndexOutcome(item=item("/photos", "a.jpg"), code=CODE), row=first) == first


def test_thumbnails_are_found_by_id_and_by_digest(catalog: Catalog) -> None:
    assert catalog.thumbnail_of(b"d" * 16) is None
    first, second, other = (
        IndexOutcome(item=item("/photos", f"{number}.jpg"), code=CODE, digest=digest, thumbnail=bytes([number]) * 128)
        for number, digest in ((1, b"d" * 16), (2, b"d" * 16), (3, b"e" * 16))
    )
    with catalog.transaction():
        ids = [catalog.write(one) for one in (first, second, other)]
    assert catalog.thumbnails(ids) == {id_: bytes([number]) * 128 for number, id_ in enumerate(ids, 1)}
    assert catalog.thumbnail_of(b"d" * 16) == b"\x02" * 128  # of the newest
    assert catalog.thumbnail_of(b"e" * 16) == b"\x03" * 128
    with catalog.transaction():
        catalog.write(replace(second, thumbnail=None), row=ids[1])
    assert catalog.thumbnail_of(b"d" * 16) == b"\x01" * 128
    assert set(catalog.thumbnails(ids)) == {ids[0], ids[2]}


def test_roots(catalog: Catalog) -> None:
    add(catalog, item("/photos", "a.jpg"), item("/others", "b.jpg"))
    assert catalog.roots() == ["/others", "/photos"]


def test_a_catalog_that_was_replaced_is_noticed(catalog: Catalog, path: Path) -> None:
    assert catalog.is_in_place()
    path.rename(path.with_name("other"))
    assert not catalog.is_in_place()


def test_thumbnails_are_found_by_id_and_by_digest_and_counted(catalog: Catalog) -> None:
    def without() -> int:
        return catalog.counts()["without_thumbnail"]

    assert catalog.thumbnail_of(b"d" * 16) is None
    first, second, third = [
        IndexOutcome(item=item("/photos", f"{number}.jpg"), code=CODE, digest=digest, thumbnail=bytes([number]) * 2000)
        for number, digest in enumerate((b"d" * 16, b"d" * 16, b"e" * 16), 1)
    ]
    with catalog.transaction():
        ids = [catalog.write(outcome) for outcome in (first, second, third)]
        (bare,) = (catalog.write(IndexOutcome(item=item("/photos", "0.jpg"), code=CODE, digest=b"f" * 16)),)
    assert catalog.thumbnails([*ids, bare]) == {id_: bytes([number]) * 2000 for number, id_ in enumerate(ids, 1)}
    assert catalog.thumbnail_of(b"d" * 16) == b"\x02" * 2000  # of the newest
    assert [catalog.lacks_thumbnail(id_) for id_ in (*ids, bare)] == [False, False, False, True]
    assert without() == 1
    with catalog.transaction():
        catalog.set_missing([ids[0], bare], missing=True)
    assert without() == 0
    with catalog.transaction():
        catalog.write(replace(second, thumbnail=None), row=ids[1])
        catalog.delete([ids[2]])
    assert catalog.thumbnail_of(b"d" * 16) == b"\x01" * 2000
    assert (set(catalog.thumbnails(ids)), without()) == ({ids[0]}, 1)
    with catalog.transaction():
        catalog.forget_codes()
    assert (catalog.counts()["images"], without()) == (0, 0)
    with pytest.raises(DatabaseError, match="CHECK"), catalog.transaction():
        catalog.write(replace(second, thumbnail=bytes(2049)), row=ids[1])


def test_thumbnails_are_counted_without_reading_them(catalog: Catalog) -> None:
    run = catalog._session.connection.execute
    for sql in ("SELECT count(*) FROM thumbnails", "SELECT 1 FROM thumbnails INDEXED BY thumbnails_by_id WHERE id = 1"):
        assert "COVERING INDEX thumbnails_by_id" in str(run(f"EXPLAIN QUERY PLAN {sql}").fetchall())
