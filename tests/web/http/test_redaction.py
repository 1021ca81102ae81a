"""The token never appears in the server's log, in any form."""

from __future__ import annotations

import io
import logging
from urllib.parse import quote

from lookalike.web.http import redaction, security
from lookalike.web.http.redaction import Redacted

TOKEN = "correct horse/battery"


def test_a_secret_is_hidden_in_messages_and_tracebacks() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    secrets = redaction.forms(TOKEN, security.cookie_value(TOKEN))
    handler.setFormatter(Redacted(logging.Formatter("%(levelname)s %(message)s"), secrets))
    log = logging.Logger("some")
    log.addHandler(handler)
    log.error("GET /?token=%s and Bearer %s, cookie %s", quote(TOKEN, safe=""), TOKEN, security.cookie_value(TOKEN))
    try:
        raise ValueError(f"bad header {TOKEN}")
    except ValueError:
        log.exception("failed")
    text = out.getvalue()
    assert text.startswith("ERROR GET /?token=[token] and Bearer [token], cookie [token]\n")
    assert "ValueError: bad header [token]" in text
    assert "horse" not in text


def test_all_handlers_are_changed_once() -> None:
    logger = logging.getLogger("uvicorn.error")
    handler = logging.StreamHandler(io.StringIO())
    logger.addHandler(handler)
    try:
        redaction.redact(["secret secret"])
        first = handler.formatter
        assert isinstance(first, Redacted)
        redaction.redact(["secret secret"])
        assert handler.formatter is first
    finally:
        logger.removeHandler(handler)
