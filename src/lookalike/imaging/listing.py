"""Results as a list that is also a table, and a sheet of pictures in a notebook."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

from PIL import Image

from lookalike.core.errors import ImageError, MissingExtra
from lookalike.imaging.isolation.decoders import Direct
from lookalike.imaging.isolation.limits import DecodeLimits

if TYPE_CHECKING:
    import pyarrow

Row = TypeVar("Row")

SHOWN, SIDE = 60, 160  # pictures in a notebook at most, and the pixels of their longer side


class Listing(list[Row]):
    """A list of results: dataclasses with a `path`, or mappings."""

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows as dictionaries."""
        return [dict(row) if isinstance(row, Mapping) else dataclasses.asdict(row) for row in self]  # type: ignore[call-overload]

    def to_arrow(self) -> pyarrow.Table:
        """The rows as a PyArrow table. Raises `MissingExtra` without PyArrow."""
        try:
            import pyarrow
        except ImportError as error:
            raise MissingExtra("A table needs PyArrow", "parquet") from error
        return pyarrow.Table.from_pylist(self.to_dicts())

    def to_pandas(self) -> Any:
        """The rows as a data frame; pandas is yours to install."""
        from pandas import DataFrame  # type: ignore[import-untyped]

        return DataFrame(self.to_dicts())

    def _repr_html_(self) -> str:
        """The pictures and what is known of them, for notebooks."""
        figures = "".join(_figure(row) for row in self.to_dicts()[:SHOWN])
        more = f"<p>and {len(self) - SHOWN} more</p>" if len(self) > SHOWN else ""
        return f'<div style="display:flex;flex-wrap:wrap;gap:4px">{figures}</div>{more}'


def _figure(row: Mapping[str, Any]) -> str:
    path, done = str(row.get("path", "")), row.get("done") or ", ".join(row.get("edits") or ())
    words = [str(row.get("relation") or "").replace("-", " "), str(done), path.rpartition("/")[2]]
    caption = "<br>".join(escape(word) for word in words if word)
    return (
        f'<figure style="margin:0;width:{SIDE}px;font:12px sans-serif;overflow-wrap:anywhere" title="{escape(path)}">'
        f"{_picture(path)}<figcaption>{caption}</figcaption></figure>"
    )


def _picture(path: str) -> str:
    """A small picture of a file as an HTML element; empty if it cannot be read."""
    try:
        with Direct(DecodeLimits()).opened(path) as image:
            small = Image.fromarray(image.frames(SIDE)[0])
    except (OSError, ValueError, ImageError):  # ValueError: a name that no file can have
        return ""
    content = io.BytesIO()
    small.save(content, "WEBP", quality=70)
    return f'<img alt="" src="data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}">'
