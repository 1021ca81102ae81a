"""What the product says of copies and of different images, against `duplicates` itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike import Database, data
from lookalike.core.errors import Interrupted
from lookalike.imaging.edits.catalogue import perturb
from lookalike.metrics.intervals import rate_bound
from lookalike.robustness import originals, peers, product, report
from lookalike.robustness.product import BLANK, COPIES, NOT_PROPOSED, Answers
from lookalike.robustness.run import RobustnessOptions, RobustnessResult, run
from tests.duplicates.test_verification import photograph

EDITS = ("jpeg 20", "crop 0.25", "mirror 1", "collage 0.5", "crop 0.9")
TWICE, SAME = ("03.png", "03-again.png"), ("05.png", "05-again.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """17 pictures, two of them twice, and a plain one."""
    found = tmp_path_factory.mktemp("album")
    for seed in range(17):
        photograph(seed).save(found / f"{seed:02}.png")
    for name, again in (TWICE, SAME):
        Image.fromarray(perturb(np.asarray(Image.open(found / name)), "crop", 0.1)).save(found / again)
    Image.new("RGB", (320, 240), (200, 210, 220)).save(found / "plain.png")
    return found


@pytest.fixture(scope="module")
def outcome(folder: Path) -> RobustnessResult:
    settings = RobustnessOptions(edits=EDITS, queries=5, verified=26, workers=2)
    return run(data.find(folder), [peers.find("default")], settings=settings, same=[SAME])


@pytest.fixture(scope="module")
def answers(outcome: RobustnessResult) -> Answers:
    assert outcome.answers is not None
    return outcome.answers


def test_copies_are_found_as_duplicates_finds_them(outcome: RobustnessResult, answers: Answers, tmp_path: Path) -> None:
    assert list(answers.said) == outcome.edited  # 26 copies are enough for all five images
    expected = {}
    for row, said_V in answers.said.items():
        name = outcome.originals.names[row]
        pixels_HW3, seed = originals.pixels(outcome.originals.items[row]), outcome.originals.seeds[row]
        Image.fromarray(pixels_HW3).save(tmp_path / name)
        for at, variant in enumerate(outcome.variants):
            Image.fromarray(perturb(pixels_HW3, *variant, seed=seed)).save(tmp_path / f"{at} of {name}")
        expected[name] = {name, *(f"{at} of {name}" for at, said in enumerate(said_V) if said in COPIES)}
    with Database.create(tmp_path / "db") as database:
        database.index(tmp_path)
        groups = [{Path(image.path).name for image in group} for group in database.duplicates()]
    del expected["plain.png"]  # some of its copies have the same bytes
    for name, group in expected.items():
        assert 3 <= len(group) <= 5
        assert group in groups, name


def test_plain_images_are_not_compared_by_code(outcome: RobustnessResult, answers: Answers) -> None:
    said = answers.said[outcome.originals.names.index("plain.png")]
    assert {*said} <= {BLANK, NOT_PROPOSED}


def test_different_images_called_copies_are_counted_and_suspected(outcome: RobustnessResult, answers: Answers) -> None:
    names = outcome.originals.names
    assert [{names[first], names[second]} for first, second in answers.false] == [{*TWICE}]
    assert answers.false[0] in outcome.suspected
    assert answers.pairs == 20 * 19 // 2 - 1
    assert answers.proposed >= 1
    assert answers.bound == rate_bound(1, answers.pairs)


def test_the_product_comes_first_in_the_report_and_the_result(
    outcome: RobustnessResult, answers: Answers, tmp_path: Path
) -> None:
    assert [column.name for column in report.columns(outcome)] == ["default, verified", "default"]
    page = report.write(outcome, tmp_path / "out").read_text()
    assert "1 of 189 pairs of different images called copies" in page
    for row, at in report._worst(outcome):
        assert f"default, verified: {answers.said[row][at]}" in page
    found = json.loads((tmp_path / "out/result.json").read_text())["verified"]
    assert (found["edited"], found["pairs"], found["proposed"]) == (5, 189, answers.proposed)
    assert [set(pair) for pair in found["false"]] == [{*TWICE}]
    for at, copy in enumerate(found["copies"]):
        assert copy["recall"] == answers.recall(at).value
        assert sum(copy["missed"].values()) == 5 - answers.recall(at).found


def test_few_copies_are_spread_over_the_edited_images(
    folder: Path, outcome: RobustnessResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(product, "answers", lambda hasher, name, found, edited, *_, **__: asked.append(edited))
    for verified in (0, 11, 1):
        settings = replace(outcome.settings, verified=verified)
        assert run(data.find(folder), [peers.find("default")], settings=settings).answers is None
    assert asked == [[outcome.edited[0], outcome.edited[2]], outcome.edited[:1]]


def test_ctrl_c_ends_verification_at_once(folder: Path) -> None:
    def stop(what: str, done: int, total: int | None) -> None:
        if what == "encoding variants":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="nothing was written"):
        run(
            data.find(folder), [peers.find("default")], progress=stop,
            settings=RobustnessOptions(edits=("none",), queries=2, workers=1),
        )  # fmt: skip
