"""Images as programs have them: all of them become what a file of the same pixels would be."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike.core.errors import ImageError
from lookalike.imaging.given import is_one, source_of


@pytest.fixture
def pixels() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


class Tensor:
    """What is used of a torch tensor."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> np.ndarray[Any, Any]:
        return self.array


def decoded(source: Any) -> np.ndarray[Any, Any]:
    assert isinstance(source, bytes)
    with Image.open(io.BytesIO(source)) as image:
        return np.asarray(image)


def test_paths_and_bytes_stay_as_they_are(tmp_path: Path) -> None:
    for given in ("photo.jpg", tmp_path / "photo.jpg", b"content"):
        assert source_of(given) is given
    assert source_of(bytearray(b"content")) == b"content"
    assert source_of(memoryview(b"content")) == b"content"
    assert source_of(io.BytesIO(b"content")) == b"content"


def test_arrays_tensors_and_pictures_keep_their_pixels(pixels: np.ndarray[Any, Any]) -> None:
    opaque = np.dstack([pixels, np.full(pixels.shape[:2], 100, np.uint8)])
    same = {
        "array": pixels, "picture": Image.fromarray(pixels), "tensor": Tensor(pixels),
        "channels first": Tensor(pixels.transpose(2, 0, 1)),
        "floats": Tensor(pixels.transpose(2, 0, 1).astype(np.float32) / 255), "row": {"image": pixels, "label": 1},
    }  # fmt: skip
    for name, given in same.items():
        assert np.array_equal(decoded(source_of(given)), pixels), name
    assert np.array_equal(decoded(source_of(opaque)), opaque)
    for grey in (pixels[..., 0], pixels[..., :1]):
        assert np.array_equal(decoded(source_of(grey)), pixels[..., 0])
    assert source_of({"bytes": b"content", "path": None}) == b"content"
    assert source_of({"bytes": None, "path": "photo.jpg"}) == "photo.jpg"


def test_a_picture_keeps_its_orientation() -> None:
    picture = Image.new("RGB", (4, 2))
    picture.getexif()[0x0112] = 6
    source = source_of(picture)
    assert isinstance(source, bytes)
    with Image.open(io.BytesIO(source)) as image:
        assert image.getexif()[0x0112] == 6
    assert decoded(source_of(Image.new("CMYK", (2, 2)))).shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "a value of type int is not an image; give a path"),
        (np.zeros((4, 4)), r"an array of shape \(4, 4\) and type float64 is not an image; one is uint8"),
        (np.zeros((4, 4, 5), np.uint8), r"an array of shape \(4, 4, 5\)"),
        (np.zeros((0, 4), np.uint8), r"an array of shape \(0, 4\) has no pixels"),
        (Tensor(np.full((3, 4, 4), 2.5, np.float32)), "a tensor of floats from 2.5 to 2.5; pixels are 0 to 1"),
        (io.StringIO("text"), "a file object gives text; open the file with mode 'rb'"),
        ({"label": 1}, "a row with label has no image; name the column `image`"),
    ],
)
def test_what_is_no_image_is_refused(given: Any, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        source_of(given)


def test_one_image_is_told_from_several(pixels: np.ndarray[Any, Any]) -> None:
    for one in (
        "photo.jpg",
        b"content",
        pixels,
        Image.new("L", (1, 1)),
        {"image": pixels},
        Tensor(pixels),
        io.BytesIO(),
        3,
    ):
        assert is_one(one)
    for several in (["photo.jpg"], (pixels,), iter(["photo.jpg"])):
        assert not is_one(several)
