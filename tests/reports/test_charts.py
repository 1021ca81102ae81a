"""Charts are well-formed SVG with text descriptions."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from lookalike.reports import charts


def test_histogram_is_well_formed_and_its_areas_are_100_percent() -> None:
    same, different = (np.bincount(distances, minlength=65) for distances in ([0, 0, 1, 64], [30, 31, 31, 33]))
    svg = ElementTree.fromstring(charts.histogram(same, different, words='<b>&"'))
    assert svg.attrib["aria-label"] == '<b>&"'
    assert len(svg.findall("path")) == 2
    texts = [text.text for text in svg.iter("text")]
    assert {"0", "64", "% of pairs", "distance, bits"} <= set(texts)


def test_lines_of_one_epoch_and_of_many() -> None:
    for count in (1, 7):
        series = {"training": [(n, 900.0 / n) for n in range(1, count + 1)], "validation": [(1, 950.0)]}
        svg = ElementTree.fromstring(charts.lines(series, across="epoch", up="loss", words="falls"))
        assert len(svg.findall("circle")) == count + 1
        for point in svg.iter("circle"):
            assert 0 <= float(point.attrib["cx"]) <= charts.WIDTH
            assert 0 <= float(point.attrib["cy"]) <= charts.HEIGHT


def test_histogram_of_nothing() -> None:
    nothing = np.zeros(65, np.int64)
    assert ElementTree.fromstring(charts.histogram(nothing, nothing, words="nothing")) is not None


def test_names_of_files_cannot_turn_or_end_a_line() -> None:
    svg = charts.lines({"exe\u202egpj\x1b": [(1, 2.0)]}, across="a\u2028b", up="\udcff", words="\x00")
    assert svg.isprintable() or svg.replace("\n", "").isprintable()
    assert {r"exe\u202egpj\x1b", r"a\u2028b", r"\xff"} <= {one.text for one in ElementTree.fromstring(svg).iter("text")}
