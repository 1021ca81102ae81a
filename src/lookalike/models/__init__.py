"""The hashing models by name. A new one needs its file, a line in `MODELS` and a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from lookalike.core.errors import ConfigError
from lookalike.models.base import HashModel, Losses, ModelConfig
from lookalike.models.cvae import CSVAE, CVAE, CVAEConfig
from lookalike.models.vae import VAE, VAEConfig
from lookalike.models.vte import VTE, VTEConfig

MODELS: dict[str, tuple[type[ModelConfig], Callable[[Any], HashModel[Any]]]] = {
    "vae": (VAEConfig, VAE),
    "cvae": (CVAEConfig, CVAE),
    "csvae": (CVAEConfig, CSVAE),
    "vte": (VTEConfig, VTE),
}

__all__ = ["MODELS", "HashModel", "Losses", "ModelConfig", "create"]


def create(name: str, *, seed: int = 0, **settings: Any) -> HashModel[Any]:
    """A model with random weights from `seed`; PyTorch's global random state is not changed."""
    if name not in MODELS:
        raise ConfigError(f"model is {name!r}; it must be one of {', '.join(MODELS)}")
    config_class, build = MODELS[name]
    config = config_class(**settings)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return build(config)
