"""Codes of the same grey pixels without learning a network: what the paper's models are to be compared with.

    pixel-pca      signs of principal components, K of them; their reconstruction is the best that is linear
    pixel-itq      the same, rotated towards their signs (Gong & Lazebnik 2011)
    pixel-lsh      signs of random projections (Charikar, "Similarity estimation techniques from rounding algorithms",
                   2002)
    pixel-phash    low frequencies of a cosine transform, above their median, as imagehash's phash, of any length

Images are scaled as for the models, thresholds are means over the training images (but for pHash), and the runs have
the same results as theirs. Components are found by subspace iteration on blocks of images (Halko, Martinsson, Tropp
2011).

Shapes: N images, S = 128 pixels a side, P = S² pixels, K bits, R = 32 pixels of a reduced image.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core import codes
from lookalike.core.errors import ConfigError
from lookalike.imaging.decode import Array
from lookalike.metrics.measure import CUTOFF, measure
from lookalike.models.base import SIDE
from lookalike.models.frozen import rotation
from research import autoencoders
from research.autoencoders import Prepared
from research.datasets import protocols
from research.experiments import Experiment
from research.reconstruction import ReconstructionError, reconstruction_error
from research.results import Places, environment, write_result

LONGEST = 128  # components that are found at once
SPARE, ROUNDS = 20, 4  # of the subspace iteration: further directions, passes over the images
BLOCK = 500  # images scaled at once
REDUCED = 32  # R

Floats = npt.NDArray[np.float32]


class Components(NamedTuple):
    """Principal components of images."""

    mean_P: Floats
    axes_PK: Floats  # largest variance first


@dataclass(slots=True)
class Material:
    """A data set that was split, its decoded training images, and their components once they are needed."""

    prepared: Prepared
    train_NSS: Array
    components: Components | None = None

    def of(self, count: int) -> Components:
        """The first components."""
        if self.components is None or self.components.axes_PK.shape[1] < count:
            self.components = principal(self.train_NSS, max(count, min(LONGEST, len(self.train_NSS) - 1)))
        return Components(self.components.mean_P, self.components.axes_PK[:, :count])


def prepare(experiment: Experiment, places: Places, before: object = None) -> Material:
    """Split a data set, and decode its images."""
    found = autoencoders.prepare(experiment, places)
    return Material(found, autoencoders.decode(found.dataset, found.split.train, found.folder))


def run(experiment: Experiment, given: Material, places: Places, *, device: str = "cpu") -> None:
    """Encode, measure and write the result."""
    began, prepared = time.monotonic(), given.prepared
    encode = ENCODERS[experiment.model](given, experiment)
    query_labels, database_labels, _ = autoencoders.labels(prepared)
    query, database = (codes.pack(encode(part)) for part in (prepared.query_NSS, prepared.database_NSS))
    cutoff = protocols.PROTOCOLS[experiment.protocol].cutoff or CUTOFF
    result = {
        "settings": asdict(experiment) | {"title": prepared.dataset.title, "side": SIDE, "device": device},
        "split": autoencoders.describe(prepared),
        "environment": environment(),
        "metrics": measure(query, query_labels, database, database_labels, cutoff=cutoff).values(),
        "seconds": {"training": 0.0, "rest": time.monotonic() - began},
    }
    if experiment.model == "pixel-pca":
        result["reconstruction"] = error(given, experiment.bits)._asdict()
    write_result(places.result(experiment), result)


def error(given: Material, count: int) -> ReconstructionError:
    """The error of images restored from so many components, on the images on which the models' are measured."""
    shown_NSS = autoencoders.shown(given.prepared)
    mean_P, axes_PK = given.of(count)
    x_NP = flat(shown_NSS)
    restored_NP = mean_P + (x_NP - mean_P) @ axes_PK @ axes_PK.T
    return reconstruction_error(x_NP.reshape(shown_NSS.shape), restored_NP.reshape(shown_NSS.shape))


