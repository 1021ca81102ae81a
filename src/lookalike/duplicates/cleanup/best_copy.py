"""Choosing the best copy of a group, with the reason in words.

Rules are applied in order; each keeps the copies that are best by it, and the rule that leaves a single one gives the
reason. The user's preferences come first, then facts from the files, and last facts from the catalog.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lookalike.core.errors import ConfigError
from lookalike.duplicates.cleanup.facts import ENLARGED, Facts, FactsOf
from lookalike.imaging.formats.kinds import is_raw
from lookalike.store.records import Record

NEVER = 1 << 63
PREFERENCES = (
    "folder=PATH", "not-folder=PATH", "original", "oldest", "newest", "largest", "most-pixels", "shortest-path",
)  # fmt: skip

TINY, SMALL = 1 / 16, 1 / 4  # of another copy's true pixels: a copy with fewer is not better merely for being intact
DETAIL = 1 / 1.75  # of the most true pixels: as good as that
FINER = 0.85  # of another's quantisation steps: clearly finer

_ORIGIN_WORDS = "original encoding, not a conversion"


class _BestCopy(NamedTuple):
    """The best of several images, and why."""

    id: int
    why: str


class _Copy(NamedTuple):
    """An image, with the facts read from its file."""

    record: Record
    facts: Facts | None


Copies = Sequence[_Copy]


class _Rule(NamedTuple):
    """Selects the best copies by one criterion, and describes the winner."""

    choose: Callable[[Copies], Copies]
    words: Callable[[_Copy], str]


@dataclass(frozen=True, slots=True)
class Preference:
    """A rule chosen by the user, such as `folder=/photos`."""

    name: str
    folder: str = ""  # absolute

    def __str__(self) -> str:
        return f"{self.name}={self.folder}" if self.folder else self.name


def preference(text: str) -> Preference:
    """The preference with this name. Raises `ConfigError` if it is unknown.

    >>> str(preference("oldest")), preference("folder=/photos/best/").folder
    ('oldest', '/photos/best')
    """
    name, mark, folder = text.partition("=")
    if f"{name}=PATH" in PREFERENCES and folder:
        return Preference(name, os.path.abspath(folder))
    if mark or name not in PREFERENCES:
        raise ConfigError(f"--prefer is {text!r}; it must be one of {', '.join(PREFERENCES)}")
    return Preference(name)


def best(records: Sequence[Record], facts: FactsOf, prefer: Sequence[Preference] = ()) -> _BestCopy:
    """The best copy by the preferences, in order, then by the built-in rules."""
    left: Copies = [_Copy(one, facts.get(one.digest) if one.digest is not None else None) for one in records]
    for rule in (*map(_preferring, prefer), *(RULES if any(one.facts for one in left) else ()), *LAST):
        remaining = rule.choose(left)
        if len(remaining) == 1 < len(left):
            return _BestCopy(remaining[0].record.id, rule.words(remaining[0]))
        left = remaining or left
    first = min(left, key=lambda one: one.record.name)
    return _BestCopy(first.record.id, "first by path")


def listed(words: Sequence[str]) -> str:
    """Words as a list in prose.

    >>> listed(["date", "place", "camera"]), listed(["date"])
    ('date, place and camera', 'date')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _preferring(preference: Preference) -> _Rule:
    """A user's preference as a rule."""
    if preference.name == "original":
        return _Rule(_original, lambda one: f"preferred: {_ORIGIN_WORDS}")
    value = _VALUES[preference.name] if not preference.folder else _in_folder(preference)
    labels = {"largest": "largest file", "oldest": "oldest file", "newest": "newest file"}
    word = labels.get(preference.name, str(preference).replace("-", " " if not preference.folder else "-"))
    return _Rule(_most(value), lambda one: f"preferred: {word}")


def _in_folder(preference: Preference) -> Callable[[_Copy], Any]:
    below = preference.folder.rstrip(os.sep) + os.sep
    return lambda one: one.record.name.startswith(below) == (preference.name == "folder")


def _most(value: Callable[[_Copy], Any]) -> Callable[[Copies], Copies]:
    """Selects the copies with the highest value."""

    def choose(copies: Copies) -> Copies:
        most = max(map(value, copies))
        return [one for one in copies if value(one) == most]

    return choose


def _by_facts(rule: Callable[[Sequence[tuple[_Copy, Facts]]], Copies]) -> Callable[[Copies], Copies]:
    """Selects by facts from the files; keeps all copies if any of them has none."""

    def choose(copies: Copies) -> Copies:
        there = [(one, one.facts) for one in copies if one.facts is not None]
        return rule(there) if len(there) == len(copies) else copies

    return choose


def _that(holds: Callable[[Facts], bool], *, at_least: float) -> Callable[[Copies], Copies]:
    """Selects the copies that satisfy a condition, unless all of them lack too much of the others' detail."""

    @_by_facts
    def choose(copies: Sequence[tuple[_Copy, Facts]]) -> Copies:
        fitting = [(one, facts) for one, facts in copies if holds(facts)]
        enough = at_least * max(facts.true_pixels for _, facts in copies)
        if not any(facts.true_pixels >= enough for _, facts in fitting):
            return [one for one, _ in copies]
        return [one for one, _ in fitting]

    return choose


