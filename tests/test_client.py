"""The client against a running server."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lookalike import Client
from lookalike.core.errors import ImageError, LookalikeError, ServerError
from lookalike.database import Database
from tests.web.conftest import Serve, Served, photo_db, serve, served

__all__ = ["photo_db", "serve", "served"]  # fixtures of the server's tests


@pytest.fixture
def client(served: Served) -> Client:
    return Client(served.url)


def test_search_finds_what_the_database_finds(
    client: Client, served: Served, photo_files: dict[str, bytes], tmp_path: Path
) -> None:
    content = photo_files["cats/01.png"]
    (tmp_path / "query.png").write_bytes(content)
    with Database.open(served.path) as database:
        expected = [
            (hit.id, hit.distance, hit.relation, hit.path, hit.label) for hit in database.search(content, top=7)
        ]
    by_file, by_bytes = client.search(tmp_path / "query.png", top=7), client.search(content, top=7)
    by_code, by_id = client.search(code=client.encode(content), top=7), client.search(id=expected[0][0], top=7)
    for hits in (by_file, by_bytes):
        assert [(hit.id, hit.distance, hit.relation, hit.path, hit.label) for hit in hits] == expected
    assert by_file[0].bits == 64
    assert (by_file[0].relation, by_file[0].verified, by_id[0].relation) == ("exact", True, "exact")
    assert (by_code[0].distance, by_code[0].relation, by_code[0].verified) == (0, "similar", False)
    (raw,) = client.search(content, top=1, verify=False)
    assert (raw.distance, raw.verified) == (0, False)
    assert by_file[0].weighted_distance is None
    weighed = [hit.weighted_distance or 0.0 for hit in client.search(content, top=7, asymmetric=True, verify=False)]
    assert weighed == sorted(weighed)
    assert weighed[0] == 0 < weighed[-1]
    assert {hit.label for hit in client.search(content, label="dogs", top=40)} == {"dogs"}
    assert all(hit.distance <= 20 for hit in client.search(content, radius=20, top=40))
    assert client.search(id=1, since=datetime(9000, 1, 1, tzinfo=UTC)) == []


def test_images_and_what_belongs_to_them(client: Client, photo_files: dict[str, bytes]) -> None:
    images = list(client.images(sort="name"))
    assert [one.name for one in images] == sorted(photo_files)
    assert len({one.id for one in client.images(sort="random", seed=1)}) == 40
    assert len(list(client.images(label="dogs"))) == client.labels()["dogs"] == 14
    first = images[0]
    assert client.image(first.id).path == first.path
    assert client.original(first.id) == photo_files[first.name]
    assert client.thumbnail(first.id, size=64)[:2] == b"\xff\xd8"
    assert client.info()["images"] == 40
    wanted = [images[3].id, images[1].id]
    assert [one.id for one in client.images(ids=wanted)] == wanted
    assert list(client.images(ids=[])) == []
    below = str(Path(first.path).parent)
    assert {str(Path(one.path).parent) for one in client.images(below=below)} == {below}


def test_decisions_are_made_and_undone(photo_folder: Path, model: Path, serve: Serve, tmp_path: Path) -> None:
    file = photo_folder / "cats/01.png"
    file.with_name("copy.png").write_bytes(file.read_bytes())
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(photo_folder)
    with serve(tmp_path / "db", write=True) as served:
        client = Client(served.url)
        (group,) = [one for one in client.duplicates(radius=0) if file.name in {image.name[5:] for image in one}]
        ids = [image.id for image in group]
        assert "same bytes" in {image.tier for image in group}
        keep, later = client.decide("keep", ids, chosen=ids[:1]), client.decide("later", ids)
        assert [one["id"] for one in client.decisions()] == [later, keep]
        client.undo(later)
        assert [one["kind"] for one in client.decisions()] == ["keep"]
        plan = next(one for one in client.plan(radius=0)["groups"] if len(one["images"]) == len(ids))
        assert [image["action"] for image in plan["images"]].count("keep") == 1
        with pytest.raises(ServerError, match="no decision 999"):
            client.undo(999)


def test_duplicates_are_waited_for(client: Client, served: Served) -> None:
    with Database.open(served.path) as database:
        expected = [[one.id for one in group] for group in database.duplicates(radius=8)]
    assert [[one.id for one in group] for group in client.duplicates(radius=8)] == expected


def test_refusals_say_why(client: Client) -> None:
    with pytest.raises(ServerError, match="no image 999") as caught:
        client.search(id=999)
    assert (caught.value.status, caught.value.type) == (404, "not_found")
    with pytest.raises(ServerError, match="not an image"):
        client.search(b"no image")
    with pytest.raises(ServerError, match="only one of them"):
        client.search()
    with pytest.raises(ImageError, match=r"absent\.jpg: No such file"):
        client.search("absent.jpg")
    assert issubclass(ServerError, LookalikeError)


def test_a_token(serve: Serve, photo_db: Path) -> None:
    with serve(photo_db, token="correct horse") as guarded:
        assert Client(guarded.url, token="correct horse").info()["images"] == 40
        for wrong in ("", "wrong horse"):
            with pytest.raises(ServerError, match="token is needed") as caught:
                Client(guarded.url, token=wrong).info()
            assert caught.value.status == 401


def test_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ServerError, match="does not answer") as caught:
        Client(f"http://127.0.0.1:{port}").info()
    assert caught.value.status == 0
    for wrong in ("localhost", "ftp://localhost", ""):
        with pytest.raises(ServerError, match="is not a server address"):
            Client(wrong)


def answering(answer: bytes) -> tuple[socket.socket, str]:
    """A server that sends these bytes once."""
    listening = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    threading.Thread(target=run, daemon=True).start()
    return listening, f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<ht>", "not JSON"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\n<ht>", "502 Bad Gateway"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n", "302"),
        (b"nonsense\r\n\r\n", "does not answer"),
    ],
)
def test_another_server(answer: bytes, part: str) -> None:
    listening, url = answering(answer)
    with listening, pytest.raises(ServerError, match=part):
        Client(url, token="secret that must not travel", timeout=10).info()


def test_a_refusal_is_heard_though_sending_breaks_off(served: Served) -> None:
    with pytest.raises(ServerError) as caught:
        Client(served.url).search(b"x" * (90 << 20))  # with a limit of 64 MiB
    assert (caught.value.status, caught.value.type) == (413, "too_large")


def test_the_client_needs_nothing_else() -> None:
    code = (
        "import sys; from lookalike import Client; Client();"
        "assert not {'numpy', 'PIL', 'fastapi', 'httpx', 'onnxruntime'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
