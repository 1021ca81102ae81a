"""One run of the extended Table III: a method on features of a backbone, from the split to `result.json`.

    RESULTS/cifar10/dhn-64-e12-b128-s0/result.json      settings, environment, times, learning curve, metrics
    WORK/features/                                      features of all images of a data set, computed once

Image features are means over an encoder's positions, computed from the float16 features stored for TransHash. Codes are
computed from the features used in training, so no model is exported.

Shapes: N images of a data set, D features, T positions, C classes, K bits, Q queries.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike import data
from lookalike.backbones import backbone as backbones
from lookalike.core import codes
from lookalike.core.errors import DataError
from lookalike.metrics import labels as labelling
from lookalike.metrics.counts import check as check_problem
from lookalike.metrics.counts import count
from lookalike.metrics.measure import CUTOFF, measure
from lookalike.metrics.ranking import chance
from lookalike.models.hashing import HashingNetwork
from lookalike.training import cache, loop, settings
from lookalike.training.checkpoint import CHECKPOINT
from lookalike.training.clusters import cluster_labels
from lookalike.training.hashing import BackboneTask, ClosedFormTask, ClusterTask
from research import datasets
from research.datasets import Dataset, protocols
from research.datasets.protocols import Split
from research.experiments import BACKBONE, LENGTHS, NESTED, SIDE, Experiment
from research.hashing.methods import METHODS
from research.hashing.task import VIEWS, MethodTask, view_edit
from research.results import Places, environment, write_result

KEPT = ("map", "map_at_cutoff", "precision_at", "precision_within", "empty_within", "nearest", "nearest_chance",
        "collisions", "bit_use", "without_relevant", "queries", "database", "bits")  # fmt: skip
HELD_OUT = 0.1  # share of the training images
BLOCK = 256  # queries whose neighbours are sorted at a time
RIDGE = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # penalty weights to choose from by validation

Floats = npt.NDArray[np.float32]


@dataclass(slots=True)
class Material:
    """A data set with its split and the features of its images."""

    dataset: Dataset
    split: Split
    labels_NC: npt.NDArray[np.bool_]
    tokens_ND: npt.NDArray[np.float16]
    positions: int  # T
    features_ND: Floats
    about: str  # description of the backbone
    views_ND: tuple[npt.NDArray[np.floating], ...] = ()  # rows of training images only; others are empty
    clusters_NM: npt.NDArray[np.int64] | None = None


def prepare(experiment: Experiment, places: Places, before: object = None) -> Material:
    """The input of all runs on a data set, protocol and seed; reuses the features of `before` for the same data set."""
    dataset = datasets.load(experiment.dataset, places.data)
    split = protocols.split(dataset, experiment.protocol, seed=experiment.seed, read=data.read_bytes)
    dataset, split = _needed(dataset, split)
    if isinstance(before, Material) and before.dataset.items == dataset.items:
        return replace(before, split=split, views_ND=(), clusters_NM=None)
    backbone, whole = (backbones.load(BACKBONE, side=SIDE, pooling=pooling) for pooling in (None, "none"))
    found = cache.features(dataset.items, whole, places.work / "features", kind=np.float16)
    positions = whole.dimension // backbone.dimension
    if found.skipped:
        raise DataError(f"cannot read {len(found.skipped)} images; first: {found.skipped[0].name}")
    (labels,), names = labelling.encode([item.label for item in dataset.items])
    return Material(
        dataset=dataset,
        split=split,
        labels_NC=np.asarray(labels, bool) if labels.ndim == 2 else labels[:, None] == np.arange(len(names)),
        tokens_ND=np.asarray(found.arrays),
        positions=positions,
        features_ND=_means(found.arrays, positions),
        about=backbone.about.sentence,
    )


def run(experiment: Experiment, given: Material, places: Places, *, device: str = "cpu") -> None:
    """Train, encode, measure and write the result, or for nested codes the results of all lengths."""
    began = time.monotonic()
    if experiment.model == "cosine":
        values = {"map": _cosine(given)}
        write_result(places.result(experiment), _result(experiment, given, values, [], began, device))
        return
    if experiment.model == "linear-classifier":
        query, database = _classifier_codes(given, experiment)
        _write(experiment, given, places, query, database, [], began, device)
        return
    query_QK, database_NK, history = _train(experiment, given, places, device)
    lengths = LENGTHS if experiment.model in NESTED else (experiment.bits,)
    for bits in lengths:
        one = replace(experiment, bits=bits)
        _write(one, given, places, query_QK[:, :bits], database_NK[:, :bits], history, began, device)
    # Delete the checkpoint: if the result is deleted later, new code must not measure old weights.
    (places.work / experiment.name / CHECKPOINT).unlink(missing_ok=True)


def _train(
    experiment: Experiment, given: Material, places: Places, device: str
) -> tuple[codes.Bits, codes.Bits, list[dict[str, Any]]]:
    """Bits of queries and database, and the learning curve."""
    nested = experiment.model in NESTED
    name, bits = NESTED.get(experiment.model, experiment.model), LENGTHS[-1] if nested else experiment.bits
    _complete(given, name, experiment.seed, places)
    config = settings.Settings(
        images=given.dataset.name, limit=None, model=name, seed=experiment.seed, epochs=experiment.epochs,
        batch=experiment.batch, learning_rate=experiment.learning_rate, validation=HELD_OUT,
        config={"bits": bits, "nested": LENGTHS[:-1] if nested else ()},
    )  # fmt: skip
    rows = _held_out(given.split.train, experiment.seed)
    task = _task(config, given, rows.train, device)
    network, history = task.solve(given.split.train), list[dict[str, Any]]()
    if network is None:
        folder = places.work / experiment.name
        folder.mkdir(parents=True, exist_ok=True)
        training: loop.Run[HashingNetwork] = loop.Run(folder=folder, task=task, rows=rows)
        network, epochs = loop.fit(training, resume=training.checkpoint.exists())
        history = [
            {"epoch": one.epoch, "train": one.train, "validation": one.validation, "best": one.best} for one in epochs
        ]
    theta_K = task.latents(network, rows.train).mean(axis=0) if task.cut_at_mean else np.zeros(bits)
    found = [task.latents(network, part) > theta_K for part in (given.split.query, given.split.database)]
    return found[0], found[1], history


def _task(config: settings.Settings, given: Material, train: protocols.Rows, device: str) -> BackboneTask:
    """The training task of a method on these features."""
    method = METHODS[config.model]
    if method.target == "none":
        return ClosedFormTask(config, given.features_ND, device=device)
    if method.target == "clusters":
        return ClusterTask(config, given.features_ND, clusters_NM=given.clusters_NM, device=device)
    labels_NC, single = given.labels_NC, (given.labels_NC.sum(axis=1) == 1).all()
    if config.model == "dah":  # every second training image has no label: the target domain
        labels_NC = labels_NC.copy()
        labels_NC[train[::2]] = False
    return MethodTask(
        config, given.tokens_ND if method.tokens else given.features_ND, train=train, labels_NC=labels_NC,
        views_ND=given.views_ND, positions=given.positions if method.tokens else 1, device=device,
        categories=labels_NC.shape[1] if single else 0,
    )  # fmt: skip


def _needed(dataset: Dataset, split: Split) -> tuple[Dataset, Split]:
    """The data set without the images that the split does not use, if these are the majority."""
    rows = np.unique(np.concatenate([split.train, split.query, split.database]))
    if 2 * len(rows) >= len(dataset):
        return dataset, split
    items, parts = (tuple(values[row] for row in rows) for values in (dataset.items, dataset.parts))
    train, query, database = (np.searchsorted(rows, part) for part in (split.train, split.query, split.database))
    return replace(dataset, items=items, parts=parts), Split(train, query, database, left_out=split.left_out)


def _complete(given: Material, name: str, seed: int, places: Places) -> None:
    """Add the views and clusters of the training images that a method needs."""
    target, train = METHODS[name].target, given.split.train
    if target == "clusters" and given.clusters_NM is None:
        found = cluster_labels(given.features_ND[train], seed=seed)
        given.clusters_NM = np.zeros((len(given.dataset), found.shape[1]), np.int64)
        given.clusters_NM[train] = found
    if target == "view" and not given.views_ND:
        backbone = backbones.load(BACKBONE, side=SIDE)
        items = [given.dataset.items[row] for row in train]
        views = []
        for number in range(VIEWS):
            found_views = cache.features(items, backbone, places.work / "features", edit=view_edit(number))
            whole = np.zeros((len(given.dataset), found_views.arrays.shape[1]), np.float32)
            whole[train] = found_views.arrays
            views.append(whole)
        given.views_ND = tuple(views)


def _held_out(train: protocols.Rows, seed: int) -> settings.Split:
    """Training rows, and the training rows held out to choose the best epoch; never queries."""
    order = settings.generator(seed, 2).permutation(train)
    held_out = min(round(HELD_OUT * len(train)), settings.MAX_VALIDATION)
    return settings.Split(np.sort(order[held_out:]), np.sort(order[:held_out]))


def _cosine(given: Material) -> dict[str, float]:
    """mAP of ranking by cosine of the features, and of chance."""
    unit_ND = given.features_ND / np.maximum(np.linalg.norm(given.features_ND, axis=1, keepdims=True), 1e-12)
    database_ND, labels_NC = unit_ND[given.split.database], given.labels_NC[given.split.database].astype(np.float32)
    found: list[float] = []
    for at in range(0, len(given.split.query), BLOCK):
        rows = given.split.query[at : at + BLOCK]
        order_QN = np.argsort(-(unit_ND[rows] @ database_ND.T), axis=1, kind="stable")
        relevant_QN = np.take_along_axis(given.labels_NC[rows].astype(np.float32) @ labels_NC.T > 0, order_QN, axis=1)
        precision_QN = relevant_QN.cumsum(axis=1) / np.arange(1, relevant_QN.shape[1] + 1)
        found += ((precision_QN * relevant_QN).sum(axis=1) / np.maximum(relevant_QN.sum(axis=1), 1)).tolist()
    blank = [np.zeros((len(rows), 1), np.uint8) for rows in (given.split.query, given.split.database)]
    labels = [_labels(given, rows) for rows in (given.split.query, given.split.database)]
    counts = count(check_problem(blank[0], labels[0], blank[1], labels[1]))
    return {"expected": round(float(np.mean(found)), 6), "chance": round(float(chance(counts)), 6)}


def _classifier_codes(given: Material, experiment: Experiment) -> tuple[codes.Bits, codes.Bits]:
    """Bits of queries and database from a ridge classifier: a random code for each predicted class."""
    rows = _held_out(given.split.train, experiment.seed)
    best = max(RIDGE, key=lambda weight: _right(_ridge(given, rows.train, weight), given, rows.validation))
    weights_DC = _ridge(given, given.split.train, best)
    words_CK = np.random.default_rng(experiment.seed).random((given.labels_NC.shape[1], experiment.bits)) < 0.5
    query, database = (
        words_CK[_predicted(weights_DC, given, part)] for part in (given.split.query, given.split.database)
    )
    return query, database


def _ridge(given: Material, rows: protocols.Rows, weight: float) -> npt.NDArray[np.float64]:
    """Weights of a linear classifier, (D + 1, C), by regularised least squares."""
    x_ND = _with_one(given, rows)
    penalty_DD = weight * len(rows) * np.eye(x_ND.shape[1]) * np.trace(x_ND.T @ x_ND) / len(rows) / x_ND.shape[1]
    return np.linalg.solve(x_ND.T @ x_ND + penalty_DD, x_ND.T @ (2.0 * given.labels_NC[rows] - 1))


def _right(weights_DC: npt.NDArray[np.float64], given: Material, rows: protocols.Rows) -> float:
    return float(given.labels_NC[rows, _predicted(weights_DC, given, rows)].mean())


def _predicted(weights_DC: npt.NDArray[np.float64], given: Material, rows: protocols.Rows) -> npt.NDArray[np.int64]:
    return np.asarray((_with_one(given, rows) @ weights_DC).argmax(axis=1), np.int64)


def _with_one(given: Material, rows: protocols.Rows) -> npt.NDArray[np.float64]:
    x_ND = given.features_ND[rows].astype(np.float64)
    return np.hstack([x_ND, np.ones((len(rows), 1))])


def _means(tokens_ND: npt.NDArray[np.floating], positions: int) -> Floats:
    """Image features (N, D): means over the T positions of each feature in (N, D·T)."""
    parts = [
        np.asarray(tokens_ND[at : at + 1_000], np.float32).reshape(-1, tokens_ND.shape[1] // positions, positions)
        for at in range(0, len(tokens_ND), 1_000)
    ]
    return np.concatenate([part.mean(axis=2) for part in parts])


def _write(
    experiment: Experiment, given: Material, places: Places, query_QK: codes.Bits, database_NK: codes.Bits,
    history: list[dict[str, Any]], began: float, device: str,
) -> None:  # fmt: skip
    labels = [_labels(given, rows) for rows in (given.split.query, given.split.database)]
    cutoff = protocols.PROTOCOLS[experiment.protocol].cutoff or CUTOFF
    found = measure(codes.pack(query_QK), labels[0], codes.pack(database_NK), labels[1], cutoff=cutoff).values()
    kept = {name: found[name] for name in KEPT}
    write_result(places.result(experiment), _result(experiment, given, kept, history, began, device))


def _labels(given: Material, rows: protocols.Rows) -> labelling.Labels:
    labels_NC = given.labels_NC[rows]
    single = (given.labels_NC.sum(axis=1) == 1).all()
    return labels_NC.argmax(axis=1) if single else labels_NC


def _result(
    experiment: Experiment, given: Material, metrics: dict[str, Any], history: list[dict[str, Any]], began: float,
    device: str,
) -> dict[str, Any]:  # fmt: skip
    split = given.split
    return {
        "settings": asdict(experiment) | {"title": given.dataset.title, "device": device, "backbone": given.about},
        "environment": environment(),
        "split": {"train": len(split.train), "query": len(split.query), "database": len(split.database)},
        "history": history,
        "metrics": metrics,
        "seconds": {"training": round(time.monotonic() - began, 1), "rest": 0.0},
    }
