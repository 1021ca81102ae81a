"""A complete run: find and decode images, train, choose θ, measure codes, write the model file.

Shapes: N images, S pixels a side, K bits.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from lookalike.core.codes import check_bits
from lookalike.core.errors import ConfigError, TrainingError
from lookalike.core.progress import Progress, silent
from lookalike.hasher import ModelInfo
from lookalike.imaging.spec import Array
from lookalike.imaging.thumbnail_vector import thumbnail_vector
from lookalike.models import MODELS, Models, create
from lookalike.training.cache import Skipped
from lookalike.training.checkpoint import BEST, CHECKPOINT, Module, check_init, load_weights, weights_of
from lookalike.training.export import Threshold, theta_digest
from lookalike.training.hashing import ClosedFormTask, ClusterTask, CopyTask
from lookalike.training.log import EpochRecord, read_log, versions, write_log
from lookalike.training.loop import Run, fit
from lookalike.training.radii import different, measure_radii
from lookalike.training.settings import Rows, Settings, TrainConfig, sample, split
from lookalike.training.stop import stop_on_signals
from lookalike.training.task import AutoencoderTask, Task, TrainRequest, to_input

Tasks = Mapping[str, Callable[[TrainRequest], Task[Any]]]

TASKS: Tasks = {
    **dict.fromkeys(MODELS, AutoencoderTask.of),
    **dict.fromkeys(("pca", "itq", "whitened-itq"), ClosedFormTask.of),
    "clusters": ClusterTask.of,
    "copies": CopyTask.of,
}
DEFAULTS = TrainConfig()
MEASURED = 2_000  # maximum images for measuring distances
HELD_OUT_ENOUGH = 500  # with fewer held-out images, training images are measured, too


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainReport:
    """The result of a training."""

    path: Path  # the model file
    folder: Path  # the run's folder: log.jsonl and best.safetensors
    info: ModelInfo  # the model file's metadata
    history: tuple[EpochRecord, ...]
    steps: int  # planned batches; fewer were done if time ran out
    skipped: tuple[Skipped, ...]  # images that could not be read


def train(
    images: data.Paths | Sequence[data.Item],
    config: TrainConfig = DEFAULTS,
    *,
    out: str | os.PathLike[str] = "model.onnx",
    resume: bool = False,
    progress: Progress = silent,
    tasks: Tasks = TASKS,
) -> TrainReport:
    """Train a hashing model on a collection of images and write it to the file `out`.

    `images` are folders, files or Parquet files, or their items. The run's folder, `out` with the suffix `.run`, has
    the log and checkpoints; with `resume`, a stopped run continues and ends with the weights it would have had anyway.
    `tasks` are the available models by name. Raises `ConfigError`, `TrainingError`, and `Interrupted` after Ctrl-C.
    """
    _check(config, tasks)
    out = Path(out)
    items, called = _items(images, config)
    init_digest, init_from = "", None
    if config.init_from is not None:
        named = Path(config.init_from)
        if out.with_suffix(".run").resolve() in (named.resolve(), named.resolve().parent):
            raise ConfigError(f"{named} is the output of this training; choose another name for the model file")
        init_from = weights_of(named)
        init_digest = check_init(init_from, model=config.model, bits=config.bits)
    with _run_folder(out, resume=resume) as folder, stop_on_signals() as stop_requested:
        request = TrainRequest(
            config=config, items=items, folder=folder, init_digest=init_digest, progress=progress,
            stop_requested=stop_requested,
        )  # fmt: skip
        task = tasks[config.model](request)
        run = Run(folder=folder, task=task, rows=split(len(task.inputs), task.settings), init_from=init_from)
        best, history = task.solve(run.rows.train), list[EpochRecord]()
        if best is None:
            seconds = None if config.minutes is None else 60 * config.minutes
            best, history = fit(run, resume=resume, seconds=seconds, stop_requested=stop_requested, progress=progress)
        report = _finish(run, best, history, out, data_name=config.name or called, card=config.card)
        run.checkpoint.unlink(missing_ok=True)
        request.clean_up()
    return report


def _choose_theta(task: Task[Module], module: Module, rows: Rows) -> Threshold:
    """θ, (K,): the mean latent of the training images, accumulated in float64."""
    mean_K: npt.NDArray[np.float64] = task.latents(module, rows).mean(axis=0)  # 1/N Σ M_e(x), section III
    return mean_K.astype(np.float32)


def _items(images: data.Paths | Sequence[data.Item], config: TrainConfig) -> tuple[list[data.Item], str]:
    """The items to train on, and the collection's default name."""
    items = [] if isinstance(images, str | os.PathLike) else [one for one in images if isinstance(one, data.Item)]
    if items:
        called = data.default_name(items[0].file)
    else:
        paths = cast(data.Paths, images)
        items, called = data.find(paths), data.default_name(paths)
    return [items[row] for row in sample(len(items), config.limit, config.seed)], called


