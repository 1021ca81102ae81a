"""Log lines without the token, whatever put it there."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

HIDDEN = "[token]"


class Redacted(logging.Formatter):
    """Writes records as another formatter does, with secrets replaced, tracebacks included."""

    def __init__(self, inner: logging.Formatter | None, secrets: Iterable[str]) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()
        self._secrets = sorted({one for one in secrets if one}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The line, or lines, of a record."""
        text = self._inner.format(record)
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


def forms(token: str, cookie: str) -> list[str]:
    """A token as it may be written in addresses and headers, and the cookie that stands for it."""
    return [token, quote(token), quote(token, safe=""), quote_plus(token), cookie]


def redact(secrets: Iterable[str]) -> None:
    """Let no handler of this process's logs write secrets."""
    hidden = list(secrets)
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())  # in place of Python's last resort, which has no formatter
    named = (logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "lookalike", "asyncio"))
    for handler in {handler for logger in (root, *named) for handler in logger.handlers}:
        if not isinstance(handler.formatter, Redacted):
            handler.setFormatter(Redacted(handler.formatter, hidden))
