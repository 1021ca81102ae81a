"""How long edited copies take beside the training step that learns from them, on all cores.

    python benchmarks/augmentation.py [--quick]

Batches of 128 images at the size that they are read in, as in the training of the built-in models: each nearly as it
is, and an edited copy of it (`training.edits`), then a step of the encoder on both (forward, backward, weights). And
the grey copies of 128 pixels that `train --augment` shows the paper's models, beside a step of a CSVAE of 64 bits.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import record
import torch

from lookalike.models import create
from lookalike.models.copy_encoder import SIDE
from lookalike.training.edits import edited
from lookalike.training.hashing import LARGER, CopyTask
from lookalike.training.settings import Settings

BATCH, BATCHES = 128, 10


def milliseconds(work: Callable[[int], object], batches: int) -> float:
    """Of a batch: the median, after one that warms up."""
    times = []
    for number in range(batches + 1):
        began = time.perf_counter()
        work(number)
        times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times[1:])


def beside(edits: float, step: float) -> dict[str, Any]:
    """What both take, and the share of training that goes into edits."""
    return {
        "edits_ms": round(edits, 1), "step_ms": round(step, 1), "share_of_training": round(edits / (edits + step), 3),
        "images_edited_per_second": round(BATCH / edits * 1e3, 1),
    }  # fmt: skip


def copies(batches: int) -> dict[str, Any]:
    """The encoder of the built-in models."""
    side = round(LARGER * SIDE)
    images_NRRC = np.random.default_rng(0).integers(0, 256, (BATCH, side, side, 3), np.uint8)
    settings = Settings(
        images="", limit=None, model="copies", config={"bits": 128, "nested": (64,)}, seed=0, epochs=1, batch=BATCH,
        learning_rate=1e-3, validation=0.1,
    )  # fmt: skip
    task, rows = CopyTask(settings, images_NRRC, weights={}), np.arange(BATCH)
    network = task.create().train()
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters())
    first, second = (torch.tensor(one) for one in task.pair(rows, np.random.default_rng(0)))

    def step(number: int) -> None:
        optimiser.zero_grad()
        network.loss(first, second, step=number).total.backward()
        optimiser.step()

    edits = milliseconds(lambda number: task.pair(rows, np.random.default_rng(number)), batches)
    return beside(edits, milliseconds(step, batches))


def paper(batches: int) -> dict[str, Any]:
    """A CSVAE that is trained with edited copies."""
    images_NSS = np.random.default_rng(0).integers(0, 256, (BATCH, 128, 128), np.uint8)
    model = create("csvae", bits=64).train()
    optimiser = torch.optim.Adam(model.parameters())
    x_N1SS = torch.tensor(images_NSS)[:, None].to(torch.float32) / 255
    generator = torch.Generator().manual_seed(0)

    def step(number: int) -> None:
        optimiser.zero_grad()
        model.loss(x_N1SS, generator=generator).total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    edits = milliseconds(lambda number: edited(images_NSS, seed=number), batches)
    return beside(edits, milliseconds(step, batches))


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one batch; writes no record")
    batches = 1 if parser.parse_args().quick else BATCHES
    results = {"copies, default-128": copies(batches), "csvae --edited, 64 bits": paper(batches)}
    print(json.dumps(results, indent=2))
    if batches > 1:
        what = f"batches of {BATCH} images, median of {batches}"
        print(record.write("augmentation", {"what": what, "results": results, **record.machine("lookalike", "torch")}))


if __name__ == "__main__":
    main()
