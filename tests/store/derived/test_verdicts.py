"""Verdicts on a database's images: computed once, cached by digest, and never an obstacle."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.database import Database
from lookalike.imaging.edits.catalogue import perturb
from lookalike.imaging.isolation.decoders import Direct
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.store.derived import verdicts
from lookalike.store.derived.verdicts import Pair, Verifier
from lookalike.store.records import Record
from lookalike.verification import looks
from lookalike.verification.verdict import Relation, Verdict

DECODERS = Direct(DecodeLimits())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photographs, copies of the first, and a plain picture."""
    data = pytest.importorskip("skimage.data")
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = Image.fromarray(data.astronaut())
    photo.thumbnail((400, 400))
    photo.save(folder / "photo.png")
    shutil.copy(folder / "photo.png", folder / "exact.png")
    photo.save(folder / "again.tif")
    photo.crop((40, 30, 400, 390)).save(folder / "crop.jpg")
    Image.fromarray(perturb(np.asarray(photo), "text", 0.1, seed=2)).save(folder / "text.png")
    Image.fromarray(data.chelsea()).save(folder / "cat.png")
    return folder


@pytest.fixture
def database(db: Database, folder: Path) -> Database:
    assert db.index(folder).failed == 0
    return db


@pytest.fixture
def record(database: Database) -> Callable[[str], Record]:
    records = {Path(record.name).name: record for record in database.records()}
    return records.__getitem__


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[bool | None]:
    """For each verdict that is computed from now on, whether it was to be mirrored."""
    seen: list[bool | None] = []
    plain = looks.verdict

    def spy(first: looks.Seen, second: looks.Seen, *, mirrored: bool | None = None, insist: bool = True) -> Verdict:
        seen.append(mirrored)
        return plain(first, second, mirrored=mirrored, insist=insist)

    monkeypatch.setattr(looks, "verdict", spy)
    return seen


@pytest.mark.parametrize(
    ("name", "relation"),
    [
        ("exact.png", Relation.EXACT),
        ("again.tif", Relation.SAME_PIXELS),
        ("crop.jpg", Relation.EDITED),
        ("text.png", Relation.EDITED),
        ("cat.png", Relation.DIFFERENT),
    ],
)
def test_what_an_image_is_to_another(
    database: Database, record: Callable[[str], Record], name: str, relation: Relation
) -> None:
    with Verifier(database.store, DECODERS) as verifier:
        found = verifier.between(Pair(record("photo.png"), record(name)))
    assert (found.relation, found.verified) == (relation, True)


def test_verdicts_are_found_again_after_reopening(
    database: Database, record: Callable[[str], Record], computed: list[bool | None]
) -> None:
    pairs = [Pair(record("photo.png"), record(name)) for name in ("again.tif", "crop.jpg", "text.png", "cat.png")]
    with Verifier(database.store, DECODERS) as verifier:
        found = [verifier.between(pair) for pair in pairs]
        assert [verifier.between(pair) for pair in pairs] == found
    assert len(computed) == 4
    with Verifier(database.store, DECODERS) as verifier:
        again = [verifier.between(pair) for pair in pairs]
        swapped = verifier.between(Pair(record("crop.jpg"), record("photo.png")))
    assert len(computed) == 4
    assert again == found
    assert swapped.edits == ("extend",)
    assert swapped.overlaps == found[1].overlaps[::-1]


def test_a_pair_that_was_only_examined_upright_is_examined_mirrored(
    database: Database, record: Callable[[str], Record], computed: list[bool | None]
) -> None:
    first, second = record("photo.png"), record("cat.png")
    with Verifier(database.store, DECODERS) as verifier:
        for mirrored in (False, False, True, None, False, True, None):
            verifier.between(Pair(first, second, mirrored))
    assert computed == [False, True, None]


def test_a_copy_is_not_examined_in_other_orientations(
    database: Database, record: Callable[[str], Record], computed: list[bool | None]
) -> None:
    with Verifier(database.store, DECODERS) as verifier:
        for mirrored in (False, True, None):
            assert verifier.between(Pair(record("photo.png"), record("crop.jpg"), mirrored)).relation.is_copy
    assert computed == [False]


def test_verdicts_without_the_files_are_not_kept(
    database: Database, record: Callable[[str], Record], folder: Path
) -> None:
    pair, away = Pair(record("photo.png"), record("text.png")), folder.with_name("away")
    folder.rename(away)
    with Verifier(database.store, DECODERS) as verifier:
        found = verifier.between(pair)
        assert (found.relation, found.verified) == (Relation.SIMILAR, False)
        assert verifier.between(Pair(record("photo.png"), record("crop.jpg"))).relation is Relation.EDITED
    away.rename(folder)
    with Verifier(database.store, DECODERS) as verifier:
        found = verifier.between(pair)
        assert (found.relation, found.verified) == (Relation.EDITED, True)
    with Verifier(database.store) as verifier:  # without decoders: it is known by now
        assert verifier.between(pair) == found


def test_without_thumbnail_and_file_nothing_is_verified(
    database: Database, record: Callable[[str], Record], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(database.store), "thumbnails", lambda self, ids: {})
    with Verifier(database.store, DECODERS) as verifier:  # from files
        assert verifier.between(Pair(record("photo.png"), record("crop.jpg"))).relation is Relation.EDITED
    shutil.rmtree(folder)
    with Verifier(database.store, DECODERS) as verifier:
        assert verifier.seen(record("cat.png")) is None
        for found in (
            verifier.between(Pair(record("photo.png"), record("text.png"))),
            verifier.of_query(looks.Seen([np.zeros((9, 9, 3), np.uint8)]), record("cat.png")),
        ):
            assert (found.relation, found.verified) == (Relation.SIMILAR, False)
        assert verifier.between(Pair(record("photo.png"), record("exact.png"))).relation is Relation.EXACT


