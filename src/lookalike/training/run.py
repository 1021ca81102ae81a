"""A whole run: find and decode the images, train, choose θ, measure the codes, write the model file.

Shapes: N images, S pixels a side, K bits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any, cast

import filelock
import numpy as np
import numpy.typing as npt
import torch

from lookalike import codes, data
from lookalike.errors import ConfigError, TrainingError
from lookalike.hasher import ModelInfo
from lookalike.images import MAX_PIXELS, Array, ImageSpec
from lookalike.models import MODELS, HashModel
from lookalike.models.base import SIDE
from lookalike.training import loop
from lookalike.training.cache import Cache, Skipped, digest, make_cache, open_cache, remove_cache
from lookalike.training.checkpoint import CHECKPOINT, load_model
from lookalike.training.collapse import CollapseReport, Radii, different, find_collapse, measure_radii
from lookalike.training.export import Threshold, export, theta_digest
from lookalike.training.log import EpochRecord, versions
from lookalike.training.progress import OnProgress, bar
from lookalike.training.settings import Rows, Settings, sample, split
from lookalike.training.stop import stop_on_signals

SPEC = ImageSpec(side=SIDE)
MEASURED = 2_000  # images on whose codes distances and collapse are measured, at most
HELD_OUT_ENOUGH = 500  # with fewer held-out images, training images are measured too
RECONSTRUCTED = 128  # images reconstructed at a time
CHECKED = 64  # training images on which the exported model is compared with the trained one


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What a training came to."""

    path: Path  # the model file
    folder: Path  # the run's folder: log.jsonl and best.safetensors
    info: ModelInfo  # what the model file says of itself
    history: tuple[EpochRecord, ...]
    skipped: tuple[Skipped, ...]  # images that could not be read
    collapse: CollapseReport


def train(
    images: data.Paths | Sequence[data.Item],
    *,
    model: str = "csvae",
    bits: int = 64,
    out: str | os.PathLike[str] = "model.onnx",
    epochs: int = 20,
    seed: int = 0,
    resume: bool = False,
    limit: int | None = None,
    minutes: float | None = None,
    validation: float = 0.1,
    batch: int = 64,
    learning_rate: float = 1e-3,
    jitter: float = 0.0,
    device: str = "cpu",
    name: str | None = None,
    card: str = "",
    max_pixels: int = MAX_PIXELS,
    cache: str | os.PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
) -> Trained:
    """A hashing model of a collection of images, written to the file `out`.

    `images` are folders, files or Parquet files, or items of them; `limit` takes that many of them, drawn under the
    seed. `minutes` ends the training early. `jitter` disturbs the brightness, contrast and pixels of what the encoder
    sees by so much of the range (see `augment`; not in the paper). The run's folder, `out` with the suffix `.run`,
    holds log and checkpoints; with `resume` a stopped run goes on in it and ends with the weights it would have had.
    `name` is what the collection is called in the model file, `card` what people should know of the model. `cache` is
    a folder that keeps the decoded images for other runs of the same collection. Raises `TrainingError`, and
    `Interrupted` after Ctrl-C.
    """
    _check_device(device)
    items, called = _items(images)
    items = [items[row] for row in sample(len(items), limit, seed)]
    settings = Settings(
        images=digest(items, SPEC, max_pixels=max_pixels),
        limit=limit,
        model=model,
        config=_config(model, bits),
        seed=seed,
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        validation=validation,
        jitter=jitter,
    )
    with _run_folder(Path(out), resume=resume) as folder, stop_on_signals() as asked:
        place = folder if cache is None else Path(cache)
        decoded = _decode(place, items, key=settings.images, max_pixels=max_pixels, asked=asked)
        rows = split(len(decoded.arrays), settings)
        run = loop.Run(folder=folder, settings=settings, images=decoded.arrays, rows=rows, device=device)
        seconds = None if minutes is None else 60 * minutes
        best = loop.fit(run, resume=resume, seconds=seconds, asked=asked, on_progress=on_progress)
        trained = _finish(run, best, Path(out), data_name=name or called, card=card, skipped=decoded.skipped)
        run.checkpoint.unlink()
        if cache is None:
            remove_cache(folder)
    return trained


def reconstruct(run: str | os.PathLike[str], images_NSS: Array) -> npt.NDArray[np.float32]:
    """x̂ in [0, 1], (N, S, S), of uint8 images, decoded from the latents of a run's best model.

    An image is scaled to [0, 1] before it is encoded, so x̂ compares with the scaled image.
    """
    model = load_model(run)
    with torch.inference_mode():
        parts = [
            model.reconstruct(loop.to_input(images_NSS[at : at + RECONSTRUCTED], "cpu")).squeeze(1).numpy()
            for at in range(0, len(images_NSS), RECONSTRUCTED)
        ]
    return np.concatenate(parts)


