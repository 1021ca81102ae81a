"""Folders and problems of a collection, by one reading of its rows; when images were taken, read from their files."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from lookalike.core.display import clean
from lookalike.core.parallel import cores, in_order
from lookalike.database import Database, taken
from lookalike.imaging.isolation.decoders import Decoders
from lookalike.store.records import Record
from lookalike.web.state.jobs import Job, Report

WORDS = (  # of decoders' errors, and what people are told
    (r"truncated|unexpected end|premature end|end of (file|stream)", "the file ends too early"),
    (r"broken data stream|decoder error|corrupt|bad huffman|invalid", "its data are damaged"),
)
REMEDIES = {
    "unreadable": "restore the file, and index its folder again",
    "missing": "restore the file, or forget it: lookalike prune",
    "out-of-reach": "connect the drive, and index the folder again",
    "plain": "nothing: it is grouped with files of the same bytes",
}


class Row(NamedTuple):
    """A row with a problem."""

    id: int
    name: str
    kind: str
    reason: str


class Survey(NamedTuple):
    """The folders below each root with their images, and the rows with problems."""

    folders: Counter[tuple[str, str]]  # (root, path below it)
    problems: list[Row]


def survey(database: Database) -> Survey:
    """All folders and problems."""
    folders: Counter[tuple[str, str]] = Counter()
    problems = []
    for record in database.records():
        if record.code is not None and record.missing_since is None:
            folder = os.path.dirname(record.path)
            folders[record.root, ""] += 1
            while folder:
                folders[record.root, folder] += 1
                folder = os.path.dirname(folder)
        if (found := _problem(record)) is not None:
            problems.append(found)
    return Survey(folders, problems)


def _problem(record: Record) -> Row | None:
    if record.missing_since is not None:
        return Row(record.id, record.name, "missing", "the file is gone")
    if record.error is not None:
        return Row(record.id, record.name, "unreadable", in_words(record.error))
    if record.code is not None and record.is_low_information:
        return Row(record.id, record.name, "plain", "it has too little content to compare")
    return None


def in_words(error: str) -> str:
    """A decoder's error for people, without the names of exceptions.

    >>> in_words("cannot be decoded: OSError: image file is truncated (3 bytes not processed)")
    'the file ends too early'
    >>> in_words("cannot be decoded: ValueError: odd")
    'cannot be decoded: odd'
    """
    if re.search(r"\b\w*(Error|Exception)\b", error) is None:
        return clean(error)
    known = next((words for pattern, words in WORDS if re.search(pattern, error, re.IGNORECASE)), None)
    return known or clean(re.sub(r"\b\w*(Error|Exception): ?", "", error))


class Dates:
    """When images were taken, by content; files are read once."""

    def __init__(self, decoders: Callable[[], Decoders]) -> None:
        self._decoders = decoders
        self._known: dict[str, str] = {}  # by digest

    @property
    def job(self) -> Job:
        """The job that reads all dates: ids and dates, "" if unknown."""
        return Job("taken.json", self._run, lambda value: json.dumps(value).encode(), self._load)

    def _run(self, database: Database, report: Report) -> dict[str, Any]:
        records = [record for record in database.records() if record.code is not None and not record.missing_since]
        decoders = self._decoders()

        def read(record: Record) -> str:
            key = (record.digest or b"").hex()
            return self._known[key] if key in self._known else taken.of(record, decoders).at

        dates: dict[int, str] = {}
        found = in_order(read, records, workers=cores())
        for done, (record, at) in enumerate(zip(records, found, strict=True), start=1):
            dates[record.id] = at
            if record.digest:
                self._known[record.digest.hex()] = at
            report(done, len(records))
        return {"dates": dates, "known": self._known}

    def _load(self, content: bytes) -> dict[str, Any]:
        value = json.loads(content)
        self._known |= value["known"]
        return {"dates": {int(id_): at for id_, at in value["dates"].items()}, "known": {}}
