"""What a run of a hashing method needs: labels, features or images, clusters, and how it becomes a model file.

Shapes: N images, S pixels a side, C classes, K bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lookalike import data
from lookalike.backbones import backbone as backbones
from lookalike.backbones import efficientnet, graph, tracing
from lookalike.backbones.backbone import Backbone
from lookalike.core.errors import ConfigError, DataError, ModelError, TrainingError
from lookalike.hasher import ModelInfo
from lookalike.imaging.decode import Array, ImageSpec
from lookalike.metrics import labels as labelling
from lookalike.models import frozen, hashing, lite_encoder
from lookalike.models.hashing import HashingConfig, HashingNetwork
from lookalike.models.methods import Method, method
from lookalike.training.hashing import CopyInputs, FeatureInputs, Hashing, ImageInputs, Inputs
from lookalike.training.inputs import clusters
from lookalike.training.inputs.cache import digest, read_all, remove_cache
from lookalike.training.inputs.features import Features, features
from lookalike.training.job import CHECKED, Job, decode, rows_of
from lookalike.training.outputs.export import OLDEST_OF_TOKENS, Threshold, export, export_behind
from lookalike.training.progress import bar
from lookalike.training.settings import Rows, Settings, Split

NONE, VIT = "none", "vit"  # in the place of a backbone: the pixels or our convolutions; our transformer
USUAL = "efficientnet-lite0"
VIEWS = 2  # of each image, whose features are kept
LARGER = 1.5  # images of which parts are taken have so many times the pixels a side that the encoder takes


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is asked for."""

    method: str
    bits: int
    nested: tuple[int, ...]
    backbone: str | None
    side: int | None
    seed: int

    @property
    def place(self) -> str:
        """The backbone's name, or what stands in its place."""
        return self.backbone or (NONE if method(self.method).encoder else USUAL)

    @property
    def from_scratch(self) -> bool:
        """Whether an encoder of our own is trained: by methods that teach by labels or by views."""
        if self.place == VIT or self.refines:
            return True
        return self.place == NONE and method(self.method).target in ("labels", "view")

    @property
    def refines(self) -> bool:
        """Whether an encoder of our own begins with the weights of a backbone."""
        return bool(method(self.method).encoder) and self.backbone == USUAL

    @property
    def source(self) -> str:
        """Of the network's inputs; methods that take tokens get the transformer."""
        if not self.from_scratch:
            return "features"
        if self.refines:
            return "lite"
        chosen = method(self.method)
        return chosen.encoder or ("vit" if self.place == VIT or chosen.tokens else "conv")


def check(wanted: Wanted) -> Method:
    """The method. Raises `ConfigError` if it cannot do what is asked for."""
    chosen = method(wanted.method)
    if chosen.encoder and wanted.place not in (NONE, USUAL):
        raise ConfigError(
            f"{wanted.method} trains an encoder of its own; leave out --backbone {wanted.backbone}, or give {USUAL}, "
            "whose weights it then begins with"
        )
    if wanted.from_scratch and wanted.side not in (None, side := hashing.ENCODERS[wanted.source].side):
        raise ConfigError(f"side is {wanted.side}; this encoder of our own takes {side} pixels. Leave it out")
    if wanted.from_scratch and chosen.target not in ("labels", "view"):
        raise ConfigError(f"{wanted.method} trains no encoder; give --backbone none, efficientnet-lite0 or FILE.onnx")
    if wanted.nested and wanted.method in frozen.TURNED:
        raise ConfigError(
            f"{wanted.method} turns all bits together, so that its first bits are no code; take pca for nested codes"
        )
    return chosen


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


def prepare(
    items: list[data.Item], wanted: Wanted, *, settings: dict[str, Any], folder: Path, cache: Path, max_pixels: int,
    device: str, asked: Event,
) -> Job[HashingNetwork]:  # fmt: skip
    """A job for a hashing method. `settings` are those of the run beyond what is found out here."""
    chosen = check(wanted)
    labels_NC = label_matrix(items, wanted.method) if chosen.needs_labels else None
    make = _from_scratch if wanted.from_scratch else _behind_backbone
    return make(
        items, wanted, labels_NC, settings=settings, folder=folder, cache=cache, max_pixels=max_pixels, device=device,
        asked=asked,
    )  # fmt: skip


def _from_scratch(
    items: list[data.Item], wanted: Wanted, labels_NC: npt.NDArray[np.bool_] | None, *, settings: dict[str, Any],
    folder: Path, cache: Path, max_pixels: int, device: str, asked: Event,
) -> Job[HashingNetwork]:  # fmt: skip
    encoder = hashing.ENCODERS[wanted.source]
    finds_copies = method(wanted.method).encoder is not None
    spec = ImageSpec(side=encoder.side, colour=encoder.colour, trim=finds_copies)
    read = replace(spec, side=round(LARGER * encoder.side), colour=True) if finds_copies else spec
    key = digest(items, read, max_pixels=max_pixels)
    decoded = decode(folder, items, read, key=key, max_pixels=max_pixels, asked=asked)
    if labels_NC is not None:
        labels_NC = labels_NC[rows_of(items, decoded.skipped)]
    config = _config(wanted, classes=0 if labels_NC is None else labels_NC.shape[1])

    inputs: Inputs = ImageInputs(decoded.arrays)
    if finds_copies:
        inputs = CopyInputs(decoded.arrays, encoder.side, colour=encoder.colour)

    def write(path: Path, network: HashingNetwork, theta_K: Threshold, info: ModelInfo, rows: Rows) -> None:
        export(path, network, theta_K, info, check_NSSC=np.asarray(inputs.plain(rows[:CHECKED]), np.uint8))

    job = _job(
        wanted, config, inputs, decoded.arrays, lambda rows: decoded.arrays[rows], decoded.skipped, labels_NC, None,
        settings=settings | {"images": key}, spec=spec, device=device, write=write, backbone=None,
        first=lite_encoder.first_weights(efficientnet.weights()) if wanted.refines else None,
    )  # fmt: skip
    return replace(job, clean_up=lambda: remove_cache(folder))


