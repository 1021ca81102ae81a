"""NUS-WIDE in its official layout: photographs from Flickr labelled with 81 concepts, several per image.

    ImageList/Imagelist.txt                      269,648 images, such as `actor\\0001_2124494179.jpg`
    Groundtruth/AllLabels/Labels_<concept>.txt   81 files with a 0 or 1 for each line of that list
    ConceptsList/Concepts81.txt                  the concepts; optional
    Flickr/<folder>/<image>.jpg                  the images; or images/, with or without those folders

Papers on hashing use the 21 most frequent concepts, or all 81, and leave out images without any of them. Here the 21
are counted from the labels. Others list them as sky, clouds, person, water, animal, grass, buildings, window, plants,
lake, ocean, road, flowers, sunset, reflection, rocks, vehicle, snow, tree, beach and mountain, with 195,834 images;
209,347 images have one of the 81. Many photographs have been deleted from Flickr: images that are not on disk are left
out, and `absent` counts them.

Source: Chua et al., "NUS-WIDE: A real-world web image database from National University of Singapore", CIVR 2009, and
https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide/NUS-WIDE.html.

Shapes: N images of the list, C concepts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import DataError
from lookalike.data.item import Item, Label
from research.datasets import listing

FOLDER = "NUS-WIDE"
LIST = "ImageList/Imagelist.txt"
LABELS = "Groundtruth/AllLabels"
CONCEPTS = "ConceptsList/Concepts81.txt"
PLACES = ("Flickr", "images")
COUNT = 81  # concepts
FREQUENT = 21  # number of concepts used in papers on hashing

Bools = npt.NDArray[np.bool_]


def rows(folder: Path, chosen: Sequence[str]) -> Iterator[Item]:
    """The items on disk that have at least one of the chosen concepts; labels are tuples of concepts.

    Raises `DataError` if a file is damaged, or none of these images is on disk.
    """
    names, place = _image_names(folder), _place(folder)
    labels_NC = np.stack([_has(folder, concept, len(names)) for concept in chosen], axis=1)
    found = 0
    for row in np.flatnonzero(labels_NC.any(axis=1)).tolist():
        label = tuple(chosen[column] for column in np.flatnonzero(labels_NC[row]).tolist())
        if (image := _item(place, names[row], label)) is not None:
            found += 1
            yield image
    if not found:
        raise DataError(
            f"{place} has none of the images that {folder / LIST} lists; put them there, such as {names[0]}"
        )


def concepts(folder: Path) -> tuple[str, ...]:
    """The names of the 81 concepts. Raises `DataError` if labels of one are absent."""
    labels, listed = folder / LABELS, folder / CONCEPTS
    there = {path.stem.removeprefix("Labels_") for path in labels.glob("Labels_*.txt")}
    wanted = set(listing.lines(listed)) if listed.is_file() else there
    if absent := sorted(wanted - there):
        raise DataError(f"{labels} lacks Labels_{absent[0]}.txt, which {listed} lists; unpack Groundtruth.zip there")
    if len(wanted) != COUNT:
        raise DataError(
            f"{labels} has labels of {len(wanted)} concepts; expected {COUNT}. Unpack Groundtruth.zip there"
        )
    return tuple(sorted(wanted))


def most_frequent(folder: Path, count: int = FREQUENT) -> tuple[str, ...]:
    """The concepts with most images in the list, in descending order; ties by name."""
    size = len(_image_names(folder))
    frequency = {concept: int(_has(folder, concept, size).sum()) for concept in concepts(folder)}
    return tuple(sorted(frequency, key=lambda concept: (-frequency[concept], concept))[:count])


def absent(folder: Path) -> int:
    """Number of listed images that are not on disk."""
    place = _place(folder)
    return sum(_item(place, name, None) is None for name in _image_names(folder))


def is_here(folder: Path) -> bool:
    """Whether a folder holds NUS-WIDE's list of images."""
    return (folder / LIST).is_file()


def _image_names(folder: Path) -> list[str]:
    """The paths in the list, with `/`."""
    names = [line.replace("\\", "/") for line in listing.lines(folder / LIST)]
    if not names:
        raise DataError(f"{folder / LIST} lists no images; expected one a line")
    return names


def _has(folder: Path, concept: str, expected: int) -> Bools:
    """Whether each image of the list has a concept, (N,)."""
    path = folder / LABELS / f"Labels_{concept}.txt"
    values_N = np.array(listing.lines(path))
    if len(values_N) != expected:
        raise DataError(
            f"{path} has {len(values_N)} lines; expected {expected}, one for each image of {folder / LIST}. "
            "Unpack both again, from the same edition"
        )
    has_N: Bools = values_N == "1"
    if wrong := set(values_N[~has_N].tolist()) - {"0"}:
        raise DataError(f"{path} holds {min(wrong)!r}; expected 0 or 1 a line. Unpack Groundtruth.zip again")
    return has_N


def _place(folder: Path) -> Path:
    """The folder of the images."""
    for name in PLACES:
        if (folder / name).is_dir():
            return folder / name
    raise DataError(f"{folder} has neither a folder {' nor '.join(PLACES)}; put the images in {folder / PLACES[0]}")


def _item(place: Path, name: str, label: Label) -> Item | None:
    """The item of an image, with or without its folder; None if it is not on disk."""
    for path in (name, name.rpartition("/")[2]):
        with suppress(OSError):
            return listing.item(place, path, label)
    return None
