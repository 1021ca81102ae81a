"""Bombs and malformed files on the command line: an answer, with less than a gigabyte and ten seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lookalike.core.errors import ImageError
from lookalike.imaging.decode import ImageSpec
from lookalike.imaging.isolation import work
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.imaging.isolation.pool import Pool
from tests.imaging.isolation import malformed
from tests.imaging.isolation.bombs import BOMBS, progressive_jpeg, slow_jpeg, sparse
from tests.imaging.isolation.processes import resident_of_all

SECONDS, MEMORY = 10.0, 1_000_000_000
DECODED = {  # harmless if read with care
    "jpeg-claim.jpg", "jpeg-exif.jpg", "png-many-texts.png", "large.jp2", "claim.jp2", "claim.j2k",
}  # fmt: skip


class Run(NamedTuple):
    report: dict[str, Any]
    peak: int  # bytes


def index(source: Path, db: Path) -> Run:
    """The result of indexing with two workers on the command line."""
    given = [os.fspath(source), "--db", os.fspath(db), "--workers", "2", "--json"]
    peak = 0
    with tempfile.TemporaryFile() as out:  # a pipe would be full before it is read
        with subprocess.Popen([sys.executable, "-m", "lookalike", "index", *given], stdout=out) as process:
            while process.poll() is None:
                peak = max(peak, resident_of_all(process.pid))
                time.sleep(0.01)
        assert process.returncode == 0
        out.seek(0)
        return Run(json.loads(out.read()), peak)


def check(report: dict[str, Any]) -> None:
    """Each file is accounted for."""
    counted = sum(report[name] for name in ("encoded", "copied", "moved", "unchanged", "failed"))
    assert report["found"] == counted
    assert len(report["problems"]) == report["failed"]
    assert all(reason for _, reason in report["problems"])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb(name: str, tmp_path: Path) -> None:
    if name.endswith(".jxl"):
        pytest.importorskip("imagecodecs")
    (tmp_path / "f").mkdir()
    BOMBS[name](tmp_path / "f" / name)
    run = index(tmp_path / "f", tmp_path / "db")
    check(run.report)
    assert run.report["found"] == 1
    assert run.report["encoded"] == (name in DECODED), run.report
    assert run.report["seconds"] < SECONDS
    assert run.peak < MEMORY


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_several_bombs_at_once(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    for name in ("png-rgb.png", "png-rgba.png", "tiff-16-bit.tif", "ppm-claim.ppm", "webp-frames.webp"):
        BOMBS[name](tmp_path / "f" / name)
    run = index(tmp_path / "f", tmp_path / "db")
    check(run.report)
    assert run.report["failed"] == 5
    assert run.peak < MEMORY


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_three_thousand_malformed_files(shared_data: Path, tmp_path: Path) -> None:
    if not all((shared_data / archive).exists() for archive in malformed.ARCHIVES):
        pytest.skip("the archives of malformed files are absent")
    (tmp_path / "f").mkdir()
    count = malformed.make(tmp_path / "f", shared_data, 3000)
    run = index(tmp_path / "f", tmp_path / "db")
    check(run.report)
    assert run.report["found"] == count
    assert run.report["encoded"] > 500
    assert run.peak < MEMORY


@pytest.mark.slow
def test_no_malformed_file_takes_long(shared_data: Path, tmp_path: Path) -> None:
    if not all((shared_data / archive).exists() for archive in malformed.ARCHIVES):
        pytest.skip("the archives of malformed files are absent")
    malformed.make(tmp_path, shared_data, 3000)
    slowest = 0.0
    with Pool(DecodeLimits(), workers=1) as decoders:
        for path in tmp_path.iterdir():
            began = time.monotonic()
            with suppress(ImageError), decoders.opened(path) as image:
                image.array(ImageSpec())
            slowest = max(slowest, time.monotonic() - began)
    assert slowest < SECONDS


def test_very_many_scans_are_seen_without_a_decoder(tmp_path: Path) -> None:
    progressive_jpeg(tmp_path / "a.jpg", side=4000, scans=500)
    with pytest.raises(ImageError, match=r"50\d scans"):
        work._check_work((tmp_path / "a.jpg").read_bytes())
    progressive_jpeg(tmp_path / "a.jpg", side=500, scans=500)  # odd, but soon done
    work._check_work((tmp_path / "a.jpg").read_bytes())


def test_a_large_jpeg_without_a_picture_is_not_looked_through(tmp_path: Path) -> None:
    sparse(tmp_path / "a.jpg", start=b"\xff\xd8\xff\xe0", size=2_000_000)
    with pytest.raises(ImageError, match="no picture in 2 MB"):
        work._check_work((tmp_path / "a.jpg").read_bytes())


@pytest.mark.slow
def test_a_slow_bomb_is_not_seen_without_a_decoder(tmp_path: Path) -> None:
    slow_jpeg(tmp_path / "a.jpg")
    work._check_work((tmp_path / "a.jpg").read_bytes())
