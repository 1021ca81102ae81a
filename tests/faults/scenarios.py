"""Commands to be killed or to meet a failing disk: one scenario for each command that writes.

All share one workspace, at the same path in each run: `photos`, `db`, `trash`, `out`, and models.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from lookalike.database import Database
from lookalike.duplicates.request import DuplicateSearch
from tests.references.models import tiny_model

Command = tuple[str, ...]  # arguments of `lookalike`, or "module:function" and its arguments; {w} is the workspace
Arrange = Callable[[Path], None]

DIFFERENT = 9  # number of different images, if no more are needed
ALONE = ("--workers", "1", "--no-isolation")  # in the order of the files, without starting other processes
INDEX: Command = ("index", "{w}/photos", "--db", "{w}/db", "--model", "{w}/model.onnx", *ALONE)
PLAN: Command = ("plan", "{w}/out/plan.json", "--db", "{w}/db")
TRASH: Command = ("apply", "{w}/out/plan.json", "--db", "{w}/db", "--trash", "{w}/trash")
HARDLINK: Command = ("apply", "{w}/out/plan.json", "--db", "{w}/db", "--hardlink")
UNDO: Command = ("undo", "{w}/out/plan.json.undo.jsonl", "--db", "{w}/db")
# With these limits, few images suffice for several commits.
SETTINGS: dict[str, Any] = {
    "lookalike.database.indexing:BATCH": 4,
    "lookalike.database.indexing:COMMIT_SECONDS": 1e9,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A command, and its preconditions."""

    name: str
    command: Command
    different: int = DIFFERENT  # number of different images
    prepare: tuple[Command, ...] = ()
    arrange: Arrange | None = None  # changes to people's files after that
    again: str = ""  # the error message if all of it was done before
    copy: str = ""  # folder of a database that must hold the same at the end, or not exist
    moves: bool = False  # whether it may move or link people's files; the others never touch them
    back: Command | None = None  # undoes the command, even if it was killed
    same_files: tuple[str, ...] = ("out",)  # folders whose files must be byte-identical to those of an undisturbed run
    weight: int = 1  # cost, in runs of other scenarios
    settings: dict[str, Any] = field(default_factory=lambda: dict(SETTINGS))


def populate(workspace: Path, *, different: int = DIFFERENT) -> None:
    """Make a workspace: photographs, exact copies of two of them, and models."""
    for name in ("photos/cats", "photos/dogs", "out"):
        (workspace / name).mkdir(parents=True)
    for seed in range(different):
        picture(seed).save(workspace / f"photos/{'cats' if seed % 2 else 'dogs'}/{seed}.png")
    for seed in (2, 4):
        shutil.copy2(workspace / f"photos/dogs/{seed}.png", workspace / f"photos/cats/copy-of-{seed}.png")
    shutil.copy2(workspace / "photos/dogs/4.png", workspace / "photos/dogs/copy-of-4.png")
    (workspace / "model.onnx").write_bytes(tiny_model(seed=0, bits=64, near=6, similar=16))
    (workspace / "other.onnx").write_bytes(tiny_model(seed=1, bits=64, near=6, similar=16))


