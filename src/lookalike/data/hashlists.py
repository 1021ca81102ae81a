"""Lists of hashes: text with a hash a line, CSV, tab-separated values, or JSON, by the field names that people use.

d41d8cd98f00b204e9800998ecf8427e  holiday.jpg      as of md5sum; what follows the hash is the entry's name
signal_type,signal_value,bank_content_id           a header names the columns
{"signal_type": "pdq", "signal_value": "f8f8…"}    JSON lines, or one JSON array of such objects
{"path": "a.jpg", "code": "2b3a…", "bits": 64}     as of `lookalike encode --json`
"""

from __future__ import annotations

import csv
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from lookalike.core.errors import ConfigError, DataError

BYTES = {"md5": 16, "sha1": 20, "sha256": 32, "pdq": 32, "phash": 8}  # of hashes; a code has its model's length
CODE = "code"
KINDS = (*BYTES, CODE)
VALUE = ("signal_value", "signal", "value", "hash", "indicator")  # names of a field with a hash; or its kind
KIND = ("signal_type", "hash_type", "type")
NAME = ("bank_content_id", "content_id", "name", "path", "filename", "file", "id")
LEAST_QUALITY = 50  # of PDQ: whoever publishes lists leaves out hashes below, which say nothing
MOST_NAME = 400  # characters of a name that are kept


class Listed(NamedTuple):
    """A hash on a list."""

    kind: str
    value: bytes
    name: str


def kind_of(text: str) -> str:
    """The kind of hash that a list or person calls by another name. Raises `ConfigError`.

    >>> kind_of("HASH_SHA256"), kind_of("sha-256"), kind_of("PDQ")
    ('sha256', 'sha256', 'pdq')
    """
    kind = text.strip().lower().replace("-", "").removeprefix("hash_")
    if kind not in KINDS:
        raise ConfigError(f"there is no hash {text!r}; there are {', '.join(KINDS)}")
    return kind


def value_of(kind: str, text: str, *, bits: int) -> bytes:
    """A hash in hexadecimal digits as bytes; `bits`: length of a code. Raises `DataError`."""
    length = BYTES.get(kind, bits // 8)
    try:
        value = bytes.fromhex(text) if len(text) == 2 * length else b""
    except ValueError:
        value = b""
    if len(value) != length:
        raise DataError(f"{text[:80]!r} is no {kind} hash; expected {2 * length} hexadecimal digits")
    return value


def read(path: str | os.PathLike[str], kind: str | None, *, bits: int) -> tuple[list[Listed], int]:
    """The hashes of a list, and the number of those left out because their quality is too low.

    `kind` holds for hashes of which the list does not say it; `bits`: length of a code. Raises `DataError` with the
    first line that is wrong.
    """
    found, poor = list[Listed](), 0
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            lines = _Lines(file)
            for fields in _rows(lines):
                one, quality = _listed(fields, kind, bits=bits), str(fields.get("quality") or "")
                if one.kind == "pdq" and quality and float(quality) < LEAST_QUALITY:
                    poor += 1
                else:
                    found.append(one)
    except OSError as error:
        raise DataError(f"{os.fspath(path)}: {error.strerror}; name a list of hashes") from error
    except (ValueError, csv.Error, ConfigError, DataError) as error:
        reason = error if isinstance(error, ConfigError | DataError) else f"not text, CSV or JSON in UTF-8 ({error})"
        where = f"{os.fspath(path)}, {lines.unit} {getattr(error, 'lineno', lines.number)}"
        raise DataError(f"{where}: {reason}. Nothing was changed") from error
    return found, poor


class _Lines:
    """The lines of a file that are neither empty nor comments; `number`: that of the last one."""

    def __init__(self, file: Iterable[str]) -> None:
        self._file, self.number, self.unit = file, 0, "line"

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self.number += 1
            if line.strip() and not line.startswith("#"):
                yield line


def _listed(fields: Mapping[str, object], kind: str | None, *, bits: int) -> Listed:
    said = next((str(fields[name]) for name in KIND if fields.get(name)), None)
    kind = kind if said is None else kind_of(said)
    column = next((name for name in (*VALUE, *KINDS) if fields.get(name)), None)
    if column is None:
        raise DataError(f"there is no hash; expected a field {', '.join(VALUE)} or {', '.join(KINDS)}")
    if column in KINDS:
        kind = column
    if kind is None:
        raise DataError("the list does not say which hash this is; name it with --hash, such as --hash pdq")
    name = next((str(fields[name]) for name in NAME if fields.get(name) is not None), "")
    return Listed(kind, value_of(kind, str(fields[column]).strip(), bits=bits), name[:MOST_NAME])


def _rows(lines: _Lines) -> Iterator[Mapping[str, object]]:
    """The fields of each entry, by lower-case name."""
    each = iter(lines)
    first = next(each, "")
    start, rest = first.lstrip(), itertools.chain([first] if first else [], each)
    if start.startswith("["):
        values = json.loads("".join(rest))
        lines.unit = "entry"
        for lines.number, value in enumerate(values, 1):
            yield _named(value)
    elif start.startswith("{"):
        for line in rest:
            yield _named(_json(line))
    else:
        yield from _cells(rest, delimiter=next((one for one in "\t,;" if one in start), None))


def _json(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError as error:
        raise DataError(f"not JSON ({error})") from error


def _named(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise DataError(f"expected a JSON object, not {json.dumps(value)[:40]}")
    return {str(name).lower(): one for name, one in value.items()}


def _cells(lines: Iterable[str], delimiter: str | None) -> Iterator[Mapping[str, object]]:
    """The fields of lines with columns; without a header: the hash, and what else the line has."""
    header: list[str] | None = None
    for at, line in enumerate(lines):
        cells = line.split(None, 1) if delimiter is None else next(csv.reader([line], delimiter=delimiter))
        cells = [cell.strip() for cell in cells]
        names = [cell.lower() for cell in cells]
        if not at and {*VALUE, *KINDS} & set(names):
            header = names
        elif header is not None:
            yield dict(zip(header, cells, strict=False))
        else:
            has_quality = delimiter is not None and len(cells) > 1 and cells[1].isdecimal()  # as PDQ's programs write
            name = cells[-1] if len(cells) > 1 + has_quality else ""
            quality = cells[1] if has_quality else ""
            yield {"hash": cells[0], "name": name.lstrip("*"), "quality": quality}
