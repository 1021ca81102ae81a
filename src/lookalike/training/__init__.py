"""Training: images in, a model file out.

>>> from lookalike.training import train
>>> train("photos", model="csvae", bits=64, epochs=20, out="model.onnx")  # doctest: +SKIP
"""

from __future__ import annotations

from lookalike.core.errors import MissingExtra

try:
    from lookalike.training.inputs.cache import Skipped
    from lookalike.training.log import EpochRecord
    from lookalike.training.outputs.checkpoint import load_model
    from lookalike.training.outputs.collapse import CollapseReport
    from lookalike.training.outputs.export import shorten
    from lookalike.training.progress import Progress
    from lookalike.training.run import Trained, reconstruct, train
except ModuleNotFoundError as error:
    if (error.name or "").startswith("lookalike"):
        raise
    raise MissingExtra(f"Training needs {error.name}", "train") from error

__all__ = [
    "CollapseReport",
    "EpochRecord",
    "Progress",
    "Skipped",
    "Trained",
    "load_model",
    "reconstruct",
    "shorten",
    "train",
]
