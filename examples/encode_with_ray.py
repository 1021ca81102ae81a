"""Encode a large collection on all machines of a Ray cluster, into Parquet files that `lookalike import` takes.

    python examples/encode_with_ray.py IMAGES OUT [--model NAME|FILE] [--address ray://HOST:10001] [--workers N]
    lookalike import OUT --db DB --root IMAGES

IMAGES is a folder of images, or a Parquet file (or a folder of them) with the columns `image` (encoded bytes) and
`path`; a folder must be where every machine finds it, such as on a network disk. OUT is a folder, and gets a Parquet
file a block of images. What cannot be read has no code, and is listed in OUT/errors.

Needs the extra `ray`. There is a worker a core, which loads the model once.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Batch = dict[str, npt.NDArray[Any]]
BATCH = 64  # images at a time
BLOCK = 65_536  # images a file
ENCODING = 0.8  # of a core, so that some is left to read what is encoded next


class Encoder:
    """A worker: images in, codes out."""

    def __init__(self, model: str, content: bytes) -> None:
        from lookalike.hasher import Hasher

        self.hasher = Hasher(content, path=model, threads=1)

    def __call__(self, batch: Batch) -> Batch:
        """The batch with codes in place of images; an image that cannot be read has an error instead."""
        contents = batch["image"] if "image" in batch else batch["bytes"]
        rows = [self._row(str(path), bytes(one)) for path, one in zip(batch["path"], contents, strict=True)]
        names = ("path", "code", "width", "height", "size", "error")
        return {name: _column([row[name] for row in rows]) for name in names}

    def _row(self, path: str, content: bytes) -> dict[str, Any]:
        from lookalike.core.errors import ImageError
        from lookalike.imaging import decode

        row: dict[str, Any] = {"path": path, "code": b"", "width": 0, "height": 0, "size": len(content), "error": ""}
        try:
            decoded = decode.decode(content, self.hasher.spec)
        except ImageError as error:
            return {**row, "error": str(error)}
        code_W = self.hasher.encode_arrays(decoded.array[None])[0]
        return {**row, "code": code_W.tobytes(), "width": decoded.width, "height": decoded.height}


def encode(images: Path, out: Path, *, model: str = "default", workers: int = 0) -> tuple[int, int]:
    """Encode a folder or Parquet files on the cluster that Ray is connected to; how many images, and how many not."""
    import ray
    import ray.data

    from lookalike.hasher import find_model

    content = find_model(model).read_bytes()
    cores = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
    rows = (
        _read(images)
        .map_batches(
            Encoder,
            fn_constructor_args=(model, content),
            batch_size=BATCH,
            num_cpus=ENCODING,
            concurrency=workers or cores,
        )
        .materialize()
    )  # so that nothing is encoded twice
    good, bad = rows.filter(expr="error == ''"), rows.filter(expr="error != ''")
    failed = bad.count()
    good.drop_columns(["error"]).repartition(target_num_rows_per_block=BLOCK).write_parquet(str(out))
    if failed:
        bad.select_columns(["path", "error"]).write_parquet(str(out / "errors"))
    return rows.count() - failed, failed


def _read(images: Path) -> Any:
    """The images of a folder, as rows of `path` and `bytes`, or of Parquet files, as rows of `path` and `image`."""
    import ray.data

    reading = {"num_cpus": 1 - ENCODING}
    if _are_tables(images):
        return ray.data.read_parquet(str(images), columns=["path", "image"], ray_remote_args=reading)
    return ray.data.read_binary_files(str(images), include_paths=True, ray_remote_args=reading)


def _are_tables(images: Path) -> bool:
    """Whether this is a Parquet file, or a folder of such; one among images does not make it one."""
    if not images.is_dir():
        return images.suffix == ".parquet"
    files = (file for file in images.rglob("*") if file.is_file() and not file.name.startswith((".", "_")))
    return all(file.suffix == ".parquet" for file in files)


def _column(values: list[Any]) -> npt.NDArray[Any]:
    """Bytes as objects, since NumPy cuts zeros off the end of its own."""
    return np.array(values, object) if values and isinstance(values[0], bytes) else np.array(values)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, metavar="IMAGES")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--model", default="default", metavar="NAME|FILE")
    parser.add_argument("--address", help="of the cluster; without it, this machine")
    parser.add_argument("--workers", type=int, default=0, help="how many at once; without it, one a core")
    given = parser.parse_args(arguments)
    if not given.images.exists():
        sys.exit(f"{given.images} does not exist; name a folder of images, or Parquet files")
    if given.out.exists() and any(given.out.iterdir()):
        sys.exit(f"{given.out} is not empty; name a new folder")
    import ray

    ray.init(address=given.address, log_to_driver=False, logging_level=logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    done, failed = encode(given.images.absolute(), given.out.absolute(), model=given.model, workers=given.workers)
    said = f"{given.out}: {done} codes, {failed} images could not be read\n"
    sys.stdout.write(f"{said}next: lookalike import {given.out} --db DB --root {given.images}\n")


if __name__ == "__main__":
    main()
