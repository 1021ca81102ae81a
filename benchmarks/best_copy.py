"""Is the original kept? Groups of a camera's photograph and its exports go through `duplicates --plan --near`.

    python benchmarks/best_copy.py FOLDER_OF_DATA_SETS [--groups N] [--first NUMBER]

An original is a JPEG with a camera's tables, camera, date and, every second time, place in its EXIF. Its exports, five
drawn for each: saved again at other qualities (larger files among them), enlarged, captioned, framed, recoloured, grey,
reduced, cropped, converted, stripped of metadata. In half of the groups exports keep the EXIF. Photographs are those of
Imagenette and of food, reduced a little so that no earlier JPEG shows, or drawn. Counted are groups whose original the
plan keeps, those in which it is called the best, and those in which it is removed.

The rules were chosen while looking at groups 0 to 199 and 1,000 to 1,199. Those from 3,000 (`--first 3000`) were not
looked at.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import record
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from lookalike.database import Database
from lookalike.duplicates.cleanup import plan as plans
from lookalike.duplicates.cleanup.plan import Action

LUMINANCE = (
    1, 1, 1, 2, 3, 5, 7, 9, 1, 1, 2, 3, 4, 7, 8, 8, 2, 2, 2, 3, 5, 7, 9, 8, 2, 2, 3, 4, 7, 11, 10, 8, 2, 3, 5, 7, 9, 14,
    13, 10, 3, 5, 7, 8, 10, 13, 14, 12, 6, 8, 10, 11, 13, 15, 15, 13, 9, 12, 12, 13, 14, 13, 13, 13,
)  # fmt: skip
TABLES = [list(LUMINANCE), [2] * 64]  # as a camera has them: no program's
EXPORTS = 5
RADIUS = 14  # bits
Picture = Image.Image
Save = Callable[[Picture, random.Random, dict[str, Any]], bytes]


def encoded(picture: Picture, kind: str = "JPEG", **options: Any) -> bytes:
    """A picture as a file's bytes."""
    if kind == "TIFF" and "exif" in options:
        options["exif"] = options["exif"].tobytes()
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def scaled(picture: Picture, scale: float) -> Picture:
    """A picture with other sides."""
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)


