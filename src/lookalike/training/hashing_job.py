"""A job for a hashing method: labels, features or images, clusters, and how the network becomes a model file.

Shapes: N images, S pixels a side, C classes, M clusterings, K bits.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lookalike import data
from lookalike.backbones import backbone as backbones
from lookalike.backbones import efficientnet, graph, tracing
from lookalike.backbones.backbone import Backbone
from lookalike.core.cache_dir import cache_dir
from lookalike.core.errors import ConfigError, DataError, ModelError, TrainingError
from lookalike.hasher import ModelInfo
from lookalike.imaging.decode import Array, ImageSpec
from lookalike.metrics import labels as labelling
from lookalike.models import frozen, hashing, lite_encoder
from lookalike.models.hashing import HashingConfig, HashingNetwork
from lookalike.models.methods import Method, method
from lookalike.training.hashing import CopyInputs, FeatureInputs, Hashing, ImageInputs, Inputs
from lookalike.training.inputs import clusters
from lookalike.training.inputs.cache import read_all, remove_cache
from lookalike.training.inputs.features import features
from lookalike.training.job import CHECKED, Job, TrainRequest
from lookalike.training.outputs.export import OLDEST_OF_TOKENS, Threshold, export, export_behind
from lookalike.training.settings import Rows, Split

NONE, VIT = "none", "vit"  # instead of a backbone: the pixels or our convolutions; our transformer
USUAL = "efficientnet-lite0"
VIEWS = 2  # of each image, whose features are kept
LARGER = 1.5  # images that are cropped have so many times the pixels a side that the encoder takes

Labels = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a request means for a method."""

    request: TrainRequest
    method: Method
    nested: tuple[int, ...]

    @property
    def backbone(self) -> str:
        """The backbone's name, or what replaces it."""
        named = self.request.config.backbone
        return os.fspath(named) if named else (NONE if self.method.encoder else USUAL)

    @property
    def refines(self) -> bool:
        """Whether an encoder of our own starts from the weights of a backbone."""
        return bool(self.method.encoder) and self.request.config.backbone == USUAL

    @property
    def from_scratch(self) -> bool:
        """Whether an encoder of our own is trained: by methods that learn from labels or views."""
        if self.backbone == VIT or self.refines:
            return True
        return self.backbone == NONE and self.method.target in ("labels", "view")

    @property
    def source(self) -> str:
        """Of the network's inputs; methods that take tokens get the transformer."""
        if not self.from_scratch:
            return "features"
        if self.refines:
            return "lite"
        return self.method.encoder or ("vit" if self.backbone == VIT or self.method.tokens else "conv")

    def network(self, **sizes: Any) -> HashingConfig:
        """The configuration of the network."""
        asked = self.request.config
        config = HashingConfig(
            method=asked.model, bits=asked.bits, nested=self.nested, source=self.source, seed=asked.seed, **sizes
        )
        return replace(config, hidden=0) if self.method.target == "none" else config


def prepare(request: TrainRequest) -> Job[HashingNetwork]:
    """A job for a hashing method. Raises `ConfigError` if the method cannot do what is asked for."""
    plan = _plan(request)
    labels_NC = label_matrix(request.items, request.config.model) if plan.method.needs_labels else None
    return _from_scratch(plan, labels_NC) if plan.from_scratch else _behind_backbone(plan, labels_NC)


def _plan(request: TrainRequest) -> _Plan:
    asked, chosen = request.config, method(request.config.model)
    lengths = () if isinstance(asked.matryoshka, bool) else tuple(asked.matryoshka)
    if asked.matryoshka is True or asked.model == "pca":
        lengths = hashing.lengths_below(asked.bits)
    if asked.matryoshka and not lengths:
        raise ConfigError(
            f"bits is {asked.bits}; nested codes need more than {min(hashing.USUAL)}. Leave out --matryoshka"
        )
    plan = _Plan(request, chosen, lengths)
    if chosen.encoder and plan.backbone not in (NONE, USUAL):
        raise ConfigError(
            f"{asked.model} trains an encoder of its own; leave out --backbone {asked.backbone}, or give {USUAL}, "
            "whose weights it then starts from"
        )
    if plan.from_scratch and asked.side not in (None, side := hashing.ENCODERS[plan.source].side):
        raise ConfigError(f"side is {asked.side}; this encoder takes {side} pixels. Leave out --side")
    if plan.from_scratch and chosen.target not in ("labels", "view"):
        raise ConfigError(f"{asked.model} trains no encoder; give --backbone none, efficientnet-lite0 or FILE.onnx")
    if lengths and asked.model in frozen.TURNED:
        raise ConfigError(
            f"{asked.model} rotates all bits together, so its first bits are no code; use pca for nested codes"
        )
    return plan


