"""The compared methods on features of a backbone, by name: training target, objective, threshold.

To add one, write its objective, its line in `METHODS` and its test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lookalike.core.errors import ConfigError
from lookalike.models.objectives import Objective
from research.hashing.supervised import CSQ, DHN, DPN, GreedyHash, HashNet, OrthoHash, TransHash
from research.hashing.unsupervised import BiHalf, CIBHash, GreedyHashUnsupervised

Target = Literal["labels", "features", "view", "clusters", "none"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """Sizes that an objective may depend on."""

    classes: int
    seed: int
    lengths: tuple[int, ...]  # of the trained codes, ascending

    @property
    def nested(self) -> bool:
        """Whether shorter codes are trained too."""
        return len(self.lengths) > 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """How features become codes. `target` is what training follows; methods of the package have no objective here."""

    title: str
    target: Target
    objective: Callable[[Size, int], Objective] | None = None  # for a number of bits
    tokens: bool = False  # whether it needs all positions of a backbone
    dropout: float = 0.2
    cut_at_mean: bool = (
        False  # θ is the mean latent of the training images; else 0, if the objective fixes the threshold
    )

    @property
    def needs_labels(self) -> bool:
        """Whether images must have labels."""
        return self.target == "labels"


METHODS: dict[str, Method] = {
    "dhn": Method(title="DHN", target="labels", objective=lambda c, bits: DHN()),
    "hashnet": Method(title="HashNet", target="labels", objective=lambda c, bits: HashNet(bits=bits)),
    "dpn": Method(
        title="DPN", target="labels", objective=lambda c, bits: DPN(bits=bits, classes=c.classes, seed=c.seed)
    ),
    "transhash": Method(title="TransHash", target="labels", objective=lambda c, bits: TransHash(), tokens=True),
    "csq": Method(
        title="CSQ",
        target="labels",
        objective=lambda c, bits: CSQ(bits=bits, classes=c.classes, seed=c.seed, lengths=c.lengths if c.nested else ()),
    ),
    "orthohash": Method(
        title="OrthoHash",
        target="labels",
        objective=lambda c, bits: OrthoHash(bits=bits, classes=c.classes, seed=c.seed),
    ),
    "greedyhash": Method(
        title="GreedyHash", target="labels", objective=lambda c, bits: GreedyHash(bits=bits, classes=c.classes)
    ),
    "pca": Method(title="PCA", target="none"),
    "itq": Method(title="ITQ", target="none"),
    "whitened-itq": Method(title="ITQ, whitened", target="none"),
    "bihalf": Method(
        title="Bi-half", target="features", objective=lambda c, bits: BiHalf(), dropout=0, cut_at_mean=True
    ),
    "cibhash": Method(title="CIBHash", target="view", objective=lambda c, bits: CIBHash(), dropout=0),
    "greedyhash-unsupervised": Method(
        title="GreedyHash, unsupervised",
        target="features",
        objective=lambda c, bits: GreedyHashUnsupervised(),
        dropout=0,
    ),
    "clusters": Method(title="Clusters (ours)", target="clusters"),
}


def method(name: str) -> Method:
    """The method of that name. Raises `ConfigError` if there is none."""
    if name not in METHODS:
        raise ConfigError(f"model is {name!r}; it must be one of {', '.join(METHODS)}")
    return METHODS[name]
