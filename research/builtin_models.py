"""Training of the built-in models `default` and `default-128`: `copies`, starting from EfficientNet-Lite0.

    python -m research builtin-models FOLDER_OF_DATA_SETS OUT_FOLDER [--resume]

The folder holds the Parquet files of `Recipe.sources`. Training uses only rows of the split `train`, or two rows of
three of a file without splits, so that the rest can be used for measurements. Photographs of at least 224 pixels are
also cropped, since collections hold details as well as scenes. One training yields both models: the shorter code is the
first 64 bits of the longer one. There are two training runs, the second from the weights of the first, with a learning
rate schedule of its own.

The shipped files come from a first run whose encoder did not blur images yet, with slightly milder tone edits and fewer
captions. The second run was as below, except that borders were removed by an earlier rule, in colour. Its weights, as
shipped in 16 bits, were later given a second view of the image (`models.copy_encoder`): the thresholds and the model's
own distances are those of two views, the loss in the files is that of one.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from lookalike.core.errors import DataError
from lookalike.hasher import Hasher
from lookalike.training import TrainConfig, TrainReport, train, truncate
from lookalike.training.checkpoint import CHECKPOINT
from lookalike.training.export import rewrite

LEAST_HALVED = 256  # numbers of a weight below which 16 bits save nothing
CARD = """\
A convolutional encoder of images of 112×112 pixels that knows edited copies of a picture: crops, borders, small turns,
other tones, blur, noise, writing. It begins with the first eleven blocks of EfficientNet-Lite0 (Apache-2.0), which were
trained on ImageNet with its labels, and was trained further without labels, by contrast with edited copies. Bars and
frames of one colour are cut off before it sees a picture, which it takes in grey, a little soft, of one mean and
deviation: pictures that differ in colour alone are the same to it. It looks twice, the second time at the middle 80 %
of each side, much softer, and the code is of the mean.

Made from {images} images: rows of the training split of Tiny-ImageNet (202 classes, 64 pixels), and photographs, whole
and in parts, of the training split of Imagenette and of a set of food photographs, of which every third was kept for
measuring. The ImageNet subsets are for research; the food photographs are in the public domain or under CC licences
(BY, BY-SA, BY-ND).

{figures}

Good for: finding the same picture after the edits above. The first 64 bits of the code of 128 are that of 64.

Not good for: finding what is in a picture (its label); mirror images and quarter turns, which are other pictures here
(`--turned` asks for them); telling flat or dark pictures apart. Codes reveal image content, and do not withstand
someone who alters an image on purpose.\
"""
FIGURES = {  # by length, as measured with `lookalike robustness`
    64: """\
Measured on 1,338 photographs that it has not seen (the part `val` of Imagenette, of kinds that EfficientNet-Lite0 knew,
and food), with copies of 500 of them, at 14 bits, which 1 in 11,600 pairs of different photographs reach: found are
100 % of copies in JPEG of quality 20, 100 % cropped by 10 % of each side, 87.2 % by 25 %, 100 % turned by 5°, 96.6 %
by 15°, 100 % with a black border, 96.4 % with a caption, 100 % in grey, 97.2 % much brighter, 99.4 % much blurred.""",
    128: """\
Measured on 1,338 photographs that it has not seen (the part `val` of Imagenette, of kinds that EfficientNet-Lite0 knew,
and food), with copies of 500 of them, at 35 bits, which 1 in 13,800 pairs of different photographs reach: found are
100 % of copies in JPEG of quality 20, 100 % cropped by 10 % of each side, 97.0 % by 25 %, 100 % turned by 5°, 99.2 %
by 15°, 100 % with a black border, 99.8 % with a caption, 100 % in grey, 99.2 % much brighter, 100 % much blurred.""",
}
COPIES = {64: 7, 128: 21}  # distance that at most one of 65 million image pairs in `benchmarks/planted.py` reached


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Rows of a Parquet file."""

    file: str
    rows: int | None = None  # maximum number, drawn at random; None: all
    parts: int = 0  # random crops of each image, in addition to the whole
    thirds: bool = False  # whether every third row is kept for measurements, for a file without splits


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """All settings of the run."""

    sources: tuple[Source, ...]
    bits: int = 128
    shorter: int = 64
    epochs: int = 7  # of each of the two runs
    batch: int = 128
    learning_rates: tuple[float, float] = (1e-3, 7e-4)
    validation: float = 0.04
    seed: int = 0


def default() -> Recipe:
    """The recipe of both models."""
    return Recipe(
        sources=(
            Source(file="tiny_imagenet.parquet", rows=14_000),
            Source(file="imagenette224.parquet", parts=2),
            Source(file="tagged_food.parquet", parts=2, thirds=True),
        )
    )