def _behind_backbone(
    items: list[data.Item], wanted: Wanted, labels_NC: npt.NDArray[np.bool_] | None, *, settings: dict[str, Any],
    folder: Path, cache: Path, max_pixels: int, device: str, asked: Event,
) -> Job[HashingNetwork]:  # fmt: skip
    chosen = method(wanted.method)
    backbone = backbones.load(wanted.place, side=wanted.side, tokens=chosen.tokens)
    if backbone.tokens and not chosen.tokens:
        raise ConfigError(
            f"pooling is tokens in the description of {backbone.about.name}; {wanted.method} takes one row of features "
            'an image. Write pooling = "mean" or "first", or take transhash, which takes tokens whatever is written'
        )
    if chosen.tokens and (version := graph.version(backbone.model)) < OLDEST_OF_TOKENS:
        raise ModelError(
            f"{backbone.about.name} uses version {version} of ONNX's operators; {wanted.method} takes encoders of "
            f"version {OLDEST_OF_TOKENS} or later. Export it with version {tracing.VERSION}"
        )

    def computed(seed: int | None = None) -> Features:
        what = "computing features" if seed is None else "computing features of views"
        with bar(len(items), what=what, unit="image") as reading:
            return features(
                items, backbone, cache, seed=seed, max_pixels=max_pixels, asked=asked, on_read=reading.update
            )

    found = computed()
    views = tuple(computed(seed).features_ND for seed in range(VIEWS)) if chosen.target == "view" else ()
    if labels_NC is not None:
        labels_NC = labels_NC[found.rows_N]
    clusters_NM = None
    if chosen.target == "clusters":
        clusters_NM = pseudo_labels(np.asarray(found.features_ND, np.float32), seed=wanted.seed)
    config = _config(
        wanted,
        features=backbone.dimension // max(1, backbone.tokens),
        tokens=backbone.tokens,
        classes=0 if labels_NC is None else labels_NC.shape[1],
        clusters=() if clusters_NM is None else tuple(int(count) for count in clusters_NM.max(axis=0) + 1),
    )

    def pictures(rows: Rows) -> Iterator[Array]:
        for item, array in read_all([items[found.rows_N[row]] for row in rows], backbone.spec, max_pixels):
            if isinstance(array, str):
                raise TrainingError(
                    f"{item.name} can no longer be read: {array}; put it back, and train again: --resume goes on from "
                    "the last epoch"
                )
            yield array

    def write(path: Path, network: HashingNetwork, theta_K: Threshold, info: ModelInfo, rows: Rows) -> None:
        shown = rows[:CHECKED]
        export_behind(
            path, backbone, network, theta_K, info,
            check_NSSC=np.asarray(list(pictures(shown))), features_ND=found.features_ND[shown],
        )  # fmt: skip

    return _job(
        wanted, config, FeatureInputs(found.features_ND, views), found.features_ND, pictures, found.skipped, labels_NC,
        clusters_NM, settings=settings | {"images": digest(items, backbone.spec, max_pixels=max_pixels)},
        spec=backbone.spec, device=device, write=write, backbone=backbone,
    )  # fmt: skip


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


def _config(wanted: Wanted, **sizes: Any) -> HashingConfig:
    linear = method(wanted.method).target == "none"
    config = HashingConfig(
        method=wanted.method, bits=wanted.bits, nested=wanted.nested, source=wanted.source, seed=wanted.seed, **sizes
    )
    return replace(config, hidden=0) if linear else config


def _job(
    wanted: Wanted, config: HashingConfig, inputs: Inputs, rows_ND: npt.NDArray[Any],
    pictures: Callable[[Rows], Iterable[Array]], skipped: tuple[Any, ...], labels_NC: npt.NDArray[np.bool_] | None,
    clusters_NM: npt.NDArray[np.int64] | None, *, settings: dict[str, Any], spec: ImageSpec, device: str, write: Any,
    backbone: Backbone | None, first: Mapping[str, torch.Tensor] | None = None,
) -> Job[HashingNetwork]:  # fmt: skip
    chosen = method(wanted.method)
    content = b"" if labels_NC is None else np.packbits(labels_NC).tobytes()
    labelled = hashlib.blake2b(content, digest_size=16).hexdigest()
    made_of = {"backbone": backbone.digest if backbone else "", "labels": labelled}

    def task(rows: Split) -> Hashing:
        return Hashing(
            config=config, inputs=inputs, train=rows.train, labels_NC=labels_NC, clusters_NM=clusters_NM, first=first,
            device=device,
        )  # fmt: skip

    return Job(
        settings=Settings(model=wanted.method, config=asdict(config) | made_of, **settings),
        spec=spec,
        inputs=rows_ND,
        pictures=pictures,
        skipped=skipped,
        task=task,
        solve=(lambda rows: solve(config, rows_ND[rows.train])) if chosen.objective is None else None,
        write=write,
        cut_at_mean=chosen.cut_at_mean,
        lengths=config.lengths[:-1],
        info={
            "backbone": _origin(wanted, config, backbone),
            "supervised": chosen.needs_labels,
        },
    )


def _origin(wanted: Wanted, config: HashingConfig, backbone: Backbone | None) -> str:
    """What the model file says of where features come from."""
    if backbone:
        return backbone.about.in_full
    if wanted.refines:
        return f"first blocks of {efficientnet.about(hashing.ENCODERS[config.source].side).sentence}, trained further"
    return f"{config.source}, trained from scratch"
