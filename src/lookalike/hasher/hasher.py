"""Hasher: a model at work, from images to codes.

Shapes: N images, S pixels a side, K bits, W = K/8 bytes.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes
from lookalike.core.errors import ImageError, ModelError
from lookalike.core.limits import MAX_PIXELS
from lookalike.core.parallel import cores
from lookalike.hasher import admission
from lookalike.hasher.model_info import ModelInfo
from lookalike.hasher.paths import DEFAULT, find_model, read_model
from lookalike.hasher.session import naming, open_session
from lookalike.imaging.given import is_one, source_of
from lookalike.imaging.spec import Array, ImageSpec

BATCH = 32

Image = Any  # an array of the model's shape, or what `imaging.given.source_of` takes


class Hasher:
    """A loaded model. Create one with `Hasher.load`; several threads can use it."""

    def __init__(self, data: bytes, *, path: str, threads: int | None = None, own: bool = False) -> None:
        """Loads a model from a file's bytes. Raises `ModelError`.

        They are checked and, unless this program has just made them (`own`), tried first (`admission`).
        """
        (admission.admit_own if own else admission.admit)("model", data, path)
        self.path = path
        self.digest = admission.digest(data)
        self._threads = threads or cores()
        with naming(path):
            self._session = open_session(data, threads=1)  # one image a core is faster than each image on all cores
            self.info = ModelInfo.within(self._session.get_modelmeta().custom_metadata_map)
        for output in ("code", "latent"):  # a graph that contradicts its metadata is refused at once
            self._run(output, np.zeros((1, *self.spec.shape), np.uint8))

    @classmethod
    def load(cls, model: str | os.PathLike[str] = DEFAULT, *, threads: int | None = None) -> Hasher:
        """The hasher of a built-in model's name or a model file. Raises `ModelError`.

        `threads` is the number of images of one call that are encoded in parallel; by default one a core.
        """
        path = find_model(model)
        try:
            data = read_model(path)
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}") from error
        return cls(data, path=os.fspath(path), threads=threads)

    @property
    def bits(self) -> int:
        """K, the length of a code in bits."""
        return self.info.bits

    @property
    def spec(self) -> ImageSpec:
        """Input format of the model."""
        return self.info.image

    @functools.cached_property
    def theta(self) -> npt.NDArray[np.float32] | None:
        """The threshold (K,) that latents are compared with; None if the model's file is gone."""
        try:
            data = read_model(Path(self.path))
        except (OSError, ModelError):  # the model of a database in Milvus is not a file
            return None
        from lookalike.hasher import onnx_file

        if admission.digest(data) != self.digest:
            return None
        whole, _, _ = self.info.theta_digest.partition("[:")  # a truncated model's θ is the first part of another's
        theta = onnx_file.find_floats(data, whole)
        return None if theta is None else theta[: self.bits]

    @property
    def name(self) -> str:
        """Name and digest, such as `csvae-64@3f2a1b9c`, which identify the model."""
        return f"{self.info.name}@{self.digest[:8]}"

    def encode(self, sources: Image | Iterable[Image], *, max_pixels: int = MAX_PIXELS) -> Codes:
        """Codes (N, W) of images, one or many: paths, bytes, and all else that `imaging.given.source_of` takes.

        Arrays of the model's shape, one or (N, ...), are encoded as they are. Images are decoded by several threads.
        Raises `ImageError`, naming the first image that cannot be read.
        """
        if isinstance(sources, np.ndarray) and sources.size and sources.dtype.kind not in "OSU":  # else paths
            sources = self._one_or_many(sources)
        elif is_one(sources) and not isinstance(sources, np.ndarray):
            sources = [sources]
        read = functools.partial(self._to_array, max_pixels=max_pixels)
        with ThreadPoolExecutor() as pool:
            codes = [self.encode_arrays(np.stack(list(pool.map(read, batch)))) for batch in _batches(sources, BATCH)]
        return np.concatenate(codes) if codes else np.empty((0, self.bits // 8), np.uint8)

    def encode_arrays(self, arrays_NSS: Array) -> Codes:
        """Codes (N, W) of a batch of uint8 arrays of the model's shape."""
        return np.asarray(self._run("code", arrays_NSS), np.uint8)

    def encode_together(self, arrays_NSS: Array) -> Codes:
        """Codes (N, W) of arrays that always form one batch, in one run by the caller's thread.

        Faster, but a bit at the threshold may depend on the others in the batch.
        """
        return np.asarray(self._run("code", arrays_NSS, together=True), np.uint8)

    def latents(self, arrays_NSS: Array) -> npt.NDArray[np.float32]:
        """Latents (N, K) of a batch of uint8 arrays of the model's shape, before the threshold."""
        return np.asarray(self._run("latent", arrays_NSS), np.float32)

    def _run(self, output: str, arrays_NSS: Array, *, together: bool = False) -> Any:
        shape = (len(arrays_NSS), *self.spec.shape)
        if arrays_NSS.shape != shape or arrays_NSS.dtype != np.uint8:
            raise ImageError(
                f"images of shape {arrays_NSS.shape} and type {arrays_NSS.dtype}; {self.name} expects uint8 of {shape}"
            )
        if together:
            return self._checked_run(output, arrays_NSS)

        # One image a run: kernels choose the order of their sums by batch size, and a code must not depend on the other
        # images in its batch.
        threads = min(len(arrays_NSS), self._threads)
        singles = [arrays_NSS[row : row + 1] for row in range(len(arrays_NSS))]
        one = functools.partial(self._checked_run, output)
        if threads > 1:
            with ThreadPoolExecutor(threads) as pool:
                runs = list(pool.map(one, singles))
        else:
            runs = list(map(one, singles))
        width, kind = self._shape_of(output)
        return np.concatenate(runs) if runs else np.empty((0, width), kind)

    def _checked_run(self, output: str, arrays_NSS: Array) -> Any:
        """One run of the model, whose output is checked before anything is stored."""
        try:
            found = self._session.run([output], {"images": arrays_NSS})[0]
        except Exception as error:  # ONNX Runtime's exception classes are not public
            raise ModelError(f"{self.path} does not run: {' '.join(str(error).split())[:300]}") from error
        width, kind = self._shape_of(output)
        if found.dtype != kind or found.shape != (len(arrays_NSS), width):
            raise ModelError(
                f"{self.path} declares {self.bits} bits, but its {output} is {found.dtype} of shape {found.shape}"
            )
        return found

    def _shape_of(self, output: str) -> tuple[int, type[np.uint8] | type[np.float32]]:
        """The width and type of an output's row."""
        return (self.bits // 8, np.uint8) if output == "code" else (self.bits, np.float32)

    def _one_or_many(self, array: npt.NDArray[Any]) -> Sequence[Image]:
        """The images of an array: several of the model's shape, or one of any shape."""
        is_many = array.dtype == np.uint8 and array.shape == (*array.shape[:1], *self.spec.shape)
        return list(array) if is_many else [array]

    def _to_array(self, image: Image, *, max_pixels: int) -> Array:
        if isinstance(image, np.ndarray) and image.shape == self.spec.shape and image.dtype == np.uint8:
            return image
        from lookalike.imaging import decode

        return decode.read(source_of(image), self.spec, max_pixels=max_pixels)


def _batches(items: Iterable[Image], size: int) -> Iterator[Sequence[Image]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
