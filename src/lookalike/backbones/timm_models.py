"""Models of the package timm, named `timm:NAME`, or `timm:NAME@FILE` with weights from a file of one's own.

What is taken is the output of a model's `forward_features`: tokens (N, T, D) or positions (N, D, H, W). Where a model
classifies by its class token, the features are that; elsewhere they are the mean, of tokens without those in front that
stand for no place. Departures from timm's own pooled features: the norm that some models apply behind the mean, and
pooling by attention, are left out.

Nothing is fetched: NAME's weights are in the cache (see `offline`), and those of FILE are read without pickle.

Shapes: N images, S pixels a side, C channels, T tokens, D features, H by W positions.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import onnx
import torch

from lookalike.backbones import offline, tracing
from lookalike.backbones.about import About
from lookalike.backbones.offline import TIMM
from lookalike.core.errors import ConfigError, ModelError

ENDINGS = (".safetensors", ".bin", ".pt", ".pth")
CLASSES = (1000, 11221, 11821, 21841, 21842, 21843)  # that ImageNet's versions have
IMAGENET = re.compile(r"(?:^|_)in(?:1|12|21|22)k(?:_|$)")  # in a tag of weights
WITHOUT_LABELS = ("dino", "fcmae", "lvd142m", "lvd1689m", "mae")  # tags


def network(name: str, side: int | None = None) -> Any:
    """The model, without its prefix, in evaluation mode, for images of `side` pixels or of its usual size.

    Raises `ConfigError` if the package, the model or its weights are not there, or it takes no such side.
    """
    architecture, _, file = name.partition("@")
    try:
        import timm
    except (ImportError, RuntimeError) as error:  # torchvision, which it needs, may not fit torch
        raise offline.missing(f"{TIMM}{name}", "timm", error) from error
    told = _told(architecture)
    remedy = f"Give weights that timm has saved for {architecture}, or leave @{file} out"
    if not file:
        _require_local(told, name)
        remedy = f"Fetch it: hf download {told.hf_hub_id}; or name a file of its weights: {TIMM}{name}@FILE"
    with offline.offline("timm"):
        try:
            if file:
                made = _of_file(architecture, told, Path(file).expanduser())
            else:
                made = timm.create_model(architecture, pretrained=True, exportable=True)
        except ConfigError:
            raise
        except Exception as error:  # of timm, torch, safetensors, the hub's library and the network
            raise ConfigError(f"{TIMM}{name} cannot be loaded ({offline.reason(error)}). {remedy}") from error
        return _resized(made.eval(), name, side)


def about(made: Any, name: str) -> About:
    """What a model is, by its own configuration. `name` is that which `network` was given."""
    architecture, _, file = name.partition("@")
    told: Mapping[str, Any] = made.pretrained_cfg
    channels = int(told["input_size"][0])
    said = {} if file else offline.card(str(told.get("hf_hub_id")))
    tag = str(told.get("tag") or "")
    return About(
        name=f"{TIMM}{architecture}@{Path(file).name}" if file else f"{TIMM}{architecture}",
        side=_side(made),
        colour=channels != 1,
        mean=tuple(float(one) for one in told["mean"]),
        deviation=tuple(float(one) for one in told["std"]),
        pooling="first" if _by_token(made) else "mean",
        licence=offline.UNKNOWN if file else str(told.get("license") or offline.licence(said)),
        trained_on=offline.UNKNOWN if file else tag or offline.trained_on(said),
        labels=None if file else _labels(tag, int(told.get("num_classes") or 0)),
    )


def encoder(made: Any, described: About) -> onnx.ModelProto:
    """A model's graph: scaled images (N, C, S, S) to tokens (N, T, D) or positions (N, D, H, W).

    Raises `ModelError` if it gives neither, or cannot be written as ONNX.
    """
    features = _Features(made, described).eval()
    graph = tracing.traced(features, described, output="features")
    tracing.check(graph, features, described)
    return graph


class _Features(torch.nn.Module):
    """A model without its classifier, its positions in the order NCHW."""

    def __init__(self, made: Any, described: About) -> None:
        """Raises `ModelError` if its output is neither tokens nor positions."""
        super().__init__()
        self.made = made
        blank = torch.zeros(1, described.channels, described.side, described.side)
        try:
            with torch.inference_mode():
                y = made.forward_features(blank)
        except Exception as error:  # of the model's own code
            raise ModelError(
                f"{described.name} does not take images of {described.side} pixels ({tracing.said(error)}); give "
                "another --side, or none"
            ) from error
        if not isinstance(y, torch.Tensor) or y.ndim not in (2, 3, 4):
            raise ModelError(
                f"{described.name} gives no tokens (N, T, D) or positions (N, D, H, W); take another model, or an ONNX "
                "file of it, as docs/backbones.md says"
            )
        self.last = y.ndim == 4 and _channels_last(made, y, described.name)
        self.dropped = 0 if y.ndim != 3 or _by_token(made) else int(getattr(made, "num_prefix_tokens", 0) or 0)

    def forward(self, x_NCSS: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.made.forward_features(x_NCSS)
        if self.last:
            y = y.permute(0, 3, 1, 2)
        return y[:, self.dropped :] if self.dropped else y


def _channels_last(made: Any, y: torch.Tensor, name: str) -> bool:
    """Whether positions are in the order NHWC. Raises `ModelError` where that cannot be told."""
    if getattr(made, "output_fmt", "") == "NHWC":
        return True
    if y.shape[1] == made.num_features:
        return False
    if y.shape[3] == made.num_features:
        return True
    raise ModelError(
        f"{name} gives positions of shape {tuple(y.shape)}, in which its {made.num_features} channels are not to be "
        "found; take another model, or an ONNX file of it, as docs/backbones.md says"
    )


def _told(architecture: str) -> Any:
    """What timm tells of a model. Raises `ConfigError` if it has none of that name."""
    import timm

    told = None
    with contextlib.suppress(RuntimeError):  # no such weights
        told = timm.models.get_pretrained_cfg(architecture) if timm.is_model(architecture.partition(".")[0]) else None
    if told is None:
        raise ConfigError(
            f"{TIMM}{architecture} is no model of timm {timm.__version__}; to see what there is: "
            "python -c 'import timm; print(*timm.list_pretrained())'"
        )
    return told


def _of_file(architecture: str, told: Any, path: Path) -> Any:
    """A model with the weights of a file, and as many classes as that has."""
    import timm

    if path.suffix not in ENDINGS or not path.is_file():
        raise ConfigError(f"{path} is not a file of weights; expected one that ends in {', '.join(ENDINGS)}")
    heads = told.classifier or ()
    weights = timm.models.load_state_dict(str(path))
    sizes = [len(weights[f"{head}.weight"]) for head in ((heads,) if isinstance(heads, str) else heads)
             if f"{head}.weight" in weights]  # fmt: skip
    classes = sizes[0] if sizes else 0
    return timm.create_model(architecture, num_classes=classes, checkpoint_path=str(path), exportable=True)


def _require_local(told: Any, name: str) -> None:
    """Raises `ConfigError` if there are no weights, or they would be fetched from elsewhere than the hub."""
    if told.hf_hub_id or told.file:
        return
    if not told.url:
        raise ConfigError(f"{TIMM}{name} has no trained weights; name others, or a file of them: {TIMM}{name}@FILE")
    at = told.url[1] if isinstance(told.url, tuple) else os.path.basename(urlparse(told.url).path)
    path = Path(torch.hub.get_dir()) / "checkpoints" / at
    if not path.is_file():
        raise ConfigError(f"the weights of {TIMM}{name} are not at {path}; fetch them from {told.url}")


def _resized(made: Any, name: str, side: int | None) -> Any:
    """A model for another size of images; its embeddings of places are interpolated."""
    usual = _side(made)
    if side in (None, usual):
        return made
    if hasattr(made, "set_input_size"):
        try:
            made.set_input_size(img_size=side)
        except Exception as error:  # of timm: not a multiple of its patches or windows
            raise ConfigError(
                f"{TIMM}{name} does not take images of {side} pixels ({tracing.said(error)}); leave --side out "
                f"for its {usual}"
            ) from error
    elif made.pretrained_cfg.get("fixed_input_size"):
        raise ConfigError(f"{TIMM}{name} takes images of {usual} pixels only, not of {side}; leave --side out")
    made.pretrained_cfg = {**made.pretrained_cfg, "input_size": (made.pretrained_cfg["input_size"][0], side, side)}
    return made


def _side(made: Any) -> int:
    return int(made.pretrained_cfg["input_size"][-1])


def _by_token(made: Any) -> bool:
    """Whether a model classifies by its class token."""
    return getattr(made, "global_pool", "") == "token"


def _labels(tag: str, classes: int) -> bool | None:
    """Whether weights were trained with labels, by their tag and what their classifier tells apart."""
    if classes in CLASSES and IMAGENET.search(tag):
        return True
    return False if not classes and tag in WITHOUT_LABELS else None
