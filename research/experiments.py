"""The runs: settings that the paper leaves open, and the methods for comparison.

The paper gives, for Tables I and II and Figs. 5 and 6: greyscale 128×128 scaled to [0, 1]; four models; 16, 32, 64, 128
bits; 20,000 training images, 5,000 database images and 5,000 queries, drawn uniformly (protocol `paper`). It does not
give epochs, batch size, optimiser, learning rate, layer widths or whether images were held out. Our settings are below
and in `models`, the same for all models; a tenth of the training images, at most 2,000, is held out to choose the epoch
with the lowest loss, and θ is the mean over the rest.

All methods of the extended Table III are trained in the same way: one hidden layer on a frozen EfficientNet-Lite0
(TransHash: a small transformer on its positions), AdamW, the same number of epochs, the best epoch chosen on a tenth of
the training images, by mAP for supervised and by loss for unsupervised methods. Their papers train whole networks, each
with settings of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from research.hashing.methods import METHODS

AUTOENCODERS = ("vae", "cvae", "csvae", "vte")  # of the paper's tables
OTHER_AUTOENCODERS = ("vit", "scae")
PIXEL_BASELINES = ("pixel-pca", "pixel-itq", "pixel-lsh", "pixel-phash")  # see `pixels`
EXPLAINED = AUTOENCODERS  # models on whose codes explanations of the published figures are tried
BITS = (16, 32, 64, 128)
DATASETS = ("cifar10", "tiny_imagenet", "tagged_food")  # the last two stand in for ImageNet and NUS-WIDE
EPOCHS = 5  # of the results kept in the repository; the paper does not state its number

BACKBONE = "efficientnet-lite0"
SIDE = 160  # pixels
LENGTHS = BITS  # of nested codes
SETUPS = (("cifar10", "paper"), ("tiny_imagenet", "paper"), ("tagged_food", "paper"), ("cifar10", "cifar10-1"))
OWN_PROTOCOLS = {  # of data sets that are not among `SETUPS`, or have further protocols
    "imagenet": ("paper",),
    "imagenet100": ("imagenet100",),
    "imagenette": ("paper",),
    "nuswide21": ("nuswide21",),
    "nuswide81": ("paper", "nuswide81"),
    "cifar10": ("cifar10-2", "cifar10-2-5000"),
}
METHOD_EPOCHS = 12
METHOD_BATCH = 128
FLOOR_AND_CEILING = ("cosine", "linear-classifier")  # ranking by the features themselves; codes of the predicted class
NESTED = {"clusters-nested": "clusters", "orthohash-nested": "orthohash"}  # one training for all lengths
SUPERVISED = tuple(name for name, method in METHODS.items() if method.needs_labels)
LABEL_FREE = tuple(name for name, method in METHODS.items() if not method.needs_labels)
METHOD_NAMES = (*FLOOR_AND_CEILING, *LABEL_FREE, *SUPERVISED, *NESTED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """One run: model, data and settings."""

    dataset: str
    model: str
    bits: int
    epochs: int
    seed: int = 0
    protocol: str = "paper"
    batch: int = 64
    learning_rate: float = 1e-3
    changes: tuple[str, ...] = ()  # settings of the model, such as `sigma=0.5`

    @property
    def name(self) -> str:
        """Name of the run's folder: every setting that varies between runs."""
        usual = Experiment(dataset=self.dataset, model=self.model, bits=self.bits, epochs=self.epochs)
        protocol = "" if self.protocol == usual.protocol else f"{self.protocol}-"
        batch = "" if self.batch == usual.batch else f"-b{self.batch}"
        rate = "" if self.learning_rate == usual.learning_rate else f"-r{self.learning_rate:g}"
        changes = "".join(f"-{one}" for one in self.changes)
        return f"{self.dataset}/{protocol}{self.model}-{self.bits}-e{self.epochs}{batch}{rate}{changes}-s{self.seed}"

    @property
    def is_explained(self) -> bool:
        """Whether explanations of the published figures are tried on its codes."""
        return (self.dataset, self.bits, self.seed) == ("cifar10", 64, 0) and self.model in EXPLAINED


def setups(names: tuple[str, ...] = (), protocol: str = "") -> tuple[tuple[str, str], ...]:
    """The data sets, each with its protocols, or with the one given; without names, those that the page shows.

    Whether a data set fits a protocol is only found when it is split.
    """
    own = tuple((name, one) for name, several in OWN_PROTOCOLS.items() for one in several)
    if not names:
        shown = tuple(one for one in SETUPS if protocol in ("", one[1]))
        return shown or tuple(one for one in own if one[1] == protocol)
    if protocol:
        return tuple((name, protocol) for name in names)
    found: list[tuple[str, str]] = []
    for name in names:
        found += [one for one in SETUPS if one[0] == name] or [one for one in own if one[0] == name]
    return tuple(found)


def experiments(
    *,
    datasets: tuple[str, ...] = (),
    models: tuple[str, ...] = (),
    bits: tuple[int, ...] = (),
    epochs: int = EPOCHS,
    seeds: tuple[int, ...] = (0,),
    changes: tuple[str, ...] = (),
) -> list[Experiment]:
    """The runs behind Tables I and II: all models, all lengths on CIFAR-10, 64 bits on the stand-ins.

    An explicit argument applies to every data set: `bits=(16,)` runs 16 bits everywhere.
    """
    return [
        Experiment(dataset=dataset, model=model, bits=length, epochs=epochs, seed=seed, changes=changes)
        for seed in seeds
        for dataset in datasets or DATASETS
        for length in bits or (BITS if dataset == "cifar10" else (64,))
        for model in models or AUTOENCODERS
    ]


def comparisons(
    *,
    setups: tuple[tuple[str, str], ...] = SETUPS,
    models: tuple[str, ...] = METHOD_NAMES,
    bits: tuple[int, ...] = BITS,
    epochs: int = METHOD_EPOCHS,
    seeds: tuple[int, ...] = (0,),
) -> list[Experiment]:
    """The runs of the compared methods, ordered by seed, without repetitions."""
    runs = [
        Experiment(
            dataset=dataset, model=model, bits=length, epochs=epochs, seed=seed, protocol=protocol, batch=METHOD_BATCH
        )
        for seed in seeds
        for dataset, protocol in setups
        for model in models
        for length in (bits if model != "cosine" else (64,))  # ranking by cosine has no bits
    ]
    return list(dict.fromkeys(runs))


def smoke() -> list[Experiment]:
    """One tiny run of every model and of each kind of method; shows only that all parts work."""
    methods = ("cosine", "linear-classifier", "itq", "clusters", "cibhash", "dhn", "transhash", "orthohash-nested")
    return [
        *(
            Experiment(dataset="cifar10", model=model, bits=64, epochs=1, protocol="smoke")
            for model in (*AUTOENCODERS, "pixel-pca", "pixel-phash")
        ),
        *comparisons(setups=(("cifar10", "smoke"),), models=methods, bits=(64,), epochs=1),
    ]
