"""Shared fixtures: real photographs as files and arrays, and small models that need no torch.

Shapes: N images, S = 128 pixels a side, P patches, K bits, W = K/8 bytes.
"""

from __future__ import annotations

import io
import os
import sqlite3
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import Phase
from PIL import Image, ImageDraw

from lookalike.imaging.isolation import pool
from lookalike.imaging.isolation.decoders import Direct

ROOT = Path(__file__).resolve().parents[1]
if os.fspath(ROOT) not in sys.path:
    sys.path.insert(0, os.fspath(ROOT))  # lets tests import `tests.references`

from lookalike.core.errors import LookalikeError  # noqa: E402
from lookalike.data import table_trial, tables  # noqa: E402
from lookalike.database import Database  # noqa: E402
from lookalike.hasher import admission  # noqa: E402
from lookalike.imaging import decode  # noqa: E402
from lookalike.store.derived import codefile  # noqa: E402
from tests.milvus_server import milvus as milvus  # noqa: E402
from tests.references.models import tiny_model  # noqa: E402

SHARED = ROOT / "../shared/data"
PHOTOS = 40
ENDINGS = ("jpg", "png", "webp", "gif", "tif", "bmp", "avif", "ppm")

hypothesis.settings.register_profile(
    "lookalike", deadline=None, max_examples=40, derandomize=True, database=None, print_blob=True
)
hypothesis.settings.register_profile(  # of mutation tests, where that a test fails is all there is to know
    "mutation", parent=hypothesis.settings.get_profile("lookalike"), phases=(Phase.explicit, Phase.generate)
)
hypothesis.settings.load_profile(os.environ.get("LOOKALIKE_HYPOTHESIS", "lookalike"))

MakeModel = Callable[..., Path]
Check = Callable[..., None]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests with a real Milvus server or browser as slow: `make test` leaves them to `make check`."""
    for item in items:
        if {"milvus", "browser"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Delete coverage data of processes that tests killed before they wrote any: combining would warn of each."""
    result = yield
    if not hasattr(session.config, "workerinput"):  # the one process that combines
        for path in (ROOT / "build/coverage").glob("data.*"):
            with suppress(OSError, sqlite3.Error), closing(sqlite3.connect(path)) as connection:
                if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'coverage_schema'").fetchone():
                    path.unlink()
    return result


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets next to the repository."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is absent")
    return SHARED.resolve()


@pytest.fixture(scope="session")
def tiny_bytes(shared_data: Path) -> list[bytes]:
    """1,000 encoded images of 64 × 64 pixels, of 202 classes."""
    parquet = pytest.importorskip("pyarrow.parquet")
    path = shared_data / "tiny_imagenet.parquet"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    column = parquet.read_table(path, columns=["image"]).column(0)
    return [column[row].as_py() for row in range(0, 40 * 1000, 40)]


@pytest.fixture(scope="session")
def tiny_images(tiny_bytes: list[bytes]) -> npt.NDArray[np.uint8]:
    """Real images as model input: uint8 (1000, 128, 128), read-only."""
    grey = (Image.open(io.BytesIO(data)).convert("L") for data in tiny_bytes)
    images_NSS = np.stack([np.asarray(image.resize((128, 128), Image.Resampling.BILINEAR)) for image in grey])
    images_NSS.flags.writeable = False
    return images_NSS


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """40 different RGB images: photographs if the shared data are present, else drawings."""
    parquet = pytest.importorskip("pyarrow.parquet")
    path = SHARED / "tiny_imagenet.parquet"
    if not path.exists():
        return [_drawing(seed) for seed in range(PHOTOS)]
    column = parquet.ParquetFile(path).read_row_group(0, columns=["image"]).column(0)
    step = len(column) // PHOTOS
    return [Image.open(io.BytesIO(column[i * step].as_py())).convert("RGB") for i in range(PHOTOS)]


@pytest.fixture(scope="session")
def photo_files(pictures: list[Image.Image]) -> dict[str, bytes]:
    """40 encoded images of eight formats by name, in two sub-folders."""
    files = {}
    for number, picture in enumerate(pictures):
        ending = ENDINGS[number % len(ENDINGS)]
        files[f"{'cats' if number % 3 else 'dogs'}/{number:02}.{ending}"] = encoded(picture, ending)
    return files


@pytest.fixture(scope="session")
def photo_bytes(photo_files: dict[str, bytes]) -> list[bytes]:
    """The same 40 encoded images, without their names."""
    return list(photo_files.values())


@pytest.fixture
def photo_folder(photo_files: dict[str, bytes], tmp_path: Path) -> Path:
    """A folder for this test with 40 image files of eight formats in `cats` and `dogs`."""
    folder = tmp_path / "photos"
    for name, data in photo_files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.fixture(scope="session")
def admitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that records which model files have been tried, shared by all tests."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "admitted-models"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory, admitted: Path) -> MakeModel:
    """A function that writes a small model, given a seed and a number of bits, and returns its path."""
    folder = tmp_path_factory.mktemp("models")

    def make(*, seed: int = 0, bits: int = 64, **info: Any) -> Path:
        path = folder / f"tiny-{seed}-{bits}-{abs(hash(repr(sorted(info.items()))))}.onnx"
        if not path.exists():
            data = tiny_model(seed=seed, bits=bits, **info)
            path.write_bytes(data)
            (admitted / f"{admission.digest(data)}.model-{admission.RULES}").touch()  # trying it takes half a second
        return path

    return make


@pytest.fixture(scope="session")
def model(make_model: MakeModel) -> Path:
    """A small model of 64 bits, the same in every session."""
    return make_model(seed=0, bits=64, near=6, similar=16)


@pytest.fixture(scope="session")
def other_model(make_model: MakeModel) -> Path:
    """Another model of 64 bits, with codes unrelated to those of `model`."""
    return make_model(seed=1, bits=64, near=6, similar=16)


@pytest.fixture(autouse=True)
def _decoding_in_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Index without worker processes, except in tests with the fixture `isolated`."""
    if "isolated" not in request.fixturenames:
        monkeypatch.setattr(pool, "make_decoders", lambda limits, **_: nullcontext(Direct(limits)))


@pytest.fixture
def isolated() -> None:
    """Decode images in worker processes, as for users."""


@pytest.fixture(autouse=True)
def _tables_are_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests read Parquet files without trying them in a process first, which takes half a second."""

    def read(path: Path, size: int, mtime_ns: int, columns: tuple[str, ...]) -> str:
        try:
            table_trial.check(path, columns)
        except LookalikeError as error:
            return str(error)
        return ""

    monkeypatch.setattr(tables, "_try", read)


@pytest.fixture(autouse=True)
def _working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, admitted: Path) -> None:
    """No test leaves files in the repository or sees the user's settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOOKALIKE_DB", raising=False)
    cache = tmp_path.with_name(f"{tmp_path.name}-cache")  # some tests list all files in their folder
    cache.mkdir()
    (cache / "models").symlink_to(admitted, target_is_directory=True)
    monkeypatch.setenv("LOOKALIKE_CACHE", os.fspath(cache))


def encoded(picture: Image.Image, ending: str, **options: Any) -> bytes:
    """An image encoded as a file's bytes."""
    out = io.BytesIO()
    picture.save(out, {"jpg": "JPEG", "tif": "TIFF"}.get(ending, ending.upper()), **options)
    return out.getvalue()


def _drawing(seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", (96, 64), tuple(random.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y, w, h = random.integers(0, 64, 4).tolist()
        draw.ellipse((x, y, x + w + 1, y + h + 1), fill=tuple(random.integers(0, 256, 3).tolist()))
    return picture


@pytest.fixture
def db(tmp_path: Path, model: Path) -> Iterator[Database]:
    """A new and empty database."""
    with Database.create(tmp_path / "db", model=model) as database:
        yield database


@pytest.fixture
def indexed(db: Database, photo_folder: Path) -> Database:
    """A database of the 40 photographs, labelled by sub-folder."""
    report = db.index(photo_folder, labels_from_folders=True)
    assert (report.found, report.encoded, report.failed) == (40, 40, 0)
    return db


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Names of the images decoded from now on."""
    seen: list[bytes] = []
    plain = decode.decode

    def spy(data: bytes, spec: decode.ImageSpec, **options: Any) -> decode.Decoded:
        seen.append(data)
        return plain(data, spec, **options)

    monkeypatch.setattr(decode, "decode", spy)
    return seen


@pytest.fixture(scope="session")
def check() -> Check:
    """A function that asserts that a database holds exactly the images of folders, each once, with the right code."""

    def check(path: str | Path, *folders: Path, failed: int = 0) -> None:
        with Database.open(path) as database:
            files = sorted(str(file) for folder in folders for file in folder.rglob("*") if file.is_file())
            here = [record for record in database.records() if not record.missing_since]
            assert sorted(record.name for record in here) == files
            coded = [record for record in here if record.code is not None]
            assert len(coded) == len(files) - failed
            assert all((record.code is None) == (record.error is not None) for record in here)
            expected_NW = database.hasher.encode([record.name for record in coded])
            assert [record.code for record in coded] == [bytes(code_W) for code_W in expected_NW]
            ids_N, codes_NW = database.codes()
            assert ids_N.tolist() == [record.id for record in coded]
            assert np.array_equal(codes_NW, expected_NW)
            for hits, record in zip(database.search_codes(expected_NW, top=len(coded)), coded, strict=True):
                assert len(hits) == len(coded)
                assert record.name in [hit.path for hit in hits if hit.distance == 0]
            findings = database.verify()
            assert all(finding.ok for finding in findings), findings
            assert codefile.read(Path(path, codefile.FILE))[0].count == len(coded)
            assert not any(finding.repaired for finding in database.verify())

    return check
