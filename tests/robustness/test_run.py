"""A whole run against plain counting: recall and rates; guards, and what the page and the result hold."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike import data
from lookalike.core.errors import ConfigError, DataError, Interrupted
from lookalike.imaging.decode import Array
from lookalike.imaging.edits.catalogue import perturb
from lookalike.robustness import originals, peers
from lookalike.robustness import report as results
from lookalike.robustness.peers import Peer, Row
from lookalike.robustness.run import RATES, RobustnessOptions, RobustnessResult, run
from tests.robustness.test_originals import GRID

ROOT = Path(__file__).resolve().parents[2]
EDITS = ("none", "jpeg", "crop", "mirror")
README_EDITS = (
    "jpeg 20", "crop 0.25", "rotate 15", "mirror 1", "caption 0.2", "text 0.1", "collage 0.5",
)  # fmt: skip
README_ROWS = {
    "`lookalike duplicates`": "default, verified", "its codes alone, 8 bytes": "default",
    "pHash, 8 bytes": "phash-64", "PDQ, 32 bytes": "pdq", "PhotoDNA, 144 bytes": "photodna",
}  # fmt: skip


def meaningless(pixels_HW3: Array) -> Array:
    """64 bits that have nothing to do with what is seen."""
    return np.random.default_rng(list(pixels_HW3.tobytes()[:4000])).integers(0, 256, 8, np.uint8)


def thumb(pixels_HW3: Array) -> Row:
    small = np.asarray(Image.fromarray(pixels_HW3).resize((4, 4), Image.Resampling.BOX), float)
    return peers._unit((small - small.mean()).ravel())


MEANINGLESS = Peer(name="meaningless", measure=peers.hamming(64), note="", encode=meaningless)
VECTORS = Peer(name="vectors", measure=peers.COSINE, note="16 means of colour", encode=thumb, versions={"thumb": "1"})
PEERS = [GRID, VECTORS, MEANINGLESS]


@pytest.fixture(scope="module")
def album(pictures: list[Image.Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("album") / "<b>&"
    for number, picture in enumerate(pictures):
        path = folder / ("cats" if number % 2 else "dogs") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    pictures[0].save(folder / "again.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no")
    return folder


def measured(album: Path, **options: Any) -> RobustnessResult:
    values = {"edits": EDITS, "queries": 10, "seed": 1, "workers": 2, **options}
    same = values.pop("same", ())
    return run(data.find(album), PEERS, settings=RobustnessOptions(**values), same=same)


@pytest.fixture(scope="module")
def outcome(album: Path) -> RobustnessResult:
    return measured(album)


def test_every_figure_is_what_counting_one_by_one_gives(album: Path, outcome: RobustnessResult) -> None:
    items = outcome.originals.items
    pixels = [originals.pixels(item) for item in items]
    assert len(items) == 40
    for peer, method in zip(PEERS, outcome.methods, strict=True):
        codes = [peer.encode(one) for one in pixels]

        def distance(one: Row, other: Row, bits: int = peer.measure.bits) -> int:
            if not bits:
                return max(0, round(1000 * (1 - float(one @ other))))
            return sum(bin(int(a) ^ int(b)).count("1") for a, b in zip(one, other, strict=True))

        different = [distance(codes[a], codes[b]) for a in range(40) for b in range(a + 1, 40)]
        for threshold, rate in zip(method.thresholds, RATES, strict=True):
            assert threshold.pairs == len(different) == 780
            assert sum(d <= threshold.distance for d in different) == threshold.false <= rate * 780
        for at, variant in enumerate(outcome.variants[:3]):
            own = []
            for row in outcome.edited:
                seed = outcome.originals.seeds[row] ^ 1
                own.append(distance(peer.encode(perturb(pixels[row], *variant, seed=seed)), codes[row]))
            assert method.own_QV[:, at].tolist() == own
            for rate, threshold in enumerate(method.thresholds):
                assert method.recall(rate)[at].value == sum(d <= threshold.distance for d in own) / 10


def test_unchanged_copies_are_always_found(outcome: RobustnessResult) -> None:
    assert outcome.variants[0].edit == "none"
    for method in outcome.methods:
        assert method.recall(0)[0].value == 1
        assert not method.own_QV[:, 0].any()


def test_codes_without_meaning_have_chance(album: Path) -> None:
    found = measured(album, queries=40, edits=("jpeg", "crop", "mirror"))
    meaningless_ = found.methods[2]
    assert results._Column("", meaningless_.recall(0)).mean(found.variants) < 0.01
    assert meaningless_.own_QV.mean() == pytest.approx(32, abs=1.5)


def test_better_codes_have_better_figures(outcome: RobustnessResult) -> None:
    grid_, vectors, meaningless_ = (column.mean(outcome.variants) for column in results.columns(outcome))
    assert min(grid_, vectors) > meaningless_ + 0.3


def test_the_result_is_the_same_every_time_and_knows_no_machine(album: Path, outcome: RobustnessResult) -> None:
    one = json.dumps(results.values(outcome))
    assert one == json.dumps(results.values(measured(album, workers=1)))
    assert one != json.dumps(results.values(measured(album, seed=2)))
    assert str(album.parent) not in one
    found = json.loads(one)
    assert (found["images"], found["edited"], found["unreadable"], found["seed"]) == (40, 10, 1, 1)
    assert len(found["repeated"]) == 1
    assert found["versions"]["thumb"] == "1"
    method = found["methods"][0]
    assert [len(method[name]) for name in ("thresholds", "recall", "copies")] == [3, 3, 1 + 7 + 7 + 1]
    assert method["copies"][1]["recall"] == [round(outcome.methods[0].recall(rate)[1].value, 6) for rate in range(3)]
    assert found["verified"] is None  # the first method is no model


def test_pairs_that_are_the_same_picture_count_neither_way(album: Path, outcome: RobustnessResult) -> None:
    names = outcome.originals.names
    pair = outcome.methods[0].closest[0]
    found = measured(album, same=[(names[pair.second], names[pair.first]), (names[3], names[3])])
    assert found.same == [(pair.first, pair.second)]
    assert found.methods[0].thresholds[0].pairs == 779
    assert found.methods[0].closest == outcome.methods[0].closest[1:] + found.methods[0].closest[-1:]
    with pytest.raises(DataError, match=r"'dogs/absent\.png' is said to be the same"):
        measured(album, same=[(names[0], "dogs/absent.png")])


def test_what_cannot_be_measured_is_refused(album: Path, tmp_path: Path) -> None:
    for number in range(5):
        Image.new("RGB", (9, 9), (number, 0, 0)).save(tmp_path / f"{number}.png")
    with pytest.raises(DataError, match="5 different images are too few to measure thresholds on; 20 are the least"):
        measured(tmp_path)
    with pytest.raises(ConfigError, match="queries is 0"):
        measured(album, queries=0)
    with pytest.raises(ConfigError, match="verified is -1"):
        measured(album, verified=-1)
    with pytest.raises(ConfigError, match="unknown edit 'swirl'"):
        measured(album, edits=("swirl",))
    with pytest.raises(ConfigError, match="grid is named twice"):
        run(data.find(album), [GRID, GRID])
    with pytest.raises(ConfigError, match="nothing to measure"):
        run(data.find(album), [])


def test_ctrl_c_ends_it_at_once(album: Path) -> None:
    seen = []

    def stop(what: str, done: int, total: int | None) -> None:
        seen.append((what, done, total))
        if what == "copies":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="nothing was written"):
        run(data.find(album), [GRID], settings=RobustnessOptions(edits=("none", "flip"), workers=1), progress=stop)
    assert seen[-2:] == [("originals", 42, 42), ("copies", 2, 80)]


def test_the_worst_misses_are_the_furthest_at_the_mildest_strength_that_misses(outcome: RobustnessResult) -> None:
    first = replace(outcome, methods=outcome.methods[2:])
    found = results._worst(first)
    assert [outcome.variants[at] for _, at in found] == [("jpeg", 95), ("crop", 0.02), ("mirror", 1)]
    for row, at in found:
        own_Q = first.methods[0].own_QV[:, at]
        assert own_Q[outcome.edited.index(row)] == own_Q.max()


def test_the_page_holds_all_and_fetches_nothing(outcome: RobustnessResult, tmp_path: Path) -> None:
    path = results.write(outcome, tmp_path / "out")
    page = path.read_text()
    for forbidden in ("<script", "http://", "https://", "<link", "url("):
        assert forbidden not in page
    assert "prefers-color-scheme: dark" in page
    first = results.columns(outcome)[0]
    assert f"grid: {first.mean(outcome.variants):.1%} of edited copies found, at 1 in 10,000 false pairs" in page
    for edit in ("crop", "jpeg"):
        assert page.count(f'aria-label="{edit}: recall') == 1
    for text in ("vectors", "meaningless", "780 pairs of different images are too few", "16 means of colour"):
        assert text in page
    assert "could not be read: 1: broken.jpg: " in page
    assert page.count("data:image/jpeg;base64,") >= 2 * len(results._worst(outcome))
    for variant, share in zip(outcome.variants, first.shares_V, strict=True):
        assert f"{share.value:.3f}</td>" in page
        assert f"<b>{variant.edit}</b> {variant.words}" in page
    assert json.loads((path.parent / "result.json").read_text()) == results.values(outcome)
    assert (path.parent / "suspected.tsv").read_text().count("\n") == len(outcome.suspected)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file; name a folder with --out"):
        results.check(tmp_path / "file")


def test_the_documented_figures_are_those_of_the_record() -> None:
    recall = json.loads((ROOT / "benchmarks/results/peers.json").read_text())["recall"]
    page = (ROOT / "docs/robustness.md").read_text()
    ((head, body),) = re.findall(r"^\| copy \| (.*) \|\n\|[-|]+\|\n((?:\|.*\|\n)+)", page, re.M)
    methods = [method.strip("`") for method in head.split(" | ")]
    rows = [row.strip("| ").split(" | ") for row in body.splitlines()]
    assert {edit: figures for edit, *figures in rows} == {
        edit: [f"{shares[method]:.3f}" for method in methods] for edit, shares in recall.items()
    }
    readme = (ROOT / "README.md").read_text()
    for name, method in README_ROWS.items():
        figures = [f"{recall[edit][method]:.2f}".removeprefix("0") for edit in README_EDITS]
        assert f"| {name} | {' | '.join(figures)} |" in readme
