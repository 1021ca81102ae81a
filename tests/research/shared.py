"""Location of the real images, and a marker for tests that need them."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared/data"
needs_cifar10 = pytest.mark.skipif(
    not (SHARED / "cifar10.parquet").exists(), reason="needs cifar10.parquet in ../shared/data"
)
