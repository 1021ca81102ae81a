"""The hashing models by name. A new one needs its file, a line in `MODELS` and a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from lookalike.core.errors import ConfigError
from lookalike.models.base import HashModel, Losses, ModelConfig
from lookalike.models.cvae import CSVAE, CVAE, CVAEConfig
from lookalike.models.vae import VAE, VAEConfig
from lookalike.models.vte import VTE, VTEConfig

Models = Mapping[str, tuple[type[ModelConfig], Callable[[Any], HashModel[Any]]]]

MODELS: Models = {
    "vae": (VAEConfig, VAE),
    "cvae": (CVAEConfig, CVAE),
    "csvae": (CVAEConfig, CSVAE),
    "vte": (VTEConfig, VTE),
}

__all__ = ["MODELS", "HashModel", "Losses", "ModelConfig", "Models", "create"]


def create(name: str, *, seed: int = 0, models: Models = MODELS, **settings: Any) -> HashModel[Any]:
    """A model with random weights from `seed`; PyTorch's global random state is not changed."""
    if name not in models:
        raise ConfigError(f"model is {name!r}; it must be one of {', '.join(models)}")
    config_class, build = models[name]
    config = config_class(**settings)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return build(config)