def captioned(picture: Picture, chance: random.Random) -> Picture:
    """A picture with a band of writing above or below."""
    height = int(picture.height * chance.uniform(0.1, 0.18))
    out = Image.new("RGB", (picture.width, picture.height + height), chance.choice(["white", "black"]))
    above = chance.random() < 0.5
    out.paste(picture, (0, height if above else 0))
    place = (picture.width * 0.05, 2 if above else picture.height + 2)
    ImageDraw.Draw(out).text(place, "WHEN YOU SEE IT", fill="grey", font_size=max(10, height * 2 // 3))
    return out


def written_on(picture: Picture) -> Picture:
    """A picture with letters over it."""
    out, size = picture.copy(), max(12, picture.height // 9)
    place = (picture.width * 0.05, picture.height - size * 1.4)
    ImageDraw.Draw(out).text(
        place, "ME EVERY DAY", fill="white", font_size=size, stroke_width=max(1, size // 12), stroke_fill="black"
    )
    return out


def filtered(picture: Picture) -> Picture:
    """A picture in other colours, as filters make it."""
    brighter = ImageEnhance.Contrast(ImageEnhance.Brightness(picture).enhance(1.12)).enhance(1.25)
    return ImageEnhance.Color(brighter).enhance(0.6)


def framed(picture: Picture, chance: random.Random) -> Picture:
    """A picture in a frame."""
    return ImageOps.expand(picture, int(picture.width * chance.uniform(0.03, 0.08)), chance.choice(["white", "black"]))


def cropped(picture: Picture) -> Picture:
    """The middle 87.5 % of width and height."""
    width, height = picture.size
    return picture.crop((width // 16, height // 16, width * 15 // 16, height * 15 // 16))


WAYS: dict[str, Save] = {
    "saved again at 75": lambda one, _, exif: encoded(one, quality=75, **exif),
    "saved again at 90": lambda one, _, exif: encoded(one, quality=90, **exif),
    "saved again at 98": lambda one, _, exif: encoded(one, quality=98, subsampling=0, **exif),
    "enlarged 1.5 times": lambda one, _, exif: encoded(scaled(one, 1.5), quality=95, **exif),
    "enlarged twice": lambda one, _, exif: encoded(scaled(one, 2), quality=92, **exif),
    "enlarged as PNG": lambda one, _, exif: encoded(scaled(one, 2), "PNG", **exif),
    "captioned": lambda one, chance, exif: encoded(captioned(one, chance), quality=92, **exif),
    "captioned as PNG": lambda one, chance, exif: encoded(captioned(one, chance), "PNG", **exif),
    "written on": lambda one, _, exif: encoded(written_on(one), quality=92, **exif),
    "written on as PNG": lambda one, _, exif: encoded(written_on(one), "PNG", **exif),
    "framed": lambda one, chance, exif: encoded(framed(one, chance), quality=95, **exif),
    "filtered": lambda one, _, exif: encoded(filtered(one), quality=95, **exif),
    "filtered as PNG": lambda one, _, exif: encoded(filtered(one), "PNG", **exif),
    "grey": lambda one, _, exif: encoded(one.convert("L").convert("RGB"), "PNG", **exif),
    "reduced": lambda one, _, exif: encoded(scaled(one, 0.5), quality=95, **exif),
    "reduced a little": lambda one, _, exif: encoded(scaled(one, 0.8), quality=98, **exif),
    "cropped": lambda one, _, exif: encoded(cropped(one), quality=98, **exif),
    "blurred": lambda one, _, exif: encoded(one.filter(ImageFilter.GaussianBlur(1)), "PNG", **exif),
    "PNG": lambda one, _, exif: encoded(one, "PNG", **exif),
    "TIFF": lambda one, _, exif: encoded(one, "TIFF", **exif),
    "WebP": lambda one, _, exif: encoded(one, "WEBP", quality=90, **exif),
    "lossless WebP": lambda one, _, exif: encoded(one, "WEBP", lossless=True, **exif),
    "AVIF": lambda one, _, exif: encoded(one, "AVIF", quality=90, **exif),
}


def photographs(folder: Path, numbers: range) -> list[Picture]:
    """Pictures without traces of a JPEG: photographs reduced by a tenth, and every third one drawn."""
    columns = [pq.read_table(folder / f"{name}.parquet", columns=["image"]).column("image")
               for name in ("imagenette224", "tagged_food")]  # fmt: skip
    found = []
    for number in numbers:
        if number % 3 == 2:
            found.append(drawn(number))
            continue
        column = columns[number % 3]
        with Image.open(io.BytesIO(column[number * 7 % len(column)].as_py())) as picture:
            found.append(scaled(picture.convert("RGB"), 0.9))
    return found


def drawn(seed: int) -> Picture:
    """A picture of shapes before a sky, with grain."""
    random_, width, height = np.random.default_rng(seed), 640, 480
    down = np.linspace(0, 1, height)[:, None, None]
    sky, ground = random_.uniform(60, 255, 3), random_.uniform(0, 200, 3)
    picture = Image.fromarray(np.broadcast_to(sky + (ground - sky) * down, (height, width, 3)).astype(np.uint8))
    for _ in range(14):
        x, y, size = random_.uniform(0, width), random_.uniform(0, height), random_.uniform(15, 110)
        fill = tuple(int(value) for value in random_.uniform(0, 255, 3))
        ImageDraw.Draw(picture).ellipse((x - size, y - size, x + size, y + size), fill=fill)
    values = np.asarray(picture.filter(ImageFilter.GaussianBlur(1)), float) + random_.normal(0, 6, (height, width, 1))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def metadata(number: int) -> Image.Exif:
    """What a camera writes."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "Canon EOS R6"
    exif[0x0132] = exif.get_ifd(0x8769)[0x9003] = f"2024:05:{1 + number % 28:02} 10:00:00"
    if number % 2:
        exif[0x8825] = {1: "N", 2: (47.0, 22.0, 0.0), 3: "E", 4: (8.0, 32.0, 0.0)}
    return exif


def stripped(jpeg: bytes) -> bytes:
    """A JPEG without what is said of it."""
    out, at = jpeg[:2], 2
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        out += b"" if 0xE1 <= jpeg[at + 1] <= 0xEF else jpeg[at:end]
        at = end
    return out + jpeg[at:]


def write(folder: Path, numbers: range, pictures: list[Picture]) -> None:
    """A folder for each picture with its original and some exports."""
    for number, picture in zip(numbers, pictures, strict=True):
        chance, exif = random.Random(number), metadata(number)
        original = encoded(picture, qtables=TABLES, subsampling=0, exif=exif)
        with Image.open(io.BytesIO(original)) as opened:
            decoded = opened.convert("RGB")
        place = folder / f"{number:03}"
        place.mkdir(parents=True)
        kept = {"exif": exif} if number % 4 < 2 else {}
        for name in chance.sample([*WAYS, "stripped"], EXPORTS):
            content = stripped(original) if name == "stripped" else WAYS[name](decoded, chance, kept)
            (place / name).write_bytes(content)
        (place / "original").write_bytes(original)  # the newest


def measure(folder: Path, database: Database) -> dict[str, Any]:
    """What becomes of the originals."""
    database.index(folder)
    report = database.duplicates(radius=RADIUS)
    started = time.perf_counter()
    reviews = database.review(report)
    seconds = time.perf_counter() - started
    plan = plans.make(reviews, plans.PlanOptions(include_edited=True))
    removed = [entry.path for entry in plan.removals if entry.path.endswith("/original")]
    records = {one.record.id: one.record for review in reviews for one in review.images}
    grouped = {one.record.name for review in reviews for one in review.images if one.record.name.endswith("/original")}
    beaten = Counter(
        f"{Path(records[review.best].name).name}: {review.why.partition(' (')[0]}"
        for review in reviews
        if any(one.record.name.endswith("/original") for one in review.images)
        and not records[review.best].name.endswith("/original")
    )
    return {
        "originals with an export in their group": len(grouped),
        "called the best": len(grouped) - sum(beaten.values()),
        "removed by a plan": len(removed),
        "beaten by": dict(sorted(beaten.items())),
        "removals": len(plan.removals),
        "kept for what they alone say": sum(
            entry.why.startswith("only copy") for group in plan.groups for entry in group.of(Action.KEEP)
        ),
        "seconds an image, files read": round(seconds / max(len(records), 1), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of data sets")
    parser.add_argument("--groups", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="number of the first group")
    asked = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="best-copy-"))
    try:
        numbers = range(asked.first, asked.first + asked.groups)
        write(work / "images", numbers, photographs(asked.folder, numbers))
        with Database.create(work / "db") as database:
            found = {"groups": asked.groups, "exports each": EXPORTS, **measure(work / "images", database)}
    finally:
        shutil.rmtree(work)
    print(json.dumps(found, indent=1))
    if asked.groups >= 200:
        name = f"best_copy_{asked.first}" if asked.first else "best_copy"
        print(record.write(name, {**found, **record.machine("lookalike", "pillow")}))


if __name__ == "__main__":
    main()
