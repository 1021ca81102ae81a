"""Running backbones: from images to features, by ONNX Runtime.

    load("efficientnet-lite0")    weights from a package (extra `backbones`), trained on ImageNet with labels
    load("encoder.onnx")          any encoder, described in encoder.toml (see `about`)
    load("hf:NAME")               a transformers model from the local cache, or a folder: "hf:FOLDER"

Shapes: N images, S pixels a side, C channels, D features.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from lookalike.backbones import about as abouts
from lookalike.backbones import graph
from lookalike.backbones.about import HUB, About
from lookalike.core.errors import ConfigError, ModelError
from lookalike.hasher import admission
from lookalike.hasher.paths import read_model
from lookalike.imaging.decode import Array, ImageSpec

EFFICIENTNET = "efficientnet-lite0"
BATCH = 32


class Backbone:
    """A loaded encoder."""

    def __init__(self, encoder: onnx.ModelProto, about: About, *, own: bool = True) -> None:
        """Raises `ModelError` if the encoder does not match `about`, or has forbidden content.

        Unless it is this program's `own`, it is first run in a separate process.
        """
        import onnxruntime

        self.about = about
        self.model = graph.to_features(encoder, about)
        content = self.model.SerializeToString(deterministic=True)
        self.digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        (admission.admit_own if own else admission.admit)("backbone", content, about.name)
        self._batch = graph.batch(encoder, about) or BATCH
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            blank = np.zeros((self._batch, *self.spec.shape), np.uint8)
            self.dimension = int(self.features(blank).shape[1])
        except Exception as error:  # ONNX Runtime's own classes of errors are not public
            raise ModelError(f"{about.name} does not run: {error}") from error

    @property
    def spec(self) -> ImageSpec:
        """The input format of images."""
        return ImageSpec(side=self.about.side, colour=self.about.colour)

    def features(self, images_NSSC: Array) -> npt.NDArray[np.float32]:
        """Features (N, D) of uint8 images in the backbone's size."""
        found: list[Any] = []
        for at in range(0, len(images_NSSC), self._batch):
            part = images_NSSC[at : at + self._batch]
            found.append(self._session.run(["features"], {"images": np.ascontiguousarray(part)})[0])
        return np.concatenate(found) if found else np.empty((0, self.dimension), np.float32)


def load(backbone: str | os.PathLike[str], *, side: int | None = None, pooling: str | None = None) -> Backbone:
    """A backbone by name, or from an ONNX file with a description; `side` and `pooling` override the defaults.

    Raises `ConfigError` or `ModelError`.
    """
    encoder, about = _find(backbone, side)
    is_file = os.fspath(backbone).endswith(".onnx")
    return Backbone(encoder, replace(about, pooling=pooling or about.pooling), own=not is_file)


def _find(backbone: str | os.PathLike[str], side: int | None) -> tuple[onnx.ModelProto, About]:
    name = os.fspath(backbone)
    if name.startswith(HUB):
        return _of_hub(name.removeprefix(HUB), side)
    if name == EFFICIENTNET:
        from lookalike.backbones import efficientnet

        return efficientnet.encoder(side or efficientnet.SIDE), efficientnet.about(side or efficientnet.SIDE)
    path = Path(backbone)
    if path.suffix != ".onnx" or not path.is_file():
        raise ConfigError(f"{backbone} is neither {EFFICIENTNET}, {HUB}NAME nor an ONNX file; name one of these")
    described = path.with_suffix(".toml")
    if not described.is_file():
        raise ConfigError(f"{path} has no description; write {described} (see docs/backbones.md)")
    content = read_model(path)
    admission.admit("encoder", content, os.fspath(path))
    try:
        encoder = onnx.load_from_string(content)
        onnx.checker.check_model(encoder)
    except Exception as error:  # protobuf's and ONNX's own classes
        raise ModelError(f"{path} is not a readable ONNX file ({error})") from error
    about = abouts.read(described)
    return encoder, replace(about, side=side) if side else about


def _of_hub(name: str, side: int | None) -> tuple[onnx.ModelProto, About]:
    if not name:
        raise ConfigError(f"{HUB} names no model; expected {HUB}NAME (see docs/backbones.md)")
    from lookalike.backbones import huggingface

    network, folder = huggingface.network(name)
    about = huggingface.about(network, folder, name, side)
    return huggingface.encoder(network, about, folder), about