def _readable(copies: Copies) -> Copies:
    return [one for one in copies if one.facts is not None] or copies


@_by_facts
def _in_colour(copies: Sequence[tuple[_Copy, Facts]]) -> Copies:
    most = max(facts.colourfulness for _, facts in copies)
    return _that(lambda facts: facts.is_in_colour(most), at_least=TINY)([one for one, _ in copies])


@_by_facts
def _deepest(copies: Sequence[tuple[_Copy, Facts]]) -> Copies:
    most = max(facts.depth for _, facts in copies)
    return _that(lambda facts: facts.depth == most, at_least=SMALL)([one for one, _ in copies])


@_by_facts
def _detailed(copies: Sequence[tuple[_Copy, Facts]]) -> Copies:
    enough = DETAIL * max(facts.true_pixels for _, facts in copies)
    return [one for one, facts in copies if facts.true_pixels >= enough]


@_by_facts
def _not_enlarged(copies: Sequence[tuple[_Copy, Facts]]) -> Copies:
    """Selects copies that are not larger than a sharper copy with as much detail."""
    return [one for one, facts in copies if not any(_is_enlarged(facts, other) for _, other in copies)]


def _is_enlarged(one: Facts, other: Facts) -> bool:
    larger = one.pixels >= ENLARGED**2 * other.pixels and one.claim <= other.claim  # a camera's own file is merely soft
    return larger and one.sharpness * ENLARGED <= other.sharpness and other.true_pixels >= DETAIL * one.true_pixels


@_by_facts
def _finest(copies: Sequence[tuple[_Copy, Facts]]) -> Copies:
    """Selects the most finely quantised JPEGs."""
    finest = min(facts.coarseness for _, facts in copies)
    return [one for one, facts in copies if not finest or facts.coarseness * FINER <= finest]


@_by_facts
def _original(copies: Sequence[tuple[_Copy, Facts]]) -> Copies:
    most = max(_origin(facts) for _, facts in copies)
    return [one for one, facts in copies if _origin(facts) == most]


def _origin(facts: Facts) -> float:
    """How likely a file is the source of others rather than a conversion."""
    if facts.made_from_another:
        return 0
    if facts.has_blocks or facts.reduced_to_palette:
        return 1
    if is_raw(facts.format):
        return 6
    if facts.format == "HEIF":
        return 5
    of_a_jpeg = {3: 4.5, 2: 4.0}.get(facts.claim, 3.0)
    rank = of_a_jpeg if facts.coarseness else 4.0 if facts.lossless else 2.0
    return rank - 0.5 * facts.is_edited


def _pixels(copy: _Copy) -> int:
    return (copy.record.width or 0) * (copy.record.height or 0)


def _size(copy: _Copy) -> str:
    return f"{copy.record.width}×{copy.record.height}"


def _time(copy: _Copy) -> int:
    return copy.record.mtime_ns if copy.record.mtime_ns >= 0 else NEVER


def _day(copy: _Copy) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(copy.record.mtime_ns / 1e9))


def _facts(copy: _Copy) -> Facts:
    assert copy.facts is not None
    return copy.facts


def _metadata_words(copy: _Copy) -> str:
    return f"has {listed(_facts(copy).metadata.says)}"


_VALUES: dict[str, Callable[[_Copy], Any]] = {
    "oldest": lambda one: -_time(one),
    "newest": lambda one: one.record.mtime_ns,
    "largest": lambda one: one.record.length or 0,
    "most-pixels": _pixels,
    "shortest-path": lambda one: -len(one.record.name),
}

RULES = (  # by facts from the files
    _Rule(_readable, lambda one: "can be read"),
    _Rule(_that(lambda facts: not facts.damage, at_least=TINY), lambda one: "undamaged"),
    _Rule(_most(lambda one: is_raw(one.record.format)), lambda one: f"raw file of a camera ({one.record.format})"),
    _Rule(_that(lambda facts: not facts.added, at_least=TINY), lambda one: "no border, writing or other colours added"),
    _Rule(_in_colour, lambda one: "in colour"),
    _Rule(_deepest, lambda one: f"{_facts(one).depth} bits a channel"),
    _Rule(_that(lambda facts: not facts.shows_less, at_least=SMALL), lambda one: "shows more of the picture"),
    _Rule(_detailed, lambda one: f"most detail ({_size(one)})"),
    _Rule(_most(lambda one: one.facts.frames if one.facts else 1), lambda one: f"{_facts(one).frames} frames"),
    _Rule(_most(lambda one: len(one.facts.metadata.says) if one.facts else 0), _metadata_words),
    _Rule(_not_enlarged, lambda one: "not enlarged"),
    _Rule(_original, lambda one: _ORIGIN_WORDS),
)
LAST = (  # by facts from the catalog
    _Rule(_most(_pixels), lambda one: f"most pixels ({_size(one)})"),
    _Rule(_finest, lambda one: "least compressed"),
    _Rule(_most(_VALUES["oldest"]), lambda one: f"oldest file ({_day(one)})"),
)
