"""The compared methods on features of a backbone, by name: training target, objective, threshold.

To add one, write its objective, its line in `METHODS` and its test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from torch import nn

from lookalike.core.errors import ConfigError
from lookalike.models.hashing import Head
from lookalike.models.objectives import Objective
from research.hashing import pairs
from research.hashing.dual_stream import DualStream
from research.hashing.heads import TagHead, flat_tokens, hash_coder
from research.hashing.pairs import Stateless
from research.hashing.partial import DPH, WDHT, dah
from research.hashing.supervised import CSQ, DPN, GreedyHash, OrthoHash
from research.hashing.unsupervised import BiHalf, CIBHash, CroVCA, GreedyHashUnsupervised

Target = Literal["labels", "tags", "partial", "features", "view", "clusters", "none"]
LABELLED = ("labels", "tags", "partial")  # partial: some images may lack labels


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """Sizes that a head or an objective may depend on."""

    classes: int
    seed: int
    lengths: tuple[int, ...]  # of the trained codes, ascending
    inputs: int = 0  # numbers of an image: features, of all positions if the method needs them
    positions: int = 1
    categories: int = 0  # of the classes, the first; the others are attributes
    tags: int = 0  # numbers of a tag vector

    @property
    def nested(self) -> bool:
        """Whether shorter codes are trained too."""
        return len(self.lengths) > 1


def _one_hidden_layer(size: Size, dropout: float) -> nn.Module:
    return Head(features=size.inputs, bits=size.lengths[-1], dropout=dropout)


def _dual_stream(size: Size, dropout: float) -> nn.Module:
    width = size.inputs // size.positions
    return DualStream(tokens=size.positions, width=width, bits=size.lengths[-1], dropout=dropout)


def _flat_tokens(size: Size, dropout: float) -> nn.Module:
    return flat_tokens(inputs=size.inputs, bits=size.lengths[-1], dropout=dropout)


def _tag_head(size: Size, dropout: float) -> nn.Module:
    return TagHead(inputs=size.inputs, bits=size.lengths[-1], tags=size.tags)


def _hash_coder(size: Size, dropout: float) -> nn.Module:
    return hash_coder(inputs=size.inputs, bits=size.lengths[-1])


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """How features become codes. `target` is what training follows; methods of the package have no objective here."""

    title: str
    target: Target
    objective: Callable[[Size, int], Objective] | None = None  # for a number of bits
    head: Callable[[Size, float], nn.Module] = _one_hidden_layer  # for a share of dropped inputs
    dropout: float = 0.2
    cut_at_mean: bool = (
        False  # θ is the mean latent of the training images; else 0, if the objective fixes the threshold
    )

    @property
    def needs_labels(self) -> bool:
        """Whether it learns from labels."""
        return self.target in LABELLED

    @property
    def tokens(self) -> bool:
        """Whether it needs all positions of a backbone."""
        return self.head in (_dual_stream, _flat_tokens)


METHODS: dict[str, Method] = {
    "dhn": Method(title="DHN", target="labels", objective=lambda c, bits: Stateless(pairs.dhn)),
    "hashnet": Method(title="HashNet", target="labels", objective=lambda c, bits: Stateless(pairs.hashnet)),
    "dpn": Method(
        title="DPN", target="labels", objective=lambda c, bits: DPN(bits=bits, classes=c.classes, seed=c.seed)
    ),
    "transhash": Method(
        title="TransHash", target="labels", objective=lambda c, bits: Stateless(pairs.transhash), head=_dual_stream
    ),
    "dsh": Method(title="DSH", target="labels", objective=lambda c, bits: Stateless(pairs.dsh)),
    "idhn": Method(title="IDHN", target="labels", objective=lambda c, bits: Stateless(pairs.idhn)),
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
    "wdht": Method(title="WDHT", target="tags", objective=lambda c, bits: WDHT(bits=bits), head=_tag_head),
    "dph": Method(
        title="DPH",
        target="partial",
        objective=lambda c, bits: DPH(bits=bits, categories=c.categories, attributes=c.classes - c.categories),
    ),
    "dah": Method(title="DAH", target="partial", objective=lambda c, bits: Stateless(dah)),
    "pca": Method(title="PCA", target="none"),
    "itq": Method(title="ITQ", target="none"),
    "whitened-itq": Method(title="ITQ, whitened", target="none"),
    "bihalf": Method(
        title="Bi-half", target="features", objective=lambda c, bits: BiHalf(), dropout=0, cut_at_mean=True
    ),
    "cibhash": Method(title="CIBHash", target="view", objective=lambda c, bits: CIBHash(), dropout=0),
    "crovca": Method(title="CroVCA", target="view", objective=lambda c, bits: CroVCA(), head=_hash_coder),
    "greedyhash-unsupervised": Method(
        title="GreedyHash, unsupervised",
        target="features",
        objective=lambda c, bits: GreedyHashUnsupervised(),
        dropout=0,
    ),
    "clusters": Method(title="Clusters (ours)", target="clusters"),
}

VTS = ("dsh", "hashnet", "greedyhash", "idhn", "csq", "dpn")  # objectives behind which its authors measured it
METHODS |= {
    f"vts-{name}": replace(METHODS[name], title=f"VTS with {METHODS[name].title}", head=_flat_tokens, dropout=0.5)
    for name in VTS
}


def method(name: str) -> Method:
    """The method of that name. Raises `ConfigError` if there is none."""
    if name not in METHODS:
        raise ConfigError(f"model is {name!r}; it must be one of {', '.join(METHODS)}")
    return METHODS[name]
