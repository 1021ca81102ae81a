"""Training: images in, a model file out.

>>> from lookalike.training import TrainConfig, train
>>> train("photos", TrainConfig(model="csvae", bits=64, epochs=20), out="model.onnx")  # doctest: +SKIP
"""

from __future__ import annotations

from lookalike.core.errors import MissingExtra

try:
    from lookalike.training.cache import Skipped as Skipped
    from lookalike.training.export import truncate as truncate
    from lookalike.training.log import EpochRecord as EpochRecord
    from lookalike.training.run import TrainReport as TrainReport
    from lookalike.training.run import reconstruct as reconstruct
    from lookalike.training.run import train as train
    from lookalike.training.settings import TrainConfig as TrainConfig
except ModuleNotFoundError as error:
    if (error.name or "").startswith("lookalike"):
        raise
    raise MissingExtra(f"Training needs {error.name}", "train") from error
