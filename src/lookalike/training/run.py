"""A whole run: find and decode the images, train, choose θ, measure the codes, write the model file.

Shapes: N images, S pixels a side, K bits.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import filelock
import numpy as np
import numpy.typing as npt
import torch

from lookalike import data
from lookalike.core import codes
from lookalike.core.cache_dir import cache_dir
from lookalike.core.errors import ConfigError, TrainingError
from lookalike.hasher import ModelInfo
from lookalike.imaging.decode import MAX_PIXELS, Array, ImageSpec
from lookalike.imaging.thumbnail import miniature
from lookalike.models import MODELS, hashing
from lookalike.models.base import SIDE
from lookalike.models.methods import METHODS
from lookalike.training import loop
from lookalike.training.hashing_job import Wanted, prepare
from lookalike.training.inputs.cache import Skipped, digest
from lookalike.training.job import Job, autoencoding
from lookalike.training.log import EpochRecord, versions
from lookalike.training.outputs.checkpoint import CHECKPOINT, Module, check_begun, load_model, weights_of
from lookalike.training.outputs.collapse import CollapseReport, Radii, different, find_collapse, measure_radii
from lookalike.training.outputs.export import Threshold, theta_digest
from lookalike.training.progress import OnProgress
from lookalike.training.settings import Rows, Settings, sample, split
from lookalike.training.stop import stop_on_signals
from lookalike.training.task import Task, to_input

SPEC = ImageSpec(side=SIDE)  # of the paper's models
MEASURED = 2_000  # images on whose codes distances and collapse are measured, at most
HELD_OUT_ENOUGH = 500  # with fewer held-out images, training images are measured too
RECONSTRUCTED = 128  # images reconstructed at a time


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
    backbone: str | None = None,
    side: int | None = None,
    nested: bool | Sequence[int] = False,
    labels_from_folders: bool = False,
    epochs: int = 20,
    seed: int = 0,
    resume: bool = False,
    begin: str | os.PathLike[str] | None = None,
    limit: int | None = None,
    minutes: float | None = None,
    validation: float = 0.1,
    batch: int | None = None,
    learning_rate: float = 1e-3,
    jitter: float = 0.0,
    edited: bool = False,
    device: str = "cpu",
    name: str | None = None,
    card: str = "",
    max_pixels: int = MAX_PIXELS,
    cache: str | os.PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
) -> Trained:
    """A hashing model of a collection of images, written to the file `out`.

    `images` are folders, files or Parquet files, or items of them; `limit` takes that many of them, drawn under the
    seed. `model` is one of the paper's, or a method that hashes features of a `backbone` (see `backbones`), whose
    images then have `side` pixels; `efficientnet-lite0` if none is named. With `none`, or `vit`, methods that teach by
    labels or views train an encoder of their own, as `copies` always does. With `nested` the first 16, 32, … bits are
    codes too, or as many as are listed. `labels_from_folders` takes the names of sub-folders for labels.

    `minutes` ends the training early. `jitter` disturbs the brightness, contrast and pixels of what the encoder of the
    paper's models sees by so much of the range; with `edited` it sees edited copies of the images that it gives back
    (see `augment`; neither is in the paper). The run's folder, `out` with the
    suffix `.run`, holds log and checkpoints; with `resume` a stopped run goes on in it and ends with the weights it
    would have had. `begin` is the folder of another run that has ended, of the same model and settings: its weights are
    begun with, as when a collection has grown or edits are to be known better. `name` is what the collection is called
    in the model file, `card` what people should know of the model. `cache` is a folder that keeps the decoded images of
    the paper's models, or features, for other runs of the
    same collection; features are kept in $LOOKALIKE_CACHE where it is not given. Raises `TrainingError`, and
    `Interrupted` after Ctrl-C.
    """
    _check_model(model)
    _check_device(device)
    if edited and model not in MODELS:
        raise ConfigError(f"edited is for the models that give images back ({', '.join(MODELS)}), not for {model}")
    items, called = _items(images, labels_from_folders=labels_from_folders)
    items = [items[row] for row in sample(len(items), limit, seed)]
    written = Path(out).with_suffix(".run").resolve()
    if begin is not None and written in (Path(begin).resolve(), Path(begin).resolve().parent):
        raise ConfigError(f"{begin} is what this training writes to; choose another name for the model file")
    settings: dict[str, Any] = {
        "limit": limit, "seed": seed, "epochs": epochs, "batch": batch or (64 if model in MODELS else 128),
        "learning_rate": learning_rate, "validation": validation, "jitter": jitter, "edited": edited,
        "begun": "" if begin is None else check_begun(weights_of(begin), model=model, bits=bits),
    }  # fmt: skip
    place = None if cache is None else Path(cache)
    with _run_folder(Path(out), resume=resume) as folder, stop_on_signals() as asked:
        job: Job[Any]
        if model in MODELS:
            config = asdict(MODELS[model][0](bits=bits))
            key = digest(items, SPEC, max_pixels=max_pixels)
            whole = Settings(images=key, model=model, config=config, **settings)
            job = autoencoding(items, whole, folder, cache=place, max_pixels=max_pixels, device=device, asked=asked)
        else:
            lengths = () if isinstance(nested, bool) else tuple(nested)
            if nested is True or model == "pca":
                lengths = hashing.lengths_below(bits)
            if nested and not lengths:
                raise ConfigError(
                    f"bits is {bits}; nested codes are for more than {min(hashing.USUAL)}. Leave out nested"
                )
            wanted = Wanted(method=model, bits=bits, nested=lengths, backbone=backbone, side=side, seed=seed)
            job = prepare(
                items, wanted, settings=settings, folder=folder, cache=place or cache_dir(),
                max_pixels=max_pixels, device=device, asked=asked,
            )  # fmt: skip
        rows = split(len(job.inputs), job.settings)
        run: loop.Run[Any] = loop.Run(
            folder=folder, settings=job.settings, task=job.task(rows), rows=rows, device=device,
            begun=None if begin is None else weights_of(begin),
        )  # fmt: skip
        if job.solve is not None:
            run.log.begin(job.settings.values())
            best = job.solve(rows)
        else:
            seconds = None if minutes is None else 60 * minutes
            best = loop.fit(run, resume=resume, seconds=seconds, asked=asked, on_progress=on_progress)
        trained = _finish(run, job, best, Path(out), data_name=name or called, card=card)
        run.checkpoint.unlink(missing_ok=True)
        job.clean_up()
    return trained


def reconstruct(run: str | os.PathLike[str], images_NSS: Array) -> npt.NDArray[np.float32]:
    """x̂ in [0, 1], (N, S, S), of uint8 images, decoded from the latents of a run's best model.

    An image is scaled to [0, 1] before it is encoded, so x̂ compares with the scaled image.
    """
    model = load_model(run)
    with torch.inference_mode():
        parts = [
            model.reconstruct(to_input(images_NSS[at : at + RECONSTRUCTED], "cpu")).squeeze(1).numpy()
            for at in range(0, len(images_NSS), RECONSTRUCTED)
        ]
    return np.concatenate(parts)


def choose_theta(task: Task[Module], module: Module, rows: Rows) -> Threshold:
    """θ, (K,): the mean latent of the training images, summed in float64."""
    mean_K: npt.NDArray[np.float64] = task.latents(module, rows).mean(axis=0)  # 1/N Σ M_e(x), section III
    return mean_K.astype(np.float32)


def _items(images: data.Paths | Sequence[data.Item], *, labels_from_folders: bool) -> tuple[list[data.Item], str]:
    """The items of a collection, and what it is called where nobody named it."""
    items = [] if isinstance(images, str | os.PathLike) else [one for one in images if isinstance(one, data.Item)]
    if items:
        return items, data.default_name(items[0].file)
    paths = cast(data.Paths, images)
    return data.find(paths, labels_from_folders=labels_from_folders), data.default_name(paths)


def _check_model(model: str) -> None:
    if model not in MODELS and model not in METHODS:
        raise ConfigError(f"model is {model!r}; it must be one of {', '.join((*MODELS, *METHODS))}")


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
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{folder} cannot be made: {error.strerror}") from error
    try:
        with filelock.FileLock(folder / "lock", timeout=0):
            yield folder
    except ConfigError:  # nothing was begun
        if new:
            shutil.rmtree(folder)
        raise
    except filelock.Timeout as error:
        raise TrainingError(f"another training is writing to {folder}; wait for it, or choose another --out") from error


def _finish(run: loop.Run[Any], job: Job[Any], module: Any, out: Path, *, data_name: str, card: str) -> Trained:
    """Choose θ, measure the codes and write the model file."""
    theta_K = choose_theta(run.task, module, run.rows.train) if job.cut_at_mean else np.zeros(_bits(job), np.float32)
    measured = _measured_rows(run)
    measured = measured[different(job.inputs[measured])]
    bits_NK = codes.binarize(run.task.latents(module, measured), theta_K)
    minis_NM = np.stack([miniature(pixels) for pixels in job.pictures(measured)])
    report, radii = find_collapse(bits_NK), measure_radii(codes.pack(bits_NK), minis_NM)
    shorter = {str(bits): measure_radii(codes.pack(bits_NK[:, :bits]), minis_NM) for bits in job.lengths}
    info = _info(run, job, theta_K, radii, shorter, data_name=data_name, card=card)
    job.write(out, module, theta_K, info, run.rows.train)
    run.log.add("skipped", {"images": [asdict(image) for image in job.skipped]})
    run.log.add("collapse", asdict(report))
    run.log.add("model", asdict(info))
    return Trained(
        path=out, folder=run.folder, info=info, history=run.log.history(), skipped=job.skipped, collapse=report
    )


def _bits(job: Job[Any]) -> int:
    return int(job.settings.config["bits"])


def _measured_rows(run: loop.Run[Any]) -> Rows:
    """Held-out rows, and training rows behind them where too few are held out."""
    held_out = run.rows.validation
    if len(held_out) < HELD_OUT_ENOUGH:
        held_out = np.concatenate([held_out, run.rows.train])
    return held_out[:MEASURED]


def _info(
    run: loop.Run[Any], job: Job[Any], theta_K: Threshold, radii: Radii, shorter: dict[str, Radii], *, data_name: str,
    card: str,
) -> ModelInfo:  # fmt: skip
    history = run.log.history()
    settings = run.settings
    return ModelInfo(
        name=f"{settings.model}-{len(theta_K)}",
        model=settings.model,
        bits=len(theta_K),
        image=job.spec,
        theta_digest=theta_digest(theta_K),
        data_name=data_name,
        data_images=len(run.rows.train),
        data_validation=len(run.rows.validation),
        seed=settings.seed,
        epochs=history[-1].epoch if history else 0,
        validation_loss=next((record.validation["total"] for record in reversed(history) if record.best), None),
        near=radii.near,
        similar=radii.similar,
        pairs=radii.pairs,
        versions=versions(),
        nested={bits: {"near": one.near, "similar": one.similar} for bits, one in shorter.items()},
        card=card,
        **job.info,
    )