def picture(seed: int) -> Image.Image:
    """A detailed drawing, the same for each seed."""
    random = np.random.default_rng(seed)
    drawn = Image.new("RGB", (96, 64), tuple(random.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(drawn)
    for _ in range(12):
        x, y, w, h = random.integers(0, 64, 4).tolist()
        draw.ellipse((x, y, x + w + 1, y + h + 1), fill=tuple(random.integers(0, 256, 3).tolist()))
    return drawn


def decide(db: str, kind: str) -> None:
    """Decide about the first group of duplicates, once, like the page."""
    with Database.open(db) as database:
        if not database.decisions.count():
            group = next(iter(database.duplicates(DuplicateSearch(verify=False))))
            database.decisions.make(kind, [one.id for one in group], chosen=[group[0].id])


def learn(photos: str, out: str) -> None:
    """Train a small model, or resume its training."""
    from lookalike.training import TrainConfig, train

    begun = Path(out).with_suffix(".run") / "checkpoint.safetensors"
    train(photos, TrainConfig(model="vae", bits=16, epochs=2, batch=8), out=out, resume=begun.exists())


def _lose_and_change(workspace: Path) -> None:
    photos = workspace / "photos"
    (photos / "dogs/0.png").unlink()
    (photos / "dogs/6.png").rename(photos / "cats/6-renamed.png")
    picture(100).save(photos / "cats/1.png")
    picture(101).save(photos / "dogs/new.png")
    (photos / "dogs/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")


def _lose(workspace: Path) -> None:
    for name in ("dogs/0.png", "cats/3.png", "cats/copy-of-2.png"):
        (workspace / "photos" / name).unlink()


TABLE = "{w}/out/codes.parquet"
EXPORT: Command = ("export", TABLE, "--db", "{w}/db")
REINDEX: Command = (*INDEX[:4], "--model", "{w}/other.onnx", "--reindex", *ALONE)
REMOVE: Command = ("remove", "{w}/photos/cats", "--db", "{w}/db")

ALL = (
    Scenario(name="index", command=INDEX),
    Scenario(name="index, in threads", command=(*INDEX[: -len(ALONE)], "--workers", "3", "--no-isolation")),
    Scenario(name="index, in worker processes", command=(*INDEX[: -len(ALONE)], "--workers", "2"), weight=3),
    Scenario(name="index, keeping originals", command=(*INDEX, "--keep-originals")),
    Scenario(name="index into a bank", command=(*INDEX, "--bank", "known")),
    Scenario(name="index again", prepare=(INDEX,), arrange=_lose_and_change, command=INDEX),
    Scenario(name="reindex with another model", prepare=(INDEX,), command=REINDEX),
    Scenario(name="remove", prepare=(INDEX,), command=REMOVE, again="is not in"),
    Scenario(
        name="prune",
        prepare=((*INDEX, "--keep-originals"),),
        arrange=_lose,
        command=("prune", "--db", "{w}/db", "--yes", "--originals"),
    ),
    Scenario(
        name="import",
        prepare=(INDEX, EXPORT, ("remove", "{w}/photos", "--db", "{w}/db")),
        command=("import", TABLE, "--db", "{w}/db", "--root", "{w}/photos"),
    ),
    Scenario(name="export", prepare=(INDEX,), command=EXPORT),
    Scenario(name="export as .npy", prepare=(INDEX,), command=("export", "{w}/out/codes.npy", "--db", "{w}/db")),
    Scenario(
        name="backup",
        prepare=((*INDEX, "--keep-originals"),),
        command=("backup", "{w}/copy", "--db", "{w}/db"),
        again="is not empty",
        copy="copy",
    ),
    Scenario(name="plan", prepare=(INDEX,), command=PLAN),
    Scenario(name="apply, into a trash", prepare=(INDEX, PLAN), command=TRASH, moves=True, back=UNDO, same_files=()),
    Scenario(
        name="apply, as hard links", prepare=(INDEX, PLAN), command=HARDLINK, moves=True, back=UNDO, same_files=()
    ),
    Scenario(name="undo, from the trash", prepare=(INDEX, PLAN, TRASH), command=UNDO, moves=True),
    Scenario(name="undo, of hard links", prepare=(INDEX, PLAN, HARDLINK), command=UNDO, moves=True),
    Scenario(name="decide", prepare=(INDEX,), command=("tests.faults.scenarios:decide", "{w}/db", "keep")),
    Scenario(
        name="calibrate",
        different=24,
        prepare=(INDEX,),
        command=("calibrate", "--db", "{w}/db", "--images", "1", "--no-isolation"),
    ),
    Scenario(
        name="neighbours",
        prepare=(INDEX,),
        command=("neighbours", "{w}/out/graph.parquet", "--db", "{w}/db", "--top", "3"),
    ),
    Scenario(
        name="train", command=("tests.faults.scenarios:learn", "{w}/photos", "{w}/out/m.onnx"), different=24, weight=9
    ),
)
SCENARIOS = {one.name: one for one in ALL}
