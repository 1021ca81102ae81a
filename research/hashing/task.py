"""Training of a compared method on features; its target is labels, the features themselves, or a second view.

Shapes: N images, D features, C classes, K bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lookalike import data
from lookalike.backbones import backbone as backbones
from lookalike.backbones.backbone import EFFICIENTNET
from lookalike.core import codes
from lookalike.core.cache_dir import cache_dir
from lookalike.core.errors import DataError
from lookalike.imaging.decode import Array
from lookalike.metrics import labels as labelling
from lookalike.metrics.ranking import mean_average_precision
from lookalike.models.base import Losses
from lookalike.models.hashing import HashingNetwork
from lookalike.training.cache import Edit, features
from lookalike.training.hashing import BackboneTask, Source, shorter_lengths
from lookalike.training.run import TASKS
from lookalike.training.settings import Rows, split
from lookalike.training.task import TrainRequest
from research.experiments import SIDE
from research.hashing import tags
from research.hashing.methods import METHODS, Size, method
from research.hashing.views import view

CATEGORY = "category="  # of which a label of a list begins that is no attribute
SEARCHED = 4_000  # maximum number of training images to search in validation
VIEWS = 2  # of each image, whose features are stored

Features = npt.NDArray[np.floating]
Labels = npt.NDArray[np.bool_]


class MethodTask(BackboneTask):
    """A compared method."""

    def __init__(
        self, *given: Any, train: Rows, labels_NC: Labels | None = None, views_ND: Sequence[Features] = (),
        positions: int = 1, categories: int = 0, **named: Any,
    ) -> None:  # fmt: skip
        """`train`: rows searched in validation; `positions`: number of positions concatenated in an input.

        The first `categories` columns of the labels are categories, for methods that tell them from attributes.
        """
        super().__init__(*given, **named)
        self.method = method(self.settings.model)
        self.cut_at_mean = self.method.cut_at_mean
        self.train, self.views_ND, self.positions, self.categories = train, views_ND, positions, categories
        self.labels_NC = labels_NC if self.method.needs_labels else None
        self.target_NT: Features | Labels | None = self.labels_NC
        if self.labels_NC is not None and self.method.target == "tags":
            self.target_NT = tags.image_vectors(self.labels_NC, tags.tag_vectors(self.labels_NC[train]))
        self.info["supervised"] = self.method.needs_labels

    @classmethod
    def of(cls, request: TrainRequest) -> Self:
        """The task of a request, with labels checked and features computed."""
        asked, chosen = request.config, method(request.config.model)
        labels_NC, categories = None, 0
        if chosen.target in ("partial", "tags"):
            labels_NC, categories = partial_labels(request.items, asked.model)
        elif chosen.needs_labels:
            labels_NC = label_matrix(request.items, asked.model)
        config = {"bits": asked.bits, "nested": shorter_lengths(asked)}
        source, positions = source_of(request)
        found = source.features()
        views = view_features(request, source) if chosen.target == "view" else ()
        labels_NC = None if labels_NC is None else labels_NC[found.rows_N]
        made_of = {"backbone": source.backbone.digest, "labels": label_digest(labels_NC)}
        settings = request.settings(spec=source.backbone.spec, config=config | made_of)
        return cls(
            settings, found.arrays, source=source, rows_N=found.rows_N, skipped=found.skipped, device=asked.device,
            train=split(len(found.arrays), settings).train, labels_NC=labels_NC, views_ND=views, positions=positions,
            categories=categories,
        )  # fmt: skip

    def network(self) -> HashingNetwork:
        chosen = self.method
        size = Size(
            classes=0 if self.labels_NC is None else self.labels_NC.shape[1],
            seed=self.settings.seed,
            lengths=(*self.lengths, self.settings.config["bits"]),
            inputs=self.inputs.shape[1],
            positions=self.positions,
            categories=self.categories,
            tags=0 if self.target_NT is None else self.target_NT.shape[1],
        )
        assert chosen.objective is not None
        objectives = {length: chosen.objective(size, length) for length in size.lengths}
        return HashingNetwork(chosen.head(size, chosen.dropout), objectives)

    def batch_loss(self, module: HashingNetwork, rows: Rows, *, step: int, random: np.random.Generator) -> Losses:
        if self.method.target == "view":
            first, second = self.pair(rows, random)
            return module.loss(self.tensor(first), self.tensor(second), step=step)
        x = self.tensor(self.unedited(rows))
        return module.loss(x, x if self.target_NT is None else self.tensor(self.target_NT[rows]), step=step)

    def pair(self, rows: Rows, random: np.random.Generator) -> tuple[Features, Features]:
        """Two different views of each image; equal views would teach nothing."""
        count = len(self.views_ND)
        first = random.integers(count, size=len(rows))
        second = (first + random.integers(1, count, size=len(rows))) % count
        return self._picked(rows, first), self._picked(rows, second)

    def validate(self, module: HashingNetwork, rows: Rows) -> dict[str, float]:
        """Mean loss of these rows; for labelled images also `map`, searching among some of the training images."""
        found = super().validate(module, rows)
        if self.labels_NC is None:
            return found
        searched = self.train
        if self.method.target in ("partial", "tags"):
            searched, rows = (part[self.labels_NC[part].any(axis=1)] for part in (searched, rows))
        searched = searched[np.linspace(0, len(searched) - 1, min(SEARCHED, len(searched))).astype(np.int64)]
        if len(rows) and len(searched):
            query, database = (codes.pack(self.latents(module, part) > 0) for part in (rows, searched))
            mean = mean_average_precision(query, self.labels_NC[rows], database, self.labels_NC[searched])
            found["map"] = float(mean)
        return found

    def validation_metric(self, validation: dict[str, float]) -> float:
        """1 − mAP if there are labels, else the loss."""
        return 1 - validation["map"] if "map" in validation else validation["total"]

    def _picked(self, rows: Rows, chosen: npt.NDArray[np.int64]) -> Features:
        return np.asarray([self.views_ND[one][row] for one, row in zip(chosen, rows, strict=True)], np.float32)


def source_of(request: TrainRequest) -> tuple[Source, int]:
    """The source of the features that a method needs, pooled or of all positions, and the number of positions.

    All positions of EfficientNet-Lite0 are those of `SIDE` pixels, as in the comparison: at its default of 224 the
    first layer behind them would have twice as many weights.
    """
    if not method(request.config.model).tokens:
        return Source.of(request), 1
    name = request.config.backbone or EFFICIENTNET
    side = request.config.side or (SIDE if name == EFFICIENTNET else None)
    pooled, whole = (backbones.load(name, side=side, pooling=pooling) for pooling in (None, "none"))
    return Source(request, whole), whole.dimension // pooled.dimension


def view_features(request: TrainRequest, source: Source) -> tuple[Features, ...]:
    """Features of views of each image."""
    folder = cache_dir() if request.config.cache is None else Path(request.config.cache)
    found = (
        features(
            request.items, source.backbone, folder, edit=view_edit(seed), max_pixels=request.config.max_pixels,
            stop_requested=request.stop_requested, progress=request.progress,
        )
        for seed in range(VIEWS)
    )  # fmt: skip
    return tuple(one.arrays for one in found)


def view_edit(seed: int) -> Edit:
    """Edit that draws a view of each image, by seed."""
    return Edit(f"view-{seed}", partial(_view, seed=seed))


def _view(image: Array, row: int, *, seed: int) -> Array:
    return view(image, np.random.default_rng((seed, row)))


def label_digest(labels_NC: Labels | None) -> str:
    """BLAKE2b digest of labels, to recognise a run."""
    content = b"" if labels_NC is None else np.packbits(labels_NC).tobytes()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def partial_labels(items: Sequence[data.Item], name: str) -> tuple[Labels, int]:
    """Labels as booleans (N, C), and how many of the classes, the first, are categories; an image may lack any.

    A single label is a category. In a list, those are categories that begin with `CATEGORY`; the others are attributes.
    Raises `DataError` if no two labels differ, or none of the images lacks labels where the method is taught by such.
    """
    lists = [(CATEGORY + one.label,) if isinstance(one.label, str) else one.label or () for one in items]
    (found_NC,), names = labelling.encode(lists)
    if len(names) < 2:
        raise DataError(f"{name} needs at least two different labels; {len(items)} images have {len(names)}")
    if name == "dah" and all(lists):
        raise DataError(f"all {len(items)} images have labels; dah also needs unlabelled ones: name them with --target")
    is_category_C = np.array([one.startswith(CATEGORY) for one in names])
    order_C = np.argsort(~is_category_C, kind="stable")
    return np.asarray(found_NC, bool)[:, order_C], int(is_category_C.sum())


def label_matrix(items: Sequence[data.Item], name: str) -> Labels:
    """Labels as booleans (N, C). Raises `DataError` if labels are absent, too few, or both single and lists."""
    without = [item.name for item in items if item.label is None]
    if without:
        raise DataError(
            f"{name} learns from labels, and {len(without)} of {len(items)} images have none, the first: {without[0]}. "
            "Give a folder whose subfolders are labels, or a table with a column label; or choose a model that needs "
            "no labels"
        )
    several = [isinstance(item.label, tuple) for item in items]
    if any(several) and not all(several):
        raise DataError(
            f"{sum(several)} of {len(items)} images have lists of labels, the others single labels, the first: "
            f"{items[several.index(False)].name}; use lists for all, or single labels for all"
        )
    (found,), names = labelling.encode([item.label for item in items])
    if len(names) < 2:
        raise DataError(f"all images have the label {names[0] if names else 'none'}; {name} needs at least two classes")
    if found.ndim == 1:
        if len(names) == len(items):
            raise DataError(f"each of {len(items)} images has a different label; {name} needs several images per label")
        return np.asarray(found[:, None] == np.arange(len(names)))
    if (found == found[0]).all():
        raise DataError(
            f"all images have the same labels, {' and '.join(names[:3])}; labels must differ between images"
        )
    return np.asarray(found, bool)


METHOD_TASKS = {  # without TransHash, whose positions are those of EfficientNet-Lite0
    **{name: TASKS[name] for name in METHODS if name in TASKS},
    **{name: MethodTask.of for name, one in METHODS.items() if one.objective is not None and name != "transhash"},
}
