"""A backbone at work: images in, features out, by ONNX Runtime.

    load("efficientnet-lite0")    the weights of a package (extra `backbones`), trained on ImageNet with its labels
    load("encoder.onnx")          any encoder, described by encoder.toml beside it (see `about`)

Shapes: N images, S pixels a side, C channels, D features.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from lookalike.backbones import about as abouts
from lookalike.backbones import graph
from lookalike.backbones.about import About
from lookalike.errors import ConfigError, ModelError
from lookalike.images import Array, ImageSpec

EFFICIENTNET = "efficientnet-lite0"
BATCH = 32


class Backbone:
    """An encoder, ready to run."""

    def __init__(self, encoder: onnx.ModelProto, about: About) -> None:
        """Raises `ModelError` if the encoder is not what `about` says."""
        import onnxruntime

        self.about = about
        self.model = graph.to_features(encoder, about)
        content = self.model.SerializeToString(deterministic=True)
        self.digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        self._batch = graph.batch(encoder, about) or BATCH
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            self.dimension = int(self.features(np.zeros((self._batch, *self.spec.shape), np.uint8)).shape[1])
        except Exception as error:  # ONNX Runtime's own classes of errors are not public
            raise ModelError(f"{about.name} does not run: {error}") from error

    @property
    def spec(self) -> ImageSpec:
        """What an image must be turned into."""
        return ImageSpec(side=self.about.side, colour=self.about.colour)

    def features(self, images_NSSC: Array) -> npt.NDArray[np.float32]:
        """Features (N, D) of uint8 images of the backbone's size."""
        found: list[Any] = []
        for at in range(0, len(images_NSSC), self._batch):
            part = images_NSSC[at : at + self._batch]
            found.append(self._session.run(["features"], {"images": np.ascontiguousarray(part)})[0])
        return np.concatenate(found) if found else np.empty((0, self.dimension), np.float32)


def load(backbone: str | os.PathLike[str], *, side: int | None = None) -> Backbone:
    """A backbone by name, or an ONNX file with its description beside it; `side` takes the place of its own.

    Raises `ConfigError` or `ModelError`.
    """
    if os.fspath(backbone) == EFFICIENTNET:
        from lookalike.backbones import efficientnet

        return Backbone(efficientnet.encoder(side or efficientnet.SIDE), efficientnet.about(side or efficientnet.SIDE))
    path = Path(backbone)
    if path.suffix != ".onnx" or not path.is_file():
        raise ConfigError(f"{backbone} is neither {EFFICIENTNET} nor an ONNX file; name one of these")
    described = path.with_suffix(".toml")
    if not described.is_file():
        raise ConfigError(f"{path} is not described; write {described}, as docs/backbones.md says")
    try:
        encoder = onnx.load(path)
        onnx.checker.check_model(encoder)
    except Exception as error:  # protobuf's and ONNX's own classes
        raise ModelError(f"{path} is not a readable ONNX file ({error})") from error
    return Backbone(encoder, abouts.read(described))
