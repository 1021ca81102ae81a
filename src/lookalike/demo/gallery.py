"""The pictures of the page, each as a data URI with its words: single ones, searches, reconstructions.

Shapes: S pixels a side.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from lookalike.database import Hit
from lookalike.demo.edits import EDITS
from lookalike.demo.ranking import Floats
from lookalike.demo.run import Copy, Outcome
from lookalike.imaging import decode
from lookalike.reports.markup import figure, picture, text

THUMBNAIL = 180  # pixels of a small picture's longer side


def search(outcome: Outcome, row: int) -> str:
    """A copy and what a search with it found; the original is outlined, and stands last if it was not found."""
    copy, hits, model = outcome.copies[row], outcome.hits[row], outcome.methods[0]
    photo = outcome.collection.photos[copy.photo]
    words = f"{photo.name}, {EDITS[copy.edit].words}"
    said = f"<b>{breakable(photo.name)}</b><br>{text(EDITS[copy.edit].words)}"
    cells = [frame(copy.path, f"searched for: {words}", said, "query")]
    cells += [_hit(outcome, hit, copy) for hit in hits]
    if not any(_is_original(outcome, hit, copy) for hit in hits):
        distance = int(model.distances[row, copy.photo])
        said = f"<b>{distance}/{model.bits} bits</b><br>original, rank {model.rank[row]:g}"
        cells.append(frame(photo.path, f"the original: {photo.name}", said, "right"))
    return f'<div class="search">{"".join(cells)}</div>'


def _hit(outcome: Outcome, hit: Hit, copy: Copy) -> str:
    names = {os.path.abspath(picture.path): picture.name for picture in outcome.collection.pictures}
    right = _is_original(outcome, hit, copy)
    said = f"<b>{hit.distance}/{hit.bits} bits</b><br>{breakable(names[hit.path])}"
    return frame(Path(hit.path), f"hit: {names[hit.path]}", said, "right" if right else "")


def _is_original(outcome: Outcome, hit: Hit, copy: Copy) -> bool:
    return hit.path == os.path.abspath(outcome.collection.photos[copy.photo].path)


def frame(path: Path, alternative: str, caption: str, style: str = "") -> str:
    """A small picture with its caption, which is HTML already."""
    shown = decode.thumbnail(path.read_bytes(), THUMBNAIL)
    return figure(picture(shown, alternative), caption, style)


def pair(original_SS: Floats, reconstruction_SS: Floats, name: str, error: float) -> str:
    """An image above its reconstruction, both with values from 0 to 1, and the error between them."""
    above, beneath = (Image.fromarray(np.round(255 * one).astype(np.uint8)) for one in (original_SS, reconstruction_SS))
    return (
        f'<figure class="pair">{picture(above, f"{name} as the model takes it")}'
        f"{picture(beneath, f'{name} reconstructed')}<figcaption>{breakable(name)}<br>MSE <b>{error:.4f}</b>"
        "</figcaption></figure>"
    )


def breakable(name: str) -> str:
    """A file's name as HTML that may be broken where its parts end."""
    return text(name).replace("_", "_<wbr>").replace("/", "/<wbr>").replace(".", "<wbr>.")
