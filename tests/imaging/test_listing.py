"""Results as a table and as pictures."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from lookalike.core.errors import MissingExtra
from lookalike.imaging.listing import SHOWN, Listing


def test_rows_become_dictionaries_and_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Listing([{"path": "a", "distance": 1}, {"path": "b", "distance": 2}])
    assert rows.to_dicts() == [{"path": "a", "distance": 1}, {"path": "b", "distance": 2}]
    assert rows.to_arrow().column("distance").to_pylist() == [1, 2]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match="A table needs PyArrow"):
        rows.to_arrow()


def test_a_data_frame_is_made_by_the_users_own_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    frame = Listing([{"path": "a", "distance": 1}]).to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.to_dict("records") == [{"path": "a", "distance": 1}]


def test_a_notebook_shows_pictures_and_escapes_names(tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), "red").save(tmp_path / "<b>.png")
    rows = Listing(
        [{"path": str(tmp_path / "<b>.png"), "relation": "same-scene", "edits": ("crop",)}, {"path": "gone.jpg"}]
    )
    html = rows._repr_html_()
    assert html.count("<img") == 1
    assert "&lt;b&gt;.png" in html
    assert "<b>" not in html
    assert "same scene<br>crop" in html
    assert "and 3 more" in Listing([{"path": "gone.jpg"}] * (SHOWN + 3))._repr_html_()
