"""A search finds the nearest images, nearest first, with their distances.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import io
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from lookalike.core.errors import CodeError, ImageError, LookalikeError
from lookalike.data import Item
from lookalike.database import Database, Filter, Hit, search
from lookalike.imaging import decode
from lookalike.imaging.isolation.decoders import Direct
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.store.records import IndexOutcome
from tests.references import bitcount

MakeModel = Callable[..., Path]


def test_an_indexed_image_is_found_at_distance_zero(indexed: Database, photo_folder: Path) -> None:
    for path in photo_folder.rglob("*.*"):
        hits = indexed.search(path)
        assert len(hits) == 10
        assert str(path) in [hit.path for hit in hits if hit.distance == 0]
        assert hits[0].relation == "exact"


def test_hits_are_those_of_counting_bits(indexed: Database, photo_folder: Path) -> None:
    ids_N, codes_NW = indexed.codes()
    codes = list(zip(ids_N.tolist(), codes_NW.tolist(), strict=True))
    records = {record.id: record for record in indexed.records()}
    limits: list[tuple[int | None, int | None]] = [(1, None), (7, None), (100, None), (None, 20), (3, 20), (None, 64)]
    for path in sorted(photo_folder.rglob("*.*"))[::5]:
        query_W = indexed.hasher.encode(path)[0].tolist()
        for top, radius in limits:
            hits = indexed.search(path, top=top, radius=radius, verify=False)
            expected = bitcount.search(codes, query_W, top=top, radius=radius)
            assert [(hit.id, hit.distance) for hit in hits] == expected
            for hit in hits:
                assert (hit.path, hit.label, hit.bits) == (records[hit.id].name, records[hit.id].label, 64)


def test_codes_alone_tell_what_is_similar(indexed: Database, photo_folder: Path) -> None:
    (photo_folder / "copy.png").write_bytes((photo_folder / "cats/01.png").read_bytes())
    indexed.index(photo_folder)
    hits = indexed.search(photo_folder / "cats/01.png", top=None, radius=64, verify=False)
    exact = [hit.path for hit in hits if hit.relation == "exact"]
    assert sorted(exact) == [str(photo_folder / "cats/01.png"), str(photo_folder / "copy.png")]
    for hit in hits:
        if hit.path not in exact:
            assert hit.relation == ("similar" if hit.distance <= 16 else "different")
            assert not hit.verified
    assert {hit.relation for hit in hits} == {"exact", "similar", "different"}


def test_paths_bytes_and_arrays_find_the_same(indexed: Database, photo_folder: Path) -> None:
    path = photo_folder / "cats/01.png"
    expected = indexed.search(path)
    assert indexed.search(str(path)) == indexed.search(path.read_bytes()) == expected
    by_array = indexed.search(decode.read(path))[0]  # which has the picture, but not the file
    assert (by_array.path, by_array.distance, by_array.relation) == (str(path), 0, "edited")
    small = [hit.relation for hit in indexed.search_codes(indexed.hasher.encode([path]))[0]]
    assert not {"exact", "edited"} & set(small)


def test_a_near_copy_is_near(indexed: Database, photo_folder: Path, tiny_images: npt.NDArray[np.uint8]) -> None:
    array = decode.read(photo_folder / "cats/01.png")
    noisy = np.clip(array.astype(int) + 1, 0, 255).astype(np.uint8)
    hits = indexed.search(noisy, top=3)
    assert hits[0].path == str(photo_folder / "cats/01.png")
    assert hits[0].distance < hits[1].distance


def test_many_codes_at_once(indexed: Database) -> None:
    _, codes_NW = indexed.codes()
    together = indexed.search_codes(codes_NW, top=4)
    assert together == [indexed.search_codes(codes_NW[i : i + 1], top=4)[0] for i in range(len(codes_NW))]
    assert indexed.search_codes(codes_NW[:0]) == []


def test_an_empty_database_finds_nothing(db: Database, photo_folder: Path) -> None:
    assert db.search(photo_folder / "cats/01.png") == []
    assert db.search(photo_folder / "cats/01.png", top=None, radius=3) == []
    assert db.duplicates().groups == []
    assert len(db) == 0
    assert (db.info().images, db.info().roots) == (0, [])
    assert all(finding.ok for finding in db.verify())


def test_wrong_limits_and_queries_are_clear_errors(indexed: Database, photo_folder: Path, tmp_path: Path) -> None:
    query = photo_folder / "cats/01.png"
    for limits in ({"top": 0}, {"top": None}, {"radius": -1}):
        with pytest.raises(CodeError):
            indexed.search(query, **limits)
    for ask in (lambda: indexed.search(query, radius=65), lambda: indexed.duplicates(radius=65)):
        with pytest.raises(CodeError, match="radius is 65; codes of 64 bits differ in at most 64"):
            ask()
    with pytest.raises(ImageError, match=r"absent\.jpg"):
        indexed.search(tmp_path / "absent.jpg")
    with pytest.raises(ImageError, match="not an image"):
        indexed.search(b"no image at all")
    with pytest.raises(CodeError, match="expected uint8 of shape"):
        indexed.search_codes(np.zeros((1, 2), np.uint8))


def test_codes_that_collide_are_all_found(
    tmp_path: Path, make_model: MakeModel, tiny_images: npt.NDArray[np.uint8], tiny_bytes: list[bytes]
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number, data in enumerate(tiny_bytes[:400]):
        (folder / f"{number:03}.jpg").write_bytes(data)
    with Database.create(tmp_path / "db8", model=make_model(seed=4, bits=8)) as db:
        db.index(folder)
        _, codes_NW = db.codes()
        values, counts = np.unique(codes_NW[:, 0], return_counts=True)
        assert counts.max() > 1
        for value, count in zip(values, counts, strict=True):
            (hits,) = db.search_codes(np.array([[value]], np.uint8), top=None, radius=0)
            assert len(hits) == count
            assert [hit.id for hit in hits] == sorted(hit.id for hit in hits)
        assert db.bits == 8


def test_hits_can_be_written_as_json(indexed: Database, photo_folder: Path) -> None:
    hits = indexed.search(photo_folder / "cats/01.png")
    assert json.loads(json.dumps([asdict(hit) for hit in hits]))[0]["distance"] == 0
    json.dumps(asdict(indexed.info()))


def test_a_change_is_seen_by_a_database_that_is_open(indexed: Database, photo_folder: Path, tmp_path: Path) -> None:
    query = photo_folder / "cats/01.png"
    with Database.open(indexed.path) as reader:
        assert str(query) in [hit.path for hit in reader.search(query)]
        indexed.remove([query])
        assert str(query) not in [hit.path for hit in reader.search(query)]
        assert len(reader) == 39
        indexed.index(photo_folder)
        assert str(query) in [hit.path for hit in reader.search(query)]


def test_readers_are_unharmed_while_a_writer_commits(
    tmp_path: Path, model: Path, tiny_bytes: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lookalike.database.indexing.BATCH", 8)
    first, second = tmp_path / "first", tmp_path / "second"
    for number, data in enumerate(tiny_bytes[:300]):
        folder = first if number < 20 else second
        folder.mkdir(exist_ok=True)
        (folder / f"{number:03}.jpg").write_bytes(data)
    with Database.create(tmp_path / "db", model=model) as db:
        db.index(first)
        ended = threading.Event()

        def write() -> None:
            try:
                with Database.open(tmp_path / "db") as writer:
                    writer.index(second)
                    writer.remove([second / "299.jpg"])
            finally:
                ended.set()

        thread = threading.Thread(target=write)
        thread.start()
        counts = []
        while not ended.is_set():
            hits = db.search(first / "000.jpg", top=None, radius=64, verify=False)
            assert hits[0].distance == 0
            assert len({hit.id for hit in hits}) == len(hits)
            counts.append(len(hits))
        thread.join()
        assert len(db.search(first / "000.jpg", top=None, radius=64)) == 299
        assert min(counts) >= 20
        grown = counts.index(max(counts))  # it grows, but for the image that is removed at the end
        assert sorted(counts[:grown]) == counts[:grown]
        assert set(counts[grown:]) <= {max(counts), 299}


def test_a_moved_database_still_opens(indexed: Database, photo_folder: Path, tmp_path: Path) -> None:
    expected = [(hit.path, hit.distance) for hit in indexed.search(photo_folder / "cats/01.png")]
    indexed.close()
    for place in (tmp_path / "elsewhere", tmp_path / "odd % \udcff # ?"):
        shutil.copytree(tmp_path / "db", place)
        with Database.open(place) as moved:
            assert [(hit.path, hit.distance) for hit in moved.search(photo_folder / "cats/01.png")] == expected
            assert moved.index(photo_folder).unchanged == 40
            assert all(finding.ok for finding in moved.verify())


def test_rows_that_cannot_be_found_are_excluded(indexed: Database) -> None:
    with indexed.store.local().transaction():
        indexed.store.local().write(IndexOutcome(item=Item("/x", "broken.jpg", 1, 1), error="broken"))
        indexed.store.local().touch()
    assert len(indexed.search_codes(np.zeros((1, 8), np.uint8), top=1000)[0]) == 40
    assert len(indexed) == 40


def test_there_must_be_a_database(tmp_path: Path, photo_folder: Path) -> None:
    for folder in (tmp_path / "absent", photo_folder):
        with pytest.raises(
            LookalikeError, match=r"There is no database at .*Make one with: lookalike index FOLDER --db"
        ):
            Database.open(folder)


def test_a_new_database_takes_only_a_folder_of_its_own(indexed: Database, photo_folder: Path, model: Path) -> None:
    with pytest.raises(LookalikeError, match=r"already a database at .*; open it"):
        Database.create(indexed.path, model=model)
    with pytest.raises(LookalikeError, match=r"is not empty; choose a new folder, such as .*photos/db"):
        Database.create(photo_folder, model=model)
    with pytest.raises(LookalikeError, match=r"01\.png is a file, but a database is a folder.*such as .*01\.png\.db"):
        Database.create(photo_folder / "cats/01.png", model=model)
    with pytest.raises(LookalikeError, match="is a file, but a database is a folder"):
        Database.open(photo_folder / "cats/01.png")
    assert len(list(photo_folder.rglob("*.*"))) == 40
    with pytest.raises(LookalikeError, match="neither a model file nor"):
        Database.create(photo_folder.parent / "new", model="absent.onnx")
    assert not (photo_folder.parent / "new").exists()


def test_a_filter_gives_the_nearest_of_what_passes_it(indexed: Database, photo_folder: Path) -> None:
    records = [record for record in indexed.records() if record.code is not None]
    query = np.frombuffer(records[0].code or b"", np.uint8)[None]
    everything = indexed.search_codes(query, top=None, radius=indexed.bits)[0]
    label = next(record.label for record in records if record.label != records[0].label)
    assert isinstance(label, str)
    folder = Path(records[-1].name).parent
    cases: list[tuple[Filter, Callable[[Hit], bool]]] = [
        (Filter(label=label), lambda hit: hit.label == label),
        (Filter(below=str(folder)), lambda hit: Path(hit.path).parent == folder),
        (Filter(label=label, below=str(photo_folder)), lambda hit: hit.label == label),
        (Filter(since=time.time() - 3600), lambda hit: True),
        (Filter(since=time.time() + 3600), lambda hit: False),
        (Filter(label="no such label"), lambda hit: False),
    ]
    for only, passes in cases:
        expected = [hit for hit in everything if passes(hit)]
        (found,) = indexed.search_codes(query, top=3, only=only)
        assert [hit.distance for hit in found] == [hit.distance for hit in expected[:3]]
        assert {hit.path for hit in found} <= {hit.path for hit in expected}


def test_one_of_several_labels_passes_a_filter(indexed: Database) -> None:
    ids = [record.id for record in indexed.records() if record.code is not None]
    with indexed.store.local().transaction():
        for id_ in ids[::3]:
            indexed.store.local().set_label(id_, ("a", 'b "quoted"'))
    (found,) = indexed.search_codes(indexed.codes()[1][:1], top=100, only=Filter(label='b "quoted"'))
    assert sorted(hit.id for hit in found) == ids[::3]
    with indexed.store.local(
        "a catalog"
    ).transaction():  # a filter that was asked for before sees what has changed since
        indexed.store.local().set_label(ids[0], "a")
    (found,) = indexed.search_codes(indexed.codes()[1][:1], top=100, only=Filter(label='b "quoted"'))
    assert sorted(hit.id for hit in found) == ids[3::3]


def test_threads_that_share_a_database_never_mix_two_states_of_it(indexed: Database) -> None:
    """Despite concurrent changes, an image at distance 0 has the query's code."""
    codes = {record.name: record.code or b"" for record in indexed.records() if record.code is not None}
    queries_QW = np.stack([np.frombuffer(code, np.uint8) for code in codes.values()])
    first = [record.id for record in indexed.records()][: len(codes) // 2]
    stop = threading.Event()

    def wrong() -> list[str]:
        found = []
        while not stop.is_set():
            for query_W, hits in zip(queries_QW, indexed.search_codes(queries_QW, top=1), strict=True):
                found += [hit.path for hit in hits if hit.distance == 0 and codes[hit.path] != query_W.tobytes()]
        return found

    with Database.open(indexed.path) as other, ThreadPoolExecutor(4) as pool:
        searching = [pool.submit(wrong) for _ in range(4)]
        for number in range(60):
            with other.store.local().transaction():
                other.store.local().set_missing(first, missing=number % 2 == 0)
                other.store.local().touch()
        stop.set()
        assert [one.result() for one in searching] == [[]] * 4


def test_an_asymmetric_search_ranks_by_what_the_query_is_sure_of(indexed: Database, photo_folder: Path) -> None:
    hasher, path = indexed.hasher, sorted(photo_folder.rglob("*.*"))[0]
    array = decode.read(path, hasher.spec)
    assert hasher.theta is not None
    above_K = (hasher.latents(array[None])[0] - hasher.theta).astype(float)
    weights_K = np.abs(above_K) / np.abs(above_K).mean()
    ids_N, codes_NW = indexed.codes()
    differ_NK = np.unpackbits(np.asarray(codes_NW), axis=1) != (above_K > 0)
    expected = dict(zip(ids_N.tolist(), (differ_NK * weights_K).sum(axis=1).tolist(), strict=True))
    hits = indexed.search_asymmetric(path, top=100, verify=False)
    assert len(hits) == len(expected) == len({hit.id for hit in hits})
    assert [hit.weighted_distance for hit in hits] == pytest.approx(sorted(expected.values()), abs=1e-3)
    assert [hit.weighted_distance for hit in hits] == pytest.approx([expected[hit.id] for hit in hits], abs=1e-3)
    symmetric = {hit.id: hit.distance for hit in indexed.search(path, top=100)}
    assert {hit.id: hit.distance for hit in hits} == symmetric
    by_array = indexed.search_asymmetric(array, top=3, verify=False)
    assert [hit.weighted_distance for hit in by_array] == [hit.weighted_distance for hit in hits[:3]]
    assert indexed.search_asymmetric(path, top=1)[0].relation == "exact"
    only = Filter(below=str(path.parent))
    inside = [hit for hit in hits if Path(hit.path).parent == path.parent]
    assert 0 < len(inside) < len(hits)
    assert indexed.search_asymmetric(path, top=100, only=only, verify=False) == inside


def test_an_asymmetric_search_needs_the_threshold(tmp_path: Path, photo_folder: Path, make_model: MakeModel) -> None:
    model = make_model(theta_digest="0" * 32)
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(photo_folder)
        with pytest.raises(LookalikeError, match="does not say its threshold"):
            database.search_asymmetric(sorted(photo_folder.rglob("*.*"))[0])


@pytest.fixture(scope="module")
def photographs(shared_data: Path) -> list[Image.Image]:
    """30 photographs of 224 × 224 pixels, of ten classes."""
    parquet = pytest.importorskip("pyarrow.parquet")
    column = parquet.read_table(shared_data / "imagenette224.parquet", columns=["image"]).column(0)
    step = len(column) // 30
    return [Image.open(io.BytesIO(column[row * step].as_py())).convert("RGB") for row in range(30)]


@pytest.fixture(scope="module")
def collection(photographs: list[Image.Image], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The photographs, but for the last two, indexed with the built-in model."""
    folder = tmp_path_factory.mktemp("collection")
    (folder / "photos").mkdir()
    for number, picture in enumerate(photographs[:-2]):
        picture.save(folder / f"photos/{number:02}.png")
    with Database.create(folder / "db") as database:
        database.index(folder / "photos")
        yield database


def as_file(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return out.getvalue()


def collage(picture: Image.Image, other: Image.Image) -> Image.Image:
    sheet = Image.new("RGB", (2 * picture.width, 2 * picture.height))
    for at in ((0, 0), (1, 0), (0, 1)):
        sheet.paste(other, (at[0] * picture.width, at[1] * picture.height))
    sheet.paste(picture, picture.size)
    return sheet


EDITS: dict[str, tuple[Callable[[Image.Image, Image.Image], Image.Image], str]] = {
    "recompressed": (lambda picture, _: picture, "recompress"),
    "mirrored": (lambda picture, _: ImageOps.mirror(picture), "mirror"),
    "turned": (lambda picture, _: picture.rotate(90), "rotate"),
    "cropped": (lambda picture, _: picture.crop((34, 34, 190, 190)), "crop"),
    "grey": (lambda picture, _: picture.convert("L"), "grey"),
    "in a collage": (collage, "extend"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_copy_is_found_and_what_was_done_to_the_query_is_named(
    name: str, collection: Database, photographs: list[Image.Image]
) -> None:
    edit, done = EDITS[name]
    first, *others = collection.search(as_file(edit(photographs[3], photographs[-1])))
    assert (Path(first.path).name, first.relation, first.verified) == ("03.png", "edited", True)
    # the copy is what was searched for, so that its original has more of the picture, or more colour
    assert {"crop": "extend", "grey": "colour", "extend": "crop"}.get(done, done) in first.edits
    assert first.agreement > 0.8
    assert first.inliers > 20
    assert first.transform is not None
    assert not any(hit.relation.is_copy for hit in others)


def test_the_same_pixels_in_another_file_are_called_so(collection: Database, photographs: list[Image.Image]) -> None:
    out = io.BytesIO()
    photographs[5].save(out, "BMP")
    first = collection.search(out.getvalue(), top=1)[0]
    assert (Path(first.path).name, first.relation, first.edits) == ("05.png", "same-pixels", ())


def test_nothing_is_called_a_copy_of_a_picture_that_is_not_there(
    collection: Database, photographs: list[Image.Image]
) -> None:
    for picture in photographs[-2:]:
        hits = collection.search(as_file(picture))
        assert len(hits) == 10
        assert not {"exact", "same-pixels", "edited"} & {hit.relation for hit in hits}
        assert [hit.relation.rank for hit in hits] == sorted(hit.relation.rank for hit in hits)


def test_what_was_done_describes_the_hit_compared_with_the_query(
    collection: Database, photographs: list[Image.Image]
) -> None:
    corner = photographs[3].crop((34, 34, 164, 164))
    assert collection.search(as_file(corner))[0].done.startswith("within a larger picture")
    sheet = Image.new("RGB", (336, 336), "white")
    sheet.paste(photographs[3], (56, 56))
    assert collection.search(as_file(sheet))[0].done.startswith("cropped to the middle")


def test_a_thorough_search_proposes_what_the_query_is_a_part_of(
    collection: Database, photographs: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST", 3)
    ids = [record.id for record in collection.records()]
    found = {True: 0, False: 0}
    for number, picture in enumerate(photographs[:12]):
        part = as_file(picture.crop((112, 112, 224, 224)))
        query = search.query_of(part, collection.hasher, Direct(DecodeLimits()))
        for thorough in found:
            proposed, _ = collection.propose(query, thorough=thorough)
            found[thorough] += ids[number] in proposed
        proposed, _ = collection.propose(query, thorough=True, only=Filter(label="none"))
        assert not proposed
    assert found[True] == 12
    assert found[False] < 10
    first = collection.search(as_file(photographs[3].crop((112, 112, 224, 224))), thorough=True)[0]
    assert (Path(first.path).name, first.relation) == ("03.png", "edited")


def test_more_candidates_are_verified_as_long_as_the_last_ones_are_copies(
    tmp_path: Path, photographs: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CANDIDATES", 4)
    monkeypatch.setattr(search, "MORE", 3)
    (tmp_path / "photos").mkdir()
    for quality in range(60, 90, 2):
        photographs[0].save(tmp_path / f"photos/copy-{quality}.jpg", quality=quality)
    for number, other in enumerate(photographs[1:]):
        other.save(tmp_path / f"photos/{number:02}.png")
    with Database.create(tmp_path / "db") as database:
        database.index(tmp_path / "photos")
        hits = database.search(as_file(photographs[0]), top=100)
    copies = [hit for hit in hits if hit.relation.is_copy]
    assert sorted(Path(hit.path).stem for hit in copies) == [f"copy-{quality}" for quality in range(60, 90, 2)]
    assert sum(hit.verified for hit in hits) < len(hits)


def test_copies_are_verified_by_their_thumbnails_while_files_are_out_of_reach(
    collection: Database, photographs: list[Image.Image]
) -> None:
    folder = Path(collection.info().roots[0])
    away = folder.with_name("away")
    with Database.open(collection.path) as database:
        try:
            folder.rename(away)
            first = database.search(as_file(photographs[7]))[0]
            assert (Path(first.path).name, first.relation, first.verified) == ("07.png", "edited", True)
        finally:
            away.rename(folder)


def test_without_thumbnail_and_file_nothing_is_verified_and_that_is_reported(
    tmp_path: Path, photographs: list[Image.Image]
) -> None:
    picture = tmp_path / "photo.png"
    photographs[0].save(picture)
    with Database.create(tmp_path / "db") as database:
        np.save(tmp_path / "codes.npy", database.hasher.encode([picture]))
        database.import_codes(tmp_path / "codes.npy")
        query = search.query_of(picture, database.hasher, Direct(DecodeLimits()))
        found = database.search_query(query)
        assert [(hit.distance, hit.relation, hit.verified) for hit in found.hits] == [(0, "similar", False)]
        assert found.unverified == 1


def test_many_images_with_the_code_of_a_query_do_not_hide_its_copy(
    tmp_path: Path, photographs: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CANDIDATES", 4)
    with Database.create(tmp_path / "db") as database:
        photographs[0].save(tmp_path / "photo.png")
        np.save(tmp_path / "codes.npy", np.repeat(database.hasher.encode([tmp_path / "photo.png"]), 20, axis=0))
        database.import_codes(tmp_path / "codes.npy")
        database.index(tmp_path / "photo.png")
        for only in (None, Filter(below=str(tmp_path))):
            hits = database.search(tmp_path / "photo.png", top=3, only=only)
            assert [hit.relation for hit in hits] == ["exact", "similar", "similar"]
        assert database.search(tmp_path / "photo.png", only=Filter(label="cats")) == []


def test_a_query_may_be_a_picture_an_array_or_an_open_file(
    collection: Database, photographs: list[Image.Image], tmp_path: Path
) -> None:
    photographs[3].save(tmp_path / "photo.png")
    with (tmp_path / "photo.png").open("rb") as file:
        for query in (photographs[3], np.asarray(photographs[3]), file, {"image": photographs[3]}):
            hit = collection.search(query)[0]
            assert (Path(hit.path).name, hit.relation.is_copy, hit.verified) == ("03.png", True, True)
    codes = collection.hasher.encode([photographs[3], np.asarray(photographs[3]), tmp_path / "photo.png"])
    assert (codes == codes[0]).all()
    assert (collection.hasher.encode(photographs[3]) == codes[0]).all()
    hits = collection.search(photographs[3], top=2)
    assert [row["path"] for row in hits.to_dicts()] == [hit.path for hit in hits]
    assert hits._repr_html_().count("<img") == 2
