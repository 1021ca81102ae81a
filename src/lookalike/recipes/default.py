"""How the built-in model `default` was made: a CSVAE of 64 bits on photographs of four public sets.

    python -m lookalike.recipes.default FOLDER_OF_DATA_SETS default.onnx

The folder holds the Parquet files that `Recipe.sources` names. Only rows of the split `train` are used, where a file
has splits, so that the others can measure the model. Photographs of 224 pixels and more are also taken in parts, since
a collection holds details as well as scenes.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from lookalike.errors import DataError
from lookalike.training import Trained, train

CARD = """\
A convolutional variational autoencoder with SimAM attention (CSVAE of Kim et al.) on grey images of 128×128 pixels.

Made from {images} images, of which 2,000 were held out: rows of the training split of Tiny-ImageNet (202 classes, 64
pixels) and CIFAR-10, and photographs, whole and in parts, of the training split of Imagenette and of a set of food
photographs. No labels were used. In training the encoder saw images of slightly disturbed brightness, contrast and
pixels (a jitter of 0.1), which is meant to make codes steadier under recompression and is not in the paper. The
ImageNet subsets and CIFAR-10 are for research; the food photographs are in the public domain or under CC licences
(BY, BY-SA, BY-ND).

Good for: finding the same picture after recompression, resizing or a change of brightness or contrast; pictures of
like composition. Brightness and contrast changes that clip nothing do not change the code at all.

Not good for: finding what is in a picture (its label mAP is near chance); crops, rotations and mirror images, which
move what an autoencoder of pixels sees; telling flat or dark pictures apart. Codes reveal image content, and do not
withstand someone who alters an image on purpose.\
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Rows of a Parquet file: how many, and how many random parts of each besides the whole."""

    file: str
    rows: int
    parts: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """All settings of the run."""

    sources: tuple[Source, ...]
    bits: int = 64
    epochs: int = 12
    learning_rate: float = 3e-3
    jitter: float = 0.1
    seed: int = 0


def default() -> Recipe:
    """The recipe of the built-in model."""
    return Recipe(
        sources=(
            Source(file="tiny_imagenet.parquet", rows=12_000),
            Source(file="cifar10.parquet", rows=2_000),
            Source(file="imagenette224.parquet", rows=3_000, parts=1),
            Source(file="tagged_food.parquet", rows=1_013, parts=1),
        )
    )


def run(recipe: Recipe, folder: Path, out: Path, *, resume: bool = False) -> Trained:
    """Gather the images and train."""
    table = out.with_name(f"{out.stem}-images.parquet")  # kept until the end, since a resumed run needs it unchanged
    if not (resume and table.exists()):
        gather(recipe, folder, table)
    trained = train(
        table,
        model="csvae",
        bits=recipe.bits,
        out=out,
        epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        jitter=recipe.jitter,
        seed=recipe.seed,
        name="Tiny-ImageNet, CIFAR-10, Imagenette and food photographs",
        card=CARD.format(images=f"{pq.read_metadata(table).num_rows:,}"),
        resume=resume,
    )
    table.unlink()
    return trained


def gather(recipe: Recipe, folder: Path, table: Path) -> None:
    """Write the images of a recipe to one table."""
    random = np.random.default_rng(recipe.seed)
    images = [image for source in recipe.sources for image in _images(source, folder, random)]
    pq.write_table(pa.table({"image": pa.array(images, pa.binary())}), table, row_group_size=2000)


def _images(source: Source, folder: Path, random: np.random.Generator) -> Iterator[bytes]:
    if not (folder / source.file).exists():
        raise DataError(f"{folder} has no {source.file}; name the folder of the data sets")
    table = pq.read_table(folder / source.file)
    rows = np.arange(table.num_rows)
    if "split" in table.schema.names:
        rows = np.flatnonzero(np.array(table.column("split").to_pylist()) == "train")
    for row in np.sort(random.permutation(rows)[: source.rows]):
        data = table.column("image")[int(row)].as_py()
        yield data
        for _ in range(source.parts):
            yield _part(data, random)


def _part(data: bytes, random: np.random.Generator) -> bytes:
    """A random part of a photograph, 50 to 90 % of each side."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    width, height = (int(side * random.uniform(0.5, 0.9)) for side in image.size)
    left, top = int(random.integers(image.width - width + 1)), int(random.integers(image.height - height + 1))
    out = io.BytesIO()
    image.crop((left, top, left + width, top + height)).save(out, "JPEG", quality=95)
    return out.getvalue()


if __name__ == "__main__":
    trained = run(default(), Path(sys.argv[1]), Path(sys.argv[2]), resume="--resume" in sys.argv)
    sys.stdout.write(f"{trained.path}: {trained.info.validation_loss:.1f} nats, {trained.collapse.sentences}\n")
