"""ImageNet (ILSVRC 2012) in its official formats, and the image lists used in papers on hashing.

    train/<wnid>/*.JPEG                  training images, a folder for each class; a wnid looks like n01440764
    val/<wnid>/*.JPEG                    validation images likewise, or all of them in one folder:
    val/ILSVRC2012_val_00000001.JPEG     then one of these files must give their classes:
        LOC_val_solution.csv                        from Kaggle
        imagenet_2012_validation_synset_labels.txt  a wnid a line, from TensorFlow
        ILSVRC2012_validation_ground_truth.txt      a number a line, from the development kit; together with
        map_clsloc.txt                              the class of each number, from the kits of 2014 and later

The development kit numbers classes in its own order, unlike `synset_words.txt` and `LOC_synset_mapping.txt`, which are
ordered by wnid. The kit of 2012 has its order in `meta.mat` only, which needs SciPy to read. Kaggle's folder works
unchanged: the images are then in ILSVRC/Data/CLS-LOC.

Sources: https://image-net.org/challenges/LSVRC/2012 and the readme of its development kit; HashNet's lists are those of
https://github.com/thuml/HashNet.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from lookalike.core.errors import DataError
from lookalike.data import folder as folders
from lookalike.data.item import Item
from research.datasets import listing

KAGGLE = "ILSVRC/Data/CLS-LOC"  # location of the images in Kaggle's folder
KITS = ("", "devkit/data", "ILSVRC2012_devkit_t12/data")  # possible locations of a development kit's files
SOLUTION = "LOC_val_solution.csv"
SYNSETS = "imagenet_2012_validation_synset_labels.txt"
TRUTH, ORDER = "ILSVRC2012_validation_ground_truth.txt", "map_clsloc.txt"
LISTS = ("train.txt", "database.txt", "test.txt")  # HashNet's
_WNID = re.compile(r"n\d{8}")
_FLAT = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG")
_SOLVED = re.compile(r"ILSVRC2012_val_(\d{8}),(n\d{8})\b")  # boxes follow


def rows(folder: Path, *, classes: Collection[str] | None = None) -> Iterator[Item]:
    """The items of ImageNet or of some of its classes, training images first; labels are wnids.

    Raises `DataError` if a split, a class or the file with the validation classes is absent.
    """
    place = _place(folder)
    yield from _in_class_folders(place / "train", classes)
    if _class_folders(place / "val"):
        yield from _in_class_folders(place / "val", classes)
    else:
        yield from _flat(place / "val", _validation_classes(folder), classes)


def part(item: Item) -> str:
    """The split of an item of `rows`: `train`, or `test` for validation images."""
    return "train" if os.path.basename(item.root) == "train" else "test"


def is_here(folder: Path) -> bool:
    """Whether a folder holds ImageNet."""
    return (_place(folder) / "train").is_dir()


def hashing_classes() -> tuple[str, ...]:
    """The wnids of the 100 classes used by HashNet and its successors, in the order of their class numbers."""
    text = (files("research.datasets") / "imagenet100.txt").read_text(encoding="ascii")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))


def has_lists(folder: Path) -> bool:
    """Whether a folder holds HashNet's lists."""
    return all((folder / name).is_file() for name in LISTS)


def from_lists(folder: Path) -> tuple[list[Item], list[str]]:
    """The items of HashNet's lists without repetitions, and the split of each: `test` for those in `test.txt`."""
    test = list(from_list(folder, folder / "test.txt"))
    train = dict.fromkeys(item for name in LISTS[:2] for item in from_list(folder, folder / name))
    return [*train, *test], ["train"] * len(train) + ["test"] * len(test)


def from_list(root: Path, file: Path) -> Iterator[Item]:
    """The items of a list of images; labels are class numbers.

    A line has the path of an image, relative to `root`, and its class: `image/a.JPEG 2`, or in HashNet's one-hot format
    `image/a.JPEG 0 0 1 0`. Raises `DataError` if a line has another format or its image is absent.
    """
    for number, line in enumerate(listing.lines(file), 1):
        name, *values = line.split()
        label = _class_number(values)
        if label is None:
            raise DataError(
                f"{file}, line {number}: expected an image and its class, as a number or as 0s and one 1; "
                f"got {' '.join(values)[:40]!r} behind {name}"
            )
        try:
            yield listing.item(root, name, label)
        except OSError as error:
            raise DataError(f"{file}, line {number}: {root / name} cannot be found ({error.strerror})") from error