def _check(config: TrainConfig, tasks: Tasks) -> None:
    """Raise `ConfigError` for an unknown model or an unusable device."""
    check_bits(config.bits)
    if config.model not in tasks:
        raise ConfigError(f"model is {config.model!r}; it must be one of {', '.join(tasks)}")
    if config.augment and config.model not in MODELS:
        raise ConfigError(f"augment is for models that reconstruct images ({', '.join(MODELS)}), not {config.model}")
    try:
        torch.empty(0, device=config.device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"device is {config.device}, which PyTorch cannot use on this machine; cpu works everywhere"
        ) from error


@contextmanager
def _run_folder(out: Path, *, resume: bool) -> Iterator[Path]:
    """The folder of the run for `out`, locked for this process."""
    folder = out.with_suffix(".run")
    checkpoint = folder / CHECKPOINT
    if out.is_dir() or out == folder:
        raise ConfigError(f"{out} is the name of a folder; name the model file to be written, such as model.onnx")
    if resume and not checkpoint.exists():
        raise TrainingError(f"{folder} has no unfinished run to resume; start one without --resume")
    if not resume and checkpoint.exists():
        raise TrainingError(f"{folder} has an unfinished run; continue it with --resume, or delete it")
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{folder} cannot be created: {error.strerror}") from error
    try:
        with filelock.FileLock(folder / "lock", timeout=0):
            yield folder
    except ConfigError:  # before anything was started
        if new:
            shutil.rmtree(folder)
        raise
    except filelock.Timeout as error:
        raise TrainingError(f"another training is writing to {folder}; wait for it, or choose another --out") from error


def _finish(
    run: Run[Any], module: Any, history: list[EpochRecord], out: Path, *, data_name: str, card: str
) -> TrainReport:
    """Choose θ, measure the codes and write the model file."""
    task, settings = run.task, run.task.settings
    bits = int(settings.config["bits"])
    theta_K = _choose_theta(task, module, run.rows.train) if task.cut_at_mean else np.zeros(bits, np.float32)
    measured = run.rows.validation
    if len(measured) < HELD_OUT_ENOUGH:
        measured = np.concatenate([measured, run.rows.train])
    measured = measured[:MEASURED]
    measured = measured[different(task.inputs[measured])]
    bits_NK = codes.binarize(task.latents(module, measured), theta_K)
    thumbnails_NM = np.stack([thumbnail_vector(pixels) for pixels in task.pictures(measured)])
    radii = measure_radii(codes.pack(bits_NK), thumbnails_NM)
    shorter = {str(length): measure_radii(codes.pack(bits_NK[:, :length]), thumbnails_NM) for length in task.lengths}
    info = ModelInfo(
        name=f"{settings.model}-{bits}",
        model=settings.model,
        bits=bits,
        image=task.spec,
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
        nested={length: {"near": one.near, "similar": one.similar} for length, one in shorter.items()},
        card=card,
        **task.info,
    )
    task.write(out, module, theta_K, info, run.rows.train)
    skipped = {"images": [asdict(image) for image in task.skipped]}
    write_log(run.log, settings.values(), history, skipped=skipped, model=asdict(info))
    return TrainReport(
        path=out, folder=run.folder, info=info, history=tuple(history), steps=run.steps, skipped=task.skipped
    )


def reconstruct(run: str | os.PathLike[str], arrays_NSS: Array, *, models: Models = MODELS) -> npt.NDArray[np.float32]:
    """What an autoencoder makes of grey uint8 images (N, S, S): float32 (N, S, S), 0 to 1; `run` is its run's folder.

    Compare each with its image scaled to span 0 to 1, because that is what the model sees. Raises `TrainingError`.
    """
    values, _ = read_log(Path(run) / "log.jsonl")
    settings = Settings.of({name: value for name, value in values.items() if name != "versions"})
    if settings.model not in models:
        raise TrainingError(f"{settings.model} draws no images; only {', '.join(models)} do")
    network = load_weights(Path(run) / BEST, create(settings.model, models=models, **settings.config))
    with torch.inference_mode():
        parts = [network.reconstruct(to_input(one_SS[None], "cpu")).squeeze(1) for one_SS in arrays_NSS]
    return np.asarray(torch.cat(parts).numpy(), np.float32)
