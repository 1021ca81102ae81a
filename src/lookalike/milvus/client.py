"""A Milvus server: its address, calls with retries and within its message limit, one-line errors.

Milvus is a distributed vector engine; binary vectors are compared by Hamming distance. Only this module uses its client
pymilvus, which is imported when a connection is made.

The consistency level is Milvus' Session: a process reads its own writes. The first read, and the first one after a
deletion, is Strong: it waits (some 0.4 s) for all writes of all processes.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from lookalike.core.address import SCHEME
from lookalike.core.errors import ConfigError, DatabaseError, MissingExtra

FORM = "milvus://HOST:PORT/NAME"
TOKEN = "LOOKALIKE_MILVUS_TOKEN"  # environment variable: USER:PASSWORD, or a token, for a server with authentication
MESSAGE = 4 << 20  # bytes a call; a server accepts 64 MiB, and the queue behind it 5
LARGEST = 16_384  # maximum hits, and rows, of a Milvus call
ROWS = 4096  # rows a page
LISTED = 20_000  # maximum ids in an expression
TEXT = 65_535  # maximum bytes of a text field
TAGS = 1024  # maximum texts of a list
PAUSES = (0.1, 5.0)  # seconds between two tries: first, maximum
FINAL = {9, 100, 1100, 1101}  # codes of permanent errors: denied, no such collection, wrong parameters
FINAL_TEXTS = ("cannot parse expression", "duplicated new collection name", "auth")
SESSION, STRONG = "Session", "Strong"  # levels of consistency

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Address:
    """Address of a collection, with connection options."""

    host: str
    port: int
    name: str
    timeout: float = 60.0  # seconds that a server may be unavailable

    def __str__(self) -> str:
        return f"{SCHEME}//{self.host}:{self.port}/{self.name}"


def parse(text: str) -> Address:
    """Parse an address. Raises `ConfigError`.

    >>> str(parse("milvus://host:19530/photos?timeout=5"))
    'milvus://host:19530/photos'
    """
    try:
        parts = urlsplit(text)
        host, port, name = parts.hostname, parts.port, parts.path.removeprefix("/")
        values = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise ConfigError(f"{text} is not an address ({error}); expected {FORM}") from error
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            f"an address is displayed, so it must not contain a password; set {TOKEN}=USER:PASSWORD in the environment"
        )
    if not text.startswith(f"{SCHEME}//") or not host or not port or not name:
        raise ConfigError(f"{text} is not an address; expected {FORM}, such as milvus://localhost:19530/photos")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,199}", name):
        raise ConfigError(
            f"{name!r} cannot be the name of a collection in Milvus: letters, digits and _ only, a letter first"
        )
    return _with_options(Address(host, port, name), values)


def quoted(text: str) -> str:
    r"""A text as a literal of Milvus expressions.

    >>> print(quoted('a "b" \\ c'))
    "a \"b\" \\ c"
    """
    return json.dumps(text, ensure_ascii=False)


def _listed(ids: Iterable[int]) -> str:
    """The expression for rows with these ids.

    >>> _listed([3, 5])
    'id in [3, 5]'
    """
    return f"id in [{', '.join(str(int(id_)) for id_ in ids)}]"


class MilvusServer:
    """A connection to an address's server; thread-safe."""

    def __init__(self, address: Address) -> None:
        """Raises `DatabaseError` if no server answers, `MissingExtra` without pymilvus."""
        self.address = address
        self._behind: set[str] = set()  # collections whose next read must be Strong
        _reach(address)
        pymilvus = _pymilvus()
        self._errors: Any = pymilvus.MilvusException
        self._open: Any = lambda: pymilvus.MilvusClient(
            uri=f"http://{address.host}:{address.port}",
            token=os.environ.get(TOKEN, ""),
            timeout=address.timeout,
            dedicated=True,
        )
        try:
            self._client = self._open()
        except self._errors as error:
            raise DatabaseError(self._said(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def names(self) -> list[str]:
        """Names of all collections."""
        return sorted(self.call("list_collections"))

    def description(self, name: str) -> str | None:
        """The description of a collection, or None if it does not exist."""
        if name not in self.names():
            return None
        self._behind.add(name)
        return str(self.call("describe_collection", name)["description"])

    def make(
        self,
        name: str,
        bits: int,
        fields: Mapping[str, str],
        *,
        description: str = "",
        indexed: Iterable[str] = (),
        rows: Iterable[Row] = (),
    ) -> None:
        """Create a collection of `id`, `code` with a number of bits, and fields "int", "flag", "text" or "texts".

        Fields that are `indexed` are searched without a full scan. The collection is filled under a temporary name,
        then renamed, so that it appears with its first rows; if another machine was faster, its collection stays.
        """
        aside = f"{name}_{uuid.uuid4().hex[:12]}_new"
        try:
            self._create(aside, bits, fields, description, indexed)
            self.put(aside, rows)
            self.call("rename_collection", aside, name)
        except BaseException as error:
            self.drop(aside)
            if not isinstance(error, DatabaseError) or name not in self.names():
                raise

    def load(self, name: str) -> None:
        """Load a collection into the server's memory for searching."""
        self.call("load_collection", name)

    def drop(self, name: str) -> None:
        """Delete a collection."""
        self.call("drop_collection", name)

    def put(self, name: str, rows: Iterable[Row]) -> None:
        """Write rows, replacing those with the same ids."""
        for batch in _batches(rows):
            self.call("upsert", name, batch)

    def remove(self, name: str, where: str) -> None:
        """Delete the rows that match an expression."""
        self.call("delete", name, filter=where)
        self._behind.add(name)

    def remove_ids(self, name: str, ids: Sequence[int]) -> None:
        """Delete rows by id, ignoring unknown ids."""
        for start in range(0, len(ids), LISTED):
            self.remove(name, _listed(ids[start : start + LISTED]))

    def count(self, name: str, where: str = "") -> int:
        """Number of rows."""
        found = self._read("query", name, filter=where, output_fields=["count(*)"])
        return int(found[0]["count(*)"])

    def get(self, name: str, ids: Sequence[int], fields: Sequence[str]) -> Iterator[Row]:
        """The existing rows among these ids, unordered."""
        for start in range(0, len(ids), ROWS):
            where = _listed(ids[start : start + ROWS])
            yield from self._read("query", name, filter=where, output_fields=list(fields))

    def first(self, name: str, where: str, fields: Sequence[str], *, limit: int = LARGEST) -> list[Row]:
        """Some of the rows that match an expression."""
        return list(self._read("query", name, filter=where, output_fields=list(fields), limit=limit))

    def pages(self, name: str, where: str, fields: Sequence[str]) -> Iterator[list[Row]]:
        """All rows that match an expression, by ascending id, some thousands at a time."""
        behind = "id >= 0"
        while True:
            expression = f"{behind} and ({where})" if where else behind
            rows = self._read(
                "query", name, filter=expression, output_fields=list(fields), limit=ROWS, reduce_stop_for_best=True
            )
            if not rows:
                return
            page = sorted(rows, key=lambda row: int(row["id"]))
            yield page
            behind = f"id > {page[-1]['id']}"

    def nearest(self, name: str, queries: Sequence[bytes], *, limit: int, where: str) -> list[list[tuple[int, int]]]:
        """Ids and distances of the nearest codes, for each query."""
        found = self._read(
            "search", name, data=list(queries), anns_field="code", limit=limit, filter=where,
            search_params={"metric_type": "HAMMING"},
        )  # fmt: skip
        return [[(int(hit["id"]), int(hit["distance"])) for hit in hits] for hits in found]

    def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of the client, with retries while the server is unavailable."""
        until, pause = time.monotonic() + self.address.timeout, PAUSES[0]
        while True:
            left = max(until - time.monotonic(), 1.0)
            try:
                return getattr(self._client, method)(*arguments, timeout=left, **named)
            except self._errors as error:
                if _is_final(error) or time.monotonic() + pause > until:
                    raise DatabaseError(self._said(error)) from error
            time.sleep(pause)
            pause = min(2 * pause, PAUSES[1])

    def _create(
        self, name: str, bits: int, fields: Mapping[str, str], description: str, indexed: Iterable[str]
    ) -> None:
        kinds = _pymilvus().DataType
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False, description=description)
        schema.add_field("id", kinds.INT64, is_primary=True)
        schema.add_field("code", kinds.BINARY_VECTOR, dim=bits)
        for field, kind in fields.items():
            schema.add_field(field, **_kind(kinds, kind))
        index = self._client.prepare_index_params()
        index.add_index("code", index_name="code", index_type="BIN_FLAT", metric_type="HAMMING")
        for field in indexed:
            index.add_index(field, index_name=field, index_type="Trie")
        self.call("create_collection", name, schema=schema, index_params=index, consistency_level=SESSION)

    def _read(self, method: str, name: str, **named: Any) -> Any:
        """Read from a collection, including at least this process's writes."""
        behind = name in self._behind  # the client does not learn when deletions took place
        level = STRONG if behind else SESSION
        found = self.call(method, name, consistency_level=level, **named)
        if behind:
            self._behind.discard(name)
        return found

    def _said(self, error: Any) -> str:
        where = f"the Milvus server at {self.address.host}:{self.address.port}"
        text = " ".join(str(getattr(error, "message", error)).split())
        if "auth" in text.lower():
            return f"{where} refuses: {text}; give {TOKEN}=USER:PASSWORD in the environment"
        if _is_final(error):
            return f"{where} refuses: {text}"
        return f"{where} did not answer within {self.address.timeout:g} s ({text}); see whether it runs, then try again"


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Split rows into batches of at most a message each."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        own = 64 + sum(_size(value) for value in row.values())
        if batch and size + own > MESSAGE:
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += own
    if batch:
        yield batch


def _size(value: Any) -> int:
    """Size of a value in a message, rounded up."""
    if isinstance(value, str):
        return 8 + len(value.encode())
    if isinstance(value, list):
        return sum(map(_size, value))
    return 8 + len(value) if isinstance(value, bytes) else 16


def _with_options(address: Address, values: Mapping[str, str]) -> Address:
    named = dict(values)
    timeout = named.pop("timeout", "60")
    if named:
        raise ConfigError(f"{next(iter(named))} is not an option of an address; there is only timeout")
    if not timeout.isdecimal() or not int(timeout):
        raise ConfigError(f"timeout is {timeout}; it is a whole number of seconds, at least 1")
    return Address(address.host, address.port, address.name, float(timeout))


def _kind(kinds: Any, kind: str) -> dict[str, Any]:
    """Milvus' type of a field."""
    if kind == "texts":
        return {
            "datatype": kinds.ARRAY, "element_type": kinds.VARCHAR, "max_capacity": TAGS, "max_length": TEXT,
        }  # fmt: skip
    if kind == "text":
        return {"datatype": kinds.VARCHAR, "max_length": TEXT}
    return {"datatype": kinds.BOOL if kind == "flag" else kinds.INT64}


def _pymilvus() -> Any:
    try:
        import pymilvus
    except ImportError as error:
        raise MissingExtra("A database in Milvus needs pymilvus", "milvus") from error
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # its errors are raised and reported anyway
    return pymilvus


def _reach(address: Address) -> None:
    """Raise `DatabaseError` if no server listens, earlier than the client would."""
    try:
        socket.create_connection((address.host, address.port), timeout=min(address.timeout, 10.0)).close()
    except OSError as error:
        raise DatabaseError(
            f"there is no Milvus server at {address.host}:{address.port} ({error.strerror or error}); start one there, "
            f"or correct the address {address}"
        ) from error


def _is_final(error: Any) -> bool:
    """Whether an error is permanent."""
    code, text = getattr(error, "code", 0), str(error)
    return code in FINAL or type(error).__name__ == "ParamError" or any(one in text for one in FINAL_TEXTS)
