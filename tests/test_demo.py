"""The whole demo on a few real photographs with very little training, and its report."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lookalike import demo
from lookalike.core.errors import ConfigError, DataError, Interrupted, MissingExtra
from lookalike.database import Database

pytest.importorskip("torch")
pytest.importorskip("skimage")

ODD = '<b>&".jpg'


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three real photographs of a person, one with an odd name, one with a copy, and a file that is no image."""
    folder = tmp_path_factory.mktemp("own")
    packaged = dict(demo._packaged())
    for name, new in (("chelsea.png", ODD), ("coffee.png", "coffee.png"), ("coffee.png", "coffee again.png"),
                      ("rocket.jpg", "rocket.jpg")):  # fmt: skip
        (folder / new).write_bytes(packaged[name]())
    (folder / "broken <i>.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    return folder


@pytest.fixture(scope="module")
def outcome(own: Path, tmp_path_factory: pytest.TempPathFactory) -> demo.DemoResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "PARTS", 30)
        return demo.run(own, out=tmp_path_factory.mktemp("out") / "demo", visits=33)


@pytest.mark.slow
def test_everything_is_there(outcome: demo.DemoResult) -> None:
    assert len(outcome.photos) == 3
    assert [name for name, _ in outcome.skipped] == ["broken <i>.jpg"]
    assert len(outcome.searches) == 3 * len(demo.EDITS)
    with Database.open(outcome.folder / "photos.db") as database:
        assert len(database) == 33
    assert list(outcome.first) == ["lookalike search", "its codes alone", "pHash", "PDQ", "CSVAE's codes"]
    assert not {path.name for path in outcome.folder.iterdir()} - {demo.MARK, *demo.FOLDERS, *demo.FILES}


@pytest.mark.slow
def test_the_share_is_of_photographs_that_come_first(outcome: demo.DemoResult) -> None:
    firsts = [
        Path(hits[0].path).name == photo.name
        for (_, photo, _), hits in zip(outcome.searches, outcome.hits, strict=True)
    ]
    assert outcome.share(demo.OURS) == pytest.approx(sum(firsts) / len(firsts))
    assert outcome.share(demo.OURS, "jpeg") == outcome.share("pHash", "jpeg") == 1
    assert outcome.share(demo.OURS) > outcome.share("pHash")
    first, second, third = demo.summary(outcome)
    assert first == f"3 photographs (1 unreadable), {3 * len(demo.EDITS)} edited copies"
    assert second.startswith(f"photograph found first: {outcome.share(demo.OURS):.1%} lookalike search, ")
    assert third == f"report: {outcome.report}"


@pytest.mark.slow
def test_the_report_leads_with_the_built_in_model_and_needs_nothing_else(outcome: demo.DemoResult) -> None:
    page = outcome.report.read_text(encoding="utf-8")
    assert f"<h1>{outcome.share(demo.OURS):.1%} of {len(outcome.searches)} edited copies found</h1>" in page
    assert "broken &lt;i&gt;.jpg" in page
    assert "<script" not in page
    assert not re.search(r"(src|href)=.(?!data:image/jpeg;base64,)", page)
    assert page.count('class="right"') >= 1


def test_packaged_photographs() -> None:
    assert 15 <= len(demo._packaged()) <= len(demo.PHOTOGRAPHS)


def test_folders_that_are_not_its_own_stay(tmp_path: Path, own: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    (tmp_path / "file").touch()
    for out, said in (("mine", "is not empty and not an earlier demo"), ("file", "is a file")):
        with pytest.raises(ConfigError, match=said):
            demo.run(own, out=tmp_path / out)
    with pytest.raises(ConfigError, match="where the demo writes"):
        demo.run(own, out=own)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
    made = tmp_path / "made"
    demo._prepare(made)
    (made / "photos").mkdir()
    (made / "notes.txt").write_text("mine")
    demo._prepare(made)
    assert {path.name for path in made.iterdir()} == {demo.MARK, "notes.txt"}


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(DataError, match=r"none of the 1 files is a readable image; the first: broken\.png"):
        demo.run(tmp_path / "images", out=tmp_path / "demo")
    monkeypatch.setattr(demo, "NEEDED", ("no_such_package",))
    with pytest.raises(MissingExtra, match="The demo needs no_such_package"):
        demo.run(out=tmp_path / "demo")


def test_ctrl_c_is_one_sentence(tmp_path: Path, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_edited", stop)
    with pytest.raises(Interrupted, match="the same command starts over"):
        demo.run(own, out=tmp_path / "demo")
