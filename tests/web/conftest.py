"""A real server over a database of the photographs, in this process, on a free port."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

import httpx
from fastapi import FastAPI

from lookalike.database import Database
from lookalike.web.http import serving
from lookalike.web.http.app import create_app
from lookalike.web.http.settings import Settings


@dataclass(frozen=True)
class Served:
    """A running server and a client."""

    url: str
    app: FastAPI
    path: Path  # of the database
    client: httpx.Client

    @property
    def parts(self) -> Any:
        return self.app.state.server

    def ids(self) -> list[int]:
        return [image["id"] for image in self.client.get("/api/images").json()["images"]]


Serve = Callable[..., contextlib.AbstractContextManager[Served]]


@contextlib.contextmanager
def _serve(path: Path, **given: Any) -> Iterator[Served]:
    settings = Settings(**{"workers": 2, **given})
    app = create_app(Database.open(path), settings)
    listening = serving.bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = serving.Server(serving.configure(lambda: app, settings))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            assert client.get("/status/live").status_code == 200  # the socket listens before the server is ready
            yield Served(url, app, path, client)
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def serve() -> Serve:
    """A function that serves a database with given settings, inside its `with` block."""
    return _serve


def write_photos(folder: Path, photo_files: dict[str, bytes]) -> None:
    """The photographs, in the sub-folder `photos`."""
    for name, data in photo_files.items():
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@pytest.fixture(scope="session")
def photo_db(photo_files: dict[str, bytes], model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the 40 photographs, labelled by folder; read-only."""
    folder = tmp_path_factory.mktemp("served")
    write_photos(folder, photo_files)
    with Database.create(folder / "db", model=model) as database:
        database.index(folder / "photos", labels_from_folders=True)
    return folder / "db"


@pytest.fixture(scope="session")
def served(photo_db: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over the photographs, for all tests that change nothing."""
    kept = os.environ.get("LOOKALIKE_CACHE")
    os.environ["LOOKALIKE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    try:
        with _serve(photo_db) as running:
            yield running
    finally:
        os.environ.pop("LOOKALIKE_CACHE") if kept is None else os.environ.update(LOOKALIKE_CACHE=kept)
