"""ImageNet's official formats and HashNet's lists: each image once, with its official class."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike import data
from lookalike.core.errors import DataError
from research import datasets
from research.datasets import imagenet

from .layouts import touch

FOX, SNAKE, COCK = "n02119789", "n01751748", "n01514668"  # the first is class 1 of the development kit
TRAIN = [f"train/{wnid}/{wnid}_{number}.JPEG" for wnid in (COCK, SNAKE, FOX) for number in (1, 22)]
VAL = {1: SNAKE, 2: FOX, 3: SNAKE, 4: COCK}
TRUTH, ORDER = "490\n1\n490\n3\n", f"{FOX} 1 kit_fox\n{COCK} 3 cock\n{SNAKE} 490 sea_snake\n"
SOLUTION = "ImageId,PredictionString\n" + "".join(
    f"ILSVRC2012_val_{number:08},{wnid} 1 2 30 40 {wnid} 5 6 70 80 \n" for number, wnid in reversed(VAL.items())
)
SYNSETS = "".join(f"{wnid}\n" for wnid in VAL.values())
KINDS = ("class folders", "solution", "synsets", "kit", "kit in its folder", "Kaggle's folder")


def write(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def flat(number: int) -> str:
    return f"ILSVRC2012_val_{number:08}.JPEG"


def make(folder: Path, kind: str = "class folders") -> Path:
    """ImageNet in one of its formats, with six training and four validation images of three classes."""
    if kind == "class folders":
        touch(folder, [*TRAIN, *(f"val/{wnid}/{flat(number)}" for number, wnid in VAL.items())])
        return folder
    place = folder / imagenet.KAGGLE if kind == "Kaggle's folder" else folder
    touch(place, [*TRAIN, *(f"val/{flat(number)}" for number in VAL)])
    kit = "ILSVRC2012_devkit_t12/data/" if kind == "kit in its folder" else ""
    if kind.startswith("kit"):
        write(folder, {kit + imagenet.TRUTH: TRUTH, kit + imagenet.ORDER: ORDER})
    elif kind == "synsets":
        write(folder, {imagenet.SYNSETS: SYNSETS})
    else:
        write(folder, {imagenet.SOLUTION: SOLUTION})
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_gives_the_same_images_with_the_same_classes(kind: str, tmp_path: Path) -> None:
    items = list(imagenet.rows(make(tmp_path / "imagenet", kind)))
    assert [imagenet.part(item) for item in items] == ["train"] * 6 + ["test"] * 4
    assert [item.path for item in items[:6]] == [name.removeprefix("train/") for name in TRAIN]
    assert [item.label for item in items[:6]] == [COCK, COCK, SNAKE, SNAKE, FOX, FOX]
    assert {Path(item.path).name: item.label for item in items[6:]} == {
        flat(number): wnid for number, wnid in VAL.items()
    }
    for item in items:
        assert data.exists(item)
        assert Path(item.name).name in Path(item.file).read_text()
        assert item.size == Path(item.file).stat().st_size


@pytest.mark.parametrize("kind", KINDS)
def test_some_classes_are_taken_from_both_parts(kind: str, tmp_path: Path) -> None:
    items = list(imagenet.rows(make(tmp_path / "imagenet", kind), classes=[SNAKE]))
    assert [(imagenet.part(item), item.label) for item in items] == [("train", SNAKE)] * 2 + [("test", SNAKE)] * 2


def test_other_entries_are_not_classes(tmp_path: Path) -> None:
    folder = make(tmp_path)
    touch(folder, ["train/n01514668.tar", "train/lists/a.txt", "train/n015146688/a.JPEG", f"train/{FOX}/.hidden"])
    assert len(list(imagenet.rows(folder))) == 10


def test_a_class_that_is_absent_is_named(tmp_path: Path) -> None:
    folder = make(tmp_path)
    with pytest.raises(DataError, match=r"train lacks 1 of 2 classes, such as n99999999; unpack them there"):
        list(imagenet.rows(folder, classes=[SNAKE, "n99999999"]))


def test_what_is_missing_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train has no class folders such as n01440764"):
        list(imagenet.rows(tmp_path))
    touch(tmp_path, TRAIN)
    with pytest.raises(DataError, match=r"does not say which classes .* put LOC_val_solution\.csv, .* or sort"):
        list(imagenet.rows(tmp_path))
    write(tmp_path, {imagenet.SOLUTION: SOLUTION})
    with pytest.raises(DataError, match=r"val has neither class folders nor images such as ILSVRC2012_val_00000001"):
        list(imagenet.rows(tmp_path))
    touch(tmp_path, [f"val/{flat(5)}"])
    with pytest.raises(DataError, match=r"ILSVRC2012_val_00000005\.JPEG has no class: .* 4 images, not for it"):
        list(imagenet.rows(tmp_path))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            {imagenet.SOLUTION: "ImageId,P\nILSVRC2012_val_00000001,fox 1 2 3 4\n"},
            r"solution\.csv, line 2: expected an",
        ),
        ({imagenet.SOLUTION: f"a.JPEG,{FOX}\n"}, r"line 1: expected an image, a comma and its class; got 'a\.JPEG,"),
        ({imagenet.SYNSETS: f"{FOX}\nsea snake\n"}, r"line 2: expected a class such as n01440764; got 'sea snake'"),
        (
            {imagenet.TRUTH: "490\n2\n", imagenet.ORDER: ORDER},
            r"line 2: expected a number listed in map_clsloc.* got '2'",
        ),
        ({imagenet.TRUTH: TRUTH, imagenet.ORDER: "1 kit_fox\n"}, r"map_clsloc\.txt, line 1: expected a class"),
        ({imagenet.TRUTH: TRUTH}, r"does not say which classes"),
    ],
)
def test_damaged_answers_are_named_with_their_line(texts: dict[str, str], message: str, tmp_path: Path) -> None:
    touch(tmp_path, [*TRAIN, f"val/{flat(1)}"])
    write(tmp_path, texts)
    with pytest.raises(DataError, match=f"(?i){message}"):
        list(imagenet.rows(tmp_path))


# The 100 classes


def test_the_hundred_classes_are_hashnets() -> None:
    wnids = imagenet.hashing_classes()
    assert len(set(wnids)) == 100
    assert list(wnids) == sorted(wnids)  # the order of class numbers in HashNet's lists
    numbers = {  # of lines of its train.txt
        "n01514668": 0, "n01685808": 6, "n01944390": 14, "n02088466": 19, "n02113023": 31, "n02256656": 33,
        "n02834397": 43, "n03045698": 54, "n03483316": 62, "n03814639": 69, "n04579432": 91, "n13044778": 99,
    }  # fmt: skip
    assert {wnid: wnids.index(wnid) for wnid in numbers} == numbers


def test_imagenet100_is_taken_from_class_folders(tmp_path: Path) -> None:
    for wnid in (*imagenet.hashing_classes(), FOX):
        touch(tmp_path / "imagenet", [f"train/{wnid}/{wnid}_1.JPEG", f"val/{wnid}/{flat(int(wnid[-4:]) + 1)}"])
    dataset = datasets.load("imagenet100", tmp_path)
    assert dataset.parts == ("train",) * 100 + ("test",) * 100
    assert [item.label for item in dataset.items] == 2 * list(imagenet.hashing_classes())
    assert len(datasets.load("imagenet", tmp_path)) == 202


def test_imagenet100_is_taken_from_lists_where_they_are(tmp_path: Path) -> None:
    folder = make(tmp_path / "imagenet").parent / "imagenet100"
    names = [f"image/{COCK}_1.JPEG", f"image/{SNAKE}_1.JPEG", f"image/{SNAKE}_2.JPEG", f"val_image/{flat(1)}"]
    touch(folder, names)
    lines = [f"{names[0]} 1 0\n", f"{names[1]} 0 1\n", f"{names[2]} 0 1\n"]
    write(folder, {"train.txt": lines[1], "database.txt": "".join(lines), "test.txt": f"{names[3]} 0 1\n"})
    dataset = datasets.load("imagenet100", tmp_path)
    assert dataset.title == "ImageNet100, HashNet's 100 classes and lists of images"
    assert sorted((item.path, item.label, part) for item, part in zip(dataset.items, dataset.parts, strict=True)) == [
        (names[0], "0", "train"), (names[1], "1", "train"), (names[2], "1", "train"), (names[3], "1", "test"),
    ]  # fmt: skip


def test_where_neither_is_both_ways_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither imagenet/train nor imagenet100/database\.txt.*train\.txt, database"):
        datasets.load("imagenet100", tmp_path)
    with pytest.raises(DataError, match=r"imagenet has no folder train"):
        datasets.load("imagenet", tmp_path)


# Lists


def test_a_list_has_ones_or_numbers(tmp_path: Path) -> None:
    touch(tmp_path, ["image/a.JPEG", "image/b.JPEG", "c.JPEG"])
    write(tmp_path, {"list.txt": "image/a.JPEG 0 0 1 0\n\nimage/b.JPEG 17\r\n  c.JPEG 1 0 0 0 \n"})
    items = list(imagenet.from_list(tmp_path, tmp_path / "list.txt"))
    assert [(item.path, item.label) for item in items] == [
        ("image/a.JPEG", "2"), ("image/b.JPEG", "17"), ("c.JPEG", "0"),
    ]  # fmt: skip
    assert all(map(data.exists, items))


@pytest.mark.parametrize("values", ["", "0 0 0", "0 1 1", "1 2", "-1", "fox", "0 1 x"])
def test_a_line_of_another_form_is_quoted(values: str, tmp_path: Path) -> None:
    touch(tmp_path, ["a.JPEG"])
    write(tmp_path, {"list.txt": f"a.JPEG 3\na.JPEG {values}\n"})
    with pytest.raises(
        DataError, match=rf"list\.txt, line 2: expected an image and its class.*got '{values}' behind a"
    ):
        list(imagenet.from_list(tmp_path, tmp_path / "list.txt"))


def test_an_image_that_is_absent_is_named_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, {"list.txt": "absent.JPEG 3\n"})
    with pytest.raises(DataError, match=r"list\.txt, line 1: .*absent\.JPEG cannot be found \(No such file"):
        list(imagenet.from_list(tmp_path, tmp_path / "list.txt"))


@pytest.mark.parametrize("content", [None, b"a.JPEG \xff\xfe 1\n"])
def test_a_list_that_is_not_text(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"list\.txt cannot be read as text"):
        list(imagenet.from_list(tmp_path, tmp_path / "list.txt"))


def test_imagenette_is_a_table_with_both_parts(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "image": [b"x", b"y", b"z"],
        "label_name": ["tench", "church", "tench"],
        "split": ["train", "val", "val"],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "imagenette224.parquet")
    dataset = datasets.load("imagenette", tmp_path)
    assert (dataset.name, dataset.title) == ("imagenette", "Imagenette (10 ImageNet classes, 224 pixels)")
    assert dataset.parts == ("train", "test", "test")
    assert [item.label for item in dataset.items] == ["tench", "church", "tench"]
