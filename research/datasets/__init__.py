"""Named data sets: their images, official splits, and titles for tables and figures.

Each is expected in a folder of data sets, in its official layout or as a Parquet file with a column `split`:

    cifar10         cifar-10-batches-bin/, or cifar10.parquet (JPEG)
    imagenet        imagenet/ with train/ and val/ (see `imagenet`)
    imagenet100     imagenet100/ with HashNet's lists train.txt, database.txt and test.txt and the images listed there;
                    or those 100 classes of imagenet/
    nuswide21       NUS-WIDE/ in its official layout (see `nuswide`), its 21 most frequent concepts
    nuswide81       the same with all 81
    tiny_imagenet   tiny_imagenet.parquet
    imagenette      imagenette224.parquet
    tagged_food     tagged_food.parquet
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lookalike.core.errors import DataError
from lookalike.data import parquet
from lookalike.data.item import Item
from research.datasets import cifar10, imagenet, nuswide


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images with labels, and the official split of each."""

    name: str
    title: str  # for tables and figures; a stand-in says that it is one
    items: tuple[Item, ...]
    parts: tuple[str, ...]  # "train", "test", or "" if the data set has no official split

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class About:
    """Description of a data set, and its possible locations in a folder of data sets; one of them suffices."""

    what: str
    places: tuple[str, ...]


def load(name: str, folder: Path) -> Dataset:
    """Load a named data set from a folder of data sets. Raises `DataError` if it is unknown or absent."""
    check_name(name)
    return DATASETS[name](folder)


def check_name(name: str) -> None:
    """Raise `DataError` if there is no data set of that name."""
    if name not in DATASETS:
        raise DataError(f"there is no data set {name!r}; there are {', '.join(DATASETS)}")


def where(name: str, folder: Path) -> Path | None:
    """Path of a data set in a folder of data sets, or None. Only `load` checks that it is complete."""
    return next((folder / place for place in ABOUT[name].places if (folder / place).exists()), None)


def _cifar10(folder: Path) -> Dataset:
    official = folder / cifar10.FOLDER
    if cifar10.is_here(official) and not (folder / cifar10.TABLE).exists():
        cifar10.convert(official, folder / cifar10.TABLE)
    if (folder / cifar10.TABLE).exists():
        found = _table("cifar10", "CIFAR-10", folder, file=cifar10.TABLE)
        return found if len(found) == cifar10.COUNT else replace(found, title=f"{len(found)} images of CIFAR-10")
    if (folder / "cifar10.parquet").exists():
        return _table("cifar10", "CIFAR-10, its images re-encoded as JPEG of quality 75", folder)
    raise DataError(f"{folder} holds neither {cifar10.FOLDER} nor cifar10.parquet; python -m research fetch cifar10")


def _imagenet(folder: Path) -> Dataset:
    if not imagenet.is_here(folder / "imagenet"):
        raise DataError(f"{folder / 'imagenet'} has no folder train; unpack ImageNet's images to train and val there")
    items = tuple(imagenet.rows(folder / "imagenet"))
    return Dataset("imagenet", "ImageNet (ILSVRC 2012)", items, tuple(map(imagenet.part, items)))


def _imagenet100(folder: Path) -> Dataset:
    lists, whole = folder / "imagenet100", folder / "imagenet"
    if imagenet.has_lists(lists):
        listed, parts = imagenet.from_lists(lists)
        return Dataset(
            "imagenet100", "ImageNet100, HashNet's 100 classes and lists of images", tuple(listed), tuple(parts)
        )
    if imagenet.is_here(whole):
        items = tuple(imagenet.rows(whole, classes=imagenet.hashing_classes()))
        return Dataset("imagenet100", "ImageNet, HashNet's 100 classes", items, tuple(map(imagenet.part, items)))
    raise DataError(
        f"{folder} has neither imagenet/train nor imagenet100/database.txt. Unpack ImageNet's images to train and val "
        f"in {whole}; or put HashNet's lists {', '.join(imagenet.LISTS)} and the images that they name in {lists}"
    )


def _nuswide21(folder: Path) -> Dataset:
    place = _nuswide(folder)
    items = tuple(nuswide.rows(place, nuswide.most_frequent(place)))
    return Dataset("nuswide21", "NUS-WIDE, its 21 most frequent concepts", items, ("",) * len(items))


def _nuswide81(folder: Path) -> Dataset:
    place = _nuswide(folder)
    items = tuple(nuswide.rows(place, nuswide.concepts(place)))
    return Dataset("nuswide81", "NUS-WIDE, all 81 concepts", items, ("",) * len(items))


def _nuswide(folder: Path) -> Path:
    place = folder / nuswide.FOLDER
    if not nuswide.is_here(place):
        raise DataError(f"{place / nuswide.LIST} does not exist; unpack NUS-WIDE's archives in {place}")
    return place


def _tiny_imagenet(folder: Path) -> Dataset:
    return _table("tiny_imagenet", "Tiny-ImageNet (202 classes, 64 pixels), in the place of ImageNet", folder)


def _imagenette(folder: Path) -> Dataset:
    found = _table("imagenette", "Imagenette (10 ImageNet classes, 224 pixels)", folder, file="imagenette224.parquet")
    return replace(found, parts=tuple("test" if part == "val" else part for part in found.parts))


def _tagged_food(folder: Path) -> Dataset:
    return _table("tagged_food", "tagged food photographs, in the place of NUS-WIDE", folder)


def _table(name: str, title: str, folder: Path, *, file: str = "") -> Dataset:
    path = folder / (file or f"{name}.parquet")
    if not path.exists():
        raise DataError(f"{path} does not exist; name the folder that holds it with --data")
    items = tuple(parquet.rows(path))
    parts = tuple(map(str, parquet.column(path, "split"))) or ("",) * len(items)
    return Dataset(name, title, items, parts)


DATASETS: dict[str, Callable[[Path], Dataset]] = {
    "cifar10": _cifar10,
    "imagenet": _imagenet,
    "imagenet100": _imagenet100,
    "nuswide21": _nuswide21,
    "nuswide81": _nuswide81,
    "tiny_imagenet": _tiny_imagenet,
    "imagenette": _imagenette,
    "tagged_food": _tagged_food,
}

ABOUT = {
    "cifar10": About(
        "CIFAR-10: 60,000 images of 32 pixels, 10 classes", (cifar10.FOLDER, cifar10.TABLE, "cifar10.parquet")
    ),
    "imagenet": About("ImageNet (ILSVRC 2012): 1,331,167 images, 1,000 classes", ("imagenet",)),
    "imagenet100": About("ImageNet100: the 100 classes of ImageNet that HashNet uses", ("imagenet100", "imagenet")),
    "nuswide21": About("NUS-WIDE: photographs with the 21 most frequent of its 81 concepts", (nuswide.FOLDER,)),
    "nuswide81": About("NUS-WIDE: photographs with any of its 81 concepts", (nuswide.FOLDER,)),
    "tiny_imagenet": About("Tiny-ImageNet: 202 classes of ImageNet, 64 pixels", ("tiny_imagenet.parquet",)),
    "imagenette": About("Imagenette: 10 classes of ImageNet, 224 pixels", ("imagenette224.parquet",)),
    "tagged_food": About("photographs of food with free tags, in the place of NUS-WIDE", ("tagged_food.parquet",)),
}
