"""Makes the golden collection: some 400 images with planted copies, from packaged photographs and drawings.

The same files every time, with the same versions of Pillow, scikit-image and scikit-learn. Folders:

    library/LABEL/   the originals: whole photographs, parts of them, drawings; in several formats
    exports/LABEL/   edited copies of them
    inbox/           what phones and downloads leave behind: exact copies, odd formats, bursts, low-information images,
                     damaged files, sidecars, links
    queries/LABEL/   edited copies that are not indexed
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Picture = Image.Image
INDEXED = ("library", "exports", "inbox")
LONGEST = 256  # pixels of the longer side of an original
DRAWINGS = 36
START, STEP = 1_599_998_400, 5  # when the first file was changed, noon UTC, and each next one: seconds
PACKAGES = ("pillow", "numpy", "scikit-image", "scikit-learn")
PHOTOS = {
    "skimage": (
        "data/astronaut.png", "data/camera.png", "data/cell.png", "data/chelsea.png", "data/coffee.png",
        "data/coins.png", "data/color.png", "data/horse.png", "data/hubble_deep_field.jpg", "data/ihc.png",
        "data/moon.png", "data/motorcycle_left.png", "data/page.png", "data/retina.jpg", "data/rocket.jpg",
        "data/text.png",
    ),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}  # fmt: skip
SAVED: dict[str, tuple[str, dict[str, Any]]] = {  # how originals are saved, in turn
    "jpg": ("JPEG", {"quality": 92}),
    "png": ("PNG", {"compress_level": 3}),
    "webp": ("WEBP", {"lossless": True, "method": 0}),
    "tif": ("TIFF", {}),
    "jpeg": ("JPEG", {"quality": 85, "subsampling": 0}),
    "bmp": ("BMP", {}),
}


def versions() -> dict[str, str]:
    """The versions that decide about the bytes of the files, and about their pixels."""
    return {name: version(name) for name in PACKAGES}


def make(folder: Path) -> dict[str, str]:
    """Write the collection below a folder; the digest of each file by its path there."""
    files: dict[str, bytes] = {}
    originals = dict(_originals())
    for number, (name, picture) in enumerate(originals.items()):
        ending = tuple(SAVED)[number % len(SAVED)]
        files[f"library/{name}.{ending}"] = _saved(picture, ending, exif=_camera(number))
    for path, data in (*_exports(originals), *_inbox(originals, files), *_queries(originals)):
        assert path not in files, path
        files[path] = data
    for number, (path, data) in enumerate(files.items()):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, (START + STEP * number,) * 2)
    (folder / "inbox/hard-link.jpg").hardlink_to(folder / "inbox/exact-00.jpg")
    (folder / "inbox/symbolic-link.jpg").symlink_to("exact-01.tif")
    return {path: hashlib.blake2b(data, digest_size=8).hexdigest() for path, data in sorted(files.items())}


def _originals() -> Iterator[tuple[str, Picture]]:
    """Pictures by label and name: photographs, three parts of each, and drawings."""
    for package, paths in PHOTOS.items():
        found = find_spec(package)  # not imported, which takes long
        assert found is not None, f"{package} is not installed"
        (home,) = found.submodule_search_locations or [""]
        for path in paths:
            label = Path(path).stem.partition("_")[0]
            with Image.open(Path(home, path)) as photo:
                whole = photo.convert("L" if photo.mode == "L" else "RGB")
            yield f"{label}/whole", _within(whole, LONGEST)
            for part, (left, top) in {"a": (0.0, 0.05), "b": (0.45, 0.0), "c": (0.3, 0.5)}.items():
                yield f"{label}/part-{part}", _within(_share(whole, left, top, 0.5), LONGEST - 32)
    for seed in range(DRAWINGS):
        yield f"{('blobs', 'stripes', 'waves')[seed % 3]}/{seed:02}", _drawing(seed)


def _within(picture: Picture, longest: int) -> Picture:
    scale = longest / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)


def _share(picture: Picture, left: float, top: float, share: float) -> Picture:
    """A part of a picture, all three numbers in shares of its sides."""
    width, height = picture.size
    x, y = int(width * left), int(height * top)
    return picture.crop((x, y, x + int(width * share), y + int(height * share)))


def _drawing(seed: int) -> Picture:
    """A drawing of one of three kinds, by integer arithmetic."""
    random = np.random.default_rng(seed)
    width, height = (192, 144) if seed % 2 else (144, 176)
    y, x = np.mgrid[:height, :width]
    a, b, c = (int(value) for value in random.integers(2, 9, 3))
    if seed % 3 == 2:
        rows = (x * a + y * b + x * y // (20 * c)) % 256
        return Image.fromarray(np.stack([rows, (rows * c + y) % 256, 255 - rows], 2).astype(np.uint8))
    picture = Image.new("RGB", (width, height), _colour(random))
    draw = ImageDraw.Draw(picture)
    for _ in range(14):
        left, top = int(random.integers(-20, width - 10)), int(random.integers(-20, height - 10))
        right, bottom = left + int(random.integers(12, 90)), top + int(random.integers(12, 90))
        if seed % 3:
            draw.line((left, top, right, bottom), fill=_colour(random), width=int(random.integers(2, 16)))
        else:
            draw.ellipse((left, top, right, bottom), fill=_colour(random))
    return picture


def _colour(random: np.random.Generator) -> tuple[int, ...]:
    return tuple(random.integers(0, 256, 3).tolist())


def _camera(number: int) -> Image.Exif:
    """What a camera writes, for each third picture; a position for some."""
    exif = Image.Exif()
    if number % 3 == 0:
        exif[0x010F], exif[0x0110] = "Golden", f"Model {number % 4}"
        exif.get_ifd(0x8769)[0x9003] = f"2021:{1 + number % 12:02}:{1 + number % 28:02} 10:{number % 60:02}:00"
    if number % 6 == 0:
        exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 8.0, float(number % 60)), 3: "E", 4: (9.0, 5.0, 0.0)})
    return exif


def _saved(picture: Picture, ending: str, *, exif: Image.Exif | None = None, **options: Any) -> bytes:
    kind, usual = SAVED.get(ending, (ending.upper(), {}))
    about = {"exif": exif} if exif and kind in ("JPEG", "PNG", "WEBP", "TIFF") else {}
    out = io.BytesIO()
    picture.save(out, kind, **{**usual, **about, **options})
    return out.getvalue()


def _scaled(share: float) -> Callable[[Picture], Picture]:
    return lambda picture: picture.resize(
        (round(picture.width * share), round(picture.height * share)), Image.Resampling.LANCZOS
    )


def _cropped(share: float) -> Callable[[Picture], Picture]:
    return lambda picture: _share(picture, share / 2, share / 3, 1 - share)


def _captioned(picture: Picture) -> Picture:
    wider = ImageOps.expand(picture, (0, 0, 0, 28), fill="white")
    ImageDraw.Draw(wider).text((6, picture.height + 8), "A CAPTION BELOW", "black", font=_font())
    return wider


def _written_on(picture: Picture) -> Picture:
    changed = picture.copy()
    ImageDraw.Draw(changed).text((picture.width // 4, picture.height // 2), "SAMPLE", "white", font=_font())
    return changed


def _font() -> Any:
    return ImageFont.load_default_imagefont()  # a bitmap, so that FreeType's version does not count


def _noisy(picture: Picture) -> Picture:
    values = np.asarray(picture).astype(np.int16)
    noise = np.random.default_rng(values.size).integers(-12, 13, values.shape)
    return Image.fromarray(np.clip(values + noise, 0, 255).astype(np.uint8))


def _warm(picture: Picture) -> Picture:
    red, green, blue = picture.convert("RGB").split()
    return Image.merge("RGB", (red.point(lambda v: min(255, v + 24)), green, blue.point(lambda v: v * 4 // 5)))


def _on_screen(picture: Picture) -> Picture:
    screen = Image.new("RGB", (picture.width + 24, picture.height + 64), (18, 18, 18))
    screen.paste(picture, (12, 36))
    ImageDraw.Draw(screen).text((8, 8), "9:41", "white", font=_font())
    return screen


def _as_is(picture: Picture) -> Picture:
    return picture


EDITS: dict[str, tuple[Callable[[Picture], Picture], str, dict[str, Any]]] = {  # edit, ending, options of saving
    "quality-60": (_as_is, "jpg", {"quality": 60}),
    "lossless": (_as_is, "png", {"compress_level": 1}),
    "half": (_scaled(0.5), "jpg", {"quality": 85}),
    "crop-10": (_cropped(0.1), "jpg", {"quality": 90}),
    "grey": (ImageOps.grayscale, "png", {"compress_level": 1}),
    "border": (lambda picture: ImageOps.expand(picture, 14, fill="black"), "jpg", {"quality": 90}),
    "mirrored": (ImageOps.mirror, "jpg", {"quality": 90}),
    "webp": (_as_is, "webp", {"lossless": False, "quality": 70}),
    "caption": (_captioned, "png", {"compress_level": 1}),
    "turned-right": (lambda picture: picture.transpose(Image.Transpose.ROTATE_270), "jpg", {"quality": 90}),
    "blurred": (lambda picture: picture.filter(ImageFilter.BoxBlur(2)), "jpg", {"quality": 88}),
    "enlarged": (_scaled(1.4), "jpg", {"quality": 88}),
    "noise": (_noisy, "jpg", {"quality": 80}),
    "crop-25": (_cropped(0.25), "jpg", {"quality": 90}),
    "darker": (lambda picture: ImageEnhance.Brightness(picture).enhance(0.7), "jpg", {"quality": 90}),
    "quality-20": (_as_is, "jpg", {"quality": 20}),
    "upside-down": (lambda picture: picture.transpose(Image.Transpose.ROTATE_180), "png", {"compress_level": 1}),
    "warm": (_warm, "webp", {"lossless": False, "quality": 80}),
    "written-on": (_written_on, "jpg", {"quality": 90}),
    "screenshot": (_on_screen, "png", {"compress_level": 1}),
    "tilted": (lambda picture: picture.rotate(3, Image.Resampling.BILINEAR), "jpg", {"quality": 90}),
    "tiff": (_as_is, "tif", {"compression": "tiff_lzw"}),
    "transposed": (lambda picture: picture.transpose(Image.Transpose.TRANSPOSE), "png", {"compress_level": 1}),
}
COPIES = (6, 1, 2, 0, 3, 1, 0, 2, 1, 1)  # how many copies the pictures have, in turn


def _exports(originals: dict[str, Picture]) -> Iterator[tuple[str, bytes]]:
    """Edited copies; the edits follow each other from picture to picture, so that each is there several times."""
    edits, turn = tuple(EDITS), 0
    for number, (name, picture) in enumerate(originals.items()):
        for _ in range(COPIES[number % len(COPIES)]):
            edit = edits[turn % len(edits)]
            change, ending, options = EDITS[edit]
            exif = _camera(number) if turn % 4 == 0 else None
            yield f"exports/{name}-{edit}.{ending}", _saved(change(picture), ending, exif=exif, **options)
            turn += 1


def _queries(originals: dict[str, Picture]) -> Iterator[tuple[str, bytes]]:
    names, edits = tuple(originals), tuple(EDITS)
    for number in range(len(edits)):
        change, ending, options = EDITS[edits[number]]
        name = names[(number * 7 + 3) % len(names)]
        path = f"queries/{name.partition('/')[0]}/{number:02}-{edits[number]}.{ending}"
        yield path, _saved(change(originals[name]), ending, **options)


def _inbox(originals: dict[str, Picture], files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    library = list(files.items())
    for number, (path, data) in enumerate(library[::9]):
        yield f"inbox/exact-{number:02}{Path(path).suffix}", data
    yield from _odd_formats(originals)
    yield from _near_duplicates(originals)
    yield from _low_information()
    yield from _damaged(files)
    yield from _companions(originals)


def _odd_formats(originals: dict[str, Picture]) -> Iterator[tuple[str, bytes]]:
    """Depth, alpha, palettes, several frames, orientation, metadata."""
    astronaut, coffee, cat = (originals[f"{name}/whole"] for name in ("astronaut", "coffee", "chelsea"))
    grey = originals["moon/whole"]
    for turn, transpose in {3: "ROTATE_180", 5: "TRANSPOSE", 6: "ROTATE_90", 8: "ROTATE_270"}.items():
        exif = Image.Exif()
        exif[0x0112] = turn
        turned = cat.transpose(Image.Transpose[transpose])
        yield f"inbox/orientation-{turn}.jpg", _saved(turned, "jpg", exif=exif, quality=95)
        yield f"inbox/orientation-{turn}.png", _saved(turned, "png", exif=exif)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    yield "inbox/16-bit.png", _saved(deep, "png")
    yield "inbox/16-bit.tif", _saved(deep, "tif")
    yield "inbox/16-bit-dark.png", _saved(Image.fromarray(np.asarray(grey).astype(np.uint16) * 16), "png")
    yield "inbox/8-bit.png", _saved(grey, "png")
    alpha = astronaut.copy()
    alpha.putalpha(ImageOps.invert(Image.radial_gradient("L").resize(astronaut.size)))
    yield "inbox/alpha.png", _saved(alpha, "png")
    yield "inbox/alpha.webp", _saved(alpha, "webp")
    opaque = astronaut.copy()
    opaque.putalpha(255)
    yield "inbox/opaque.png", _saved(opaque, "png")
    yield "inbox/palette.gif", _saved(coffee.quantize(64), "gif")
    yield "inbox/palette.png", _saved(coffee.quantize(64), "png")
    yield "inbox/one-bit.png", _saved(originals["page/whole"].convert("1"), "png")
    yield "inbox/cmyk.jpg", _saved(coffee.convert("CMYK"), "jpg", quality=90)
    yield "inbox/progressive.jpg", _saved(coffee, "jpg", quality=90, progressive=True)
    yield "inbox/grey.ppm", _saved(grey.convert("RGB"), "ppm")
    frames = [cat.resize((128, 85)), ImageOps.mirror(cat.resize((128, 85))), ImageOps.invert(cat.resize((128, 85)))]
    options: dict[str, Any] = {"save_all": True, "duration": 100, "loop": 0}
    yield "inbox/animated.gif", _saved(frames[0], "gif", append_images=frames[1:], **options)
    yield "inbox/animated-slower.gif", _saved(frames[0], "gif", append_images=frames[1:], **options | {"duration": 200})
    yield "inbox/animated.webp", _saved(frames[0], "webp", append_images=frames[1:], **options)
    yield "inbox/pages.tif", _saved(cat, "tif", save_all=True, append_images=[coffee.copy()])
    described = _camera(0)
    described[0x010E], described[0x0131] = "A description", "Golden Editor"
    yield "inbox/described.jpg", _saved(astronaut, "jpg", exif=described, quality=92)
    yield "inbox/straße mit ümlaut.jpg", _saved(astronaut, "jpg", quality=93)


def _near_duplicates(originals: dict[str, Picture]) -> Iterator[tuple[str, bytes]]:
    """Shots of a burst: the same scene, a little moved or changed; and two that differ in one detail."""
    for label in ("china", "flower", "rocket", "coins"):
        picture = originals[f"{label}/whole"]
        for shift in (3, 9, 20):
            yield f"inbox/burst-{label}-{shift:02}.jpg", _saved(ImageChops.offset(picture, shift, 0), "jpg")
    drawing = originals["blobs/00"].copy()
    ImageDraw.Draw(drawing).rectangle((40, 40, 90, 100), fill="yellow")
    yield "inbox/one-detail.png", _saved(drawing, "png")


def _low_information() -> Iterator[tuple[str, bytes]]:
    for name, colour in {"black": 0, "white": 255, "grey": 128}.items():
        yield f"inbox/flat-{name}.png", _saved(Image.new("L", (120, 90), colour), "png")
        yield f"inbox/flat-{name}.jpg", _saved(Image.new("RGB", (160, 120), (colour,) * 3), "jpg")
    ramp = np.tile(np.arange(128, dtype=np.uint8) // 8 + 100, (96, 1))
    yield "inbox/faint-ramp.png", _saved(Image.fromarray(ramp), "png")
    yield "inbox/ramp.png", _saved(Image.linear_gradient("L"), "png")
    yield "inbox/icon.png", _saved(_drawing(1).resize((12, 12)), "png")
    yield "inbox/dot.png", _saved(Image.new("RGB", (1, 1), "red"), "png")
    yield "inbox/narrow.png", _saved(Image.linear_gradient("L").resize((300, 4)), "png")


def _damaged(files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    whole = next(data for path, data in files.items() if path.endswith(".jpg"))
    yield "inbox/cut-off.jpg", whole[: len(whole) * 7 // 10]
    yield "inbox/cut-off-copy.jpg", whole[: len(whole) * 7 // 10]
    yield "inbox/unreadable.jpg", b"\xff\xd8\xff\xe0 no image at all"
    yield "inbox/empty.jpg", b""
    yield "inbox/notes.txt", b"no image\n"
    yield "inbox/huge.png", _huge()


def _huge() -> bytes:
    """A PNG whose header claims 100,000 × 100,000 pixels."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + b"\0\0\0\0"


def _companions(originals: dict[str, Picture]) -> Iterator[tuple[str, bytes]]:
    """Two photos of the same pixels with sidecars, a live photo, a Takeout."""
    picture = originals["rocket/part-a"]
    yield "inbox/IMG_0001.jpg", _saved(picture, "jpg", exif=_camera(6), quality=90)
    yield "inbox/IMG_0001.xmp", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    yield "inbox/IMG_0001.mov", b"\0\0\0\x14ftypqt  a short film"
    yield "inbox/IMG_0002.jpg", _saved(picture, "jpg", quality=75)
    yield "inbox/IMG_0002.aae", b"<plist/>"
    yield "inbox/IMG_0003.png", _saved(originals["rocket/part-b"], "png")
    yield "inbox/IMG_0003.png.json", b'{"title": "IMG_0003.png"}'
