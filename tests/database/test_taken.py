"""When images were taken, and hits of a period."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from lookalike.core.errors import ConfigError
from lookalike.database import Database, taken
from lookalike.database.search import Found
from lookalike.imaging.isolation.decoders import Direct
from lookalike.imaging.isolation.limits import DecodeLimits
from tests.conftest import encoded

DECODERS = Direct(DecodeLimits())


def exif(date: str) -> Image.Exif:
    """EXIF data with this date."""
    made = Image.Exif()
    made[0x0132] = date
    return made


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("2024", "2024-12-31 23:59:59", "2025-01-01 00:00:00"),
        ("2024-05..2024-06", "2024-06-30 12:00:00", "2024-07-01 00:00:00"),
        ("2024-05-02..", "2031-01-01 00:00:00", "2024-05-01 23:59:59"),
        ("..2024-05-02T10", "2024-05-02 10:59:00", "2024-05-02 11:00:00"),
    ],
)
def test_both_ends_of_a_period_are_in_it(text: str, inside: str, outside: str) -> None:
    period = taken.period(text)
    assert period.holds(inside)
    assert not period.holds(outside)
    assert not period.holds("")


@pytest.mark.parametrize(
    "text", ["", "..", "yesterday", "2024-13", "05.2024", "2024-06..2024-05", "2024..2023-12", "2024-5"]
)
def test_what_is_not_a_period_is_refused(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"--taken is '.*', *(which ends before|expected)|; expected dates such as 2024"
    ):
        taken.period(text)


@pytest.fixture
def dated(db: Database, tmp_path: Path, pictures: list[Image.Image]) -> Database:
    """Copies of one picture: one with a date in its metadata, others with that of the file."""
    folder = tmp_path / "dated"
    folder.mkdir()
    pictures[0].save(folder / "a.jpg", exif=exif("2019:07:01 10:00:00"))
    for year in range(2001, 2013):
        path = folder / f"{year}.png"
        path.write_bytes(encoded(pictures[0], "png") + bytes(year))
        os.utime(path, (0, (year - 1970) * 365.25 * 86400 + 86400 * 100))
    db.index(folder)
    return db


def test_metadata_count_and_else_the_time_of_the_file(dated: Database) -> None:
    found = {os.path.basename(record.name): taken.of(record, DECODERS) for record in dated.records()}
    assert found["a.jpg"] == ("2019-07-01 10:00:00", "metadata")
    assert found["2005.png"].by == "file time"
    assert found["2005.png"].at.startswith("2005-04")


def test_a_file_out_of_reach_has_the_time_that_was_recorded(dated: Database, tmp_path: Path) -> None:
    (tmp_path / "dated").rename(tmp_path / "away")
    found = {os.path.basename(record.name): taken.of(record, DECODERS) for record in dated.records()}
    assert found["2005.png"].at.startswith("2005-04")
    assert found["a.jpg"].by == "file time"


def test_hits_beyond_the_first_are_examined_until_enough_fit(dated: Database, tmp_path: Path) -> None:
    query = tmp_path / "dated" / "a.jpg"
    asked: list[int] = []

    def find(top: int) -> Found:
        asked.append(top)
        hits = dated.search(query, top=top)
        return Found(hits, dated.records_of([hit.id for hit in hits]))

    found, times = taken.within(taken.period("2012"), find, DECODERS, top=1)
    assert [os.path.basename(hit.path) for hit in found.hits] == ["2012.png"]
    assert times[found.hits[0].id].by == "file time"
    assert asked == [40]
    assert not taken.within(taken.period("1999"), find, DECODERS, top=3)[0].hits
    assert taken.within(None, find, DECODERS, top=3)[1] == {}
