"""The neighbour graph of a collection has the nearest images of every image, also if built in several runs.

Shapes: N images, W = 8 bytes a code, T neighbours.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import filelock
import numpy as np
import pyarrow.parquet as pq
import pytest

from lookalike.core.codes import Codes, hamming
from lookalike.core.errors import ConfigError, DatabaseError, DataError, Interrupted
from lookalike.database import Database
from lookalike.search import all_pairs
from lookalike.verification import looks
from tests.duplicates.test_verification import photograph

Progress = list[tuple[int, int | None]]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(all_pairs, "BLOCK", 8)


def assert_nearest(graph_NT2: np.ndarray[tuple[int, int, int], np.dtype[np.int32]], codes_NW: Codes) -> None:
    distances_NN = hamming(codes_NW, codes_NW)
    np.fill_diagonal(distances_NN, 1000)
    top = graph_NT2.shape[1]
    for row, neighbours_T2 in enumerate(graph_NT2):
        rows_T, distances_T = neighbours_T2.T
        assert distances_T.tolist() == np.sort(distances_NN[row])[:top].tolist()
        assert distances_NN[row, rows_T].tolist() == distances_T.tolist()
        assert len({*rows_T.tolist(), row}) == top + 1


@pytest.mark.parametrize("least", [20, 2_000])
def test_neighbours_are_the_nearest_others(
    least: int, indexed: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(all_pairs, "FEW", least)
    seen: Progress = []
    count = len(indexed)
    found = indexed.neighbours(tmp_path / "g.npy", top=3, progress=lambda _, done, total: seen.append((done, total)))
    assert found == (count, 0, 0)
    graph_NT2 = np.load(tmp_path / "g.npy")
    assert (graph_NT2.shape, graph_NT2.dtype) == ((count, 3, 2), np.int32)
    assert_nearest(graph_NT2, np.asarray(indexed.codes()[1]))
    assert seen == [(done, count) for done in [*range(0, count, 8), count]]
    assert not list(tmp_path.glob(".g*"))


def test_a_table_has_paths_and_as_many_neighbours_as_there_are(indexed: Database, tmp_path: Path) -> None:
    assert indexed.neighbours(tmp_path / "g.parquet", top=100, verify=False).images == 40
    table = pq.read_table(tmp_path / "g.parquet").to_pydict()
    records = [record for record in indexed.records() if record.code is not None]
    assert table["path"] == [record.name for record in records]
    assert list(table) == ["path", "neighbours", "distances", "path_bytes"]
    assert {len(rows) for rows in table["neighbours"]} == {len(bits) for bits in table["distances"]} == {39}
    graph_NT2 = np.stack([np.array(table["neighbours"]), np.array(table["distances"])], axis=2)
    assert_nearest(graph_NT2, np.asarray(indexed.codes()[1]))


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[Database]:
    """Three photographs, an edited copy of the first, and one of the second with the same bytes."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(3):
        photograph(number).save(folder / f"{number}.png")
    photograph(0).save(folder / "small.jpg", quality=60)
    shutil.copy(folder / "1.png", folder / "again.png")
    with Database.create(tmp_path / "copies.db") as database:
        database.index(folder)
        yield database


def relations(path: Path) -> dict[tuple[str, str], tuple[str, bool]]:
    """What a table says of pairs of images, by their names."""
    rows = pq.read_table(path).to_pylist()
    names = [Path(row["path"]).name for row in rows]
    return {
        (names[at], names[other]): (relation, verified)
        for at, row in enumerate(rows)
        for other, relation, verified in zip(row["neighbours"], row["relations"], row["verified"], strict=True)
    }


def test_a_table_says_what_neighbours_are(copies: Database, tmp_path: Path) -> None:
    found = copies.neighbours(tmp_path / "g.parquet", top=4)
    known = relations(tmp_path / "g.parquet")
    assert len(known) == 20
    assert known["0.png", "small.jpg"] == known["small.jpg", "0.png"] == ("edited", True)
    assert known["1.png", "again.png"] == known["again.png", "1.png"] == ("exact", True)
    others = [pair for pair, (relation, _) in known.items() if relation in ("exact", "edited", "same-scene")]
    assert len(others) == 4
    assert (found.images, found.unverified) == (5, 0)
    assert 2 <= found.verified == sum(verified for _, verified in known.values()) / 2


