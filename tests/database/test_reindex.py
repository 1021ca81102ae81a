"""Codes of two models never mix, wherever a change of model is interrupted."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookalike.core.errors import DatabaseError, Interrupted, LookalikeError
from lookalike.core.progress import Progress
from lookalike.database import Database
from lookalike.hasher import Hasher
from lookalike.store import originals
from lookalike.store.catalog import Catalog

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

Check = Callable[..., None]
MakeModel = Callable[..., Path]


class Cut(BaseException):
    """Simulated end of the process."""


@pytest.fixture
def two(indexed: Database, tmp_path: Path, photo_folder: Path) -> tuple[Path, Path]:
    """Two indexed folders: the photographs, and slightly changed copies of some."""
    second = tmp_path / "second"
    second.mkdir()
    for path in sorted(photo_folder.rglob("*.png")):
        (second / path.name).write_bytes(path.read_bytes() + b"\0")
    indexed.index(second)
    return photo_folder, second


def test_another_model_is_refused_with_the_remedy(
    indexed: Database, photo_folder: Path, other_model: Path, make_model: MakeModel, check: Check
) -> None:
    for model in (other_model, make_model(seed=0, bits=16)):
        with pytest.raises(DatabaseError) as caught:
            indexed.index(photo_folder, model=model)
        text = str(caught.value)
        for part in (str(indexed.path), "holds 64-bit codes of tiny-64@", Hasher.load(model).name, "--reindex"):
            assert part in text
    check(indexed.path, photo_folder)


def test_the_same_model_may_be_given(indexed: Database, photo_folder: Path, model: Path, tmp_path: Path) -> None:
    shutil.copy(model, tmp_path / "copy.onnx")
    assert indexed.index(photo_folder, model=tmp_path / "copy.onnx").unchanged == 40


@pytest.mark.parametrize("bits", [8, 64, 128])
def test_reindexing_recomputes_all_codes(
    bits: int, indexed: Database, two: tuple[Path, Path], make_model: MakeModel, check: Check
) -> None:
    model = make_model(seed=9, bits=bits)
    report = indexed.index(two[0], model=model, reindex=True)
    assert (report.found, report.encoded, report.failed) == (45, 45, 0)
    assert (indexed.bits, indexed.hasher.name) == (bits, Hasher.load(model).name)
    check(indexed.path, *two)
    assert indexed.index(two[0]).encoded == 0
    assert indexed.index(two[1]).encoded == 0
    assert (indexed.folder / "model.onnx").read_bytes() == model.read_bytes()


def test_reindexing_with_the_same_model_reads_again(
    indexed: Database, photo_folder: Path, decoded: list[bytes], check: Check
) -> None:
    report = indexed.index(photo_folder, reindex=True)
    assert (report.encoded, len(decoded)) == (40, 40)
    check(indexed.path, photo_folder)


def test_reindexing_keeps_labels(indexed: Database, photo_folder: Path, other_model: Path) -> None:
    indexed.index(photo_folder, model=other_model, reindex=True)
    assert Counter(record.label for record in indexed.records()) == {"cats": 26, "dogs": 14}


def test_reindexing_leaves_what_is_gone_missing(indexed: Database, two: tuple[Path, Path], other_model: Path) -> None:
    shutil.rmtree(two[1])
    report = indexed.index(two[0], model=other_model, reindex=True)
    assert (report.found, report.encoded) == (report.indexed + report.failed, 40)
    assert len(indexed) == 40
    assert len(indexed.search(two[0] / "cats/01.png", top=None, radius=64)) == 40


@pytest.mark.parametrize("after", ["gone", "shorter", "broken"])
def test_reindexing_with_a_table_that_changed(
    after: str, indexed: Database, photo_folder: Path, other_model: Path, photo_bytes: list[bytes], tmp_path: Path
) -> None:
    table = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table({"image": photo_bytes[:5]}), table)
    indexed.index(table)
    table.unlink()
    if after == "shorter":
        parquet.write_table(pyarrow.table({"image": photo_bytes[:2]}), table)
    elif after == "broken":
        table.write_bytes(b"PAR1 rubbish")
    report = indexed.index(photo_folder, model=other_model, reindex=True)
    assert report.encoded >= 40
    assert len(indexed) == 40 + (2 if after == "shorter" else 0)


def cut_at(step: str, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Interrupt a change of model at a step; further arguments for `index`."""
    replace, set_label = Path.replace, Catalog.touch

    def replace_or_end(self: Path, target: Path) -> Path:
        if (step, target.name) in {("the copy", "model.onnx.tmp"), ("the last replace", "model.onnx")}:
            raise Cut
        return replace(self, target)

    def touch_or_end(self: Catalog) -> None:
        set_label(self)
        raise Cut

    patch.setattr(Path, "replace", replace_or_end)
    if step == "the transaction":
        patch.setattr(Catalog, "touch", touch_or_end)
    if step == "encoding":
        patch.setattr("lookalike.database.indexing.BATCH", 8)
        return {"progress": stop_after(16)}
    return {}


def stop_after(images: int) -> Progress:
    def stop(stage: str, done: int, total: int | None) -> None:
        if done >= images:
            raise Cut

    return stop


STEPS = ["the copy", "the transaction", "the last replace", "encoding"]


