"""The best copy: typical edits of photographs, the choice among them, and the reason given."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from lookalike.core.errors import ConfigError
from lookalike.data import content_digest
from lookalike.duplicates.cleanup import best_copy, facts
from lookalike.duplicates.cleanup.best_copy import preference
from lookalike.imaging import evidence
from lookalike.store.records import Record
from tests.conftest import encoded
from tests.imaging.test_evidence import scaled, textured

RECORD = Record(1, "/r", "a", None, 10, 100, b"a", 10, None, b"c", 4, 3, "JPEG", False, None, None)
CAMERA = [[1 + number // 6 for number in range(64)], [2] * 64]  # quantisation tables of no known program


def exif(*, software: str = "", date: bool = True, camera: bool = True) -> Image.Exif:
    found = Image.Exif()
    if camera:
        found[0x010F], found[0x0110] = "Canon", "EOS R6"
    if date:
        found[0x0132] = "2024:05:01 10:00:00"
    if software:
        found[0x0131] = software
    return found


def decoded(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def chosen(files: dict[str, bytes], *prefer: str) -> tuple[str, str]:
    """The name of the best of some files, and the reason."""
    records, found = [], {}
    for number, (name, content) in enumerate(files.items()):
        digest = content_digest(content)
        one = found[digest] = evidence.inspect(content)
        record = replace(RECORD, id=number, path=name, digest=digest, format=one.format, length=len(content))
        records.append(replace(record, width=one.width, height=one.height))
    random.Random(0).shuffle(records)
    best = best_copy.best(records, facts.of_group(found), [preference(rule) for rule in prefer])
    return list(files)[best.id], best.why.partition(" (")[0]


def written_on(picture: Image.Image) -> Image.Image:
    out = picture.copy()
    ImageDraw.Draw(out).text((9, 110), "ME EVERY DAY", fill="white", font_size=26, stroke_width=2, stroke_fill="black")
    return out


def recoloured(picture: Image.Image) -> Image.Image:
    return ImageEnhance.Color(ImageEnhance.Brightness(picture).enhance(1.25)).enhance(0.6)


ORIGINAL = encoded(textured(20), "jpg", qtables=CAMERA, subsampling=0, exif=exif())
PHOTO = decoded(ORIGINAL)


@pytest.mark.parametrize("kept", [{}, {"exif": exif()}], ids=["stripped", "with EXIF"])
@pytest.mark.parametrize(
    "export",
    [
        lambda kept: encoded(PHOTO, "jpg", quality=90, **kept),
        lambda kept: encoded(PHOTO, "jpg", quality=99, subsampling=0, **kept),  # a larger file
        lambda kept: encoded(PHOTO, "png", **kept),
        lambda kept: encoded(PHOTO, "webp", lossless=True, **kept),
        lambda kept: encoded(PHOTO, "webp", quality=90, **kept),
        lambda kept: encoded(scaled(PHOTO, 2), "jpg", quality=95, **kept),
        lambda kept: encoded(scaled(PHOTO, 1.5), "png", **kept),
        lambda kept: encoded(scaled(PHOTO, 0.4), "png", **kept),
        lambda kept: encoded(ImageOps.expand(PHOTO, 16, "white"), "png", **kept),
        lambda kept: encoded(written_on(PHOTO), "png", **kept),
        lambda kept: encoded(written_on(PHOTO), "jpg", quality=95, **kept),
        lambda kept: encoded(PHOTO.convert("L").convert("RGB"), "png", **kept),
        lambda kept: encoded(PHOTO.crop((12, 10, 228, 150)), "jpg", quality=98, **kept),
    ],
)
def test_the_original_is_better_than_what_was_made_of_it(export: object, kept: dict[str, object]) -> None:
    assert chosen({"original": ORIGINAL, "export": export(kept)})[0] == "original"  # type: ignore[operator]


def test_it_is_found_among_all_of_them() -> None:
    again = decoded(encoded(PHOTO, "jpg", quality=80))
    files = {
        "saved": encoded(PHOTO, "jpg", quality=80), "and again": encoded(again, "jpg", quality=97),
        "enlarged": encoded(scaled(PHOTO, 2), "png"), "filtered": encoded(recoloured(PHOTO), "png"),
        "filtered again": encoded(recoloured(PHOTO), "jpg", quality=95), "original": ORIGINAL,
        "small": encoded(scaled(PHOTO, 0.3), "jpg"),
    }  # fmt: skip
    assert chosen(files) == ("original", "has date and camera")


def test_reasons_are_reported() -> None:
    picture = textured(21)
    png, jpeg = encoded(picture, "png"), encoded(picture, "jpg", quality=92)
    deep = Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257)
    cases = {
        "original encoding, not a conversion": {"png": png, "jpeg": jpeg},
        "in colour": {"colour": jpeg, "grey": encoded(picture.convert("L"), "png")},
        "16 bits a channel": {"deep": encoded(deep, "png"), "flat": encoded(picture.convert("L"), "png")},
        "most detail": {"large": jpeg, "small": encoded(scaled(picture, 0.4), "png")},
        "not enlarged": {"small": jpeg, "large": encoded(scaled(picture, 1.5), "jpg", quality=95)},
        "shows more of the picture": {"whole": jpeg, "part": encoded(picture.crop((12, 10, 228, 150)), "png")},
        "no border, writing or other colours added": {
            "plain": jpeg, "framed": encoded(ImageOps.expand(picture, 16), "png")
        },
        "has date and camera": {"knows": encoded(picture, "jpg", exif=exif()), "stripped": jpeg},
        "undamaged": {"whole": jpeg, "cut off": jpeg[: len(jpeg) * 97 // 100]},
    }  # fmt: skip
    for why, files in cases.items():
        assert chosen(files) == (next(iter(files)), why)


def test_the_file_of_a_camera_can_be_preferred_to_a_larger_copy() -> None:
    files = {
        "own": encoded(scaled(PHOTO, 0.4), "jpg", qtables=CAMERA, subsampling=0, exif=exif()),
        "large": encoded(PHOTO, "jpg", quality=92),
    }  # fmt: skip
    assert chosen(files)[0] == "large"
    assert chosen(files, "original") == ("own", "preferred: original encoding, not a conversion")


def test_colours_of_most_copies_are_the_original_ones() -> None:
    other = scaled(scaled(PHOTO, 0.9), 1 / 0.9)
    files = {
        "one": encoded(PHOTO, "jpg", quality=85), "another": encoded(other, "jpg", quality=97),
        "third": encoded(PHOTO.rotate(0.4), "jpg", quality=90), "filtered": encoded(recoloured(PHOTO), "png"),
    }  # fmt: skip
    found = {content_digest(content): evidence.inspect(content) for content in files.values()}
    known = facts.of_group(found)
    assert {name for name, content in files.items() if "other colours" in known[content_digest(content)].added} == {
        "filtered"
    }


def test_without_metadata_an_edited_lossless_copy_of_a_jpeg_is_not_the_best() -> None:
    photo = encoded(textured(22), "jpg", quality=90)
    files = {"photo": photo, "filtered": encoded(recoloured(decoded(photo)), "png")}
    assert chosen(files) == ("photo", "no border, writing or other colours added")


@pytest.mark.parametrize("size", [(240, 160), (224, 224), (243, 167)])
@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (ImageOps.mirror, "original encoding, not a conversion"),
        (ImageOps.flip, "original encoding, not a conversion"),
        (lambda picture: picture.rotate(90, expand=True), "original encoding, not a conversion"),
        (lambda picture: picture.rotate(180), "original encoding, not a conversion"),
        (lambda picture: ImageOps.mirror(picture).rotate(270, expand=True), "original encoding, not a conversion"),
        (lambda picture: ImageEnhance.Brightness(picture).enhance(1.6), "no border, writing or other colours added"),
    ],
)
def test_without_metadata_a_mirrored_turned_or_brightened_copy_of_finer_quality_is_not_the_best(
    edit: Callable[[Image.Image], Image.Image], why: str, size: tuple[int, int]
) -> None:
    photo = encoded(textured(24, size), "jpg", quality=75)
    copy = edit(decoded(photo))
    assert chosen({"photo": photo, "copy": encoded(copy, "jpg", quality=90)}) == ("photo", why)


def test_of_a_darkened_copy_the_clipped_original_is_the_best() -> None:
    photo = encoded(ImageEnhance.Brightness(textured(24)).enhance(1.5), "jpg", quality=85)
    darker = encoded(ImageEnhance.Brightness(decoded(photo)).enhance(0.8), "jpg", quality=80)
    assert chosen({"photo": photo, "darker": darker})[0] == "photo"


def test_without_files_the_catalog_decides() -> None:
    larger, older, later = (
        replace(RECORD, id=2, width=5), replace(RECORD, id=3, mtime_ns=99), replace(RECORD, id=4, path="b"),
    )  # fmt: skip
    unknown = replace(RECORD, id=5, path="0", mtime_ns=-1)
    for better, worse, why in (
        (larger, older, "most pixels (5×3)"),
        (older, RECORD, "oldest file (1970-01-01)"),
        (RECORD, unknown, "oldest file (1970-01-01)"),
        (RECORD, later, "first by path"),
    ):
        for order in ([better, worse], [worse, better], [later, worse, better]):
            assert best_copy.best(order, {}).id == better.id
        assert best_copy.best([worse, better], {}).why == why


def test_what_cannot_be_read_is_not_the_best() -> None:
    content = encoded(PHOTO, "jpg", quality=50)
    digest = content_digest(content)
    here = replace(RECORD, id=1, path="z", digest=digest, mtime_ns=999)
    gone = replace(RECORD, id=2, path="a", digest=b"gone", width=99999)
    known = facts.of_group({digest: evidence.inspect(content)})
    assert best_copy.best([gone, here], known) == (1, "can be read")


def test_a_persons_rules_come_first_in_their_order() -> None:
    def best(*rules: str) -> tuple[int, str]:
        found = [preference(rule) for rule in rules]
        records = [
            replace(RECORD, id=1, root="/photos", path="best/deep/a.jpg", length=5, mtime_ns=3 * 10**18),
            replace(RECORD, id=2, root="/photos", path="best/b.jpg", length=4, mtime_ns=2 * 10**18, width=9),
            replace(RECORD, id=3, root="/photos", path="bestof/c.jpg", length=9, mtime_ns=10**18),
        ]
        return best_copy.best(records, {}, found)

    assert best("oldest") == (3, "preferred: oldest file")
    assert best("newest") == (1, "preferred: newest file")
    assert best("largest") == (3, "preferred: largest file")
    assert best("most-pixels") == (2, "preferred: most pixels")
    assert best("shortest-path") == (2, "preferred: shortest path")
    assert best("folder=/photos/best", "oldest") == (2, "preferred: oldest file")
    assert best("folder=/photos/best/deep/") == (1, "preferred: folder=/photos/best/deep")
    assert best("not-folder=/photos/best") == (3, "preferred: not-folder=/photos/best")
    assert best("folder=/elsewhere").__class__ is best_copy._BestCopy
    for wrong in ("best", "folder", "folder=", "oldest=1", ""):
        with pytest.raises(ConfigError, match="it must be one of folder=PATH"):
            preference(wrong)
