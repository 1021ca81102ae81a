"""Models of Hugging Face's package transformers: `hf:FOLDER`, or `hf:NAME` for a model in the local cache.

The output is the last hidden state: tokens (N, T, D) or positions (N, D, H, W). Features are the class token, if any,
otherwise the mean. For image-text models, only the image tower is used. CLIP-like models normalise only the class
token after the last hidden state; here every token is normalised, so that features equal CLIP's pooler output and the
other tokens are available, too. SigLIP-like models pool by attention: their output is the pooler's, without tokens.
Projections into the text space are omitted.

Nothing is downloaded; users do that with `hf download NAME`. Code that comes with a model is never run.

Shapes: N images, S pixels a side, C channels, T tokens, D features, H by W positions.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
import torch

from lookalike.backbones import tracing
from lookalike.backbones.about import HUB, About
from lookalike.core.errors import ConfigError, ModelError

SIDE = 224  # if a model does not specify it
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, if a model does not specify them
CLASS_TOKENS = ("cls_token", "class_token", "class_embedding")  # names of the weights
ATTENTION_POOLS = ("siglip", "siglip_vision_model", "siglip2", "siglip2_vision_model")  # model types


def network(name: str) -> tuple[Any, Path]:
    """The image model in a folder or the cache, in evaluation mode, and the folder of its files.

    Raises `ConfigError` if the package or model is missing, or it does not take images.
    """
    try:
        from transformers import AutoModel
    except (ImportError, RuntimeError) as error:
        raise ConfigError(
            f"{HUB}{name} needs the package transformers, which cannot be imported ({error}). Install it with: pip "
            "install transformers"
        ) from error
    folder = _folder(name)
    with _quiet():
        try:
            made, told = AutoModel.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, attn_implementation="eager",
                output_loading_info=True,
            )  # fmt: skip
        except Exception as error:  # of transformers, torch and safetensors
            raise ConfigError(
                f"{HUB}{name} cannot be loaded ({tracing.one_line(error)}). Name a folder written by save_pretrained"
            ) from error
    tower = getattr(made, "vision_model", made)
    if getattr(tower, "main_input_name", "pixel_values") != "pixel_values":
        raise ConfigError(f"{HUB}{name} takes {tower.main_input_name}, not images; name a model of images")
    absent = sorted(key for key in told["missing_keys"] if _used(key, made, tower))
    if absent:
        raise ConfigError(
            f"{HUB}{name} lacks weights for {absent[0]} and {len(absent) - 1} others, which would be random; name a "
            "complete model"
        )
    return tower.float().eval(), folder


def about(made: Any, folder: Path, name: str, side: int | None = None) -> About:
    """A model's description, from the files in its folder; `side` overrides the default.

    Raises `ConfigError` if the files have impossible values.
    """
    told, card = _preparation(folder), _card(folder)
    datasets = card.get("datasets") or []
    datasets = [datasets] if isinstance(datasets, str) else datasets
    scale = 255 * float(told.get("rescale_factor") or 1 / 255) if told.get("do_rescale", True) else 255.0
    offset = 1.0 if told.get("rescale_offset") else 0.0
    normed = told.get("do_normalize", "do_flip_channel_order" not in told)  # MobileViT: no, without saying so
    channels = int(getattr(made.config, "num_channels", None) or 3)
    mean = _each(told.get("image_mean"), MEAN, channels) if normed else (0.0,) * channels
    deviation = _each(told.get("image_std"), DEVIATION, channels) if normed else (1.0,) * channels
    return About(
        name=f"{HUB}{folder.resolve().name if folder == Path(name).expanduser() else name}",
        side=side or _side(told) or _own_side(made) or SIDE,
        colour=channels != 1,
        mean=tuple((one + offset) / scale for one in mean),
        deviation=tuple(one / scale for one in deviation),
        pooling="first" if _has_class_token(made) else "mean",
        licence=str(card.get("license_name") or card.get("license") or "unknown"),
        trained_on=", ".join(map(str, datasets)) or "unknown",
        labels=True if _classifies(made) else None,
    )


def encoder(made: Any, described: About, folder: Path) -> onnx.ModelProto:
    """A model's graph, from scaled images (N, C, S, S) to tokens (N, T, D), positions (N, D, H, W) or features (N, D).

    Raises `ModelError` if it returns none of these, or cannot be exported to ONNX.
    """
    flipped = bool(_preparation(folder).get("do_flip_channel_order"))
    features = _Features(made, described, flipped=flipped).eval()
    graph = tracing.traced(features, described, output="features")
    tracing.check(graph, features, described)
    return graph


class _Features(torch.nn.Module):
    """An image model with one output, and with channels in the order that it expects (RGB or BGR)."""

    def __init__(self, made: Any, described: About, *, flipped: bool) -> None:
        """Raises `ModelError` if it lacks such an output, or does not accept this image size."""
        super().__init__()
        self.made = made
        self.flipped = flipped
        self.pooler = getattr(made.config, "model_type", "") in ATTENTION_POOLS
        self.norm = getattr(made, "post_layernorm", None) if _has_class_token(made) else None
        self.options: dict[str, Any] = {"return_dict": True}
        own = _own_side(made)
        if own != described.side and "interpolate_pos_encoding" in inspect.signature(made.forward).parameters:
            self.options["interpolate_pos_encoding"] = True
        blank = torch.zeros(1, described.channels, described.side, described.side)
        try:
            with torch.inference_mode():
                y = self(blank)
        except Exception as error:  # of the model's own code
            usual = f"use --side {own}" if own else "use another --side, or none"
            raise ModelError(
                f"{described.name} does not accept images of {described.side} pixels "
                f"({tracing.one_line(error)}); {usual}"
            ) from error
        if y.ndim not in (2, 3, 4):
            raise ModelError(
                f"{described.name} returns neither tokens (N, T, D) nor positions (N, D, H, W); use another model, or "
                "an ONNX file of it (see docs/backbones.md)"
            )

    def forward(self, x_NCSS: torch.Tensor) -> torch.Tensor:
        given = self.made(pixel_values=x_NCSS.flip(1) if self.flipped else x_NCSS, **self.options)
        y: torch.Tensor = given.pooler_output if self.pooler else given.last_hidden_state
        return y if self.norm is None else self.norm(y)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress output of transformers."""
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _folder(name: str) -> Path:
    """The folder with this name, or the latest cached revision of a model. Raises `ConfigError` if there is none."""
    if (folder := Path(name).expanduser()).is_dir():
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except Exception as error:  # of the hub's library
        raise ConfigError(
            f"{HUB}{name} is not in the Hugging Face cache, and lookalike downloads nothing. "
            f"Fetch it with: hf download {name}; or name a folder written by save_pretrained"
        ) from error


