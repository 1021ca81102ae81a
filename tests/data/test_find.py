"""Folders, files and tables as lists of items: no repetitions, a fixed order, any file names."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lookalike import data
from lookalike.core.errors import DataError, ImageError, LookalikeError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

ODD = [
    b"\xff.jpg", b"a%20b.jpg", b"a#1.jpg", b"line\nbreak.jpg", b"a.parquet#1", "NFC-\u00e9.jpg".encode(),
    "NFD-e\u0301.jpg".encode(), b" leading and trailing ", b"?*[x].jpg", b"-rf", b"back\\slash.jpg", b"x" * 255,
    "\U0001f408.png".encode(), b"a'b\"c.jpg", b"no ending",
]  # fmt: skip


def touch(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def paths(items: list[data.Item]) -> list[str]:
    return [item.path for item in items]


def table(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    parquet.write_table(pyarrow.table(columns), path, **options)
    return path


# Folders


def test_a_folder_is_walked_without_what_is_hidden(tmp_path: Path) -> None:
    for name in (
        "b.jpg", "a.jpg", "z/1.jpg", "c/2.png", "c/d/3", ".hidden.jpg", ".git/4.jpg", "c/.5.jpg", "__MACOSX/6.jpg",
        "@eaDir/7.jpg", "Thumbs.db", "c/desktop.ini", "db/originals/ab/8.jpg", "$RECYCLE.BIN/9.jpg",
    ):  # fmt: skip
        touch(tmp_path / name)
    touch(tmp_path / "db/catalog.sqlite", b"SQLite format 3\0".ljust(68, b"\0") + b"look")
    items = data.find(tmp_path)
    assert sorted(paths(items)) == ["a.jpg", "b.jpg", "c/2.png", "c/d/3", "z/1.jpg"]
    assert {item.root for item in items} == {os.fspath(tmp_path)}
    assert all(item.label is None and item.row is None and item.size == 1 for item in items)
    assert [item.mtime_ns for item in items] == [os.stat(item.name).st_mtime_ns for item in items]


def test_the_catalog_of_another_program_hides_nothing(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    touch(tmp_path / "catalog.sqlite", b"SQLite format 3\0".ljust(100, b"\0"))
    assert paths(data.find(tmp_path)) == ["a.jpg", "catalog.sqlite"]


def test_companions_are_not_items_but_counted(tmp_path: Path) -> None:
    for name in (
        "IMG_1.JPG", "IMG_1.MOV", "IMG_1.aae", "IMG_1.JPG.xmp", "film.mov", "b/IMG_1.xmp", "b/c.jpg",
        "b/c.jpg.supplemental-metadata.json", "b/data.json",
    ):  # fmt: skip
        touch(tmp_path / name)
    survey = data.survey(tmp_path)
    assert sorted(paths(survey.items)) == ["IMG_1.JPG", "b/c.jpg", "b/data.json", "film.mov"]
    assert survey.companions == 5


def test_a_film_is_not_a_companion_of_its_poster(tmp_path: Path) -> None:
    touch(tmp_path / "film.jpg")
    with open(tmp_path / "film.mp4", "wb") as film:
        film.truncate(60_000_000)
    assert paths(data.find(tmp_path)) == ["film.jpg", "film.mp4"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT])
def test_a_folder_that_cannot_be_read_is_named_and_the_rest_is_walked(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.jpg", "bad/b.jpg", "c/d.jpg"):
        touch(tmp_path / name)
    real = os.scandir

    def scandir(path: str) -> Any:
        if path == str(tmp_path / "bad"):
            raise OSError(number, os.strerror(number), path)
        return real(path)

    monkeypatch.setattr("lookalike.data.folder.os.scandir", scandir)
    survey = data.survey(tmp_path)
    assert paths(survey.items) == ["a.jpg", "c/d.jpg"]
    assert survey.unreadable == [(str(tmp_path / "bad"), os.strerror(number))]
    with pytest.raises(DataError, match=f"no images here that can be read: .*/bad .{os.strerror(number)}"):
        data.find(tmp_path / "bad")


def test_a_folder_that_holds_itself_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "a/b/c.jpg")
    top, real = os.stat(tmp_path / "a"), os.stat

    def stat(path: str, **options: bool) -> os.stat_result:  # as if `a` were mounted on `a/b`
        return top if path == str(tmp_path / "a/b") else real(path, **options)

    monkeypatch.setattr("lookalike.data.folder.os.stat", stat)
    survey = data.survey(tmp_path, may_be_empty=True)
    assert survey.unreadable == [(str(tmp_path / "a/b"), "the same folder as one above it")]


def test_order_does_not_depend_on_the_file_system(tmp_path: Path) -> None:
    names = [
        f"{folder}{name}" for folder in ("", "a/", "a.b/", "a/c/", "B/") for name in ("1", "10", "2", "É", "e", "E")
    ]
    orders = []
    for seed in range(3):
        random.Random(seed).shuffle(names)
        for name in names:
            touch(tmp_path / str(seed) / name)
        orders.append(paths(data.find(tmp_path / str(seed))))
    assert orders[0] == orders[1] == orders[2]
    assert sorted(orders[0]) == sorted(names)


def test_a_hidden_folder_that_is_named_is_taken(tmp_path: Path) -> None:
    touch(tmp_path / ".cache/a.jpg")
    assert paths(data.find(tmp_path / ".cache")) == ["a.jpg"]
    assert paths(data.find(tmp_path / ".cache/a.jpg")) == ["a.jpg"]


def test_links_to_files_are_taken_and_links_to_folders_are_not(tmp_path: Path) -> None:
    touch(tmp_path / "real/a.jpg")
    (tmp_path / "real/again").symlink_to(tmp_path / "real", target_is_directory=True)  # a loop
    (tmp_path / "real/link.jpg").symlink_to("a.jpg")
    assert paths(data.find(tmp_path / "real")) == ["a.jpg", "link.jpg"]


def test_broken_links_and_loops_of_links_are_items_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop-a.jpg").symlink_to("loop-b.jpg")
    (tmp_path / "loop-b.jpg").symlink_to("loop-a.jpg")
    items = data.find(tmp_path)
    assert paths(items) == ["broken.jpg", "loop-a.jpg", "loop-b.jpg"]
    for item in items:
        assert not data.exists(item)
        with pytest.raises(OSError, match=r"No such file|Too many levels"):
            data.read_bytes(item)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    touch(tmp_path / "a.jpg", b"\x89PNG\r\n\x1a\n")
    reader = os.open(tmp_path / "pipe.jpg", os.O_RDWR | os.O_NONBLOCK)  # else opening it would block
    try:
        for item in data.find(tmp_path):
            if item.path == "pipe.jpg":
                os.write(reader, b"this is no image, and was not asked for")
                with pytest.raises((OSError, ImageError)) as caught:
                    data.read_bytes(item)
                assert "not an image in a format" not in str(caught.value), "the pipe was read"
    finally:
        os.close(reader)


@pytest.mark.parametrize("name", ODD, ids=repr)
def test_any_name_is_found_and_read(name: bytes, tmp_path: Path, photo_bytes: list[bytes]) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)
    with open(path, "wb") as file:
        file.write(photo_bytes[0])
    (item,) = data.find(tmp_path)
    assert os.fsencode(item.name) == path
    assert item.row is None
    assert data.exists(item)
    assert data.read_bytes(item) == photo_bytes[0]
    assert data.find(os.fsdecode(path)) == [item]


def test_labels_are_the_names_of_first_sub_folders(tmp_path: Path) -> None:
    for name in ("top.jpg", "cats/1.jpg", "cats/kittens/2.jpg", "dogs/3.jpg"):
        touch(tmp_path / name)
    found = {item.path: item.label for item in data.find(tmp_path, labels_from_folders=True)}
    assert found == {"top.jpg": None, "cats/1.jpg": "cats", "cats/kittens/2.jpg": "cats", "dogs/3.jpg": "dogs"}


def test_only_the_first_bytes_are_read_of_what_is_not_an_image(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with path.open("wb") as file:
        file.write(b"\0\0\0\x18ftypisom")
        file.truncate(1 << 40)  # a terabyte, all of it a hole
    (item,) = data.find(path)
    with pytest.raises(ImageError, match="a video"):
        data.read_bytes(item)


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    touch(tmp_path / "empty.jpg", b"")
    with pytest.raises(ImageError, match="empty"):
        data.read_bytes(data.find(tmp_path)[0])


# Several paths


def test_what_is_named_twice_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = touch(tmp_path / "f/a.jpg"), touch(tmp_path / "f/b.jpg")
    monkeypatch.chdir(tmp_path)
    items = data.find([b, tmp_path / "f", "f", "./f/../f/a.jpg", a, os.fspath(a)])
    assert paths(items) == ["b.jpg", "a.jpg"]


def test_a_single_file_has_its_folder_as_root(tmp_path: Path) -> None:
    path = touch(tmp_path / "f/a.jpg")
    (item,) = data.find(path)
    assert (item.root, item.path, item.name, item.file) == (str(tmp_path / "f"), "a.jpg", str(path), str(path))


def test_no_more_than_the_limit(tmp_path: Path) -> None:
    for number in range(9):
        touch(tmp_path / f"{number}.jpg")
    assert paths(data.find(tmp_path, limit=3)) == ["0.jpg", "1.jpg", "2.jpg"]
    assert len(data.find([tmp_path / "4.jpg", tmp_path], limit=2)) == 2
    assert len(data.find(tmp_path, limit=100)) == 9


def test_a_limit_stops_the_walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walked = []

    def endless(*_: object, **__: object) -> Iterator[data.Item]:
        for number in range(1_000_000):
            walked.append(number)
            yield data.Item(str(tmp_path), str(number), 1, 1)

    monkeypatch.setattr("lookalike.data.folder.walk", endless)
    assert len(data.find(tmp_path, limit=5)) == 5
    assert len(walked) <= 6


def test_a_limit_below_one_finds_nothing(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    with pytest.raises(LookalikeError):
        data.find(tmp_path, limit=0)


def test_errors_name_the_path_and_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match=f"{tmp_path}/absent does not exist; name a folder, files or a Parquet file"):
        data.find(tmp_path / "absent")
    with pytest.raises(DataError, match=r"absent.parquet does not exist"):
        data.find(tmp_path / "absent.parquet#3")
    with pytest.raises(DataError, match=r"loop is unreadable .Too many levels of symbolic links"):
        data.find(tmp_path / "loop")
    with pytest.raises(DataError, match="there are no images here; name a folder"):
        data.find(tmp_path / "empty")
    with pytest.raises(DataError, match="no images were given"):
        data.find([])


@pytest.mark.parametrize("name", ["x" * 300, "a/" * 3000, "nul\0byte"], ids=["long", "deep", "nul"])
def test_names_that_cannot_exist_are_data_errors(name: str) -> None:
    with pytest.raises(DataError):
        data.find(name)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("photos", "photos"), ("a/b.parquet", "b"), (["x", "y", "z"], "x and 2 more"), ([Path("x")], "x")],
)
def test_default_name(given: data.Paths, expected: str) -> None:
    assert data.default_name(given) == expected


# Tables


@pytest.fixture(params=["bytes", "struct"])
def ten_rows(request: pytest.FixtureRequest, tmp_path: Path, photo_bytes: list[bytes]) -> Path:
    values: list[Any] = photo_bytes[:10]
    if request.param == "struct":
        values = [{"bytes": value, "path": f"{i}.jpg"} for i, value in enumerate(values)]
    columns = {"image": values, "label": list(range(10)), "label_name": [f"class {i}" for i in range(10)]}
    return table(tmp_path / "t.parquet", columns, row_group_size=3)


def test_rows_of_a_table_are_items(ten_rows: Path, photo_bytes: list[bytes]) -> None:
    items = data.find(ten_rows)
    assert paths(items) == [f"t.parquet#{row}" for row in range(10)]
    assert [item.row for item in items] == list(range(10))
    assert [item.label for item in items] == [f"class {row}" for row in range(10)]
    assert {(item.root, item.file) for item in items} == {(str(ten_rows.parent), str(ten_rows))}
    order = random.Random(0).sample(range(10), 10)  # several row groups, unordered
    assert [data.read_bytes(items[row]) for row in order] == [photo_bytes[row] for row in order]
    assert all(map(data.exists, items))


def test_one_row_is_named_with_its_number(ten_rows: Path, photo_bytes: list[bytes]) -> None:
    items = data.find(ten_rows)
    assert data.find(f"{ten_rows}#7") == [items[7]]
    assert data.find([f"{ten_rows}#7", ten_rows, f"{ten_rows}#7"])[:2] == [items[7], items[0]]
    assert data.read_bytes(data.find(f"{ten_rows}#7")[0]) == photo_bytes[7]
    assert len(data.find(ten_rows, limit=4)) == 4


def test_a_row_that_is_not_there_says_how_many_are(ten_rows: Path) -> None:
    for row in (10, 10**30):
        with pytest.raises(DataError, match=r"t\.parquet#10*: the table has 10 rows, counted from 0"):
            data.find(f"{ten_rows}#{row}")


def test_a_table_in_a_folder_of_any_name(tmp_path: Path, photo_bytes: list[bytes]) -> None:
    folder = tmp_path / "line\nbreak #1"
    folder.mkdir()
    path = table(folder / "T.PARQUET", {"image": photo_bytes[:2]})
    assert [item.row for item in data.find(path)] == [0, 1]
    assert data.read_bytes(data.find(f"{path}#1")[0]) == photo_bytes[1]


def test_a_table_that_shrank_lacks_its_last_rows(ten_rows: Path, photo_bytes: list[bytes]) -> None:
    items = data.find(ten_rows)
    ten_rows.unlink()
    table(ten_rows, {"image": photo_bytes[:4]})
    os.utime(ten_rows, ns=(5, 5))
    assert [data.exists(item) for item in items] == [True] * 4 + [False] * 6
    for row in range(4, 10):
        with pytest.raises((OSError, ImageError)):
            data.read_bytes(data.Item(items[row].root, items[row].path, 1, 5, None, row))
    ten_rows.unlink()
    assert not any(map(data.exists, items))


@pytest.mark.parametrize("after", ["gone", "not a table", "another table"])
def test_a_table_that_changed_before_it_was_read_spoils_its_rows_alone(
    after: str, tmp_path: Path, photo_bytes: list[bytes]
) -> None:
    path = table(tmp_path / "t.parquet", {"image": photo_bytes[:3]})
    items = data.find(path)
    path.unlink()
    if after == "not a table":
        path.write_bytes(b"PAR1 and then rubbish, and no footer at all")
    elif after == "another table":
        table(path, {"something": [1, 2, 3]})
    if after != "gone":
        os.utime(path, ns=(9, 9))
    fresh = data.Item(items[0].root, items[0].path, 1, 9, None, 0)  # opened files may stay open
    with pytest.raises((OSError, ImageError)):
        data.read_bytes(fresh)
    assert data.exists(fresh) is False


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"label": [3, 4]}, ["3", "4"]),
        ({"label": [3, 4], "labels": [["a", "b"], []]}, [("a", "b"), None]),
        ({"labels": [["a"], ["b"]], "label_name": ["x", None]}, ["x", None]),
        ({"labels": [None, ["b", "c"]]}, [None, ("b", "c")]),
        ({"label": [3.0, float("nan")]}, ["3", None]),  # pandas' representation of integers with missing values
        ({"label": ["", "x"], "text": ["a", "b"]}, [None, "x"]),
        ({"labels": [["a", ""], [None]]}, [("a",), None]),
        ({"other": [1, 2]}, [None, None]),
    ],
)
def test_labels_of_tables(columns: dict[str, Any], expected: list[data.Label], tmp_path: Path) -> None:
    path = table(tmp_path / "t.parquet", {"image": [b"x", b"y"], **columns})
    assert [item.label for item in data.find(path)] == expected
    assert [item.label for item in data.find(path, labels_from_folders=True)] == expected


@pytest.mark.parametrize("value", [0.5, [[1, 0]], {"a": "b"}])
def test_what_is_not_a_label_is_reported(value: Any, tmp_path: Path) -> None:
    path = table(tmp_path / "t.parquet", {"image": [b"x", b"y"], "label": [value, value]})
    with pytest.raises(DataError, match=r"the column `label` holds .*; expected a label, as text or an integer"):
        data.find(path)


STRUCT = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


@pytest.mark.parametrize("type_", [pyarrow.binary(), pyarrow.large_binary(), STRUCT], ids=str)
@pytest.mark.parametrize("value", [None, b""])
def test_a_row_without_an_image_is_an_image_error(value: bytes | None, type_: Any, tmp_path: Path) -> None:
    values = [None, {"bytes": value, "path": "a.jpg"}] if type_ is STRUCT else [value]
    item = data.find(table(tmp_path / "t.parquet", {"image": pyarrow.array(values, type_)}))[-1]
    with pytest.raises(ImageError, match="the row has no image"):
        data.read_bytes(item)


@pytest.mark.parametrize(
    "value", ["a/path.jpg", 5, -5, 2.5, [[1, 2], [3, 4]], [300, 4], True, {"path": "a.jpg"}, None], ids=repr
)
def test_a_column_of_another_type_is_an_error_of_the_data(value: Any, tmp_path: Path) -> None:
    path = table(tmp_path / "t.parquet", {"image": [value]})
    with pytest.raises((DataError, ImageError)) as caught:
        data.read_bytes(data.find(path)[0])
    assert str(caught.value)


def test_a_table_without_images_names_its_columns(tmp_path: Path) -> None:
    path = table(tmp_path / "t.parquet", {"img": [b"x"], "label": [1]})
    with pytest.raises(DataError, match="no column `image` with encoded images; its columns are: img, label"):
        data.find(path)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"hello\n" * 50])
def test_what_is_not_a_table_is_reported(content: bytes, tmp_path: Path) -> None:
    path = touch(tmp_path / "t.parquet", content)
    with pytest.raises(DataError, match=r"t\.parquet is not a readable Parquet file"):
        data.find(path)


def test_an_empty_table_has_no_images(tmp_path: Path) -> None:
    path = table(tmp_path / "t.parquet", {"image": pyarrow.array([], pyarrow.binary())})
    with pytest.raises(DataError, match="there are no images here"):
        data.find(path)


def test_damaged_pages_spoil_their_rows_alone(tmp_path: Path, photo_bytes: list[bytes]) -> None:
    path = table(tmp_path / "t.parquet", {"image": photo_bytes[:8]}, row_group_size=2, use_dictionary=False)
    content = bytearray(path.read_bytes())
    chunk = parquet.ParquetFile(path).metadata.row_group(1).column(0)
    content[chunk.data_page_offset : chunk.data_page_offset + 40] = b"\xff" * 40
    path.write_bytes(content)
    read = []
    for item in data.find(path):
        try:
            read.append(data.read_bytes(item))
        except (OSError, ImageError):
            read.append(b"")
    assert read[:2] + read[4:] == photo_bytes[:2] + photo_bytes[4:8]
    assert read[2:4] == [b"", b""]


def test_real_tables(shared_data: Path) -> None:
    for name, label in (("tiny_imagenet", str), ("cifar10", str), ("tagged_food", tuple)):
        path = shared_data / f"{name}.parquet"
        if not path.exists():
            pytest.skip(f"{path} is absent")
        items = data.find(path, limit=300)
        assert len(items) == 300
        assert {type(item.label) for item in items} - {type(None)} == {label}  # some photographs have no tags
        assert data.read_bytes(items[299])[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("path", "row"),
    [("t.parquet#12", 12), ("a/T.Parquet#0", 0), ("t.parquet", None), ("t.jpg#1", None), ("t.parquet#x", None)],
)
def test_row_of(path: str, row: int | None) -> None:
    assert data.parquet.row_of(path) == row
