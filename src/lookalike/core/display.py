"""File names as safe text: names are bytes and may contain anything."""

from __future__ import annotations

from unicodedata import bidirectional, category

STEERING = frozenset({"Cc", "Zl", "Zp"})  # control characters, line separators
# bidirectional overrides: they make "exe.jpg" look like "gpj.exe"
TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def clean(name: str) -> str:
    r"""A name as Unicode text; bytes that are not UTF-8 become \xff escapes.

    >>> clean("caf\udce9.jpg")
    'caf\\xe9.jpg'
    """
    if name.isascii():
        return name
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a lone surrogate, never part of a file's name
        return name.encode("utf-8", "backslashreplace").decode()


def printable(name: str, *, but: str = "") -> str:
    r"""A name that is safe to print on a terminal: control characters are escaped, except those in `but`.

    >>> printable("caf\udce9\x1b[2J\n.jpg")
    'caf\\xe9\\x1b[2J\\x0a.jpg'
    >>> printable("two\nlines\r", but="\n")
    'two\nlines\\x0d'
    """
    return "".join(_number(one) if _acts(one) and one not in but else one for one in clean(name))


def _acts(character: str) -> bool:
    return category(character) in STEERING or bidirectional(character) in TURNING


def _number(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