@pytest.mark.parametrize("step", STEPS)
def test_a_change_of_model_that_is_cut_off_can_be_done_again(
    step: str, indexed: Database, two: tuple[Path, Path], other_model: Path, check: Check
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        extra = cut_at(step, patch)
        with pytest.raises(Cut):
            indexed.index(two[0], model=other_model, reindex=True, **extra)
    indexed.close()
    with Database.open(indexed.path) as again:
        hits = again.search(two[0] / "cats/01.png", top=None, radius=64)
        assert len(hits) == len(again)
        assert all(finding.ok for finding in again.verify())
        if step in STEPS[:2]:
            assert len(hits) == 45  # nothing has changed yet
        again.index(two[0], model=other_model, reindex=True)
    check(indexed.path, *two)


@pytest.mark.parametrize("step", STEPS)
def test_a_change_of_model_that_is_cut_off_can_be_gone_on_with(
    step: str, indexed: Database, two: tuple[Path, Path], other_model: Path, check: Check
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        extra = cut_at(step, patch)
        with pytest.raises(Cut):
            indexed.index(two[0], model=other_model, reindex=True, **extra)
    indexed.close()
    with Database.open(indexed.path) as again:
        for folder in two:
            again.index(folder)
    check(indexed.path, *two)


@pytest.mark.parametrize("step", STEPS)
def test_a_database_that_stays_open_after_a_failed_change_mixes_no_codes(
    step: str, indexed: Database, two: tuple[Path, Path], other_model: Path, check: Check
) -> None:
    indexed.search(two[0] / "cats/01.png")  # the first model is loaded
    with pytest.MonkeyPatch.context() as patch:
        extra = cut_at(step, patch)
        with pytest.raises(Cut):
            indexed.index(two[0], model=other_model, reindex=True, **extra)
    for folder in two:
        indexed.index(folder)
    check(indexed.path, *two)


def test_ctrl_c_while_reindexing_says_what_goes_on_and_it_does(
    indexed: Database, two: tuple[Path, Path], other_model: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lookalike.database.indexing.BATCH", 8)

    def stop(stage: str, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="the same command resumes there"):
        indexed.index(two[0], model=other_model, reindex=True, progress=stop)
    indexed.index(two[0], model=other_model, reindex=True)
    check(indexed.path, *two)


def test_an_open_database_does_not_search_with_the_former_model(
    indexed: Database, photo_folder: Path, other_model: Path
) -> None:
    with Database.open(indexed.path) as reader:
        reader.search(photo_folder / "cats/01.png")
        indexed.index(photo_folder, model=other_model, reindex=True)
        for ask in (lambda: reader.search(photo_folder / "cats/01.png"), lambda: reader.duplicates(radius=3)):
            with pytest.raises(DatabaseError, match="another model in the meantime; open it again"):
                ask()


def test_an_open_database_does_not_index_with_the_former_model(
    indexed: Database, photo_folder: Path, other_model: Path, tmp_path: Path, check: Check
) -> None:
    extra = tmp_path / "extra"
    extra.mkdir()
    (extra / "a.png").write_bytes((photo_folder / "cats/01.png").read_bytes() + b"\0")
    with Database.open(indexed.path) as writer:
        writer.search(photo_folder / "cats/01.png")
        indexed.index(photo_folder, model=other_model, reindex=True)
        try:
            writer.index(extra)
        except DatabaseError:
            indexed.index(extra)
    check(indexed.path, photo_folder, extra)


# A damaged or lost model


@pytest.mark.parametrize("damage", ["absent", "truncated", "empty", "another", "not a model"])
def test_a_damaged_model_is_reported_and_can_be_repaired(
    damage: str, indexed: Database, photo_folder: Path, model: Path, other_model: Path, check: Check
) -> None:
    spoil(indexed.folder / "model.onnx", damage, other_model)
    with Database.open(indexed.path) as database:
        with pytest.raises(LookalikeError, match=r"model\.onnx"):
            database.search(photo_folder / "cats/01.png")
        with pytest.raises(LookalikeError, match=r"model\.onnx"):
            database.info()
        findings = database.verify()
        assert [finding.what.split(":")[0] for finding in findings if not finding.ok] == ["model"]
    shutil.copy(model, indexed.folder / "model.onnx")
    check(indexed.path, photo_folder)


@pytest.mark.parametrize("damage", ["absent", "truncated", "another"])
@pytest.mark.parametrize("with_which", ["the same", "a new one"])
def test_a_damaged_model_is_mended_by_the_command_that_the_error_names(
    with_which: str, damage: str, indexed: Database, photo_folder: Path, model: Path, other_model: Path,
    make_model: MakeModel, check: Check,
) -> None:  # fmt: skip
    spoil(indexed.folder / "model.onnx", damage, other_model)
    with Database.open(indexed.path) as database:
        with pytest.raises(LookalikeError) as caught:
            database.search(photo_folder / "cats/01.png")
        assert "lookalike index IMAGES --model MODEL --reindex" in str(caught.value)
        new = model if with_which == "the same" else make_model(seed=8, bits=32)
        database.index(photo_folder, model=new, reindex=True)
    check(indexed.path, photo_folder)


def spoil(path: Path, damage: str, other: Path) -> None:
    if damage == "absent":
        path.unlink()
    elif damage == "another":
        shutil.copy(other, path)
    else:
        path.write_bytes({"truncated": path.read_bytes()[:5000], "empty": b"", "not a model": b"PNG"}[damage])


def test_originals_survive_a_change_of_model(indexed: Database, photo_folder: Path, other_model: Path) -> None:
    indexed.index(photo_folder, model=other_model, reindex=True, keep_originals=True)
    assert sum(1 for _ in originals.digests(indexed.folder)) == 40
