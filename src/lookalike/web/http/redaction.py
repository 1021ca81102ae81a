"""Redaction of secrets in logs, whatever wrote them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

HIDDEN = "[token]"


class Redacted(logging.Formatter):
    """Wraps another formatter and replaces secrets in its output, including tracebacks."""

    def __init__(self, inner: logging.Formatter | None, secrets: Iterable[str]) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()
        self._secrets = sorted({one for one in secrets if one}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The formatted record, redacted."""
        text = self._inner.format(record)
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


def forms(token: str, cookie: str) -> list[str]:
    """The forms of a token in URLs and headers, and the cookie that replaces it."""
    return [token, quote(token), quote(token, safe=""), quote_plus(token), cookie]


def redact(secrets: Iterable[str]) -> None:
    """Make all log handlers of this process redact secrets."""
    hidden = list(secrets)
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())  # instead of Python's last resort, which has no formatter
    named = (logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "lookalike", "asyncio"))
    for handler in {handler for logger in (root, *named) for handler in logger.handlers}:
        if not isinstance(handler.formatter, Redacted):
            handler.setFormatter(Redacted(handler.formatter, hidden))
