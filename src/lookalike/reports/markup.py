"""Parts of the pages that reports are: text, pictures inside the page, and the style that all of them have."""

from __future__ import annotations

import base64
import html
import io
from importlib.resources import files

from PIL import Image

from lookalike.core.display import printable


def css() -> str:
    """The style of a page, light or dark as its reader has it."""
    return (files("lookalike.reports") / "templates" / "report.css").read_text(encoding="utf-8")


def text(value: str) -> str:
    r"""A string as HTML text or attribute. Control and bidirectional characters, and bytes not in UTF-8, by number.

    >>> text('<b>&".jpg'), text("exe\u202egpj.\udcff")
    ('&lt;b&gt;&amp;&quot;.jpg', 'exe\\u202egpj.\\xff')
    """
    return html.escape(printable(value, but="\n\t"))


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