def principal(images_NSS: Array, count: int, *, seed: int = 0) -> Components:
    """Principal components of scaled images. Raises `ConfigError` if there are too few images."""
    if count >= len(images_NSS):
        raise ConfigError(f"{count} components need more than {len(images_NSS)} training images")
    mean_P = np.asarray(sum(x_NP.sum(axis=0, dtype=np.float64) for x_NP in blocks(images_NSS)) / len(images_NSS), "f4")
    width = min(count + SPARE, len(images_NSS))
    basis_PW = np.random.default_rng(seed).normal(size=(len(mean_P), width)).astype(np.float32)
    for _ in range(ROUNDS):
        basis_PW = np.linalg.qr(basis_PW)[0]
        basis_PW = np.asarray(sum(x.T @ (x @ basis_PW) for x in (part - mean_P for part in blocks(images_NSS))))
    left_PW, _, _ = np.linalg.svd(basis_PW, full_matrices=False)
    axes_PK = left_PW[:, :count]
    axes_PK *= np.where(axes_PK[np.abs(axes_PK).argmax(axis=0), np.arange(count)] < 0, -1, 1)
    return Components(mean_P, axes_PK)


def blocks(images_NSS: Array) -> Iterator[Floats]:
    """Scaled images (N, P), some at a time."""
    for at in range(0, len(images_NSS), BLOCK):
        yield flat(images_NSS[at : at + BLOCK])


def flat(images_NSS: Array) -> Floats:
    """Scaled images (N, P)."""
    return autoencoders.scaled(images_NSS).reshape(len(images_NSS), -1)


Encode = Callable[[Array], codes.Bits]


def _projected(given: Material, axes_PK: Floats) -> Encode:
    """Signs of projections of images, less those of the mean training image."""
    mean_P = given.of(1).mean_P
    return lambda images_NSS: np.concatenate([(x_NP - mean_P) @ axes_PK > 0 for x_NP in blocks(images_NSS)])


def _pca(given: Material, experiment: Experiment) -> Encode:
    return _projected(given, given.of(experiment.bits).axes_PK)


def _itq(given: Material, experiment: Experiment) -> Encode:
    mean_P, axes_PK = given.of(experiment.bits)
    v_NK = np.concatenate([(x_NP - mean_P) @ axes_PK for x_NP in blocks(given.train_NSS)]).astype(np.float64)
    return _projected(given, np.asarray(axes_PK @ rotation(v_NK, seed=experiment.seed), np.float32))


def _lsh(given: Material, experiment: Experiment) -> Encode:
    random_PK = np.random.default_rng(experiment.seed).normal(size=(SIDE**2, experiment.bits))
    return _projected(given, random_PK.astype(np.float32))


def _phash(given: Material, experiment: Experiment) -> Encode:
    return lambda images_NSS: low_frequencies(images_NSS, experiment.bits)


def low_frequencies(images_NSS: Array, bits: int) -> codes.Bits:
    """Whether each of the lowest frequencies is above their median, (N, K): of 2^⌊k/2⌋ rows, for K = 2^k.

    Raises `ConfigError` if K is no power of two, or too large.
    """
    if bits & (bits - 1) or bits > REDUCED**2:
        raise ConfigError(f"bits is {bits}; pixel-phash needs a power of two, at most {REDUCED**2}")
    rows = 2 ** ((bits.bit_length() - 1) // 2)
    step = SIDE // REDUCED
    small_NRR = images_NSS.reshape(-1, REDUCED, step, REDUCED, step).mean(axis=(2, 4), dtype=np.float32)
    places_R = np.arange(REDUCED)
    cosine_RR = np.cos(np.pi * places_R[:, None] * (places_R + 0.5) / REDUCED)  # DCT-II, unscaled as imagehash's
    wave_NRR = cosine_RR @ small_NRR @ cosine_RR.T
    low_NK = wave_NRR[:, :rows, : bits // rows].reshape(-1, bits)
    return np.asarray(low_NK > np.median(low_NK, axis=1, keepdims=True))


ENCODERS: dict[str, Callable[[Material, Experiment], Encode]] = {
    "pixel-pca": _pca,
    "pixel-itq": _itq,
    "pixel-lsh": _lsh,
    "pixel-phash": _phash,
}