def _place(folder: Path) -> Path:
    """The folder of `train` and `val`."""
    return folder / KAGGLE if (folder / KAGGLE).is_dir() else folder


def _class_folders(part: Path) -> list[str]:
    if not part.is_dir():
        return []
    return sorted(entry.name for entry in part.iterdir() if _WNID.fullmatch(entry.name) and entry.is_dir())


def _in_class_folders(part: Path, classes: Collection[str] | None) -> Iterator[Item]:
    found = _class_folders(part)
    if not found:
        raise DataError(f"{part} has no class folders such as n01440764; unpack ImageNet's training images there")
    if absent := sorted(set(classes or ()).difference(found)):
        raise DataError(
            f"{part} lacks {len(absent)} of {len(classes or ())} classes, such as {absent[0]}; unpack them there"
        )
    for wnid in found:
        if classes is None or wnid in classes:
            for item in folders.walk(part / wnid, labels_from_folders=False):
                yield replace(item, root=os.fspath(part), path=f"{wnid}/{item.path}", label=wnid)


def _flat(part: Path, of_number: dict[int, str], classes: Collection[str] | None) -> Iterator[Item]:
    names = sorted(os.listdir(part)) if part.is_dir() else []
    matches = [match for match in map(_FLAT.fullmatch, names) if match]
    if not matches:
        raise DataError(f"{part} has neither class folders nor images such as ILSVRC2012_val_00000001.JPEG")
    for match in matches:
        wnid = of_number.get(int(match[1]))
        if wnid is None:
            raise DataError(
                f"{part / match[0]} has no class: classes are given for {len(of_number)} images, not for it"
            )
        if classes is None or wnid in classes:
            yield listing.item(part, match[0], wnid)


def _validation_classes(folder: Path) -> dict[int, str]:
    """The wnid of each validation image, by the number in its file name."""
    if (solution := _find(folder, SOLUTION)) is not None:
        return dict(_from_kaggle(solution))
    if (synsets := _find(folder, SYNSETS)) is not None:
        return dict(_from_synsets(synsets))
    truth, order = _find(folder, TRUTH), _find(folder, ORDER)
    if truth is not None and order is not None:
        return dict(_from_kit(truth, order))
    raise DataError(
        f"{folder} does not say which classes its validation images have: put {SOLUTION}, {SYNSETS}, or both {TRUTH} "
        f"and {ORDER} there, or sort the images into class folders"
    )


def _find(folder: Path, name: str) -> Path | None:
    return next((path for kit in KITS if (path := folder / kit / name).is_file()), None)


def _from_kaggle(file: Path) -> Iterator[tuple[int, str]]:
    """Number and wnid of each image; lines look like `ILSVRC2012_val_00048981,n03995372 85 1 499 272`."""
    for line, text in enumerate(listing.lines(file), 1):
        if match := _SOLVED.match(text):
            yield int(match[1]), match[2]
        elif not text.startswith("ImageId,"):  # header
            raise DataError(f"{file}, line {line}: expected an image, a comma and its class; got {text[:60]!r}")


def _from_synsets(file: Path) -> Iterator[tuple[int, str]]:
    """Number and wnid of each image, counting from 1."""
    for line, text in enumerate(listing.lines(file), 1):
        yield line, _checked(text, file, line)


def _from_kit(truth: Path, order: Path) -> Iterator[tuple[int, str]]:
    """Number and wnid of each image; lines of `order` look like `n02119789 1 kit_fox`."""
    of_id = {}
    for line, text in enumerate(listing.lines(order), 1):
        wnid, id_, *_ = [*text.split(), ""]
        of_id[id_] = _checked(wnid, order, line)
    for line, id_ in enumerate(listing.lines(truth), 1):
        if id_ not in of_id:
            raise DataError(f"{truth}, line {line}: expected a number listed in {order.name}; got {id_[:40]!r}")
        yield line, of_id[id_]


def _checked(wnid: str, file: Path, line: int) -> str:
    if not _WNID.fullmatch(wnid):
        raise DataError(f"{file}, line {line}: expected a class such as n01440764; got {wnid[:40]!r}")
    return wnid


def _class_number(values: list[str]) -> str | None:
    """The class in a line of a list, or None if its format is unknown."""
    if len(values) == 1 and values[0].isdecimal():
        return values[0]
    if set(values) == {"0", "1"} and values.count("1") == 1:
        return str(values.index("1"))
    return None
