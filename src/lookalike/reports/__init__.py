"""Reports: self-contained HTML files with style, charts and pictures inside; no scripts, nothing fetched.

A report is a template (`templates/NAME.html`, Jinja2, all values escaped) that extends `base.html`, and a function that
computes its values. Charts are SVG (`charts`).
"""

from __future__ import annotations

import base64
import functools
import io
import os
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from lookalike.core import atomic
from lookalike.core.display import printable


def render(template: str, **values: Any) -> str:
    """A report as HTML. Control characters, and bytes that are not UTF-8, are escaped."""
    return _environment().get_template(f"{template}.html").render(style=Markup(_css()), **values)


def write(path: Path, template: str, **values: Any) -> None:
    """Write a report to a file."""
    atomic.write(path, render(template, **values).encode())


def picture(image: Image.Image) -> str:
    """An image as a data URI (JPEG)."""
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _css() -> str:
    """The stylesheet of all reports, light or dark like the reader's system."""
    source, _name, _is_current = _loader().get_source(_environment(), "report.css")
    return source


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=_loader(), autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=_printable
    )
    environment.filters |= {"breakable": _breakable, "name": os.path.basename}
    return environment


def _printable(value: Any) -> Any:
    """A value for display; control characters in text, such as those that reverse its direction, are escaped."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else printable(value, but="\n\t")


@functools.cache
def _loader() -> PackageLoader:
    return PackageLoader("lookalike.reports")


def _breakable(name: str) -> Markup:
    """A file's name that may wrap between its parts.

    >>> _breakable("a_<b>.jpg")
    Markup('a_<wbr>&lt;b&gt;<wbr>.jpg')
    """
    escaped = str(Markup.escape(printable(name)))
    return Markup(escaped.replace("_", "_<wbr>").replace("/", "/<wbr>").replace(".", "<wbr>."))
