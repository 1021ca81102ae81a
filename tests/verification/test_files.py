"""Verdicts on two image files without a database, in Python and on the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import lookalike
from lookalike import Relation, Verdict
from lookalike.core.errors import ImageError
from lookalike.imaging.edits.catalogue import perturb
from tests.cli.conftest import Run
from tests.cli.conftest import run as run

NAMES = ["first", "second", "relation", "edits", "transform", "overlaps", "inliers", "agreement", "verified"]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    data = pytest.importorskip("skimage.data")
    path = tmp_path / "photo.png"
    Image.fromarray(data.astronaut()).save(path)
    return path


def edited(photo: Path, edit: str, strength: float) -> Path:
    path = photo.with_name(f"{edit}.png")
    Image.fromarray(perturb(np.asarray(Image.open(photo)), edit, strength, seed=3)).save(path)
    return path


def other(photo: Path) -> Path:
    path = photo.with_name("other.png")
    Image.fromarray(pytest.importorskip("skimage.data").chelsea()).save(path)
    return path


def broken(folder: Path, name: str, content: bytes = b"\xff\xd8\xff\xe0 no picture") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("edit", "strength", "said"),
    [
        ("crop", 0.25, "cropped to the middle 56 %"),
        ("crop-aside", 0.4, "cropped to 36 %"),
        ("rotate", 15, "rotated 15°"),
        ("turn", 90, "turned 90°"),
        ("mirror", 1, "mirrored"),
        ("grey", 1, "in grey"),
        ("border", 0.1, "border, caption or more picture added"),
        ("text", 0.1, "text or a sticker over it"),
        ("brighter", 1.6, "brighter, other contrast"),
        ("collage", 0.5, "within a larger picture, reduced to half"),
        ("jpeg", 20, "recompressed"),
    ],
)
def test_a_copy_and_what_was_done_to_it(run: Run, photo: Path, edit: str, strength: float, said: str) -> None:
    done = run("compare", photo, edited(photo, edit, strength))
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == f"edited copy: {said}"
    assert "of the detail agrees" in done.out.splitlines()[2]


def test_the_evidence_is_printed(run: Run, photo: Path) -> None:
    lines = run("compare", photo, edited(photo, "crop", 0.25)).out.splitlines()
    assert lines[1] == "overlap 56 % of A, 100 % of B"
    assert int(lines[2].split()[0]) > 50
    assert lines[2].endswith(" matching points, 100 % of the detail agrees")


@pytest.mark.parametrize(("side", "said"), [(1024, "enlarged 2 ×"), (256, "reduced to half"), (179, "reduced to 35 %")])
def test_a_copy_of_another_size(run: Run, photo: Path, side: int, said: str) -> None:
    resized = photo.with_name("resized.jpg")
    Image.open(photo).resize((side, side)).save(resized, quality=90)
    assert run("compare", photo, resized).out.splitlines()[0] == f"edited copy: {said}"
    assert lookalike.compare(photo, resized).edits == ("resize",)


def test_names_for_programs(run: Run, photo: Path) -> None:
    crop = edited(photo, "crop", 0.25)
    values = json.loads(run("compare", photo, crop, "--json").out)
    assert list(values) == NAMES
    assert (values["first"], values["second"]) == (str(photo), str(crop))
    assert (values["relation"], values["edits"], values["verified"]) == ("edited", ["crop"], True)
    assert len(values["transform"]) == 9
    assert values["overlaps"] == pytest.approx([0.5625, 1], abs=0.01)


def test_the_same_bytes_are_an_exact_copy(run: Run, photo: Path) -> None:
    for one, two in ((photo, photo), (broken(photo.parent, "a.jpg"), broken(photo.parent, "b.jpg"))):
        done = run("compare", one, two)
        assert done == (0, "exact copy\n", "")
        assert lookalike.compare(one, two).relation is Relation.EXACT


def test_the_same_pixels_in_another_file(run: Run, photo: Path) -> None:
    again = photo.with_name("again.tif")
    Image.open(photo).save(again)
    assert run("compare", photo, again) == (0, "same pixels\n", "")


def test_plain_pictures_with_the_same_pixels(run: Run, tmp_path: Path) -> None:
    paths = [tmp_path / "plain.png", tmp_path / "plain.bmp"]
    for path in paths:
        Image.new("RGB", (40, 30), (90, 90, 90)).save(path)
    assert run("compare", *paths) == (0, "same pixels\n", "")


def test_another_picture_is_different(run: Run, photo: Path) -> None:
    assert run("compare", photo, other(photo)) == (1, "different\n", "")
    assert json.loads(run("compare", photo, other(photo), "--json").out)["relation"] == "different"


@pytest.mark.parametrize("content", [b"\xff\xd8\xff\xe0 no picture", b"", b"text\n"])
def test_an_unreadable_file_is_an_error_not_another_picture(run: Run, photo: Path, content: bytes) -> None:
    bad = broken(photo.parent, "bad.jpg", content)
    for pair in ((photo, bad), (bad, photo)):
        done = run("compare", *pair)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert done.err.startswith(f"lookalike: {bad}: ")
    with pytest.raises(ImageError, match=r"bad\.jpg"):
        lookalike.compare(photo, bad)


@pytest.mark.parametrize("name", ["absent.jpg", ".", "/dev/null"])
def test_what_is_not_a_file_is_named(run: Run, photo: Path, name: str) -> None:
    done = run("compare", photo, name)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(f"lookalike: {name}: ")


def test_too_many_pixels(run: Run, photo: Path) -> None:
    done = run("compare", photo, edited(photo, "crop", 0.25), "--max-pixels", 1000)
    assert done.code == 2
    assert str(photo) in done.err


def test_one_frame_of_an_animation_and_another_animation(run: Run, photo: Path) -> None:
    first, cat = (Image.open(path).convert("RGB").resize((200, 200)) for path in (photo, other(photo)))
    still, moving, ends = (photo.with_name(name) for name in ("still.png", "moving.webp", "ends.webp"))
    first.save(still)
    turned = [first.rotate(angle) for angle in (4, 8)]
    for path, frames in ((moving, [first, *turned]), (ends, [first, cat, cat.rotate(4)])):
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=[100, 120, 140], quality=90)
    assert "one frame of an animation or document" in run("compare", moving, still).out
    done = run("compare", moving, ends)
    assert (done.code, done.out.splitlines()[0][:10]) == (1, "same scene")


def test_a_cut_out_on_white_and_on_black(run: Run, photo: Path) -> None:
    picture = Image.open(photo).convert("RGB")
    opacity = Image.new("L", picture.size)
    ImageDraw.Draw(opacity).ellipse((60, 20, 460, 500), fill=255)
    cut = picture.copy()
    cut.putalpha(opacity)
    cut.save(photo.with_name("cut.png"))
    for shade, said in ((0, "transparent parts filled with black"), (255, "recompressed")):
        ground = Image.new("RGB", picture.size, (shade, shade, shade))
        ground.paste(picture, (0, 0), opacity)
        ground.save(photo.with_name("ground.jpg"), quality=90)
        done = run("compare", photo.with_name("cut.png"), photo.with_name("ground.jpg"))
        assert done.out.splitlines()[0] == f"edited copy: {said}"


def drawn(run: Run, *arguments: object) -> np.ndarray[Any, Any]:
    path = Path("drawn.png")
    run("compare", *arguments, "--picture", path)
    return np.asarray(Image.open(path)).astype(int)


def amber(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray((pixels[..., 0] > 200) & (pixels[..., 2] < 60) & (pixels[..., 1] > 140))


def test_the_picture_shows_both_aligned_and_where_they_differ(run: Run, photo: Path) -> None:
    marked = Image.open(photo).convert("RGB")
    ImageDraw.Draw(marked).rectangle((350, 40, 430, 90), fill=(255, 255, 255))
    marked.crop((64, 0, 512, 448)).save(photo.with_name("marked.png"))
    pixels = drawn(run, photo, photo.with_name("marked.png"))
    assert pixels.shape == (512, 3 * 512 + 16, 3)
    first, second, difference = pixels[:, :512], pixels[:, 520:1032], pixels[:, 1040:]
    part = (slice(100, 440), slice(80, 500))
    assert np.abs(first[part] - second[part]).mean() < 5
    where = amber(difference)
    assert where[50:80, 360:420].mean() > 0.75
    assert where[120:].mean() < 0.01
    assert (second[:, :60] == second[0, 0]).all()


def test_a_picture_of_two_that_cannot_be_aligned_shows_both(run: Run, photo: Path) -> None:
    cat = other(photo)
    with Image.open(cat) as picture:
        width, height = picture.size
    assert drawn(run, photo, cat).shape == (max(512, height), 512 + 8 + width, 3)


def test_a_picture_does_not_replace_what_is_compared(run: Run, photo: Path) -> None:
    content, crop = photo.read_bytes(), edited(photo, "crop", 0.25)
    os.link(photo, photo.with_name("link.png"))
    for name in (photo, photo.with_name("link.png")):
        done = run("compare", photo, crop, "--picture", name)
        assert (done.code, done.out) == (2, "")
        assert "name another file" in done.err
    assert photo.read_bytes() == content
    assert run("compare", photo, crop, "--picture", "absent/x.png").code == 2


def test_python_takes_paths_and_bytes(photo: Path) -> None:
    crop = edited(photo, "crop", 0.25)
    found = lookalike.compare(photo, crop)
    assert isinstance(found, Verdict)
    assert lookalike.compare(photo.read_bytes(), os.fspath(crop)) == found
    with pytest.raises(ImageError, match="image: "):
        lookalike.compare(b"no picture", crop)


def test_worker_processes_give_the_same_verdict(run: Run, photo: Path, isolated: None) -> None:
    crop = edited(photo, "crop", 0.25)
    apart = run("compare", photo, crop, "--json")
    assert apart == run("compare", photo, crop, "--json", "--no-isolation")
    assert run("compare", photo, broken(photo.parent, "bad.jpg")).code == 2