def _from_scratch(plan: _Plan, labels_NC: Labels | None) -> Job[HashingNetwork]:
    request, encoder = plan.request, hashing.ENCODERS[plan.source]
    finds_copies = plan.method.encoder is not None
    spec = ImageSpec(side=encoder.side, colour=encoder.colour, trim=finds_copies)
    read = replace(spec, side=round(LARGER * encoder.side), colour=True) if finds_copies else spec
    decoded = request.decoded(read, request.folder)
    arrays: Array = decoded.arrays
    inputs: Inputs = CopyInputs(arrays, encoder.side, colour=encoder.colour) if finds_copies else ImageInputs(arrays)
    if labels_NC is not None:
        labels_NC = labels_NC[decoded.rows_N]
    config = plan.network(classes=0 if labels_NC is None else labels_NC.shape[1])
    first = lite_encoder.first_weights(efficientnet.weights()) if plan.refines else None
    origin = f"{config.source}, trained from scratch"
    if plan.refines:
        origin = f"first blocks of {efficientnet.about(encoder.side).sentence}, trained further"

    def write(path: Path, network: HashingNetwork, theta_K: Threshold, info: ModelInfo, rows: Rows) -> None:
        export(path, network, theta_K, info, check_NSSC=np.asarray(inputs.plain(rows[:CHECKED]), np.uint8))

    return Job(
        settings=request.settings(images=request.digest(read), config=asdict(config) | _made_of(labels_NC, None)),
        spec=spec,
        inputs=arrays,
        pictures=lambda rows: arrays[rows],
        skipped=decoded.skipped,
        task=lambda rows: _task(plan, config, inputs, rows, labels_NC=labels_NC, first=first),
        write=write,
        cut_at_mean=plan.method.cut_at_mean,
        lengths=config.lengths[:-1],
        info={"backbone": origin, "supervised": plan.method.needs_labels},
        clean_up=lambda: remove_cache(request.folder),
    )


def _behind_backbone(plan: _Plan, labels_NC: Labels | None) -> Job[HashingNetwork]:
    request, asked, chosen = plan.request, plan.request.config, plan.method
    backbone = _backbone(plan)
    folder = cache_dir() if asked.cache is None else Path(asked.cache)

    def computed(seed: int | None = None) -> Any:
        return features(
            request.items, backbone, folder, seed=seed, max_pixels=asked.max_pixels,
            stop_requested=request.stop_requested, progress=request.progress,
        )  # fmt: skip

    found = computed()
    views = tuple(computed(seed).arrays for seed in range(VIEWS)) if chosen.target == "view" else ()
    inputs = FeatureInputs(found.arrays, views)
    if labels_NC is not None:
        labels_NC = labels_NC[found.rows_N]
    clusters_NM = None
    if chosen.target == "clusters":
        clusters_NM = pseudo_labels(np.asarray(found.arrays, np.float32), seed=asked.seed)
    config = plan.network(
        features=backbone.dimension // max(1, backbone.tokens),
        tokens=backbone.tokens,
        classes=0 if labels_NC is None else labels_NC.shape[1],
        clusters=() if clusters_NM is None else tuple(int(count) for count in clusters_NM.max(axis=0) + 1),
    )

    def pictures(rows: Rows) -> Iterator[Array]:
        items = [request.items[found.rows_N[row]] for row in rows]
        for item, array in read_all(items, backbone.spec, asked.max_pixels):
            if isinstance(array, str):
                raise TrainingError(
                    f"{item.name} can no longer be read: {array}; put it back, and train again: --resume continues "
                    "from the last epoch"
                )
            yield array

    def write(path: Path, network: HashingNetwork, theta_K: Threshold, info: ModelInfo, rows: Rows) -> None:
        images_NSSC = np.asarray(list(pictures(rows[:CHECKED])))
        features_ND = found.arrays[rows[:CHECKED]]
        export_behind(path, backbone, network, theta_K, info, check_NSSC=images_NSSC, features_ND=features_ND)

    return Job(
        settings=request.settings(
            images=request.digest(backbone.spec), config=asdict(config) | _made_of(labels_NC, backbone)
        ),
        spec=backbone.spec,
        inputs=found.arrays,
        pictures=pictures,
        skipped=found.skipped,
        task=lambda rows: _task(plan, config, inputs, rows, labels_NC=labels_NC, clusters_NM=clusters_NM),
        solve=None if chosen.objective else lambda rows: solve(config, found.arrays[rows.train]),
        write=write,
        cut_at_mean=chosen.cut_at_mean,
        lengths=config.lengths[:-1],
        info={"backbone": backbone.about.in_full, "supervised": chosen.needs_labels},
    )


