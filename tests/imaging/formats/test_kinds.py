"""The format of a file by its first bytes, and the messages for formats that are not read."""

from __future__ import annotations

import contextlib

import pytest

from lookalike.core.errors import ImageError
from lookalike.imaging.formats import kinds

NAMED = {
    b"8BPS\0\1" + bytes(16) + b"\0\x10\0\3" + bytes(9): "a Photoshop document of 16 bits a channel",
    b"8BPS\0\2" + bytes(20): r"a large Photoshop document \(PSB\)",
    b"\0\0\0\x18ftypisom\0\0\2\0isomiso2": "a video",
    b"\0\0\0\x14ftypqt  \0\0\2\0qt  ": "a video",
    b"RIFF\x24\0\0\0AVI LIST": "a video",
    b"\x1aE\xdf\xa3" + bytes(30): "a Matroska or WebM video",
    b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>': "an SVG drawing",
    b'<?xml version="1.0"?>\n<SVG width="9">': "an SVG drawing",
    b"%PDF-1.7\n": "a PDF document",
    b"%!PS-Adobe-3.0 EPSF-3.0\n": "a PostScript document",
    b"FOVb" + bytes(30): "a Sigma X3F raw file",
    b"\0MRM" + bytes(30): "a Minolta MRW raw file",
}


@pytest.mark.parametrize("head", NAMED, ids=NAMED.values())
def test_what_is_known_but_not_read_is_named(head: bytes) -> None:
    with pytest.raises(ImageError, match=f"^{NAMED[head]}, which cannot be read here") as caught:
        kinds.recognise(head)
    assert kinds.foreign_kind(str(caught.value))


def test_what_is_damaged_is_not_foreign() -> None:
    assert kinds.foreign_kind(kinds.NO_IMAGE)
    assert not kinds.foreign_kind("is cut off: only 50 % of its rows are there")


@pytest.mark.parametrize("cut", range(64))
def test_any_beginning_is_recognised_or_refused(cut: int) -> None:
    for start in (b"\n\5\1\x08", b"\x01\xda\0\1\0\3", b"\0\0\1\0\1\0", b"8BPS\0\1", bytes([0, 0, 2])):
        with contextlib.suppress(ImageError):
            kinds.recognise((start + bytes(64))[: cut + 1])


def test_what_earlier_versions_refused_is_read_again() -> None:
    assert kinds.is_read_now("not an image in a format that is read here (JPEG, PNG, HEIF)")
    assert kinds.foreign_kind("not an image in a format that is read here (JPEG, PNG, HEIF)") == kinds.NO_IMAGE
    assert not kinds.is_read_now("is cut off: only 50 % of its rows are there")


def test_raw_formats_are_known_by_name() -> None:
    assert kinds.is_raw("DNG")
    assert not kinds.is_raw("JPEG")
    assert not kinds.is_raw(None)
    assert not kinds.RAW_FORMATS & set(kinds.FORMATS)
