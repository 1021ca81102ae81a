"""Whether `lookalike train --adapt` finds more copies in collections unlike photographs: pages, line art, textures.

    python benchmarks/adapt.py [--images 600] [--epochs 10]

Each collection is made anew from a seed: pages of random words in a few layouts with a scanner's noise, drawings of
thin lines, and close-ups of random textures. The command line trains on four fifths of each, and measures the rest.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import record
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIDE = 384
ANSWER = re.compile(r"pairs: ([\d.]+)% of edited copies are found before, ([\d.]+)% after (\d+) epochs? \((\d+) s\)")

Random = np.random.Generator


def page(random: Random) -> Image.Image:
    """A scanned page: lines of random words, maybe a heading, a picture box or a table."""
    picture = Image.new("L", (SIDE * 3 // 4, SIDE), int(random.integers(225, 256)))
    draw, font, top = ImageDraw.Draw(picture), ImageFont.load_default(int(random.integers(9, 13))), 20
    if random.random() < 0.5:
        draw.text((20, top), _words(random, 3), int(random.integers(0, 60)), font=ImageFont.load_default(20))
        top += 34
    while top < SIDE - 30:
        kind = random.random()
        if kind < 0.03:
            height = int(random.integers(30, 90))
            draw.rectangle((30, top, SIDE * 3 // 4 - 30, top + height), fill=int(random.integers(60, 200)))
            top += height + 10
        else:
            draw.text((20, top), _words(random, int(random.integers(3, 7))), int(random.integers(0, 60)), font=font)
            top += 14 + 10 * (kind > 0.9)
    noise = random.normal(0, 3, (SIDE, SIDE * 3 // 4))
    return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8)).convert("RGB")


def _words(random: Random, count: int) -> str:
    return " ".join("".join(random.choice(list("abcdefghilmnoprstuvw"), random.integers(2, 9))) for _ in range(count))


def drawing(random: Random) -> Image.Image:
    """Line art: open curves, polygons and circles in black on white."""
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(picture)
    for _ in range(int(random.integers(5, 15))):
        points = (random.random(2) + np.cumsum(random.normal(0, 0.12, (8, 2)), axis=0)) * SIDE
        width = int(random.integers(1, 5))
        if random.random() < 0.3:
            radius = random.uniform(8, 90)
            draw.ellipse((*(points[0] - radius), *(points[0] + radius)), outline="black", width=width)
        else:
            draw.line([tuple(point) for point in points], fill="black", width=width, joint="curve")
    return picture


def texture(random: Random) -> Image.Image:
    """A close-up of a surface: noise of a random scale and direction, in a few colours."""
    scale, stretch = 2 ** random.uniform(0, 4), 2 ** random.uniform(0, 3)
    size = (max(4, int(SIDE / scale)), max(4, int(SIDE / scale / stretch)))
    noise = Image.fromarray(random.integers(0, 256, size[::-1], np.uint8)).resize((SIDE, SIDE))
    fine = Image.fromarray(random.integers(0, 256, (SIDE, SIDE), np.uint8)).filter(ImageFilter.GaussianBlur(1))
    mixed = Image.blend(noise, fine, random.uniform(0, 0.5)).rotate(random.uniform(0, 90))
    values = np.asarray(mixed.resize((2 * SIDE, 2 * SIDE)))[SIDE // 2 : -SIDE // 2, SIDE // 2 : -SIDE // 2]
    ends = random.integers(20, 236, (2, 3))
    share = values[..., None] / 255
    return Image.fromarray((ends[0] * share + ends[1] * (1 - share)).astype(np.uint8))


COLLECTIONS: dict[str, Callable[[Random], Image.Image]] = {"pages": page, "drawings": drawing, "textures": texture}


def adapted(name: str, folder: Path, images: int, epochs: int) -> dict[str, Any]:
    """What the command line says of one collection."""
    (folder / name).mkdir()
    for number in range(images):
        COLLECTIONS[name](np.random.default_rng((7, number))).save(folder / name / f"{number:04}.png")
    command = [sys.executable, "-m", "lookalike", "train", str(folder / name), "--adapt", "--epochs", str(epochs)]
    answer = subprocess.run(
        [*command, "--out", str(folder / f"{name}.onnx")], check=True, capture_output=True, text=True
    ).stdout
    found = ANSWER.search(answer)
    assert found is not None, answer
    before, after, done, seconds = map(float, found.groups())
    return {"images": images, "before": before / 100, "after": after / 100, "epochs": int(done), "seconds": seconds}


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = {name: adapted(name, Path(folder), given.images, given.epochs) for name in COLLECTIONS}
    print(results)
    print(record.write("adapt", {"results": results, **record.machine("lookalike", "torch")}))


if __name__ == "__main__":
    main()
