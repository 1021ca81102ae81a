"""All metrics at once equal the single ones, are valid JSON, and can be computed from arrays or a file."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.core.errors import CodeError, DataError
from lookalike.metrics import labels as labelling
from lookalike.metrics import measure as measuring
from lookalike.metrics.measure import FOUR, measure, measure_among, measure_file
from lookalike.metrics.ranking import mean_average_precision

Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.int64]]


@pytest.fixture(scope="module")
def four() -> Arrays:
    rng = np.random.default_rng(0)
    labels, query_labels = rng.integers(0, 4, 300), rng.integers(0, 4, 50)
    noise = [rng.integers(0, 256, (n, 2), np.uint8) & rng.integers(0, 256, (n, 2), np.uint8) for n in (50, 300)]
    words = rng.integers(0, 256, (4, 2), np.uint8)
    return words[query_labels] ^ noise[0], query_labels, words[labels] ^ noise[1], labels


def test_every_figure_is_that_of_its_own_function(four: Arrays) -> None:
    found = measure(*four)
    assert (found.queries, found.database, found.bits) == (50, 300, 16)
    for ties in ("expected", "optimistic", "pessimistic", "row-order"):
        assert found.map[ties] == mean_average_precision(*four, ties=ties)
    assert found.map_at_cutoff["cutoff"] == 300  # the database is smaller than 1,000
    assert found.map_at_cutoff["retrieved"]["expected"] == pytest.approx(found.map["expected"])
    assert found.map["chance"] < found.map["expected"]
    assert set(found.precision_at) == {"1", "10", "100", "chance"}
    pairs = found.distances
    assert sum(pairs["relevant"]) + sum(pairs["other"]) == 50 * 300
    assert found.collisions["images"] == 350


def test_values_are_json_with_six_digits(four: Arrays) -> None:
    values = measure(*four).values()
    assert json.loads(json.dumps(values)) == values
    assert values["map"]["expected"] == round(measure(*four).map["expected"], 6)


def test_a_collection_among_itself(four: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    found = measure_among(four[2], four[3])
    assert (found.queries, found.database, found.collisions["images"]) == (300, 299, 300)
    apart = [
        float(
            mean_average_precision(
                four[2][[row]], four[3][[row]], np.delete(four[2], row, axis=0), np.delete(four[3], row)
            )
        )
        for row in range(300)
    ]
    assert found.map["expected"] == pytest.approx(np.mean(apart))
    monkeypatch.setattr(measuring, "QUERIES", 20)
    assert measure_among(four[2], four[3]).queries == 20
    assert measure_among(four[2], four[3]) == measure_among(four[2], four[3])
    assert measure_among(four[2], four[3], seed=1) != measure_among(four[2], four[3])


def test_codes_made_elsewhere_come_from_a_file(four: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "codes.npz"
    np.savez(path, **dict(zip(FOUR, four, strict=True)))  # type: ignore[arg-type]
    assert measure_file(path) == measure(*four)
    np.savez(path, codes=four[2], labels=four[3])
    assert measure_file(path) == measure_among(four[2], four[3])


def npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


def damaged() -> bytes:
    """A file with changed compressed bytes."""
    stream = io.BytesIO()
    np.savez_compressed(stream, codes=np.random.default_rng(0).integers(0, 256, (500, 8), np.uint8))
    content = bytearray(stream.getvalue())
    content[300:340] = bytes(40)
    return bytes(content)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"nothing like it", npy(), damaged()])
def test_a_file_that_is_none_is_one_clear_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "codes.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"codes\.npz is not a readable \.npz file"):
        measure_file(path)


def test_a_file_without_the_arrays_names_those_it_needs(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", embeddings=np.zeros((2, 2)))
    with pytest.raises(DataError, match="contains embeddings; expected query_codes, query_labels"):
        measure_file(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", codes=np.array([{}], object), labels=np.zeros(1))
    with pytest.raises(DataError, match="not a readable"):  # pickled objects are not read
        measure_file(tmp_path / "b.npz")


@pytest.mark.parametrize("codes", [np.uint8(3), np.zeros(4, np.uint8), np.full((4, 8), 0.5)])
def test_codes_that_are_none_are_one_clear_error(codes: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", codes=codes, labels=np.zeros(4, np.int64))
    with pytest.raises(CodeError, match="must be packed codes"):
        measure_file(tmp_path / "a.npz")


def test_where_no_image_has_a_label_everything_is_0(four: Arrays) -> None:
    none = [np.zeros((len(codes), 3), bool) for codes in (four[0], four[2])]
    values = measure(four[0], none[0], four[2], none[1]).values()
    assert (values["map"]["expected"], values["nearest"]["f1"], values["without_relevant"]) == (0, 0, 50)
    assert "NaN" not in json.dumps(values)


def test_labels_of_any_integer_type_are_compared_exactly(four: Arrays) -> None:
    big = 2**53
    for kind in (np.int64, np.uint64):
        found = measure(four[0][:1], np.array([big + 1]), four[2][:3], np.array([big, big + 1, big + 2], kind))
        assert found.precision_at["chance"] == pytest.approx(1 / 3)
    with pytest.raises(DataError, match="below 2"):
        measure(four[0][:1], [1], four[2][:1], np.array([2**64 - 1], np.uint64))


def test_the_cutoff_is_what_is_asked_for(four: Arrays) -> None:
    assert measure(*four, cutoff=20).map_at_cutoff["cutoff"] == 20


def test_labels_as_people_write_them() -> None:
    (one, two), names = labelling.encode(["b", "a"], ["a"])
    assert (one.tolist(), two.tolist(), names) == ([1, 0], [0], ["a", "b"])
    (many,), names = labelling.encode([("x", "y"), None, "y"])
    assert many.tolist() == [[True, True], [False, False], [False, True]]
    with pytest.raises(DataError, match="1 images have no label"):
        labelling.encode(["a", None])


def test_codes_and_labels_of_other_programs_are_recognised(four: Arrays, tmp_path: Path) -> None:
    expected = measure(*four, cutoff=20).values()
    bits = [np.unpackbits(codes, axis=1) for codes in (four[0], four[2])]
    names, hot = np.array(["cat", "dog", "eel", "fly"]), np.eye(4, dtype=np.float32)
    types: list[Any] = [np.uint8, bool, np.int8, np.float32]
    encodings = [*([one.astype(kind) for one in bits] for kind in types), [one * 2.0 - 1 for one in bits]]
    for queries, database in encodings:
        for label in (lambda one: one.astype(float), lambda one: names[one], lambda one: hot[one]):
            arrays: dict[str, Any] = dict(zip(FOUR, (queries, label(four[1]), database, label(four[3])), strict=True))
            np.savez(tmp_path / "codes.npz", **arrays)
            assert measure_file(tmp_path / "codes.npz", cutoff=20).values() == expected
    np.savez(tmp_path / "codes.npz", codes=bits[1][:, :12], labels=names[four[3]])
    packed = np.packbits(bits[1][:, :12], axis=1)
    assert measure_file(tmp_path / "codes.npz").map == measure_among(packed, four[3]).map
    for codes, message in ((bits[1] - 0.5, "Threshold real values first"), (np.full((300, 16), 3), "values such as 3")):
        np.savez(tmp_path / "codes.npz", codes=codes, labels=four[3])
        with pytest.raises(CodeError, match=message):
            measure_file(tmp_path / "codes.npz")