def _backbone(plan: _Plan) -> Backbone:
    """The backbone. Raises `ConfigError` or `ModelError` if it does not suit the method."""
    name, tokens = plan.request.config.model, plan.method.tokens
    backbone = backbones.load(plan.backbone, side=plan.request.config.side, tokens=tokens)
    if backbone.tokens and not tokens:
        raise ConfigError(
            f"pooling is tokens in the description of {backbone.about.name}; {name} takes one row of features "
            'an image. Write pooling = "mean" or "first", or use transhash, which takes tokens whatever is written'
        )
    if tokens and (version := graph.version(backbone.model)) < OLDEST_OF_TOKENS:
        raise ModelError(
            f"{backbone.about.name} uses version {version} of ONNX's operators; {name} takes encoders of version "
            f"{OLDEST_OF_TOKENS} or later. Export it with version {tracing.VERSION}"
        )
    return backbone


def _task(
    plan: _Plan, config: HashingConfig, inputs: Inputs, rows: Split, *, labels_NC: Labels | None,
    clusters_NM: npt.NDArray[np.int64] | None = None, first: Mapping[str, torch.Tensor] | None = None,
) -> Hashing:  # fmt: skip
    return Hashing(
        config=config, inputs=inputs, train=rows.train, labels_NC=labels_NC, clusters_NM=clusters_NM, first=first,
        device=plan.request.config.device,
    )  # fmt: skip


def _made_of(labels_NC: Labels | None, backbone: Backbone | None) -> dict[str, str]:
    """Digests of labels and backbone, by which a run is recognised."""
    content = b"" if labels_NC is None else np.packbits(labels_NC).tobytes()
    labelled = hashlib.blake2b(content, digest_size=16).hexdigest()
    return {"backbone": backbone.digest if backbone else "", "labels": labelled}


def label_matrix(items: Sequence[data.Item], name: str) -> npt.NDArray[np.bool_]:
    """Labels as booleans (N, C). Raises `DataError` if there are none, too few, or of two kinds."""
    without = [item.name for item in items if item.label is None]
    if without:
        raise DataError(
            f"{name} learns from labels, and {len(without)} of {len(items)} images have none, the first: {without[0]}. "
            "Give --labels-from-folders and the folder above those that are labels, or a table with a column label; or "
            "take a model that needs no labels"
        )
    several = [isinstance(item.label, tuple) for item in items]
    if any(several) and not all(several):
        raise DataError(
            f"{sum(several)} of {len(items)} images have lists of labels, the others one label each, the first: "
            f"{items[several.index(False)].name}; give all of them lists, or all of them one label"
        )
    (found,), names = labelling.encode([item.label for item in items])
    if len(names) < 2:
        raise DataError(f"all images have the label {names[0] if names else 'none'}; {name} needs at least two classes")
    if found.ndim == 1:
        if len(names) == len(items):
            raise DataError(f"each of {len(items)} images has a label of its own; {name} needs several of one label")
        return np.asarray(found[:, None] == np.arange(len(names)))
    if (found == found[0]).all():
        raise DataError(
            f"all images have the same labels, {' and '.join(names[:3])}; expected the names of those that an image has"
        )
    return np.asarray(found, bool)


def pseudo_labels(features_ND: npt.NDArray[np.float32], *, seed: int) -> npt.NDArray[np.int64]:
    """The clusters of images, (N, M), at as many of the usual scales as there are images for."""
    scales = tuple(scale for scale in clusters.SCALES if 4 * scale <= len(features_ND))
    if not scales:
        raise TrainingError(
            f"{len(features_ND)} images are too few for clusters; expected {4 * min(clusters.SCALES)} or more. "
            "Take itq, which needs fewer"
        )
    neighbours = min(clusters.NEIGHBOURS, len(features_ND) // 4)
    return np.stack(clusters.cluster_labels(features_ND, scales=scales, neighbours=neighbours, seed=seed), axis=1)


def solve(config: HashingConfig, features_ND: npt.NDArray[np.floating]) -> HashingNetwork:
    """The network of a closed form for these features."""
    x_ND = np.asarray(features_ND, np.float32)
    turned = frozen.TURNED.get(config.method)
    linear = turned(x_ND, config.bits, seed=config.seed) if turned else frozen.pca(x_ND, config.bits)
    return hashing.solved(config, torch.from_numpy(linear.weight_DK), torch.from_numpy(linear.bias_K))
