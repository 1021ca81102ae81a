"""Errors as JSON."""

from __future__ import annotations

import json

from lookalike.web.http.problems import JsonResponse


def test_json_is_utf_8() -> None:
    content = {"name": "café.jpg", "bits": 64, "weighed": 1.5, "label": None}
    body = bytes(JsonResponse(content).body)
    assert "café.jpg".encode() in body
    assert json.loads(body) == content


def test_half_a_character_is_escaped() -> None:
    content = {"name": "caf\udce9.jpg"}
    body = bytes(JsonResponse(content).body)
    assert body.isascii()
    assert json.loads(body) == content