def test_a_query_is_compared_with_images_of_the_store(database: Database, record: Callable[[str], Record]) -> None:
    with Verifier(database.store, DECODERS) as verifier:
        query = verifier.seen(record("crop.jpg"))
        assert query is not None
        assert verifier.of_query(query, record("photo.png")).edits == ("extend",)
        assert verifier.of_query(query, record("cat.png")).relation is Relation.DIFFERENT


def test_thumbnails_are_read_in_one_go(
    database: Database, record: Callable[[str], Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    plain = type(database.store).thumbnails

    def spy(self: object, ids: list[int]) -> dict[int, bytes]:
        asked.append(len(ids))
        return plain(self, ids)  # type: ignore[arg-type]

    monkeypatch.setattr(type(database.store), "thumbnails", spy)
    records = {one.id: one for one in database.records()}
    with Verifier(database.store) as verifier:
        verifier.load(records)
        verifier.between(Pair(record("photo.png"), record("cat.png")))
    assert asked == [6]


@pytest.mark.parametrize("damage", ["junk", "header", "table", "page", "version"])
def test_a_damaged_file_is_computed_again(
    database: Database, record: Callable[[str], Record], damage: str, computed: list[bool | None]
) -> None:
    path, pair = Path(database.path) / verdicts.FILE, Pair(record("photo.png"), record("crop.jpg"))
    with Verifier(database.store, DECODERS) as verifier:
        found = verifier.between(pair)
    if damage in ("table", "version"):
        change = "DROP TABLE verdicts" if damage == "table" else "PRAGMA user_version = 99"
        with sqlite3.connect(path) as connection:
            connection.execute(change)
        connection.close()
    else:
        content = bytearray(path.read_bytes())
        size, where = len(content), {"junk": 0, "header": 16, "page": 4096}[damage]
        content[where:] = b"junk" * ((size - where) // 4 + 1)
        path.write_bytes(content[:size])
    for _ in range(2):
        with Verifier(database.store, DECODERS) as verifier:
            assert verifier.between(pair) == found
    assert len(computed) == 2


def test_a_file_that_cannot_be_opened_or_written_costs_time_only(
    database: Database, record: Callable[[str], Record], computed: list[bool | None]
) -> None:
    path, pair = Path(database.path) / verdicts.FILE, Pair(record("photo.png"), record("crop.jpg"))
    path.unlink(missing_ok=True)
    path.mkdir()
    for _ in range(2):
        with Verifier(database.store, DECODERS) as verifier:
            assert verifier.between(pair).relation is Relation.EDITED
    assert len(computed) == 2


def test_what_has_no_digest_or_no_file_is_not_kept(tmp_path: Path) -> None:
    found = Verdict(relation=Relation.EDITED, edits=("crop",), overlaps=(0.5, 1.0), inliers=20, agreement=0.9)
    for kept in (verdicts.VerdictCache(None), verdicts.VerdictCache(tmp_path / "absent" / verdicts.FILE)):
        kept.add(b"a", b"b", found, mirrored=False)
        assert kept.find(b"a", b"b", mirrored=False) is None
    kept = verdicts.VerdictCache(tmp_path / verdicts.FILE)
    kept.add(None, b"b", found, mirrored=False)
    kept.add(b"a", b"b", found, mirrored=False)
    assert kept.find(None, b"b", mirrored=False) is None
    assert kept.find(b"a", b"b", mirrored=True) == found
    for _ in range(2):
        kept.close()
    assert verdicts.VerdictCache(tmp_path / verdicts.FILE).find(b"a", b"b", mirrored=None) == found


def test_while_another_process_writes_verdicts_are_not_found(tmp_path: Path) -> None:
    found = Verdict(relation=Relation.DIFFERENT)
    kept = verdicts.VerdictCache(tmp_path / verdicts.FILE)
    kept.add(b"a", b"b", found, mirrored=None)
    kept.close()
    with sqlite3.connect(tmp_path / verdicts.FILE) as other:
        other.execute("BEGIN IMMEDIATE")
        kept = verdicts.VerdictCache(tmp_path / verdicts.FILE)
        assert kept.find(b"a", b"b", mirrored=None) in (found, None)
    other.close()


def test_threads_share_a_verifier(database: Database, record: Callable[[str], Record]) -> None:
    names = ("photo.png", "crop.jpg", "cat.png", "again.tif")
    pairs = [Pair(record(first), record(second)) for first in names for second in names if first < second]
    with Verifier(database.store, DECODERS) as verifier:
        expected = [verifier.between(pair) for pair in pairs]
    (Path(database.path) / verdicts.FILE).unlink()
    with Verifier(database.store, DECODERS) as verifier, ThreadPoolExecutor(4) as threads:
        assert list(threads.map(verifier.between, pairs * 2)) == expected * 2
    with Verifier(database.store, DECODERS) as one, Verifier(database.store, DECODERS) as other:
        assert [one.between(pair) for pair in pairs] == [other.between(pair) for pair in pairs] == expected
