"""Checkpoints: everything a run needs to resume exactly, in one safetensors file, without pickle.

`checkpoint.safetensors` has the weights, the optimiser state and the sums of the current epoch; its metadata have
settings and counters as a JSON document under the key `lookalike`. `best.safetensors` has the weights of the epoch with
the lowest validation loss. Both are written atomically. A finished run deletes its checkpoint, so one that exists
belongs to an unfinished run.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lookalike.core.errors import ConfigError, TrainingError
from lookalike.training.files import write_aside
from lookalike.training.log import EpochRecord
from lookalike.training.settings import Settings

CHECKPOINT = "checkpoint.safetensors"  # exists until the run has finished
BEST = "best.safetensors"
METADATA_KEY = "lookalike"

Module = TypeVar("Module", bound=nn.Module)


@dataclass(slots=True)
class State(Generic[Module]):
    """A run's state."""

    model: Module
    optimiser: torch.optim.Optimizer
    step: int = 0  # batches done
    sums: dict[str, float] = field(default_factory=dict)  # of the losses of the current epoch's batches
    history: list[EpochRecord] = field(default_factory=list)  # of finished epochs


def save_checkpoint(path: Path, state: State[Any], settings: Settings) -> None:
    """Write a run's state."""
    tensors = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    for index, moments in state.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
    done = {"step": state.step, "sums": state.sums, "history": [asdict(one) for one in state.history]}
    _write(path, tensors, {"settings": settings.values(), "done": done})


def load_checkpoint(path: Path, state: State[Any], settings: Settings) -> None:
    """Restore a run's state. Raises `TrainingError` if its settings differ."""
    tensors, metadata = _read(path)
    with _naming(path):
        settings.check_same(Settings.of(metadata["settings"]))
        step, sums, history = _done(**metadata["done"])
        state.model.load_state_dict(_under("model.", tensors))
        _load_optimiser(state.optimiser, _under("optimiser.", tensors))
    state.step, state.sums, state.history = step, sums, history


def save_weights(path: Path, model: nn.Module, settings: Settings, *, epoch: int, loss: float) -> None:
    """Write a model's weights, with the settings to rebuild it."""
    _write(path, model.state_dict(), {"settings": settings.values(), "epoch": epoch, "loss": loss})


def load_weights(path: Path, module: Module) -> Module:
    """A module with the weights from a file, in evaluation mode."""
    tensors, _ = _read(path)
    with _naming(path):
        module.load_state_dict(tensors)
    return module.eval()


def weights_of(run: str | os.PathLike[str]) -> Path:
    """The file of best weights in a run's folder, or the given file itself."""
    return Path(run) / BEST if Path(run).is_dir() else Path(run)


def check_init(path: Path, *, model: str, bits: int) -> str:
    """The digest of another run's weights. Raises `TrainingError` if they are missing or of another kind."""
    if not path.is_file():
        raise TrainingError(f"there is no {path} to start from; name the folder MODEL.run of a finished training")
    try:
        earlier = Settings.of(_read(path)[1]["settings"])
    except (TrainingError, KeyError, TypeError):
        raise TrainingError(
            f"{path} has no weights of a training; name the folder MODEL.run of a finished one"
        ) from None
    if earlier.model != model:
        raise TrainingError(f"{path} has weights of {earlier.model}, not {model}; name a run of the same model")
    _check_alike(path, {"bits": bits}, {"bits": earlier.config.get("bits")})
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def start_from(path: Path, module: nn.Module, settings: Settings) -> None:
    """Initialise a module with another run's weights. Raises `TrainingError` if the models differ."""
    tensors, metadata = _read(path)
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        with _naming(path):
            _check_alike(path, settings.config, Settings.of(metadata["settings"]).config)
            raise ValueError(str(error)) from error


def _check_alike(path: Path, now: dict[str, Any], then: dict[str, Any]) -> None:
    differ = [f"{key} {then.get(key)}, not {now.get(key)}" for key in now if now[key] != then.get(key)]
    if differ:
        raise TrainingError(f"{path} has other weights ({', '.join(differ)}); name a run of the same settings")


def _done(step: int, sums: dict[str, float], history: list[dict[str, Any]]) -> tuple[int, dict[str, float], Any]:
    """A checkpoint's counters. Raises `TypeError` or `ValueError` if they are invalid."""
    if type(step) is not int or step < 0 or not all(type(value) in (int, float) for value in sums.values()):
        raise ValueError("its counters are invalid")
    return step, sums, [EpochRecord(**one) for one in history]


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Convert errors about a file's content to a one-line `TrainingError` that names the file."""
    try:
        yield
    except TrainingError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError, ConfigError) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise TrainingError(
            f"{path} is damaged, or of another model ({said}); train again, without --resume"
        ) from error


def _load_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Restore an optimiser's moments, each in its weight's memory format, so that sums have the same order."""
    parameters = [weight for group in optimiser.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, moment = name.split(".")
        weight = parameters[int(index)]
        laid_out = torch.empty_like(weight).copy_(value) if value.shape == weight.shape else value
        state.setdefault(int(index), {})[moment] = laid_out
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_aside(path, save(plain, {METADATA_KEY: json.dumps(metadata)}))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a file. Raises `TrainingError` if it is missing or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads(file.metadata()[METADATA_KEY])
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118
    except FileNotFoundError as error:
        raise TrainingError(f"there is no {path}; train first, without --resume") from error
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"{path} is damaged ({error}); train again, without --resume") from error