def run(recipe: Recipe, folder: Path, out: Path, *, resume: bool = False) -> TrainReport:
    """Gather the images, train, and write `default-128.onnx` and `default.onnx` to the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    table = out / "images.parquet"  # kept, since a resumed run needs it unchanged
    count = gather(recipe.sources, folder, table, seed=recipe.seed, resume=resume)
    first = out / "first.onnx"
    if not (resume and first.exists()):
        _train(recipe, table, first, rate=recipe.learning_rates[0], resume=resume)
    whole = out / "whole.onnx"
    resume = resume and (whole.with_suffix(".run") / CHECKPOINT).exists()
    trained = _train(
        recipe, table, whole, rate=recipe.learning_rates[1], resume=resume, init_from=first.with_suffix(".run")
    )
    longer, shorter = out / f"default-{recipe.bits}.onnx", out / "default.onnx"
    halve(trained.path, out=longer)
    truncate(longer, bits=recipe.shorter, out=shorter)
    for path, bits in ((longer, recipe.bits), (shorter, recipe.shorter)):
        card = CARD.format(images=f"{count:,}", figures=FIGURES.get(bits, "Not measured yet."))
        describe(path, card=card, copies=COPIES.get(bits))
    return trained


def _train(
    recipe: Recipe, table: Path, out: Path, *, rate: float, resume: bool, init_from: Path | None = None
) -> TrainReport:
    config = TrainConfig(
        model="copies",
        bits=recipe.bits,
        matryoshka=(recipe.shorter,),
        epochs=recipe.epochs,
        batch=recipe.batch,
        learning_rate=rate,
        validation=recipe.validation,
        seed=recipe.seed,
        init_from=init_from,
        name="Tiny-ImageNet, Imagenette and food photographs",
    )
    return train(table, config, out=out, resume=resume)


def gather(sources: Sequence[Source], folder: Path, table: Path, *, seed: int, resume: bool = False) -> int:
    """Write the images of all sources to one table, and return their number; `resume` keeps an existing table."""
    if resume and table.exists():
        return int(pq.read_metadata(table).num_rows)
    random = np.random.default_rng(seed)
    images = [image for source in sources for image in _images(source, folder, random)]
    pq.write_table(pa.table({"image": pa.array(images, pa.binary())}), table, row_group_size=2000)
    return len(images)


def kept(source: Source, folder: Path) -> npt.NDArray[np.int64]:
    """Rows of a source that are held out of training."""
    table = pq.ParquetFile(folder / source.file)
    if "split" in table.schema_arrow.names:
        return np.flatnonzero(np.array(table.read(["split"]).column("split").to_pylist()) != "train")
    return np.arange(0, table.metadata.num_rows if source.thirds else 0, 3)


def _images(source: Source, folder: Path, random: np.random.Generator) -> Iterator[bytes]:
    if not (folder / source.file).exists():
        raise DataError(f"{folder} has no {source.file}; name the folder of the data sets")
    table = pq.read_table(folder / source.file, columns=["image"])
    rows = np.setdiff1d(np.arange(table.num_rows), kept(source, folder))
    for row in np.sort(random.permutation(rows)[: source.rows]):
        data = table.column("image")[int(row)].as_py()
        yield data
        for _ in range(source.parts):
            yield _part(data, random)


def _part(data: bytes, random: np.random.Generator) -> bytes:
    """A random crop of a photograph, 40 to 65 % of each side; a larger one would be a copy."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    width, height = (int(side * random.uniform(0.4, 0.65)) for side in image.size)
    left, top = int(random.integers(image.width - width + 1)), int(random.integers(image.height - height + 1))
    out = io.BytesIO()
    image.crop((left, top, left + width, top + height)).save(out, "JPEG", quality=95)
    return out.getvalue()


def halve_weights(proto: onnx.ModelProto) -> None:
    """Keep a graph's weights with 16 bits, and make them 32 again when the file is opened."""
    casts = []
    for weight in proto.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims, dtype=np.int64) < LEAST_HALVED:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    for place, node in enumerate(casts):
        proto.graph.node.insert(place, node)


def halve(model: Path, *, out: Path) -> None:
    """Store a model's weights with 16 bits; its codes differ in a few bits close to their threshold."""
    proto = onnx.load(model)
    halve_weights(proto)
    rewrite(out, proto, Hasher.load(model).info)


def describe(model: Path, *, card: str, copies: int | None) -> None:
    """Record measurements in a model file; its codes stay the same."""
    rewrite(model, onnx.load(model), replace(Hasher.load(model).info, card=card, copies=copies))
