"""One run of the reproduction, from the split to `result.json`. What is there is not done again.

    RESULTS/cifar10/csvae-64-e5-s0/
        result.json     settings, environment, times, learning curve, metrics: what tables and figures are made of
        codes.npz       codes and labels of queries and database, so that other metrics need no training
        train.npz       the same of the training images, of those runs only on which explanations are tried
        pictures.png    eight images and, beneath, their reconstructions
    WORK/…              the run's checkpoints, the model file and decoded images; not needed once the result is there

A run that was killed goes on from its last checkpoint and ends with the same metrics.

Shapes: N images, S pixels a side, W bytes a code.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike import data
from lookalike.data import datasets, splits
from lookalike.data.datasets import Dataset
from lookalike.data.splits import Split
from lookalike.errors import DataError, Interrupted
from lookalike.evaluation import labels as labelling
from lookalike.evaluation.measure import measure
from lookalike.evaluation.reconstruction import reconstruction_error
from lookalike.hasher import Hasher
from lookalike.images import MAX_PIXELS, Array
from lookalike.models.base import SIDE
from lookalike.recipes.paper import Experiment, explained
from lookalike.training import reconstruct, train
from lookalike.training.cache import digest, make_cache, open_cache
from lookalike.training.files import write_aside
from lookalike.training.log import EpochRecord, Log, versions
from lookalike.training.run import SPEC

FORMAT = 1
PICTURES = 8  # images shown with their reconstructions
RECONSTRUCTED = 1_000  # queries on which the error of reconstruction is measured

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """The folders of a reproduction."""

    data: Path  # data sets
    results: Path  # results, small
    work: Path  # checkpoints and decoded images

    def result(self, experiment: Experiment) -> Path:
        """The result of a run."""
        return self.results / experiment.name / "result.json"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A data set, divided: the training items, and the decoded images of what is evaluated."""

    dataset: Dataset
    split: Split
    near: int  # queries that a database image almost equals
    query_NSS: Array
    database_NSS: Array
    folder: Path  # of its decoded training images


def run_all(experiments: Sequence[Experiment], places: Places, *, device: str = "cpu", say: Say) -> int:
    """Run what has no result yet; how many runs that were. Raises `Interrupted` on Ctrl-C."""
    missing = [one for one in experiments if not places.result(one).exists() or _owes_training_codes(one, places)]
    prepared: dict[tuple[str, str, int], Prepared] = {}
    for number, experiment in enumerate(missing, start=1):
        key = (experiment.dataset, experiment.protocol, experiment.seed)
        if key not in prepared:
            prepared.clear()  # one data set at a time in memory
            prepared[key] = prepare(experiment, places)
        say(f"run {number} of {len(missing)}: {experiment.name}")
        try:
            if not places.result(experiment).exists():
                run(experiment, prepared[key], places, device=device)
        except Interrupted:
            raise Interrupted(f"Stopped in {experiment.name}; the same command goes on from there") from None
        if _owes_training_codes(experiment, places):
            keep_training_codes(experiment, prepared[key], places)
    return len(missing)


def keep_training_codes(experiment: Experiment, prepared: Prepared, places: Places) -> None:
    """Write the codes of a run's training images beside its result."""
    images = _decode(prepared.dataset, prepared.split.train, prepared.folder)
    codes = Hasher.load(_model(experiment, places)).encode_arrays(images)
    path = places.result(experiment).parent / "train.npz"
    _write_arrays(path, train_codes=codes, train_labels=_labels(prepared)[2])


def _owes_training_codes(experiment: Experiment, places: Places) -> bool:
    """Whether a run that explanations are tried on lacks the codes of its training images and could still make them."""
    if experiment not in explained(epochs=experiment.epochs):
        return False
    there = (places.result(experiment).parent / "train.npz").exists()
    return not there and (_model(experiment, places).exists() or not places.result(experiment).exists())


def _model(experiment: Experiment, places: Places) -> Path:
    return places.work / experiment.name / "model.onnx"


def prepare(experiment: Experiment, places: Places) -> Prepared:
    """Divide a data set, and decode what is evaluated."""
    dataset = datasets.load(experiment.dataset, places.data)
    split = splits.split(dataset, experiment.protocol, seed=experiment.seed, read=data.read_bytes)
    folder = places.work / "images" / f"{experiment.dataset}-{experiment.protocol}-s{experiment.seed}"
    return Prepared(
        dataset=dataset,
        split=split,
        near=splits.near_duplicates(dataset, split, read=data.read_bytes),
        query_NSS=_decode(dataset, split.query, folder / "query"),
        database_NSS=_decode(dataset, split.database, folder / "database"),
        folder=folder / "train",
    )


