"""Pages of images, their thumbnails and originals; no other file is accessible."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lookalike.database import Database
from tests.conftest import encoded
from tests.web.conftest import Serve, Served


def pages(served: Served, **values: Any) -> list[dict[str, Any]]:
    found, cursor = [], None
    while True:
        answer = served.client.get("/api/images", params={**values, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["images"]
        if (cursor := page["next"]) is None:
            assert page["total"] == len(found)
            return found


def test_pages_hold_each_image_once_in_every_order(served: Served) -> None:
    by_id = pages(served, top=7)
    assert [one["id"] for one in by_id] == list(range(1, 41))
    assert [one["id"] for one in pages(served, top=7, sort="newest")] == list(range(40, 0, -1))
    by_name = [one["name"] for one in pages(served, top=7, sort="name")]
    assert by_name == sorted(by_name)
    drawn = [one["id"] for one in pages(served, top=7, sort="random", seed=3)]
    assert sorted(drawn) == list(range(1, 41)) != drawn
    assert drawn == [one["id"] for one in pages(served, top=40, sort="random", seed=3)]
    assert drawn != [one["id"] for one in pages(served, top=40, sort="random", seed=4)]


def test_only_a_label(served: Served) -> None:
    counts = served.client.get("/api/labels").json()["labels"]
    assert counts == {"cats": 26, "dogs": 14}
    for sort in ("id", "name", "newest", "random"):
        dogs = pages(served, label="dogs", sort=sort, top=5)
        assert len(dogs) == 14
        assert {one["label"] for one in dogs} == {"dogs"}
    assert pages(served, label="birds") == []


def test_only_below_a_folder_or_from_a_place_on_or_by_numbers(served: Served) -> None:
    dogs = str(Path(served.client.get("/api/images/1").json()["root"]) / "dogs")
    assert {one["label"] for one in pages(served, below=dogs, sort="name", top=5)} == {"dogs"}
    assert len(pages(served, below=dogs)) == 14
    assert pages(served, below="/nowhere") == []
    late = served.client.get("/api/images", params={"start": 37, "sort": "newest"}).json()
    assert ([one["id"] for one in late["images"]], late["total"], late["next"]) == ([3, 2, 1], 40, None)
    assert served.client.get("/api/images", params={"start": 400}).json()["images"] == []
    some = served.client.get("/api/images", params={"ids": f"9,3,400,{10**18 * 9 + 1},{10**19 - 1},7"}).json()
    assert [one["id"] for one in some["images"]] == [9, 3, 7]
    for wrong in ("", "x", "1,", "1;2", "-1"):
        assert served.client.get("/api/images", params={"ids": wrong}).status_code == 422


@pytest.mark.parametrize("cursor", ["x", "1", "1-2-3", "-1-1", "999999999999999999999-1", "../../etc/passwd"])
def test_a_wrong_cursor_is_refused(served: Served, cursor: str) -> None:
    assert served.client.get("/api/images", params={"cursor": cursor}).status_code == 422


def test_a_cursor_holds_when_images_come_and_go(served: Served) -> None:
    first = served.client.get("/api/images", params={"top": 5}).json()
    assert first["next"] == "5-5"
    for shifted in ("4-5", "6-5", "40-5"):  # as many images removed, or added, before it
        page = served.client.get("/api/images", params={"top": 5, "cursor": shifted}).json()
        assert page["images"][0]["id"] == 6
    page = served.client.get("/api/images", params={"top": 5, "cursor": "6-400"}).json()  # removed since
    assert page["images"][0]["id"] == 6


def test_details_of_an_image(served: Served, photo_files: dict[str, bytes]) -> None:
    image = served.client.get("/api/images/1").json()
    content = photo_files[image["name"]]
    assert image["size"] == len(content)
    assert (image["width"], image["height"]) == Image.open(io.BytesIO(content)).size
    assert len(image["code"]) == 16
    assert not image["missing"]
    assert Path(image["path"]).read_bytes() == content
    assert served.client.get("/api/images/41").status_code == 404
    assert served.client.get("/api/images/0").status_code == 422
    assert served.client.get("/api/images/one").status_code == 422


def test_thumbnails_are_reencoded_and_cached(served: Served) -> None:
    for id_ in served.ids():
        answer = served.client.get(f"/api/images/{id_}/thumbnail", params={"size": 50})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/jpeg"
        shown = Image.open(io.BytesIO(answer.content))
        assert shown.format == "JPEG"
        assert max(shown.size) <= 64
    tag = answer.headers["etag"]
    again = served.client.get(f"/api/images/{id_}/thumbnail?size=64", headers={"if-none-match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert "no-cache" in answer.headers["cache-control"]
    link = served.client.get(f"/api/images/{id_}").json()["thumbnail"]
    assert "immutable" in served.client.get(link).headers["cache-control"]
    assert served.client.get(f"/api/images/{id_}/thumbnail?size=5000").status_code == 422
    assert served.parts.thumbnails.size > 0


def test_originals_are_the_files(served: Served, photo_files: dict[str, bytes]) -> None:
    for id_ in served.ids():
        image = served.client.get(f"/api/images/{id_}").json()
        answer = served.client.get(image["original"])
        assert answer.content == photo_files[image["name"]]
        assert answer.headers["content-type"].startswith("image/")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
    tag = {"if-none-match": answer.headers["etag"]}
    assert served.client.get(image["original"], headers=tag).status_code == 304


PATHS = [
    "/api/images/..%2f..%2fetc%2fpasswd/original",
    "/api/images/%2fetc%2fpasswd/original",
    "/api/images/../../../../etc/passwd",
    "/static/../app.py",
    "/static/..%2fapp.py",
    "/static/%2e%2e/app.py",
    "/static//etc/passwd",
    "/static/..%5capp.py",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_to_another_file(served: Served, path: str) -> None:
    import http.client

    connection = http.client.HTTPConnection(served.url.removeprefix("http://"))
    connection.request("GET", path)  # unchanged; httpx would normalise it
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status in (404, 422)
    assert b"root:" not in body
    assert b"import" not in body


@pytest.fixture
def folder(tmp_path: Path, photo_bytes: list[bytes]) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, content in enumerate(photo_bytes[:4]):
        (photos / f"{number}.img").write_bytes(content)
    return photos


def test_a_file_is_read_only_below_its_folder(folder: Path, model: Path, serve: Serve, tmp_path: Path) -> None:
    outside = tmp_path / "outside.img"
    (folder / "3.img").rename(outside)
    (folder / "3.img").symlink_to(outside)
    with Database.create(tmp_path / "db", model=model) as database:
        assert database.index(folder).encoded == 4
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (folder / "0.img").unlink()
    (folder / "0.img").symlink_to(secret)
    (folder / "1.img").write_text("<script>alert(1)</script>")
    (folder / "2.img").unlink()
    os.mkfifo(folder / "2.img")
    with serve(tmp_path / "db") as served:
        for id_, part in ((1, "is outside"), (2, "cannot be read"), (3, "cannot be read"), (4, "is outside")):
            for what in ("original", "thumbnail"):
                answer = served.client.get(f"/api/images/{id_}/{what}")
                assert answer.status_code == 404
                assert part in answer.json()["error"]["message"]


def test_a_kept_original_stands_in_for_a_file(folder: Path, model: Path, serve: Serve, tmp_path: Path) -> None:
    content = (folder / "0.img").read_bytes()
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(folder, keep_originals=True)
    (folder / "0.img").unlink()
    with serve(tmp_path / "db") as served:
        assert served.client.get("/api/images/1/original").content == content
        assert served.client.get("/api/images/1/thumbnail").status_code == 200


def test_rows_of_a_table_are_served(pictures: list[Image.Image], model: Path, serve: Serve, tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    contents = [encoded(picture, "png") for picture in pictures[:3]]
    parquet.write_table(arrow.table({"image": contents, "label": ["a", "b", "a"]}), tmp_path / "table.parquet")
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(tmp_path / "table.parquet")
    with serve(tmp_path / "db") as served:
        for id_, content in enumerate(contents, start=1):
            assert served.client.get(f"/api/images/{id_}/original").content == content
            assert served.client.get(f"/api/images/{id_}/thumbnail").status_code == 200
        assert served.client.get("/api/images/2").json()["name"] == "table.parquet#1"


NAMES = [b"<img src=x onerror=alert(1)>.png", b"a\nb.png", b"caf\xe9.png", "\N{SNOWMAN}.png".encode(), b'"quoted".png']


def test_names_of_all_kinds(pictures: list[Image.Image], model: Path, serve: Serve, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, name in enumerate(NAMES):
        with open(os.fsencode(photos) + b"/" + name, "wb") as file:
            file.write(encoded(pictures[number], "png"))
    with Database.create(tmp_path / "db", model=model) as database:
        assert database.index(photos).encoded == len(NAMES)
    with serve(tmp_path / "db") as served:
        images = pages(served)
        assert {one["name"] for one in images} == {
            name.decode("utf-8", "backslashreplace") for name in NAMES
        }  # as text, to be shown as text
        for one in images:
            assert served.client.get(f"/api/images/{one['id']}/original").status_code == 200
            assert served.client.post("/api/search", json={"id": one["id"]}).json()["hits"][0]["name"] == one["name"]
        assert served.client.get("/api/map").status_code in (200, 202)


def test_files_that_browsers_do_not_show_have_thumbnails_and_are_queries(
    pictures: list[Image.Image], model: Path, serve: Serve, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    types = {"tga": "image/x-tga", "jp2": "image/jp2", "dds": "image/vnd.ms-dds", "pcx": "image/vnd.zbrush.pcx"}
    for ending in types:
        pictures[0].save(photos / f"a.{ending}")
    with Database.create(tmp_path / "db", model=model) as database:
        assert database.index(photos).encoded == len(types)
    with serve(tmp_path / "db") as served:
        for one in pages(served):
            path = f"/api/images/{one['id']}"
            assert served.client.get(f"{path}/original").headers["content-type"] == types[one["name"].split(".")[-1]]
            assert Image.open(io.BytesIO(served.client.get(f"{path}/thumbnail").content)).format == "JPEG"
            answer = served.client.post("/api/search", files={"file": (photos / one["name"]).read_bytes()}).json()
            relations = {hit["name"]: hit["relation"] for hit in answer["hits"]}
            assert relations.pop(one["name"]) == "exact"
            assert set(relations.values()) == {"same-pixels"}
