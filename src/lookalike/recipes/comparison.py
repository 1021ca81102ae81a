"""The runs behind the extended Table III: methods with and without labels on the features of one backbone.

All are trained alike: one hidden layer behind a frozen EfficientNet-Lite0 (TransHash: a small transformer on its
positions), AdamW, the same number of epochs, the best epoch chosen on a tenth of the training images, by mAP where
there are labels and by the loss where there are none. The papers train whole networks with settings of their own.
"""

from __future__ import annotations

from lookalike.models.methods import METHODS
from lookalike.recipes.paper import Experiment

BACKBONE = "efficientnet-lite0"
SIDE = 160  # pixels
BITS = (16, 32, 64, 128)
LENGTHS = BITS  # of nested codes
SETUPS = (("cifar10", "paper"), ("tiny_imagenet", "paper"), ("tagged_food", "paper"), ("cifar10", "cifar10-1"))
EPOCHS = 12
BATCH = 128
FLOOR_AND_CEILING = ("cosine", "linear-classifier")  # of the features themselves; codes of a class that is predicted
NESTED = {"clusters-nested": "clusters", "orthohash-nested": "orthohash"}  # one training for all lengths
SUPERVISED = tuple(name for name, method in METHODS.items() if method.needs_labels)
LABEL_FREE = tuple(name for name, method in METHODS.items() if not method.needs_labels and not method.encoder)
MODELS = (*FLOOR_AND_CEILING, *LABEL_FREE, *SUPERVISED, *NESTED)


def comparisons(
    *,
    setups: tuple[tuple[str, str], ...] = SETUPS,
    models: tuple[str, ...] = MODELS,
    bits: tuple[int, ...] = BITS,
    epochs: int = EPOCHS,
    seeds: tuple[int, ...] = (0,),
) -> list[Experiment]:
    """The runs, seed by seed; what has no bits, or is trained without epochs, stands there once."""
    found = [
        Experiment(dataset=dataset, model=model, bits=length, epochs=epochs, seed=seed, protocol=protocol, batch=BATCH)
        for seed in seeds
        for dataset, protocol in setups
        for model in models
        for length in (bits if model != "cosine" else (64,))  # it has no bits
    ]
    return list(dict.fromkeys(found))


def smoke() -> list[Experiment]:
    """Tiny runs of each kind of method: they show that all parts work, and nothing else."""
    models = ("cosine", "linear-classifier", "itq", "clusters", "cibhash", "dhn", "transhash", "orthohash-nested")
    return comparisons(setups=(("cifar10", "smoke"),), models=models, bits=(64,), epochs=1)
