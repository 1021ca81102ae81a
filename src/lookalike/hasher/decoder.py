"""Decoders: images from latents, by a second file next to a model file.

Shapes: N images, S pixels a side, K bits.
"""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import ModelError
from lookalike.core.parallel import cores
from lookalike.hasher import admission
from lookalike.hasher.hasher import Hasher
from lookalike.hasher.model_info import DECODER_KEY, decoder_theta
from lookalike.hasher.paths import decoder_path, read_model
from lookalike.hasher.session import naming, open_session
from lookalike.imaging.spec import Array


class Decoder:
    """Draws images from one model's latents. Get one with `Decoder.beside`."""

    def __init__(self, data: bytes, hasher: Hasher, *, path: str, own: bool = False) -> None:
        """Loads a decoder from a file's bytes, after checking them like a model's. Raises `ModelError`."""
        (admission.admit_own if own else admission.admit)("decoder", data, path)
        self.path, self._hasher = path, hasher
        with naming(path):
            self._session = open_session(data, threads=cores())
            about = self._session.get_modelmeta().custom_metadata_map
            self._theta_digest = decoder_theta(about.get(DECODER_KEY, ""))

    @classmethod
    def beside(cls, hasher: Hasher) -> Decoder | None:
        """The decoder next to a model's file; None if it is missing or belongs to another model.

        Raises `ModelError` if it is damaged.
        """
        path = decoder_path(hasher.path)
        try:
            data = read_model(path)
        except FileNotFoundError:
            return None
        decoder = cls(data, hasher, path=os.fspath(path))
        return decoder if decoder._theta_digest == hasher.info.theta_digest else None

    def draw(self, latents_NK: npt.NDArray[np.float32]) -> Array:
        """Grey uint8 images (N, S, S) that the decoder draws from latents."""
        try:
            drawn_NSS = self._session.run(["images"], {"latent": np.asarray(latents_NK, np.float32)})[0]
        except Exception as error:  # ONNX Runtime's exception classes are not public
            raise ModelError(f"{self.path} does not accept {self._hasher.bits} latents: {error}") from error
        if drawn_NSS.dtype != np.uint8 or drawn_NSS.shape[:1] != (len(latents_NK),) or drawn_NSS.ndim != 3:
            raise ModelError(f"{self.path} gives {drawn_NSS.dtype} of shape {drawn_NSS.shape}; expected uint8 images")
        return np.asarray(drawn_NSS)

    def reconstruct(self, arrays_NSS: Array) -> Array:
        """Images (N, S, S) drawn from the latents of a batch of uint8 arrays of the model's shape.

        Compare each with its image rescaled to span 0 to 255, because that is what the model sees.
        """
        return self.draw(self._hasher.latents(arrays_NSS))
