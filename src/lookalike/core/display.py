"""Names of files as text to show: they are bytes, and may hold anything."""

from __future__ import annotations

from unicodedata import bidirectional, category

STEERING = frozenset({"Cc", "Zl", "Zp"})  # control characters, ends of lines
TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})  # make "gpj.exe" of "exe.jpg"


def clean(name: str) -> str:
    r"""A name in Unicode; a byte that is no UTF-8 as \xff.

    >>> clean("caf\udce9.jpg")
    'caf\\xe9.jpg'
    """
    if name.isascii():
        return name
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a character, which no name of a file has
        return name.encode("utf-8", "backslashreplace").decode()


def printable(name: str, *, but: str = "") -> str:
    r"""A name that does nothing to a terminal: what would is told by its number, other than characters of `but`.

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
