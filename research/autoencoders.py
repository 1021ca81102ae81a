"""One run of one of the paper's models, or of another autoencoder, from the split to `result.json`.

    RESULTS/cifar10/csvae-64-e5-s0/
        result.json     settings, environment, times, learning curve, metrics: the source of tables and figures
        codes.npz       codes and labels of queries and database, for computing further metrics without training
        train.npz       codes and labels of the training images, only for runs that the explanations are tried on
        pictures.png    eight images and, below them, their reconstructions
    WORK/…              checkpoints, model file and decoded images; not needed once the result exists

A killed run resumes from its last checkpoint and ends with the same metrics.

Shapes: N images, S pixels a side, W bytes a code.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike import data
from lookalike.core.atomic import replacing
from lookalike.core.errors import DataError
from lookalike.hasher import Hasher
from lookalike.imaging.decode import MAX_PIXELS, Array
from lookalike.metrics import labels as labelling
from lookalike.metrics.measure import CUTOFF, FOUR, measure
from lookalike.models.base import SIDE
from lookalike.training import TrainConfig, reconstruct, train
from lookalike.training.cache import cached_images, digest
from lookalike.training.checkpoint import CHECKPOINT
from lookalike.training.log import EpochRecord, read_log
from lookalike.training.task import SPEC
from research import datasets
from research.datasets import Dataset, protocols
from research.datasets.protocols import Split
from research.experiments import Experiment
from research.hashing.pixels import PixelTask, changed
from research.reconstruction import ReconstructionError, reconstruction_error
from research.results import Places, environment, write_result

PICTURES = 8  # images shown with their reconstructions
RECONSTRUCTED = 1_000  # maximum number of queries for measuring the reconstruction error


@dataclass(frozen=True, slots=True)
class Prepared:
    """A data set that was split: its training items, and the decoded evaluation images."""

    dataset: Dataset
    split: Split
    near: int  # queries with a near-duplicate in the database
    query_NSS: Array
    database_NSS: Array
    folder: Path  # of the decoded training images

    @property
    def train(self) -> list[data.Item]:
        """The training images."""
        return [self.dataset.items[row] for row in self.split.train]


def _model(experiment: Experiment, places: Places) -> Path:
    return places.work / experiment.name / "model.onnx"


def prepare(experiment: Experiment, places: Places, before: object = None) -> Prepared:
    """Split a data set, and decode the evaluation images."""
    dataset = datasets.load(experiment.dataset, places.data)
    split = protocols.split(dataset, experiment.protocol, seed=experiment.seed, read=data.read_bytes)
    folder = places.work / "images" / f"{experiment.dataset}-{experiment.protocol}-s{experiment.seed}"
    return Prepared(
        dataset=dataset,
        split=split,
        near=protocols.near_duplicates(dataset, split, read=data.read_bytes),
        query_NSS=decode(dataset, split.query, folder / "query"),
        database_NSS=decode(dataset, split.database, folder / "database"),
        folder=folder / "train",
    )


def run(experiment: Experiment, prepared: Prepared, places: Places, *, device: str = "cpu") -> None:
    """Train, encode, measure and write the result; resumes a killed run."""
    model, path = _model(experiment, places), places.result(experiment)
    if not _is_trained(model, prepared):
        _train(experiment, prepared, model, device=device)
    began = time.monotonic()
    path.parent.mkdir(parents=True, exist_ok=True)
    hasher = Hasher.load(model)
    arrays = _encode(hasher, prepared)
    _write_arrays(path.with_name("codes.npz"), **arrays)
    if experiment.is_explained:
        codes = hasher.encode_arrays(decode(prepared.dataset, prepared.split.train, prepared.folder))
        _write_arrays(path.with_name("train.npz"), train_codes=codes, train_labels=labels(prepared)[2])
    errors = _reconstruct(model.with_suffix(".run"), prepared, path.with_name("pictures.png"))
    settings, history = read_log(model.with_suffix(".run") / "log.jsonl")
    cutoff = protocols.PROTOCOLS[experiment.protocol].cutoff or CUTOFF
    result = {
        "settings": asdict(experiment) | {"title": prepared.dataset.title, "side": SIDE, "device": device},
        "split": describe(prepared),
        "environment": environment(),
        "model": {
            "settings": settings,
            "bytes": model.stat().st_size,
            "code_digest": _digest(arrays["query_codes"], arrays["database_codes"]),
        },
        "history": [_epoch(record) for record in history],
        "metrics": measure(*(arrays[name] for name in FOUR), cutoff=cutoff).values(),
        "reconstruction": errors._asdict(),
        "seconds": {"training": sum(one.seconds for one in history), "rest": time.monotonic() - began},
    }
    write_result(path, result)  # last: a result file marks the run as finished


def _reconstruct(run: Path, prepared: Prepared, pictures: Path) -> ReconstructionError:
    """Reconstruction error over some of the queries; draws a few of them to `pictures`."""
    shown_NSS = shown(prepared)
    images_NSS, restored_NSS = scaled(shown_NSS), reconstruct(run, shown_NSS, models=PixelTask.models)
    drawn = _evenly(len(shown_NSS), PICTURES)
    _write_pictures(pictures, images_NSS[drawn], restored_NSS[drawn])
    return reconstruction_error(images_NSS, restored_NSS)


def shown(prepared: Prepared) -> Array:
    """Those of the queries on which reconstruction is measured."""
    return prepared.query_NSS[_evenly(len(prepared.query_NSS), RECONSTRUCTED)]


def _is_trained(model: Path, prepared: Prepared) -> bool:
    """Whether there is a finished model of exactly these images; deletes a model or run of others."""
    folder = model.with_suffix(".run")
    log = folder / "log.jsonl"
    if log.exists() and read_log(log)[0].get("images") != digest(prepared.train, SPEC, max_pixels=MAX_PIXELS):
        shutil.rmtree(folder)
        model.unlink(missing_ok=True)
    return model.exists() and not (folder / CHECKPOINT).exists()


def _train(experiment: Experiment, prepared: Prepared, model: Path, *, device: str) -> None:
    model.parent.mkdir(parents=True, exist_ok=True)
    config = TrainConfig(
        model=experiment.model,
        bits=experiment.bits,
        epochs=experiment.epochs,
        seed=experiment.seed,
        batch=experiment.batch,
        learning_rate=experiment.learning_rate,
        device=device,
        name=f"{prepared.dataset.title}, protocol {experiment.protocol}",
        cache=prepared.folder,
    )
    make = partial(PixelTask.of, **changed(experiment.model, experiment.changes))
    resume = (model.with_suffix(".run") / CHECKPOINT).exists()
    train(prepared.train, config, out=model, resume=resume, tasks={config.model: make})


def decode(dataset: Dataset, rows: protocols.Rows, folder: Path) -> Array:
    """Decoded images of these rows, cached for all runs."""
    items = [dataset.items[row] for row in rows]
    cache = cached_images(folder, items, SPEC)
    if cache.skipped:
        raise DataError(f"cannot read {len(cache.skipped)} evaluation images; first: {cache.skipped[0].name}")
    return cache.arrays


def _encode(hasher: Hasher, prepared: Prepared) -> dict[str, npt.NDArray[Any]]:
    """Codes and labels of queries and database, encoded by the exported model, as for users."""
    query_labels, database_labels, _ = labels(prepared)
    return {
        "query_codes": hasher.encode_arrays(prepared.query_NSS),
        "query_labels": query_labels,
        "database_codes": hasher.encode_arrays(prepared.database_NSS),
        "database_labels": database_labels,
    }


def labels(prepared: Prepared) -> list[labelling.Labels]:
    """Labels of queries, database and training images."""
    items, split = prepared.dataset.items, prepared.split
    rows = (split.query, split.database, split.train)
    found, _ = labelling.encode(*([items[row].label for row in part] for part in rows))
    return found


def describe(prepared: Prepared) -> dict[str, Any]:
    """The sizes of the parts, and a digest of their names."""
    split = prepared.split
    names = (prepared.dataset.items[row].path for rows in (split.train, split.query, split.database) for row in rows)
    return {
        "train": len(split.train),
        "query": len(split.query),
        "database": len(split.database),
        "copies_left_out": split.left_out,
        "near_duplicates": prepared.near,
        "digest": hashlib.blake2b("\n".join(names).encode(), digest_size=16).hexdigest(),
    }


def _epoch(record: EpochRecord) -> dict[str, Any]:
    values = asdict(record)
    return {name: values[name] for name in ("epoch", "train", "validation", "bits_alive", "best")}


def _evenly(count: int, wanted: int) -> protocols.Rows:
    """Evenly spaced rows: data sets are often sorted by class, so the first rows would cover only a few classes."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).round().astype(np.int64))