def test_verdicts_are_kept_when_it_is_stopped(
    copies: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(stage: str, done: int, total: int | None) -> None:
        if stage == "verifying":
            raise KeyboardInterrupt

    def forbidden(*_: object, **__: object) -> NoReturn:
        raise AssertionError("looked at again")

    with pytest.raises(Interrupted):
        copies.neighbours(tmp_path / "g.parquet", top=1, progress=stop)
    assert not (tmp_path / "g.parquet").exists()
    copies.neighbours(tmp_path / "g.parquet", top=1)
    first = relations(tmp_path / "g.parquet")
    monkeypatch.setattr(looks, "verdict", forbidden)
    copies.neighbours(tmp_path / "g.parquet", top=1)
    assert relations(tmp_path / "g.parquet") == first


def test_pairs_that_nothing_shows_are_not_verified(copies: Database, tmp_path: Path) -> None:
    with sqlite3.connect(copies.folder / "catalog.sqlite") as connection:
        connection.execute("DELETE FROM thumbnails")
    connection.close()
    shutil.rmtree(tmp_path / "images")
    found = copies.neighbours(tmp_path / "g.parquet", top=4)
    known = relations(tmp_path / "g.parquet")
    assert known["0.png", "small.jpg"] == ("similar", False)
    assert known["1.png", "again.png"] == ("exact", True)
    assert found.unverified >= 1


@pytest.mark.parametrize("kept", [0, 1, 7, 100, -1])
def test_what_was_stopped_goes_on(kept: int, indexed: Database, tmp_path: Path) -> None:
    path = tmp_path / "g.npy"
    indexed.neighbours(path, top=4)
    whole_file = path.read_bytes()

    def stop(stage: str, done: int, total: int | None) -> None:
        if done == 24:
            raise KeyboardInterrupt

    path.unlink()
    with pytest.raises(Interrupted, match="same command resumes"):
        indexed.neighbours(path, top=4, progress=stop)
    (part,) = tmp_path.glob(".g.npy.*.part")
    assert not path.exists()
    content = part.read_bytes()
    part.write_bytes(content[: len(content) - kept] if kept >= 0 else content[:50])  # a kill may truncate at any byte
    seen: Progress = []
    indexed.neighbours(path, top=4, progress=lambda _, done, total: seen.append((done, total)))
    assert seen[0][0] == {0: 24, 1: 23, 7: 23, 100: 20, -1: 0}[kept]
    assert path.read_bytes() == whole_file
    assert not list(tmp_path.glob(".g*"))


def test_other_codes_start_over(indexed: Database, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        indexed.neighbours(tmp_path / "g.npy", progress=stop)
    indexed.remove([next(indexed.records()).name])
    seen: Progress = []
    indexed.neighbours(tmp_path / "g.npy", progress=lambda _, done, total: seen.append((done, total)))
    assert (seen[0], seen[-1]) == ((0, 39), (39, 39))
    assert not list(tmp_path.glob(".g*"))


def test_none_and_one_image(db: Database, photo_folder: Path, tmp_path: Path) -> None:
    assert db.neighbours(tmp_path / "g.npy").images == 0
    assert np.load(tmp_path / "g.npy").shape[0] == 0
    assert db.neighbours(tmp_path / "g.parquet").images == 0
    db.index(photo_folder / "cats/01.png")
    assert db.neighbours(tmp_path / "g.npy", top=2).images == 1
    assert np.load(tmp_path / "g.npy").tolist() == [[[-1, -1], [-1, -1]]]
    assert db.neighbours(tmp_path / "g.parquet").images == 1
    assert pq.read_table(tmp_path / "g.parquet").to_pydict()["neighbours"] == [[]]


def test_what_cannot_be_written_is_refused(indexed: Database, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither \.npy nor \.parquet"):
        indexed.neighbours(tmp_path / "g.csv")
    with pytest.raises(DataError, match="absent is not a folder; create it"):
        indexed.neighbours(tmp_path / "absent/g.npy")
    with pytest.raises(ConfigError, match="top is 0"):
        indexed.neighbours(tmp_path / "g.npy", top=0)
    with (
        filelock.FileLock(tmp_path / ".g.npy.lock"),
        pytest.raises(DatabaseError, match=r"another process is writing .*g\.npy"),
    ):
        indexed.neighbours(tmp_path / "g.npy")


# A command that stands still in its third block, until it is killed there.
PAUSED = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from lookalike.cli import main
from lookalike.database import neighbour_graph
block, calls = neighbour_graph._block, []
def pausing(*arguments):
    calls.append(1)
    if len(calls) == 3:
        print("here", flush=True)
        time.sleep(600)
    return block(*arguments)
neighbour_graph._block = pausing
main()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_command_goes_on(how: signal.Signals, db: Database, tmp_path: Path) -> None:
    codes_NW = np.random.default_rng(0).integers(0, 256, (40_000, 8), np.uint8)
    np.save(tmp_path / "codes.npy", codes_NW)
    db.import_codes(tmp_path / "codes.npy", root=tmp_path)
    db.neighbours(tmp_path / "expected.npy", top=5)
    out = tmp_path / "g.npy"
    arguments = ["neighbours", str(out), "--db", str(db.path), "--top", "5"]
    process = subprocess.Popen([sys.executable, "-c", PAUSED, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.send_signal(how)
    process.communicate(timeout=120)
    assert process.returncode == (130 if how is signal.SIGINT else -signal.SIGKILL)
    assert not out.exists()
    assert list(tmp_path.glob(".g.npy.*.part"))  # what is done is kept
    again = subprocess.run([sys.executable, "-m", "lookalike", *arguments], check=True, capture_output=True, text=True)
    assert "the nearest 5 of 40000 images" in again.stdout
    assert np.array_equal(np.load(out)[:, :, 1], np.load(tmp_path / "expected.npy")[:, :, 1])
    assert not list(tmp_path.glob(".g*"))
