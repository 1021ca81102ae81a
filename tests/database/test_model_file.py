"""The model's decoder, stored next to the database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lookalike.database import Database
from lookalike.hasher import Decoder, decoder_path
from lookalike.store import model_file
from tests.references import models


@pytest.fixture
def drawing(tmp_path: Path) -> Path:
    """A model with a decoder."""
    path = tmp_path / "drawing.onnx"
    path.write_bytes(models.tiny_model(seed=4, bits=32))
    decoder_path(path).write_bytes(models.tiny_decoder(seed=4, bits=32))
    return path


def test_a_decoder_is_copied_and_outlives_its_source(drawing: Path, tmp_path: Path) -> None:
    with Database.create(tmp_path / "db", model=drawing) as database:
        decoder_path(drawing).unlink()
        decoder = Decoder.beside(database.hasher)
    assert decoder is not None
    assert Path(decoder.path) == tmp_path / "db/model.decoder.onnx"
    assert not list((tmp_path / "db").glob("*.part"))


def test_a_model_without_one_brings_none(model: Path, tmp_path: Path) -> None:
    with Database.create(tmp_path / "db", model=model) as database:
        assert Decoder.beside(database.hasher) is None
    assert not (tmp_path / "db" / model_file.DECODER).exists()


def test_another_model_brings_its_own_decoder_or_none(
    drawing: Path, model: Path, photo_folder: Path, tmp_path: Path
) -> None:
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(photo_folder, model=drawing, reindex=True)
    with Database.open(tmp_path / "db") as database:
        assert Decoder.beside(database.hasher) is not None
        database.index(photo_folder, model=model, reindex=True)
    with Database.open(tmp_path / "db") as database:
        assert Decoder.beside(database.hasher) is None


def test_verify_puts_a_model_in_its_place_and_leaves_its_decoder(drawing: Path, tmp_path: Path) -> None:
    with Database.create(tmp_path / "db", model=drawing) as database:
        place = database.folder / model_file.FILE
        place.rename(place.with_name(model_file.FILE + ".tmp"))
        assert [finding.repaired for finding in database.verify() if finding.what.startswith("model")] == [True]
    with Database.open(tmp_path / "db") as database:
        assert Decoder.beside(database.hasher) is not None


def test_a_copy_that_was_cut_off_is_no_obstacle(drawing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cut(BaseException):
        pass

    def cut(*_: object, **__: object) -> Callable[[], None]:
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr("lookalike.store.folder.Catalog", cut)
        with pytest.raises(Cut):
            Database.create(tmp_path / "db", model=drawing)
    assert (tmp_path / "db" / model_file.DECODER).exists()
    with Database.create(tmp_path / "db", model=drawing) as database:
        assert len(database) == 0
