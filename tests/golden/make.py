"""Golden files: a model, and a database for each version of the schema, which every later version must open.

    python -m tests.golden.make model                  the model, with its codes of fixed images (needs torch)
    python -m tests.golden.make database               a database of the newest schema

Run it only to add the database of a new schema. Existing files are never replaced: they represent users' databases.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FOLDER = Path(__file__).parent
MODEL = FOLDER / "model.onnx"
EXPECTED = FOLDER / "expected.json"  # codes of the images, hits, and contents of the catalog
BITS, SIDE = 16, 128
NAMES = ("2021/07/a.jpg", "2021/07/ä.jpg", "2021/\udcff.png", "b.png", "2021/t.parquet#12", "c.gif", "d.webp", "e.jpg")


def pictures() -> npt.NDArray[np.uint8]:
    """Eight synthetic images (8, S, S)."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.stack([(x * (3 + n) + y * (9 - n) + x * y // (7 + 5 * n)) % 256 for n in range(8)]).astype(np.uint8)


def make_model() -> None:
    """Export a small untrained model."""
    import torch

    from lookalike.hasher import Hasher, ModelInfo
    from lookalike.models import create
    from lookalike.training.export import export_autoencoder, theta_digest
    from lookalike.training.task import SPEC

    assert not MODEL.exists(), "golden files are never made again"
    model = create("cvae", bits=BITS, seed=3, channels=(2, 2, 4, 4))
    for _ in range(20):
        latent_NK = model.latent(torch.from_numpy(pictures()[:, None]).float() / 255)
    model = model.eval()
    latent_NK = model.latent(torch.from_numpy(pictures()[:, None]).float() / 255)
    theta_K = latent_NK.detach().numpy().mean(0).astype(np.float32)
    info = ModelInfo(
        name=f"golden-{BITS}", model="cvae", bits=BITS, image=SPEC, theta_digest=theta_digest(theta_K),
        data_name="pictures", data_images=8, data_validation=0, seed=3, epochs=0, near=3, similar=6,
    )  # fmt: skip
    export_autoencoder(MODEL, model, theta_K, info, check_NSS=pictures())
    codes_NW = Hasher.load(MODEL).encode_arrays(pictures())
    EXPECTED.write_text(json.dumps({"codes": [code_W.tobytes().hex() for code_W in codes_NW]}, indent=1) + "\n")


def make_database() -> None:
    """Write a database as an archive."""
    from lookalike.database import Database
    from lookalike.store import migrations

    archive = FOLDER / f"schema-{migrations.newest()}.tar.gz"
    assert not archive.exists(), "golden files are never made again"
    with tempfile.TemporaryDirectory() as work:
        db = Path(work, "db")
        with Database.create(db, model=MODEL) as database:
            _fill(database)
        (db / "lock").unlink(missing_ok=True)
        _pack(db, archive)


def _fill(database: Any) -> None:
    """Records under /photos: indexed, failed and missing images, decisions, and an original."""
    from lookalike.data import Item, content_digest
    from lookalike.store import originals
    from lookalike.store.decisions import Decided, Kind
    from lookalike.store.derived import code_array
    from lookalike.store.records import IndexOutcome

    catalog, data = database.store.local(), b"the bytes of an image"
    digest = content_digest(data)
    originals.keep(database.folder, digest, data)
    known = {field.name for field in fields(IndexOutcome)}
    codes_NW = database.hasher.encode_arrays(pictures())
    with catalog.transaction():
        for number, name in enumerate(NAMES):
            row = 12 if "#" in name else None
            label = (None, "cat", ("cat", "dog"))[number % 3]
            item = Item("/photos", name, 1000 + number, 10**18 + number, label, row)
            about: dict[str, Any] = {
                "digest": digest if number == 0 else bytes([number] * 16), "length": 900 + number, "width": 640,
                "height": 480, "format": "JPEG", "animated": number == 5, "quality": 60, "kept": number == 0,
                "thumbnail": bytes([number] * 9), "code": codes_NW[number].tobytes(),
            }  # fmt: skip
            about = {"error": "is no image"} if number == 6 else about
            catalog.write(IndexOutcome(item=item, **{key: value for key, value in about.items() if key in known}))
        catalog.set_missing([8], missing=True)
        catalog.touch()
        decided = [Decided(bytes([number] * 16), f"/photos/{NAMES[number]}", number == 1) for number in (1, 2)]
        catalog.decisions.add(Kind.KEEP, decided)
    code_array.keep(catalog, rebuild=True)


def _pack(db: Path, archive: Path) -> None:
    """An archive without times, owners, and the model, which is stored once."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path in sorted(db.rglob("*")):
            if path.is_file() and not path.name.startswith("model."):
                about = tarfile.TarInfo(str(path.relative_to(db)))
                about.size = path.stat().st_size
                tar.addfile(about, io.BytesIO(path.read_bytes()))
    archive.write_bytes(gzip.compress(out.getvalue(), 9, mtime=0))


if __name__ == "__main__":
    make_model() if sys.argv[1] == "model" else make_database()
