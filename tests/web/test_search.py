"""A search over HTTP gives the same hits as the database."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lookalike.database import Database
from tests.conftest import encoded
from tests.web.conftest import Serve, Served


def found(served: Served, **sent: Any) -> dict[str, Any]:
    answer = served.client.post("/api/search", **sent)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_file_finds_itself(served: Served, photo_files: dict[str, bytes]) -> None:
    for name, content in photo_files.items():
        answer = found(served, files={"file": (name, content)}, data={"top": "3"})
        first = answer["hits"][0]
        assert (first["distance"], first["relation"], first["bits"], first["done"]) == (0, "exact", 64, "")
        assert name in [hit["name"] for hit in answer["hits"] if hit["distance"] == 0]
        assert answer["images"] == 40
        assert answer["seconds"] > 0
        assert answer["query"]["width"] == Image.open(io.BytesIO(content)).width


def test_hits_are_those_of_the_database(served: Served, photo_files: dict[str, bytes]) -> None:
    content = photo_files["cats/01.png"]
    hits = found(served, files={"file": content}, data={"top": "40"})["hits"]
    with Database.open(served.path) as database:
        expected = database.search(content, top=40)
        records = database.records_of([hit.id for hit in expected])
    names = ("id", "distance", "relation", "agreement", "inliers", "verified", "path", "label")
    assert [[hit[name] for name in names] for hit in hits] == [
        [getattr(hit, name) for name in names] for hit in expected
    ]
    assert [(hit["width"], hit["height"]) for hit in hits] == [
        (records[hit.id].width, records[hit.id].height) for hit in expected
    ]


def test_id_code_and_file_give_the_same(served: Served, photo_files: dict[str, bytes]) -> None:
    by_file = found(served, files={"file": photo_files["cats/01.png"]})
    code, id_ = by_file["query"]["code"], by_file["hits"][0]["id"]
    encoded = served.client.post("/api/encode", files={"file": photo_files["cats/01.png"]}).json()
    assert (encoded["code"], encoded["bits"], encoded["format"]) == (code, 64, "PNG")
    raw = found(served, files={"file": photo_files["cats/01.png"]}, data={"verify": "false"})["hits"]
    for sent in ({"code": code}, {"code": code.upper()}, {"id": id_, "verify": False}):
        assert found(served, json=sent)["hits"] == raw
    by_id = found(served, json={"id": id_})["hits"]
    assert [(hit["id"], hit["relation"]) for hit in by_id[:1]] == [(id_, "exact")]


def test_filters_and_radius(served: Served) -> None:
    everything = found(served, json={"id": 1, "top": 100})["hits"]
    assert len(everything) == 40
    dogs = found(served, json={"id": 1, "top": 100, "label": "dogs"})["hits"]
    assert [hit["id"] for hit in dogs] == [hit["id"] for hit in everything if hit["label"] == "dogs"]
    folder = str(Path(everything[0]["path"]).parent)
    below = found(served, json={"id": 1, "top": 100, "below": folder})["hits"]
    assert [hit["id"] for hit in below] == [hit["id"] for hit in everything if Path(hit["path"]).parent == Path(folder)]
    near = found(served, json={"id": 1, "top": 100, "radius": 20})["hits"]
    assert {hit["id"] for hit in near} == {hit["id"] for hit in everything if hit["distance"] <= 20}
    assert found(served, json={"id": 1, "since": "2001-01-01"})["hits"] != []
    assert found(served, json={"id": 1, "since": "9999-12-31T23:59:59+14:00"})["hits"] == []


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"json": {}}, 422, "only one of them"),
    ({"json": {"id": 1, "code": "00" * 8}}, 422, "only one of them"),
    ({"json": {"id": 4000}}, 404, "no image 4000"),
    ({"json": {"id": 2**70}}, 422, "id"),
    ({"json": {"code": "00"}}, 422, "8 bits; this database has codes of 64"),
    ({"json": {"code": "zz"}}, 422, "code"),
    ({"json": {"id": 1, "top": 0}}, 422, "top"),
    ({"json": {"id": 1, "radius": 65}}, 422, "65"),
    ({"json": {"id": 1, "label": "a\0b"}}, 422, "zero bytes"),
    ({"content": b'{"id": 1, "label": "\\ud800"}', "headers": {"content-type": "application/json"}}, 422, "unicode"),
    ({"json": {"id": 1, "unknown": 1}}, 422, "unknown"),
    ({"json": [1]}, 422, ""),
    ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "not JSON"),
    ({"content": b"[" * 60_000, "headers": {"content-type": "application/json"}}, 400, "not JSON"),
    ({"content": b" " * 100_000, "headers": {"content-type": "application/json"}}, 413, "64 KiB"),
    ({"content": b"id=1", "headers": {"content-type": "application/x-www-form-urlencoded"}}, 415, "send multipart"),
    ({"content": b"x", "headers": {"content-type": "text/plain"}}, 415, "text/plain"),
    ({"content": b"x"}, 415, "has no content type"),
    ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=y"}}, 400, ""),
    ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, ""),
    ({"files": {"file": b"no image"}}, 422, "not an image"),
    ({"files": {"file": b""}}, 422, "empty"),
    ({"files": {"photo": b"x"}}, 422, "image: Field required"),
    ({"files": [("file", b"x")] * 17}, 400, "Too many files"),
    ({"files": {"file": b"x"}, "data": {"id": "1"}}, 422, "id: Extra inputs"),
    ({"files": {"file": b"x"}, "data": {"top": "many"}}, 422, "top"),
]


@pytest.mark.parametrize(("sent", "status", "part"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_is_refused_is_reported(served: Served, sent: dict[str, Any], status: int, part: str) -> None:
    answer = served.client.post("/api/search", **sent)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"type", "message"}
    assert part in error["message"]
    assert "Traceback" not in answer.text


def test_encode_wants_a_file(served: Served) -> None:
    assert served.client.post("/api/encode", json={"id": 1}).status_code == 422
    assert served.client.post("/api/encode", files={"other": b"x"}).status_code == 422
    answer = served.client.post("/api/encode", files={"file": b"GIF89a"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, "unprocessable")


def test_bits_count_as_the_image_is_sure_of_them_on_request(served: Served, photo_files: dict[str, bytes]) -> None:
    content = photo_files["cats/01.png"]
    hits = found(served, files={"file": content}, data={"top": "40", "asymmetric": "true"})["hits"]
    with Database.open(served.path) as database:
        expected = database.search_asymmetric(content, top=40)
    assert [(hit["id"], hit["distance"], hit["relation"]) for hit in hits] == [
        (hit.id, hit.distance, hit.relation) for hit in expected
    ]
    weighted = [hit.weighted_distance for hit in expected]
    assert [hit["weighted_distance"] for hit in hits] == pytest.approx(weighted, abs=1e-3)
    assert "weighted_distance" not in found(served, files={"file": content})["hits"][0]
    dogs = found(served, files={"file": content}, data={"asymmetric": "true", "label": "dogs"})["hits"]
    assert {hit["label"] for hit in dogs} == {"dogs"}
    refused = (
        {"files": {"file": content}, "data": {"asymmetric": "true", "radius": "3"}},
        {"json": {"id": 1, "asymmetric": True}},
    )
    for sent in refused:
        assert served.client.post("/api/search", **sent).status_code == 422


def test_a_mirrored_copy_is_found_and_said_to_be_one(served: Served, photo_files: dict[str, bytes]) -> None:
    name = "cats/01.png"
    with Image.open(io.BytesIO(photo_files[name])) as image:
        mirrored = encoded(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "png")
    for data in ({}, {"turned": "true"}):  # which was needed once
        first = found(served, files={"file": mirrored}, data=data)["hits"][0]
        assert (first["name"], first["relation"], first["verified"]) == (name, "edited", True)
        assert "mirror" in first["edits"]
        assert "mirrored" in first["done"]
        assert len(first["transform"]) == 9


def test_a_server_answers_while_files_are_out_of_reach(served: Served, photo_files: dict[str, bytes]) -> None:
    id_ = served.ids()[3]
    with Database.open(served.path) as database:
        (record,) = database.records_of([id_]).values()
    path = Path(record.name)
    content = path.read_bytes()
    try:
        path.unlink()
        first = found(served, json={"id": id_})["hits"][0]
        assert (first["id"], first["relation"]) == (id_, "exact")
    finally:
        path.write_bytes(content)


def test_several_images_are_searched_in_one_request(served: Served, photo_files: dict[str, bytes]) -> None:
    names = ["cats/01.png", "dogs/00.jpg"]
    sent = [("image", (name, photo_files[name])) for name in names] + [("image", ("none.png", b"no image"))]
    answer = served.client.post("/api/v1/search", files=sent, data={"top": "40", "histogram": "true"}).json()
    assert [one["name"] for one in answer["answers"]] == [*names, "none.png"]
    for name, one in zip(names, answer["answers"], strict=False):
        alone = served.client.post("/api/v1/search", files={"image": (name, photo_files[name])}, data={"top": "40"})
        assert one["hits"] == alone.json()["answers"][0]["hits"]
        assert one["counts"]["exact"] == sum(hit["relation"] == "exact" for hit in one["hits"]) > 0
        assert (sum(one["histogram"]), len(one["histogram"])) == (40, 65)
        assert one["histogram"][0] == sum(hit["distance"] == 0 for hit in one["hits"])
    wrong = answer["answers"][2]
    assert (wrong["hits"], wrong["query"]) == ([], None)
    assert "not an image" in wrong["error"]
    by_ids = served.client.post("/api/v1/search", json={"ids": [1, 2], "top": 1}).json()["answers"]
    assert [one["hits"][0]["id"] for one in by_ids] == [1, 2]


def test_hits_with_the_same_bytes_are_folded_on_request(
    photo_folder: Path, model: Path, tmp_path: Path, serve: Serve
) -> None:
    content = (photo_folder / "cats/01.png").read_bytes()
    (photo_folder / "copy.png").write_bytes(content)
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(photo_folder)
    with serve(tmp_path / "db") as served:
        (answer,) = served.client.post(
            "/api/v1/search", files={"image": content}, data={"top": "2", "fold": "true"}
        ).json()["answers"]
        first, second = answer["hits"][0], answer["hits"][1:]
        assert [first["relation"], len(first["copies"]), answer["counts"]["exact"]] == ["exact", 1, 2]
        assert second == []


def test_a_search_for_images_taken_in_a_period(served: Served, photo_files: dict[str, bytes]) -> None:
    content = photo_files["cats/01.png"]
    for period, found_any in (("1990", False), ("2000..", True)):  # by the times of the files
        sent = {"files": {"image": content}, "data": {"taken": period, "top": "3"}}
        assert bool(served.client.post("/api/v1/search", **sent).json()["answers"][0]["hits"]) == found_any  # type: ignore[arg-type]
    assert served.client.post("/api/v1/search", json={"id": 1, "taken": "x"}).status_code == 422


def test_a_preview_is_a_jpeg(served: Served, photo_files: dict[str, bytes]) -> None:
    answer = served.client.post("/api/v1/preview", files={"image": photo_files["dogs/03.gif"]})
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content[:2] == b"\xff\xd8"
    assert served.client.post("/api/v1/preview", files={"image": b"no image"}).status_code == 422
