"""Codes of the images in `images.zip` with the installed packages, compared with `codes.json`.

`make versions` runs it with the lowest versions allowed by pyproject.toml, and with the newest: at most 2 of 64 bits
may differ. It needs only the dependencies of indexing.
"""

from __future__ import annotations

import json
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

from lookalike.core.codes import to_hex
from lookalike.hasher import Hasher

HERE = Path(__file__).parent
MOST = 2  # maximum number of different bits
PACKAGES = ("numpy", "pillow", "onnxruntime", "protobuf")


def codes() -> dict[str, str]:
    """The code of each image, in hexadecimal."""
    hasher = Hasher.load()
    with zipfile.ZipFile(HERE / "images.zip") as archive:
        return {name: to_hex(hasher.encode(archive.read(name))[0]) for name in sorted(archive.namelist())}


def differing() -> dict[str, int]:
    """Number of bits by which each image's code differs from the stored one."""
    kept = json.loads((HERE / "codes.json").read_text(encoding="ascii"))
    return {name: (int(code, 16) ^ int(kept[name], 16)).bit_count() for name, code in codes().items()}


def main() -> None:
    """Print the differences; exit code 1 if too many bits differ."""
    if sys.argv[1:] == ["--write"]:
        (HERE / "codes.json").write_text(json.dumps(codes(), indent=1) + "\n", encoding="ascii")
        return
    found = differing()
    worst = max(found.values())
    installed = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    sys.stdout.write(f"{installed}: {len(found)} images, at most {worst} of 64 bits differ\n")
    sys.exit(worst > MOST)


if __name__ == "__main__":
    main()
