"""Evaluation of a labelled database: against itself, split by a protocol, and with external queries."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from lookalike.core.errors import DatabaseError, DataError
from lookalike.database import Database
from lookalike.metrics.ranking import mean_average_precision


def test_among_itself_is_each_image_among_the_others(indexed: Database) -> None:
    records = list(indexed.records())
    names = sorted({str(record.label) for record in records})
    labels = np.array([names.index(str(record.label)) for record in records])
    _, codes = indexed.codes()
    found = indexed.evaluate()
    assert (found.evaluation.queries, found.evaluation.database) == (40, 39)
    assert (found.unlabelled, found.copies, found.unreadable) == (0, 0, 0)
    apart = [
        float(mean_average_precision(codes[[i]], labels[[i]], np.delete(codes, i, axis=0), np.delete(labels, i)))
        for i in range(40)
    ]
    assert found.evaluation.map["expected"] == pytest.approx(np.mean(apart))


def test_copies_and_what_has_no_label_are_excluded_and_counted(indexed: Database, photo_folder: Path) -> None:
    before = indexed.evaluate().evaluation
    first = sorted(path for path in photo_folder.rglob("*") if path.is_file())[0]
    shutil.copy(first, first.with_name("copy.png"))
    shutil.copy(first, photo_folder.parent / "alone.png")
    with (photo_folder.parent / "alone.png").open("ab") as file:
        file.write(b"\n")  # another file, without a sub-folder as label
    indexed.index([photo_folder, photo_folder.parent / "alone.png"], labels_from_folders=True)
    found = indexed.evaluate()
    assert (found.unlabelled, found.copies) == (1, 1)
    assert found.evaluation.values() == before.values()


def test_imported_codes_are_different_images(indexed: Database, tmp_path: Path) -> None:
    indexed.export_codes(tmp_path / "codes.parquet")
    with Database.create(tmp_path / "imported", model=indexed.folder / "model.onnx") as imported:
        imported.import_codes(tmp_path / "codes.parquet", root=tmp_path)
        assert imported.evaluate().evaluation.values() == indexed.evaluate().evaluation.values()


def test_queries_from_outside_are_not_those_that_are_in_it(
    indexed: Database, photo_folder: Path, tmp_path: Path
) -> None:
    queries = tmp_path / "queries"
    files = sorted(path for path in photo_folder.rglob("*") if path.is_file())
    for number, path in enumerate(files[:5]):
        place = queries / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes()
        place.write_bytes(content if number == 0 else content + b"\0")  # the first one is in the database
    (queries / files[0].parent.name / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (queries / "unlabelled.png").write_bytes(files[6].read_bytes())
    found = indexed.evaluate(queries)
    assert (found.evaluation.queries, found.evaluation.database) == (4, 40)
    assert (found.unlabelled, found.copies, found.unreadable) == (1, 1, 1)
    assert found.evaluation.map["expected"] > found.evaluation.map["chance"]  # each finds its own copy
    with pytest.raises(DataError, match="none of the 1 queries can be used: 1 have no label"):
        indexed.evaluate(queries / "unlabelled.png")


def test_without_labels_there_is_nothing_to_measure(db: Database, photo_folder: Path) -> None:
    db.index(photo_folder)
    with pytest.raises(
        DatabaseError, match="none of its 40 images has a label; index again with --labels-from-folders"
    ):
        db.evaluate()
