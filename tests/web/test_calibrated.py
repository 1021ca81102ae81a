"""A server says what a calibration found, also one that is made while it runs."""

from __future__ import annotations

from pathlib import Path

from lookalike.database import Database, calibrating
from tests.web.conftest import Serve

FEW = calibrating.Settings(rate=0.01, edited=3)


def test_words_and_limits_follow_a_calibration(photo_folder: Path, model: Path, tmp_path: Path, serve: Serve) -> None:
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(photo_folder)
        with serve(tmp_path / "db") as served:
            before = served.client.get("/api/info").json()
            assert (before["calibration"], before["same"], before["duplicate"]) == (None, 0, 4)
            found = database.calibrate(settings=FEW).calibration
            radii, near = found.radii, found.rates["near-duplicate"]
            after = served.client.get("/api/info").json()
            assert (after["same"], after["duplicate"], after["similar"]) == tuple(radii)
            assert radii.duplicate > before["duplicate"]
            assert after["calibration"] == {
                "at": found.at, "images": 40, "edited": 3,
                "rate": near.value, "rate_low": near.low, "rate_high": near.high,
            }  # fmt: skip
            content = (photo_folder / "dogs/00.jpg").read_bytes()
            hits = served.client.post("/api/search", files={"file": content}).json()["hits"]
            assert len(hits) > 5
            assert all(hit["tier"] == radii.tier(hit["distance"]) for hit in hits)
            database.forget_calibration()
            assert served.client.get("/api/info").json() == before
