"""What the model's decoder draws of an image that is sent."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.database import Database, model_file
from lookalike.hasher import decoder_path
from lookalike.imaging import decode
from tests.references import models
from tests.web.conftest import Serve, Served


@pytest.fixture(scope="module")
def drawing(photo_files: dict[str, bytes], serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose model has a decoder."""
    folder = tmp_path_factory.mktemp("drawing")
    (folder / "m.onnx").write_bytes(models.tiny_model(seed=4, bits=32))
    decoder_path(folder / "m.onnx").write_bytes(models.tiny_decoder(seed=4, bits=32))
    Database.create(folder / "db", model=folder / "m.onnx").close()
    with serve(folder / "db", max_body=1 << 20) as running:
        yield running


def test_the_picture_is_the_decoders(drawing: Served, photo_bytes: list[bytes]) -> None:
    assert drawing.client.get("/api/model").json()["decoder"] is True
    for content in photo_bytes[:3]:
        answer = drawing.client.post("/api/reconstruct", files={"file": ("photo", content)})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        picture = Image.open(io.BytesIO(answer.content))
        assert (picture.mode, picture.size) == ("L", (128, 128))
        array = decode.decode(content, decode.ImageSpec()).array
        expected = models.drawn(models.latents(array[None], 4, 32), 4, 32)[0]
        assert np.abs(np.asarray(picture).astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("sent", "status", "message"),
    [
        ({"files": {"file": ("x", b"no image")}}, 422, "image"),
        ({"files": {"file": ("x", bytes(2 << 20))}}, 413, "longer than the 1 MiB"),
        ({"json": {"id": 1}}, 415, "send multipart/form-data with a `file`"),
        ({"files": {"other": ("x", b"1")}}, 422, "`file`"),
    ],
)
def test_what_is_no_image_is_refused_as_by_a_search(
    sent: dict[str, object], status: int, message: str, drawing: Served
) -> None:
    answer = drawing.client.post("/api/reconstruct", **sent)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]


def test_a_model_without_a_decoder_says_so(served: Served, photo_bytes: list[bytes]) -> None:
    assert served.client.get("/api/model").json()["decoder"] is False
    answer = served.client.post("/api/reconstruct", files={"file": ("photo", photo_bytes[0])})
    assert answer.status_code == 404
    assert "has no decoder" in answer.json()["error"]["message"]


def test_a_damaged_decoder_costs_nothing_else(
    serve: Serve, model: Path, tmp_path: Path, photo_bytes: list[bytes]
) -> None:
    Database.create(tmp_path / "db", model=model).close()
    (tmp_path / "db" / model_file.DECODER).write_bytes(b"damaged")
    with serve(tmp_path / "db") as running:
        assert running.client.get("/api/model").json()["decoder"] is False
        answer = running.client.post("/api/reconstruct", files={"file": ("photo", photo_bytes[0])})
        assert answer.status_code == 422
        assert "model.decoder.onnx is not a readable model file" in answer.json()["error"]["message"]