def _card(folder: Path) -> dict[str, Any]:
    """The metadata of a model card, such as `license` and `datasets`; empty without a readable card."""
    from huggingface_hub import ModelCard

    path = folder / "README.md"
    if not path.is_file():  # otherwise its name would be looked up at the hub
        return {}
    try:
        header: dict[str, Any] = ModelCard.load(path).data.to_dict()
    except Exception:  # from the YAML parser and its checks
        return {}
    return header


def _used(key: str, made: Any, tower: Any) -> bool:
    """Whether features depend on a weight, unlike those of text towers, and of poolers that were not saved."""
    inside = key.removeprefix("vision_model.")
    if made is not tower and inside == key:
        return False
    return not inside.startswith("pooler.")


def _preparation(folder: Path) -> Mapping[str, Any]:
    """The image preprocessing from the model's files; empty if not specified.

    It is read directly, because the classes of transformers may need torchvision.
    """
    for file, part in (("processor_config.json", "image_processor"), ("preprocessor_config.json", "")):
        path = folder / file
        if not path.is_file():
            continue
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            told = told.get(part) if part else told
        except (OSError, ValueError, AttributeError) as error:
            raise ConfigError(f"{path} is not a readable JSON object ({error}); fetch it again") from error
        if isinstance(told, dict):
            return told
    return {}


def _side(told: Mapping[str, Any]) -> int:
    """The image size in a model's preprocessing; 0 if not specified."""
    sizes = [told.get("crop_size")] if told.get("do_center_crop") else []
    for size in [*sizes, told.get("size")]:
        if isinstance(size, dict):
            size = size.get("height") or size.get("shortest_edge")
        if isinstance(size, list | tuple):
            size = size[0]
        if size:
            return int(size)
    return 0


def _own_side(made: Any) -> int:
    """The image size of a model's position embeddings; 0 if any."""
    size = getattr(made.config, "image_size", None) or 0
    return int(size[0] if isinstance(size, list | tuple) else size)


def _each(told: Any, otherwise: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """One number per channel, from a list, a single number, or the default."""
    numbers = otherwise if told is None else told if isinstance(told, list | tuple) else (told,)
    found = [float(one) for one in numbers]
    return tuple(found * channels) if len(found) == 1 else tuple(found)


def _has_class_token(made: Any) -> bool:
    return any(key.rpartition(".")[2] in CLASS_TOKENS for key in made.state_dict())


def _classifies(made: Any) -> bool:
    """Whether the saved weights include a classifier, which implies training with labels."""
    kinds = getattr(made.config, "architectures", None) or ()
    return any(str(kind).endswith("ForImageClassification") for kind in kinds)