def run(experiment: Experiment, prepared: Prepared, places: Places, *, device: str = "cpu") -> Path:
    """Train, encode, measure and write the result; its path. Goes on where a killed run stopped."""
    began = time.monotonic()
    model = _model(experiment, places)
    unfinished = (model.with_suffix(".run") / "checkpoint.safetensors").exists()
    if unfinished or not model.exists():
        _train(experiment, prepared, model, device=device, resume=unfinished)
    codes = _encode(Hasher.load(model), prepared)
    labels = _labels(prepared)
    shown_NSS = prepared.query_NSS[:RECONSTRUCTED]
    restored_NSS = reconstruct(model.with_suffix(".run"), shown_NSS)
    errors = reconstruction_error(_scaled(shown_NSS), restored_NSS)
    history = Log(model.with_suffix(".run") / "log.jsonl").history()
    result = {
        "format": FORMAT,
        "settings": asdict(experiment) | {"title": prepared.dataset.title, "side": SIDE, "device": device},
        "split": _describe(prepared),
        "environment": _environment(),
        "seconds": {"training": sum(one.seconds for one in history), "rest": time.monotonic() - began},
        "model": {"code_digest": _digest(*codes), "bytes": model.stat().st_size},
        "history": [_epoch(record) for record in history],
        "metrics": measure(codes[0], labels[0], codes[1], labels[1]).values(),
        "reconstruction": errors._asdict(),
    }
    folder = places.result(experiment).parent
    folder.mkdir(parents=True, exist_ok=True)
    _write_arrays(
        folder / "codes.npz",
        query_codes=codes[0],
        query_labels=labels[0],
        database_codes=codes[1],
        database_labels=labels[1],
    )
    _write_pictures(folder / "pictures.png", _scaled(shown_NSS[:PICTURES]), restored_NSS[:PICTURES])
    write_aside(places.result(experiment), (json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())
    return places.result(experiment)


def _train(experiment: Experiment, prepared: Prepared, model: Path, *, device: str, resume: bool) -> None:
    model.parent.mkdir(parents=True, exist_ok=True)
    train(
        [prepared.dataset.items[row] for row in prepared.split.train],
        model=experiment.model,
        bits=experiment.bits,
        out=model,
        epochs=experiment.epochs,
        seed=experiment.seed,
        batch=experiment.batch,
        learning_rate=experiment.learning_rate,
        device=device,
        name=f"{prepared.dataset.title}, protocol {experiment.protocol}",
        cache=prepared.folder,
        resume=resume,
    )


def _decode(dataset: Dataset, rows: splits.Rows, folder: Path) -> Array:
    """The images of rows, decoded once for all runs."""
    items = [dataset.items[row] for row in rows]
    key = digest(items, SPEC, max_pixels=MAX_PIXELS)
    cache = open_cache(folder, key=key)
    if cache is None:
        folder.mkdir(parents=True, exist_ok=True)
        cache = make_cache(folder, items, SPEC, key=key)
    if cache.skipped:
        raise DataError(f"{len(cache.skipped)} images to be evaluated cannot be read; first: {cache.skipped[0].name}")
    return cache.arrays


def _encode(hasher: Hasher, prepared: Prepared) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Codes of queries and database, made by the exported model, as users get them."""
    return hasher.encode_arrays(prepared.query_NSS), hasher.encode_arrays(prepared.database_NSS)


def _labels(prepared: Prepared) -> list[labelling.Labels]:
    items, split = prepared.dataset.items, prepared.split
    rows = (split.query, split.database, split.train)
    found, _ = labelling.encode(*([items[row].label for row in part] for part in rows))
    return found


def _describe(prepared: Prepared) -> dict[str, Any]:
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


def _environment() -> dict[str, Any]:
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def _epoch(record: EpochRecord) -> dict[str, Any]:
    values = asdict(record)
    return {name: values[name] for name in ("epoch", "train", "validation", "bits_alive", "best")}


def _scaled(images_NSS: Array) -> npt.NDArray[np.float32]:
    """Images in [0, 1], each by its own least and greatest value, as the models see them (section III)."""
    x_NSS = np.asarray(images_NSS, np.float32)
    low, high = x_NSS.min(axis=(1, 2), keepdims=True), x_NSS.max(axis=(1, 2), keepdims=True)
    return np.asarray((x_NSS - low) / np.maximum(high - low, 1))


def _digest(*parts: npt.NDArray[np.uint8]) -> str:
    return hashlib.blake2b(b"".join(part.tobytes() for part in parts), digest_size=16).hexdigest()


def _write_arrays(path: Path, **arrays: npt.NDArray[Any]) -> None:
    aside = path.with_suffix(".tmp")
    with aside.open("wb") as file:
        np.savez_compressed(file, **cast(Any, arrays))
    aside.replace(path)


def _write_pictures(path: Path, images_NSS: npt.NDArray[np.float32], restored_NSS: npt.NDArray[np.float32]) -> None:
    """Images above, their reconstructions beneath."""
    rows = [np.concatenate(list(part), axis=1) for part in (images_NSS, restored_NSS)]
    grey = (np.concatenate(rows).clip(0, 1) * 255).round().astype(np.uint8)
    aside = path.with_suffix(".tmp.png")
    Image.fromarray(grey).save(aside, optimize=True)
    aside.replace(path)