def scaled(images_NSS: Array) -> npt.NDArray[np.float32]:
    """Images scaled to [0, 1] by their own minimum and maximum, the models' input (section III)."""
    x_NSS = np.asarray(images_NSS, np.float32)
    low, high = x_NSS.min(axis=(1, 2), keepdims=True), x_NSS.max(axis=(1, 2), keepdims=True)
    return np.asarray((x_NSS - low) / np.maximum(high - low, 1))


def _digest(*parts: npt.NDArray[np.uint8]) -> str:
    return hashlib.blake2b(b"".join(part.tobytes() for part in parts), digest_size=16).hexdigest()


def _write_arrays(path: Path, **arrays: npt.NDArray[Any]) -> None:
    with replacing(path) as aside, aside.open("wb") as file:
        np.savez_compressed(file, **cast(Any, arrays))


def _write_pictures(path: Path, images_NSS: npt.NDArray[np.float32], restored_NSS: npt.NDArray[np.float32]) -> None:
    """Draw the images, with their reconstructions below."""
    rows = [np.concatenate(list(part), axis=1) for part in (images_NSS, restored_NSS)]
    grey = (np.concatenate(rows).clip(0, 1) * 255).round().astype(np.uint8)
    with replacing(path) as aside:
        Image.fromarray(grey).save(aside, "PNG", optimize=True)
