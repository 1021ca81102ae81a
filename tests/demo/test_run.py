"""The whole demo on a few real photographs with very little training, and the page that it writes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.cli import main
from lookalike.core.errors import ConfigError, DataError, Interrupted, MissingExtra
from lookalike.database import Database
from lookalike.demo import edits, photos, report, run
from lookalike.demo.run import Outcome
from lookalike.imaging import decode

pytest.importorskip("torch")
pytest.importorskip("skimage")
pytest.importorskip("sklearn")
pytest.importorskip("imagehash")

ODD = '<b>&".jpg'


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def pictures(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == "img"]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four real photographs of a person, one with an odd name, and a file that is none."""
    folder = tmp_path_factory.mktemp("own")
    for name, new in (("chelsea", ODD), ("coffee", "coffee.jpg"), ("rocket", "rocket.jpg"), ("camera", "camera.jpg")):
        (source,) = (photos.packages_folder("skimage") / "data").glob(f"{name}.*")
        picture = Image.open(source).convert("RGB")
        picture.thumbnail((160, 160))
        picture.save(folder / new, "JPEG")
    (folder / "broken <i>.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    return folder


@pytest.fixture(scope="module")
def outcome(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "TRAINING_IMAGES", 16)
        return run.run(own, out=tmp_path_factory.mktemp("out") / "demo", visits=300)


@pytest.fixture(scope="module")
def source(outcome: Outcome) -> str:
    return outcome.report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_everything_is_counted(outcome: Outcome) -> None:
    assert len(outcome.collection.photos) == 4
    assert len(outcome.copies) == 4 * len(edits.EDITS)
    assert all(copy.path.exists() and copy.path.parent.name == copy.edit for copy in outcome.copies)
    assert [method.name for method in outcome.methods][:2] == ["this model", "pHash"]
    for method in outcome.methods:
        assert method.distances.shape == (len(outcome.copies), len(outcome.collection.pictures))
        assert method.bits == 64


def test_distances_are_those_that_a_search_says(outcome: Outcome) -> None:
    paths = [os.path.abspath(picture.path) for picture in outcome.collection.pictures]
    with Database.open(outcome.folder / "db") as database:
        assert len(database) == len(paths)
        for row, copy in enumerate(outcome.copies[::5]):
            hits = database.search(copy.path, top=len(paths))
            own_row = dict(zip(paths, outcome.methods[0].distances[5 * row].tolist(), strict=True))
            assert {hit.path: hit.distance for hit in hits} == own_row
            assert [hit.path for hit in outcome.hits[5 * row]] == [hit.path for hit in hits[: run.TOP]]


def test_summary_is_three_lines(outcome: Outcome) -> None:
    first, second, third = run.summary(outcome)
    assert "4 photographs (1 file could not be read)" in first
    assert f"{outcome.collection.distractors} distractors, 32 manipulated copies" in first
    assert f"{outcome.methods[0].first.mean():.1%}" in second
    assert f"pHash on the same files: {outcome.methods[1].first.mean():.1%}" in second
    assert third == f"report: {outcome.report}"


def test_every_share_stands_on_the_page(outcome: Outcome, page: Page) -> None:
    words = set(page.words)
    for method in outcome.methods:
        assert f"{method.first.mean():.1%}" in words
        for edit in edits.EDITS:
            rows = [row for row, copy in enumerate(outcome.copies) if copy.edit == edit]
            assert f"{method.first[rows].mean():.1%}" in words
    assert f"{1 / len(outcome.collection.pictures):.1%}" in words


def test_other_figures_stand_on_the_page(outcome: Outcome, page: Page) -> None:
    words = " ".join(page.words)
    assert f"Seed {outcome.seed}" in words
    assert f"{outcome.versions['torch']}" in words
    assert f"{outcome.trained.history[-1].validation['total']:.0f}" in words
    for row in range(4):
        scaled_SS = report.min_max(outcome.arrays)[row]
        assert f"{np.mean((scaled_SS - outcome.reconstructions[row]) ** 2):.4f}" in page.words


def test_scaling_is_the_models_own(outcome: Outcome) -> None:
    import torch

    from lookalike.models.blocks import MinMax

    flat = np.zeros_like(outcome.arrays[:1])
    for arrays in (outcome.arrays, flat):
        assert report.min_max(arrays) == pytest.approx(MinMax()(torch.tensor(arrays)).squeeze(1).numpy(), abs=1e-6)


def test_names_are_escaped(page: Page, source: str) -> None:
    assert any(ODD in (picture["alt"] or "") for picture in page.pictures())
    assert "broken <i>.jpg" in " ".join(page.words)
    assert "<i>" not in source
    assert ODD not in source


def test_the_page_needs_nothing_else(page: Page, source: str) -> None:
    assert not re.search(r"(https?:)?//[a-z]", source.split("<body>")[0] + " ".join(page.words))
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "base"}
        for name in ("src", "href", "srcset", "action", "style", "data"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert "url(" not in source
    assert len(source) < 5_000_000


def test_every_picture_has_words_and_a_size(page: Page) -> None:
    assert len(page.pictures()) > 40
    for picture in page.pictures():
        assert picture["alt"]
        assert picture["width"]
        assert picture["height"]
    assert all(attributes["aria-label"] for tag, attributes in page.tags if tag == "svg")


def test_a_picture_on_the_page_is_the_file(outcome: Outcome, page: Page) -> None:
    import base64

    shown = next(one for one in page.pictures() if one["alt"] == f"the photograph {ODD}")
    pixels = decode.thumbnail(base64.b64decode((shown["src"] or "").partition(",")[2]), 64)
    wanted = decode.thumbnail(outcome.collection.photos[0].path.read_bytes(), 64)
    assert outcome.collection.photos[0].name == ODD
    assert np.abs(np.asarray(pixels, float) - np.asarray(wanted, float)).mean() < 5


def test_misses_come_worst_first_and_all_of_them_are_misses(outcome: Outcome) -> None:
    missed, found = report.chosen(outcome)
    model = outcome.methods[0]
    ranks = [model.rank[row] for row in missed]
    assert ranks == sorted(ranks, reverse=True)
    assert all(model.first[row] < 1 for row in missed)
    assert all(model.first[row] == 1 for row in found)
    assert len(missed) == min(report.ROWS, int((model.first < 1).sum()))
    assert len(found) <= len(edits.EDITS)


def test_a_page_without_misses_and_one_without_hits(outcome: Outcome) -> None:
    model, *others = outcome.methods
    perfect, hopeless = (np.full_like(model.distances, value) for value in (1, 0))
    rows = np.arange(len(model.right))
    perfect[rows, model.right], hopeless[rows, model.right] = 0, 1
    pages = [
        report.page(replace(outcome, methods=[replace(model, distances=distances), *others]))
        for distances in (perfect, hopeless)
    ]
    assert "every original came first" in pages[0]
    assert "100.0% of 32 manipulated copies" in pages[0]
    assert "no original came first alone" in pages[1]


def test_training_that_was_cut_short_is_said_to_be(outcome: Outcome, source: str) -> None:
    cut = report.page(replace(outcome, planned_epochs=outcome.trained.info.epochs + 7))
    assert f"was up in epoch {outcome.trained.info.epochs} of {outcome.trained.info.epochs + 7}" in cut
    assert "was up in epoch" not in source


def test_a_second_run_replaces_the_first_and_leaves_other_files(
    own: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    (outcome.folder / "mine.txt").write_text("keep me")
    kept = {name: (outcome.folder / name).exists() for name in run.WRITTEN}
    assert kept == dict.fromkeys(run.WRITTEN, True)
    run._make_way(outcome.folder)
    assert sorted(path.name for path in outcome.folder.iterdir()) == [run.MARK, "mine.txt"]


def test_a_folder_of_someone_else_is_left_alone(own: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "dear.jpg").write_text("dear")
    with pytest.raises(
        ConfigError, match="is not empty and was not made by this command; name a new folder with --out"
    ):
        run.run(own, out=tmp_path)
    assert (tmp_path / "photos" / "dear.jpg").read_text() == "dear"


def test_where_the_demo_writes_nothing_is_read(own: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name another folder with --out"):
        run.run(own, out=own)
    with pytest.raises(ConfigError, match="is a file"):
        run.run(own, out=own / "coffee.jpg")
    demo = tmp_path / "demo"
    (demo / "photos").mkdir(parents=True)
    (demo / "photos" / "old.jpg").write_bytes((own / "coffee.jpg").read_bytes())
    with pytest.raises(DataError, match="holds nothing but"):
        run._own(tmp_path, demo)
    (tmp_path / "new.jpg").write_bytes((own / "coffee.jpg").read_bytes())
    assert [item.path for item in run._own(tmp_path, demo)] == ["new.jpg"]


def test_absent_images_do_not_touch_an_earlier_demo(tmp_path: Path) -> None:
    (tmp_path / run.MARK).touch()
    (tmp_path / "report.html").write_text("earlier")
    with pytest.raises(DataError, match="does not exist"):
        run.run(tmp_path.parent / "none", out=tmp_path)
    assert (tmp_path / "report.html").read_text() == "earlier"


def test_ctrl_c_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(photos, "gather", stop)
    with pytest.raises(Interrupted, match="the same command begins anew"):
        run.run(out=tmp_path / "demo")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "find_spec", lambda name: None if name == "imagehash" else name)
    with pytest.raises(MissingExtra, match=r"needs imagehash.*pip install 'lookalike\[demo\]'"):
        run.run(out=tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


def test_the_command_prints_three_lines(
    outcome: Outcome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "run", lambda *_, **__: outcome)
    monkeypatch.setattr(sys, "argv", ["lookalike", "demo", "--out", "somewhere"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert not stopped.value.code
    assert capsys.readouterr() == ("\n".join(run.summary(outcome)) + "\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"), [(["none"], "none does not exist"), (["--out", "file"], "file is a file; name a folder")]
)
def test_errors_of_the_command_are_one_line(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").touch()
    monkeypatch.setattr(sys, "argv", ["lookalike", "demo", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    out, err = capsys.readouterr()
    assert (stopped.value.code, out, len(err.splitlines())) == (1, "", 1)
    assert said in err


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'skimage', 'sklearn', 'imagehash', 'scipy', 'pyarrow'}"
    script = f"import sys, lookalike.demo.run, lookalike.demo.report; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