def choose_theta(model: HashModel[Any], images_NSS: Array, rows: Rows) -> Threshold:
    """θ, (K,): the mean latent of the training images, summed in float64."""
    mean_K: npt.NDArray[np.float64] = loop.latents(model, images_NSS, rows).mean(axis=0)  # 1/N Σ M_e(x), section III
    return mean_K.astype(np.float32)


def _items(images: data.Paths | Sequence[data.Item]) -> tuple[list[data.Item], str]:
    """The items of a collection, and what it is called where nobody named it."""
    items = [] if isinstance(images, str | os.PathLike) else [one for one in images if isinstance(one, data.Item)]
    if items:
        return items, data.default_name(items[0].file)
    paths = cast(data.Paths, images)
    return data.find(paths), data.default_name(paths)


def _config(model: str, bits: int) -> dict[str, Any]:
    """All settings of a model of so many bits, those by default too."""
    if model not in MODELS:
        raise ConfigError(f"model is {model!r}; it must be one of {', '.join(MODELS)}")
    return asdict(MODELS[model][0](bits=bits))


def _check_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"device is {device}, which PyTorch cannot use on this machine; cpu works on every one"
        ) from error


@contextmanager
def _run_folder(out: Path, *, resume: bool) -> Iterator[Path]:
    """The folder of the run that writes `out`, for this process alone."""
    folder = out.with_suffix(".run")
    checkpoint = folder / CHECKPOINT
    if out.is_dir() or out == folder:
        raise ConfigError(f"{out} is the name of a folder; name the model file to be written, such as model.onnx")
    if resume and not checkpoint.exists():
        raise TrainingError(f"{folder} holds no unfinished run to resume; start one without --resume")
    if not resume and checkpoint.exists():
        raise TrainingError(f"{folder} holds an unfinished run; go on with --resume, or delete that folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{folder} cannot be made: {error.strerror}") from error
    try:
        with filelock.FileLock(folder / "lock", timeout=0):
            yield folder
    except filelock.Timeout as error:
        raise TrainingError(f"another training is writing to {folder}; wait for it, or choose another --out") from error


def _decode(folder: Path, items: list[data.Item], *, key: str, max_pixels: int, asked: Event) -> Cache:
    """The images of a run, from its cache where that is whole."""
    if (cache := open_cache(folder, key=key)) is not None:
        return cache
    folder.mkdir(parents=True, exist_ok=True)
    with bar(len(items), what="reading images", unit="image") as reading:
        return make_cache(folder, items, SPEC, key=key, max_pixels=max_pixels, asked=asked, on_read=reading.update)


def _finish(
    run: loop.Run, model: HashModel[Any], out: Path, *, data_name: str, card: str, skipped: tuple[Skipped, ...]
) -> Trained:
    """Choose θ, measure the codes and write the model file."""
    theta_K = choose_theta(model, run.images, run.rows.train)
    measured_NSS = run.images[_measured_rows(run)]
    measured_NSS = measured_NSS[different(measured_NSS)]
    bits_NK = codes.binarize(loop.latents(model, measured_NSS, np.arange(len(measured_NSS))), theta_K)
    report, radii = find_collapse(bits_NK), measure_radii(codes.pack(bits_NK))
    info = _info(run, theta_K, radii, data_name=data_name, card=card)
    export(out, model, theta_K, info, check_NSS=run.images[run.rows.train[:CHECKED]])
    run.log.add("skipped", {"images": [asdict(image) for image in skipped]})
    run.log.add("collapse", asdict(report))
    run.log.add("model", asdict(info))
    return Trained(path=out, folder=run.folder, info=info, history=run.log.history(), skipped=skipped, collapse=report)


def _measured_rows(run: loop.Run) -> Rows:
    """Held-out rows, and training rows behind them where too few are held out."""
    held_out = run.rows.validation
    if len(held_out) < HELD_OUT_ENOUGH:
        held_out = np.concatenate([held_out, run.rows.train])
    return held_out[:MEASURED]


def _info(run: loop.Run, theta_K: Threshold, radii: Radii, *, data_name: str, card: str) -> ModelInfo:
    history = run.log.history()
    settings = run.settings
    return ModelInfo(
        name=f"{settings.model}-{len(theta_K)}",
        model=settings.model,
        bits=len(theta_K),
        image=SPEC,
        theta_digest=theta_digest(theta_K),
        data_name=data_name,
        data_images=len(run.rows.train),
        data_validation=len(run.rows.validation),
        seed=settings.seed,
        epochs=history[-1].epoch,
        validation_loss=min(record.validation["total"] for record in history),
        near=radii.near,
        similar=radii.similar,
        pairs=radii.pairs,
        versions=versions(),
        card=card,
    )
