"""A server uses a calibration, also one made while it runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from lookalike.calibration.run import CalibrationOptions
from lookalike.database import Database
from lookalike.web.state.collection import RevisionCache
from tests.web.conftest import Serve, Served

FEW = CalibrationOptions(rate=0.01, edited=3)


def test_words_and_limits_follow_a_calibration(
    photo_folder: Path, model: Path, tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RevisionCache, "SHARE", 0)  # otherwise slow reads on a busy machine are cached for seconds
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(photo_folder)
        with serve(tmp_path / "db") as served:
            before = served.client.get("/api/info").json()
            assert (before["calibration"], before["same"], before["duplicate"]) == (None, 0, 4)
            found = database.calibrate(options=FEW).calibration
            radii, near = found.radii, found.rates["near-duplicate"]
            after = served.client.get("/api/info").json()
            assert (after["same"], after["duplicate"], after["similar"]) == tuple(radii)
            assert radii.duplicate > before["duplicate"]
            assert after["calibration"] == {
                "at": found.at, "images": 40, "edited": 3,
                "rate": near.value, "rate_low": near.low, "rate_high": near.high,
                "expected": 780 * near.value, "expected_low": 780 * near.low, "expected_high": 780 * near.high,
            }  # fmt: skip
            content = (photo_folder / "dogs/00.jpg").read_bytes()
            hits = served.client.post("/api/search", files={"file": content}).json()["hits"]
            assert len(hits) > 5
            assert all(hit["distance"] <= radii.similar for hit in hits if hit["relation"] == "similar")
            assert radii.duplicate > 64 // 8  # which is the most otherwise
            groups = _groups(served)["groups"]
            database.forget_calibration()
            assert _groups(served)["groups"] == groups  # pixels decide, whatever codes are called
            assert served.client.get("/api/duplicates", params={"radius": radii.duplicate}).status_code == 422
            assert served.client.get("/api/info").json() == before


def _groups(served: Served) -> dict[str, Any]:
    """The first page of groups at the current radius, once they are computed."""
    for _ in range(300):
        answer = served.client.get("/api/duplicates")
        if answer.status_code == 200:
            break
        time.sleep(0.05)
    return dict(answer.json())
