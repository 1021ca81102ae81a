"""Compare hash codes on labelled images: mAP with exact ties beside its chance level, and what the bits are worth.

    python examples/researcher.py FOLDER [MODEL …]

FOLDER has a sub-folder per label. MODEL is a built-in model or a file of `lookalike train`; `random` is the control.
"""

import sys

import numpy as np

import lookalike
from lookalike import data
from lookalike.metrics import labels as encoding
from lookalike.metrics.measure import measure_among


def main(folder: str, *models: str) -> None:
    items = [item for item in data.find(folder, labels_from_folders=True) if item.label is not None]
    names = [item.label for item in items]
    (labels,), classes = encoding.encode(names)
    print(f"{len(items)} images of {len(classes)} labels")
    print(f"{'model':24} {'bits':>5} {'mAP':>6} {'bounds':>14} {'chance':>7} {'independent bits':>17}")
    for name in models or ("default", "default-128", "random"):
        if name == "random":
            codes = np.random.default_rng(0).integers(0, 256, (len(items), 8), np.uint8)
        else:
            codes = lookalike.Hasher.load(name).encode([item.name for item in items])
        found = measure_among(codes, labels)
        bounds = f"{found.map['pessimistic']:.3f} – {found.map['optimistic']:.3f}"
        row = f"{name[-24:]:24} {codes.shape[1] * 8:5} {found.map['expected']:6.3f} {bounds:>14}"
        print(f"{row} {found.map['chance']:7.3f} {found.bit_use['effective']:17.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
