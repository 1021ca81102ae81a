"""How the built-in model `default` was made: a CSVAE of 64 bits on photographs of four public sets.

    python -m lookalike.recipes.default FOLDER_OF_DATA_SETS default.onnx

The folder holds the Parquet files that `Recipe.sources` names. Only rows of the split `train` are used, where a file
has splits, so that the others can measure the model. Photographs of 224 pixels and more are also taken in parts, since
a collection holds details as well as scenes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from lookalike.recipes.gathering import Source, gather
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
    count = gather(recipe.sources, folder, table, seed=recipe.seed, resume=resume)
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
        card=CARD.format(images=f"{count:,}"),
        resume=resume,
    )
    table.unlink()
    return trained


if __name__ == "__main__":
    trained = run(default(), Path(sys.argv[1]), Path(sys.argv[2]), resume="--resume" in sys.argv)
    sys.stdout.write(f"{trained.path}: {trained.info.validation_loss:.1f} nats, {trained.collapse.sentences}\n")
