"""NUS-WIDE's official layout: frequent concepts, no images without concepts, errors for damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lookalike import data
from lookalike.core.errors import DataError
from research import datasets
from research.datasets import nuswide

from .layouts import touch

CONCEPTS = [f"concept{number:02}" for number in range(81)]
IMAGES = 40
NAMES = [f"{'actor' if number < 20 else 'zoo'}/{number:04}_{7 * number}.jpg" for number in range(IMAGES)]


def has() -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Whether each image has each concept, (N, C): the later in the alphabet, the more frequent, up to the last three.

    Concepts 78 to 80 are equally frequent, and image 0 has none at all.
    """
    rows_N1, columns_C = np.arange(IMAGES)[:, None], np.arange(81)
    return (rows_N1 > 0) & (rows_N1 <= np.minimum(columns_C // 3 + 1, 27))


def make(folder: Path, *, images: str = "Flickr") -> Path:
    """NUS-WIDE in its official layout, with 40 images."""
    for name in ("ImageList", "Groundtruth/AllLabels", "ConceptsList"):
        (folder / name).mkdir(parents=True)
    with (folder / nuswide.LIST).open("w", newline="") as file:
        file.writelines(name.replace("/", "\\") + "\r\n" for name in NAMES)
    for concept, has_N in zip(CONCEPTS, has().T, strict=True):
        (folder / nuswide.LABELS / f"Labels_{concept}.txt").write_text("".join(f"{int(one)}\n" for one in has_N))
    (folder / nuswide.CONCEPTS).write_text("\n".join([*CONCEPTS, ""]))
    touch(folder / images, NAMES)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make(tmp_path / nuswide.FOLDER)


def labels(chosen: list[str]) -> dict[str, tuple[str, ...]]:
    """The images that have one of the concepts, with their concepts."""
    of_image = {
        name: tuple(concept for concept in chosen if row[CONCEPTS.index(concept)])
        for name, row in zip(NAMES, has(), strict=True)
    }
    return {name: concepts for name, concepts in of_image.items() if concepts}


def test_all_concepts(folder: Path) -> None:
    items = list(nuswide.rows(folder, nuswide.concepts(folder)))
    assert nuswide.concepts(folder) == tuple(CONCEPTS)
    assert {item.path: item.label for item in items} == labels(CONCEPTS)
    assert len(items) == 27  # image 0 and images 28 to 39 have no concept
    assert [item.path for item in items] == [name for name in NAMES if name in labels(CONCEPTS)]
    assert {item.root for item in items} == {str(folder / "Flickr")}
    assert all(map(data.exists, items))
    assert nuswide.absent(folder) == 0


def test_the_most_frequent_are_counted_and_ties_go_by_name(folder: Path) -> None:
    frequent = nuswide.most_frequent(folder)
    assert len(frequent) == 21
    assert frequent[:7] == (
        "concept78", "concept79", "concept80", "concept75", "concept76", "concept77", "concept72",
    )  # fmt: skip
    assert set(frequent) == set(CONCEPTS[60:])
    items = list(nuswide.rows(folder, frequent))
    assert {item.path: item.label for item in items} == labels(list(frequent))
    assert nuswide.most_frequent(folder, 2) == ("concept78", "concept79")


def test_images_without_a_chosen_concept_are_excluded(folder: Path) -> None:
    items = list(nuswide.rows(folder, ["concept02", "concept05"]))
    assert {item.path: item.label for item in items} == {
        NAMES[1]: ("concept02", "concept05"), NAMES[2]: ("concept05",),
    }  # fmt: skip


def test_images_that_are_gone_are_excluded_and_counted(folder: Path) -> None:
    for number in (0, 2, 3):
        (folder / "Flickr" / NAMES[number]).unlink()
    assert nuswide.absent(folder) == 3
    items = list(nuswide.rows(folder, CONCEPTS))
    assert {item.path for item in items} == labels(CONCEPTS).keys() - {NAMES[2], NAMES[3]}


@pytest.mark.parametrize("flat", [False, True])
def test_images_may_lie_in_another_folder(flat: bool, tmp_path: Path) -> None:
    folder = make(tmp_path / nuswide.FOLDER, images="images")
    if flat:
        for name in NAMES:
            (folder / "images" / name).rename(folder / "images" / Path(name).name)
    items = list(nuswide.rows(folder, CONCEPTS))
    assert [Path(item.path).name for item in items] == [Path(name).name for name in labels(CONCEPTS)]
    assert nuswide.absent(folder) == 0


def test_where_no_image_is_an_error(folder: Path) -> None:
    for name in NAMES:
        (folder / "Flickr" / name).unlink()
    with pytest.raises(
        DataError, match=r"Flickr has none of the images that .*Imagelist\.txt lists; .*actor/0000_0\.jpg"
    ):
        list(nuswide.rows(folder, CONCEPTS))
    (folder / "Flickr").rename(folder / "photos")
    for call in (nuswide.absent, lambda folder: list(nuswide.rows(folder, CONCEPTS))):
        with pytest.raises(DataError, match=r"neither a folder Flickr nor images; put the images in .*Flickr"):
            call(folder)


@pytest.mark.parametrize("count", [0, 39, 41])
def test_labels_of_another_number_of_images(count: int, folder: Path) -> None:
    (folder / nuswide.LABELS / "Labels_concept07.txt").write_text("1\n" * count)
    with pytest.raises(
        DataError, match=rf"Labels_concept07\.txt has {count} lines; expected 40, one for each image of"
    ):
        nuswide.most_frequent(folder)
    with pytest.raises(DataError, match=rf"Labels_concept07\.txt has {count} lines"):
        list(nuswide.rows(folder, CONCEPTS))
    assert list(nuswide.rows(folder, ["concept80"]))  # files of other concepts are not read


def test_labels_that_are_neither_0_nor_1(folder: Path) -> None:
    (folder / nuswide.LABELS / "Labels_concept07.txt").write_text("1\n" * 39 + "2\n")
    with pytest.raises(DataError, match=r"Labels_concept07\.txt holds '2'; expected 0 or 1 a line"):
        list(nuswide.rows(folder, CONCEPTS))


@pytest.mark.parametrize("listed", [True, False])
def test_a_concept_without_labels(listed: bool, folder: Path) -> None:
    (folder / nuswide.LABELS / "Labels_concept33.txt").unlink()
    if not listed:
        (folder / nuswide.CONCEPTS).unlink()
    message = r"lacks Labels_concept33\.txt, which .*Concepts81" if listed else "labels of 80 concepts; expected 81"
    with pytest.raises(DataError, match=message):
        nuswide.concepts(folder)


def test_the_list_of_concepts_may_be_absent(folder: Path) -> None:
    (folder / nuswide.CONCEPTS).unlink()
    assert nuswide.concepts(folder) == tuple(CONCEPTS)


def test_an_empty_list_names_no_images(folder: Path) -> None:
    (folder / nuswide.LIST).write_text("\n")
    with pytest.raises(DataError, match=r"Imagelist\.txt lists no images; expected one a line"):
        nuswide.absent(folder)


def test_data_sets_of_21_and_of_81_concepts(folder: Path) -> None:
    small, large = (datasets.load(name, folder.parent) for name in ("nuswide21", "nuswide81"))
    assert small.title == "NUS-WIDE, its 21 most frequent concepts"
    assert set(small.parts) == set(large.parts) == {""}
    assert {concept for item in small.items for concept in item.label or ()} == set(CONCEPTS[60:])
    assert {concept for item in large.items for concept in item.label or ()} == set(CONCEPTS)


def test_where_it_is_not_there_the_place_is_named(tmp_path: Path) -> None:
    for name in ("nuswide21", "nuswide81"):
        with pytest.raises(DataError, match=r"NUS-WIDE/ImageList/Imagelist\.txt does not exist; unpack"):
            datasets.load(name, tmp_path)
