"""A server uses a calibration, also one made while it runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from lookalike.calibration.run import CalibrationOptions
from lookalike.database import Database
from lookalike.web.state.collection import RevisionCache
from tests.web.conftest import Serve


def test_info_and_words_follow_a_calibration(
    photo_folder: Path, model: Path, tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RevisionCache, "SHARE", 0)  # otherwise slow reads on a busy machine are cached for seconds
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(photo_folder)
        with serve(tmp_path / "db") as served:
            before = served.client.get("/api/info").json()
            assert before["calibration"] is None
            found = database.calibrate(options=CalibrationOptions(images=1)).calibration
            after = served.client.get("/api/info").json()
            assert after["calibration"] == dataclasses.asdict(found)
            assert after["similar"] == found.similar != before["similar"]
            assert after["duplicate"] == before["duplicate"]
            content = (photo_folder / "dogs/00.jpg").read_bytes()
            hits = served.client.post("/api/search", files={"file": content}).json()["hits"]
            assert len(hits) > 5
            assert all(hit["distance"] <= found.similar for hit in hits if hit["relation"] == "similar")
            assert served.client.get("/api/duplicates", params={"radius": 9}).status_code == 422
            database.forget_calibration()
            assert served.client.get("/api/info").json() == before
