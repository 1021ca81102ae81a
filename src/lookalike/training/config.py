"""What can be asked of a training."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from lookalike.imaging.decode import MAX_PIXELS


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """The model to train, and how. The defaults are good for a first try."""

    model: str = "csvae"  # one of the paper's, or a method that hashes features of a backbone
    bits: int = 64
    backbone: str | os.PathLike[str] | None = None  # None: efficientnet-lite0; "none" or "vit": an encoder of our own
    side: int | None = None  # pixels a side that the backbone takes; None: its own
    matryoshka: bool | Sequence[int] = False  # whether the first 16, 32, … bits, or those listed, are codes, too
    labels_from_folders: bool = False
    epochs: int = 20
    minutes: float | None = None  # after which training ends early
    batch: int | None = None  # None: 64 for the paper's models, 128 for others
    learning_rate: float = 1e-3  # the highest one
    validation: float = 0.1  # share of the images that are held out
    limit: int | None = None  # train on a random sample of so many images
    seed: int = 0
    init_from: str | os.PathLike[str] | None = None  # start from the weights of a finished training: its MODEL.run
    augment: bool = False  # the paper's models: reconstruct images from edited copies of them (not in the paper)
    device: str = "cpu"
    max_pixels: int = MAX_PIXELS
    cache: str | os.PathLike[str] | None = None  # folder for decoded images or features, kept for other runs
    name: str | None = None  # of the collection, recorded in the model file; None: the folder's
    card: str = ""  # for people, recorded in the model file
