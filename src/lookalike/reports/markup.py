"""Parts of the pages that reports are: text, pictures inside the page, and the style that all of them have."""

from __future__ import annotations

import base64
import html
import io
from importlib.resources import files

from PIL import Image


def css() -> str:
    """The style of a page, light or dark as its reader has it."""
    return (files("lookalike.reports") / "page.css").read_text(encoding="utf-8")


def text(value: str) -> str:
    """A string as HTML text or attribute; what UTF-8 cannot write becomes a question mark.

    >>> text('<b>&".jpg')
    '&lt;b&gt;&amp;&quot;.jpg'
    """
    return html.escape(value.encode("utf-8", "replace").decode("utf-8"))


def picture(image: Image.Image, alternative: str) -> str:
    """An image inside the page, with the words for those who do not see it."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    encoded = base64.b64encode(file.getvalue()).decode("ascii")
    size = f'width="{image.width}" height="{image.height}"'
    return f'<img src="data:image/jpeg;base64,{encoded}" {size} alt="{text(alternative)}">'


def figure(shown: str, caption: str, style: str = "") -> str:
    """A framed picture with its caption; both are HTML already."""
    return f'<figure class="{style}"><div class="frame">{shown}</div><figcaption>{caption}</figcaption></figure>'
