"""Runs on the data sets that cannot be had here, on small folders in their official layouts; real images in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from research.datasets import imagenet, nuswide
from tests.cli.conftest import Run
from tests.references.encoders import picture

from .datasets import test_nuswide

pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra backbones")

WNIDS = ("n01514668", "n01751748", "n02119789")
TRAINED, HELD = 12, 4  # images of each class


def draw(folder: Path, names: Sequence[str]) -> Sequence[str]:
    """Different pictures, as JPEG, of a colour for each sub-folder."""
    random = np.random.default_rng(len(names))
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shade = 80 * (sum(path.parent.name.encode()) % 3)
        picture((40 + shade, 120, 200 - shade), random).resize((64, 48), Image.Resampling.NEAREST).save(path, "JPEG")
    return names


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ImageNet, HashNet's lists and NUS-WIDE, each with some images."""
    folder = tmp_path_factory.mktemp("sets")
    train = draw(folder / "imagenet", [f"train/{wnid}/{wnid}_{n}.JPEG" for wnid in WNIDS for n in range(TRAINED)])
    val = draw(folder / "imagenet", [f"val/{wnid}/ILSVRC2012_val_{n:08}.JPEG" for wnid in WNIDS for n in range(HELD)])
    lists = folder / "imagenet100"
    for name, listed in zip(imagenet.LISTS, (train, train, val), strict=True):
        draw(lists, listed)
        rows = [f"{path} " + " ".join(str(int(wnid in path)) for wnid in WNIDS) + "\n" for path in listed]
        (lists / name).write_text("".join(rows))
    wide = test_nuswide.make(folder / nuswide.FOLDER)
    draw(wide / "Flickr", test_nuswide.NAMES)
    return folder


@pytest.mark.parametrize("name", ["imagenet", "imagenet100", "nuswide21", "nuswide81"])
def test_a_run_by_the_papers_protocol(name: str, sets: Path, run: Run, tmp_path: Path) -> None:
    options = ["--dataset", name, "--models", "dhn,itq", "--bits", 8, "--epochs", 1, "--protocol", "paper"]
    made = run("run", *options, "--data", sets, "--results", tmp_path / "results")
    assert made.code == 0, made.err
    assert made.out.startswith("2 runs made, 0 existed already")
    (path,) = (tmp_path / "results" / name).glob("dhn-*/result.json")
    found = json.loads(path.read_text())
    assert (found["settings"]["dataset"], found["settings"]["protocol"]) == (name, "paper")
    assert min(found["split"].values()) >= 4
    assert 0 <= found["metrics"]["map"]["expected"] <= 1


@pytest.mark.parametrize(
    ("name", "protocol", "why"),
    [
        ("imagenet100", "imagenet100", f"has {TRAINED} images to choose from; the protocol needs 130"),
        ("nuswide21", "nuswide21", "images to choose from; the protocol needs 100"),
        ("nuswide81", "nuswide81", "different images; the protocol needs at least 15,000"),
    ],
)
def test_a_folder_too_small_for_the_protocol_is_reported(
    name: str, protocol: str, why: str, sets: Path, run: Run, tmp_path: Path
) -> None:
    options = ["--dataset", name, "--models", "dhn", "--bits", 8, "--protocol", protocol]
    made = run("run", *options, "--data", sets, "--results", tmp_path / "results")
    assert (made.code, made.out) == (1, "")
    assert why in made.err
