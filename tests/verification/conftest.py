from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lookalike.verification.features import Array


@pytest.fixture(scope="session")
def photographs() -> list[Array]:
    """Four photographs of up to 320 pixels a side that scikit-image packages."""
    data = pytest.importorskip("skimage.data")
    pictures = [Image.fromarray(getattr(data, name)()).convert("RGB") for name in NAMES]
    for picture in pictures:
        picture.thumbnail((320, 320))
    return [np.asarray(picture) for picture in pictures]


NAMES = ("chelsea", "coffee", "astronaut", "rocket")
