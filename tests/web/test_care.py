"""Folders, problems, scenes, labels, dates and comparisons over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike.database import Database
from lookalike.web.state.collection import RevisionCache
from tests.conftest import encoded
from tests.web.conftest import Serve, Served
from tests.web.test_groups import made


@pytest.fixture
def folder(photo_folder: Path) -> Path:
    """The photographs with a crop, a copy with EXIF, and files that are wrong."""
    photo = Image.open(photo_folder / "dogs/00.jpg").convert("RGB")
    photo.crop((0, 0, photo.width * 3 // 4, photo.height * 3 // 4)).save(photo_folder / "crop.png")
    exif = Image.Exif()
    exif[0x9003], exif[0x0110] = "2024:05:01 10:00:00", "NIKON D90"
    photo.save(photo_folder / "dated.jpg", exif=exif, quality=95)
    (photo_folder / "dated.xmp").write_text("<x:xmpmeta/>")
    whole = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)), "jpeg")
    (photo_folder / "short.jpg").write_bytes(whole[:200])
    Image.new("RGB", (64, 64)).save(photo_folder / "black.png")
    (photo_folder / "gone.png").write_bytes((photo_folder / "cats/01.png").read_bytes())
    return photo_folder


@pytest.fixture
def served_(folder: Path, model: Path, tmp_path: Path, serve: Serve) -> Iterator[Served]:
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(folder, labels_from_folders=True)
        (folder / "gone.png").unlink()
        database.index(folder, labels_from_folders=True)
    with serve(tmp_path / "db", write=True, hide_paths=True) as served:
        yield served


def get(served: Served, path: str, **values: Any) -> Any:
    answer = served.client.get(f"/api/v1{path}", params=values)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_a_collection_needs(served_: Served, folder: Path) -> None:
    shown = {one["path"]: (one["depth"], one["images"]) for one in get(served_, "/folders")["items"]}
    total, root = get(served_, "/info")["images"], folder.name
    assert shown[root] == (0, total)
    assert shown[f"{root}/dogs"] == (1, 14)
    assert get(served_, "/images", folder=f"{root}/dogs")["total"] == 14
    names = [one["name"] for one in get(served_, "/images", limit=1000)["items"]]
    assert get(served_, "/images", name="DOGS/0")["total"] == sum("dogs/0" in name for name in names) > 0
    found = get(served_, "/problems")
    assert {one["path"]: one["kind"] for one in found["items"]} == {
        f"{root}/short.jpg": "unreadable", f"{root}/black.png": "plain", f"{root}/gone.png": "missing",
    }  # fmt: skip
    assert found["counts"] == {"unreadable": 1, "missing": 1, "out-of-reach": 0, "plain": 1}
    assert all(one["remedy"] and "Error" not in one["reason"] for one in found["items"])
    assert [one["id"] for one in get(served_, "/problems", kind="plain")["items"]] != []
    assert str(folder.parent) not in str([get(served_, path) for path in ("/images", "/info", "/problems", "/folders")])
    assert made(served_, "/api/v1/scenes")["total"] >= 0


def test_images_by_date_and_their_details(served_: Served) -> None:
    dated = made(served_, "/api/v1/images", taken="2024-05-01")
    assert [one["name"] for one in dated["items"]] == ["dated.jpg"]
    assert made(served_, "/api/v1/images", sort="taken")["items"][-1]["name"] == "dated.jpg"
    details = get(served_, f"/images/{dated['items'][0]['id']}")
    assert (details["taken"], details["camera"], details["depth"]) == ("2024-05-01 10:00:00", "NIKON D90", 8)
    assert served_.client.get("/api/v1/images", params={"taken": "x"}).status_code == 422


def test_labels_are_given_and_removed(served_: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RevisionCache, "SHARE", 1 << 30)  # as if every read had been very slow
    ids = [one["id"] for one in get(served_, "/images", limit=2)["items"]]
    for label, count in (("best ones", 2), (None, 0)):
        answer = served_.client.post("/api/v1/labels", json={"ids": ids, "label": label})
        assert answer.status_code == 200, answer.text
        counts = {one["label"]: one["images"] for one in answer.json()["items"]}
        assert counts.get("best ones", 0) == count == get(served_, "/images", label="best ones")["total"]
    assert served_.client.post("/api/v1/labels", json={"ids": [4000], "label": "x"}).status_code == 404


def test_a_database_keeps_its_id_where_it_is_moved(served_: Served, folder: Path, model: Path, tmp_path: Path) -> None:
    with Database.open(tmp_path / "db") as database:
        assert get(served_, "/info")["database_id"] == database.store.get("database")
    with Database.create(tmp_path / "other", model=model) as other:
        assert get(served_, "/info")["database_id"] != other.store.get("database") != ""


def test_two_images_are_compared(served_: Served) -> None:
    ids = {one["name"]: one["id"] for one in get(served_, "/images", limit=1000)["items"]}
    whole, crop, dated = ids["dogs/00.jpg"], ids["crop.png"], ids["dated.jpg"]
    found = get(served_, "/comparison", a=whole, b=crop)
    assert found["relation"] == "edited"
    assert "crop" in found["words"]
    assert found["done"] in found["words"]
    x, y, w = np.array(found["transform"]).reshape(3, 3) @ [0.75, 0.75, 1]  # the corner where the crop ends
    np.testing.assert_allclose((x / w, y / w), (1, 1), atol=0.03)
    assert "resolution" in found["loses_a"]
    assert found["loses_b"] == ["lossless quality"]
    assert get(served_, "/comparison", a=whole, b=dated)["loses_b"] == ["date", "camera", "dated.xmp"]
    other = ids["cats/01.png"]
    assert get(served_, "/comparison", a=whole, b=other)["relation"] not in ("exact", "same-pixels", "edited")
    assert served_.client.get("/api/v1/comparison", params={"a": whole, "b": 4000}).status_code == 404
