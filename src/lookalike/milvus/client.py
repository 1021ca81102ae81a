"""A Milvus server: its address, calls that wait while it is away and are cut to its message limit, errors in one line.

Milvus is a distributed engine for vectors; binary ones are compared by Hamming distance. This is the only module that
knows its client, pymilvus, which is imported when a server is spoken to.

Consistency is Milvus' level Session: whoever writes finds what was written at once. A first read, and the first one
after a deletion, is Strong: it waits (some 0.4 s) for all that anyone has written by then.
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
TOKEN = "LOOKALIKE_MILVUS_TOKEN"  # environment variable: USER:PASSWORD, or a token, of a server that asks for one
LEVELS = ("Session", "Strong")
INDEXES = ("BIN_FLAT", "BIN_IVF_FLAT")
LISTS = 1024  # of BIN_IVF_FLAT: parts that codes are divided into
MESSAGE = 4 << 20  # bytes a call; a server takes 64 MiB, and the queue behind it 5
LARGEST = 16_384  # hits, and rows, that Milvus gives at once
ROWS = 4096  # rows a page
LISTED = 20_000  # ids that an expression names at most
TEXT = 65_535  # bytes that a text field holds at most
TAGS = 1024  # texts of a list at most
PAUSES = (0.1, 5.0)  # seconds between two tries: the first, the longest
FINAL = {9, 100, 1100, 1101}  # codes of errors that do not pass: denied, no such collection, wrong parameters
FINAL_TEXTS = ("cannot parse expression", "duplicated new collection name", "auth")
STRONG = "Strong"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a collection is, and how it is spoken to."""

    host: str
    port: int
    name: str
    index: str = "BIN_FLAT"  # of a new collection: compares all, and so is exact; BIN_IVF_FLAT looks at a part
    probes: int = 16  # parts of BIN_IVF_FLAT that a search looks at
    consistency: str = "Session"
    timeout: float = 60.0  # seconds that a server may be away

    def __str__(self) -> str:
        return f"{SCHEME}//{self.host}:{self.port}/{self.name}"


def parse(text: str) -> Address:
    """The address that is meant. Raises `ConfigError`.

    >>> str(parse("milvus://host:19530/photos?timeout=5"))
    'milvus://host:19530/photos'
    """
    try:
        parts = urlsplit(text)
        host, port, name = parts.hostname, parts.port, parts.path.removeprefix("/")
        values = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise ConfigError(f"{text} is no address ({error}); expected {FORM}") from error
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            f"an address is shown, and so has no password in it; give {TOKEN}=USER:PASSWORD in the environment"
        )
    if not text.startswith(f"{SCHEME}//") or not host or not port or not name:
        raise ConfigError(f"{text} is no address; expected {FORM}, such as milvus://localhost:19530/photos")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,199}", name):
        raise ConfigError(
            f"{name!r} cannot be the name of a collection in Milvus: letters, digits and _ only, a letter first"
        )
    return _with_options(Address(host, port, name), values)


def quoted(text: str) -> str:
    r"""A text as it stands in an expression of Milvus.

    >>> print(quoted('a "b" \\ c'))
    "a \"b\" \\ c"
    """
    return json.dumps(text, ensure_ascii=False)


def listed(ids: Iterable[int]) -> str:
    """The expression that holds for ids.

    >>> listed([3, 5])
    'id in [3, 5]'
    """
    return f"id in [{', '.join(str(int(id_)) for id_ in ids)}]"


class Server:
    """A connection to the server of an address; may be used by several threads."""

    def __init__(self, address: Address) -> None:
        """Raises `DatabaseError` if nobody answers there, `MissingExtra` without pymilvus."""
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
        """End the connection."""
        self._client.close()

    def names(self) -> list[str]:
        """The collections that there are."""
        return sorted(self.call("list_collections"))

    def description(self, name: str) -> str | None:
        """What a collection says of itself; nothing if there is none."""
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
        """A new collection of `id`, `code` of so many bits, and fields that are "int", "flag", "text" or "texts".

        Texts that are `indexed` are found without looking at all rows. It is made under another name and there at once,
        with its first rows; if another machine was faster, its collection stays.
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
        """Have a collection in the server's memory, where it is searched."""
        self.call("load_collection", name)

    def drop(self, name: str) -> None:
        """Forget a collection."""
        self.call("drop_collection", name)

    def put(self, name: str, rows: Iterable[Row]) -> None:
        """Write rows, in place of those with the same ids."""
        for batch in batches(rows):
            self.call("upsert", name, batch)

    def remove(self, name: str, where: str) -> None:
        """Forget the rows that an expression holds for."""
        self.call("delete", name, filter=where)
        self._behind.add(name)

    def remove_ids(self, name: str, ids: Sequence[int]) -> None:
        """Forget rows by their ids; unknown ones are passed over."""
        for start in range(0, len(ids), LISTED):
            self.remove(name, listed(ids[start : start + LISTED]))

    def count(self, name: str, where: str = "") -> int:
        """How many rows there are."""
        found = self._read("query", name, filter=where, output_fields=["count(*)"])
        return int(found[0]["count(*)"])

    def get(self, name: str, ids: Sequence[int], fields: Sequence[str]) -> Iterator[Row]:
        """The rows of ids, as far as there are any, in no order."""
        for start in range(0, len(ids), ROWS):
            where = listed(ids[start : start + ROWS])
            yield from self._read("query", name, filter=where, output_fields=list(fields))

    def first(self, name: str, where: str, fields: Sequence[str], *, limit: int = LARGEST) -> list[Row]:
        """Some of the rows that an expression holds for."""
        return list(self._read("query", name, filter=where, output_fields=list(fields), limit=limit))

    def pages(self, name: str, where: str, fields: Sequence[str]) -> Iterator[list[Row]]:
        """All rows that an expression holds for, by ascending id, some thousands at a time."""
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
        """Of each query the ids and distances of the nearest codes."""
        found = self._read(
            "search", name, data=list(queries), anns_field="code", limit=limit, filter=where,
            search_params={"metric_type": "HAMMING", "params": {"nprobe": self.address.probes}},
        )  # fmt: skip
        return [[(int(hit["id"]), int(hit["distance"])) for hit in hits] for hits in found]

    def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """What a method of the client gives, tried again for as long as the server may be away."""
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
        more = {"params": {"nlist": LISTS}} if self.address.index == "BIN_IVF_FLAT" else {}
        index.add_index("code", index_name="code", index_type=self.address.index, metric_type="HAMMING", **more)
        for field in indexed:
            index.add_index(field, index_name=field, index_type="Trie")
        self.call(
            "create_collection", name, schema=schema, index_params=index, consistency_level=self.address.consistency
        )

    def _read(self, method: str, name: str, **named: Any) -> Any:
        """What is read of a collection, seeing at least what this process has written."""
        behind = name in self._behind  # the client does not learn when deletions took place
        level = STRONG if behind else self.address.consistency
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


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in parts of at most a message each."""
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
    """Bytes of a value in a message, or a little more."""
    if isinstance(value, str):
        return 8 + len(value.encode())
    if isinstance(value, list):
        return sum(map(_size, value))
    return 8 + len(value) if isinstance(value, bytes) else 16


def _with_options(address: Address, values: Mapping[str, str]) -> Address:
    named = dict(values)
    index, level = named.pop("index", INDEXES[0]), named.pop("consistency", LEVELS[0])
    probes, timeout = named.pop("nprobe", "16"), named.pop("timeout", "60")
    if named:
        raise ConfigError(
            f"{next(iter(named))} is no option of an address; there are index, nprobe, consistency, timeout"
        )
    if index not in INDEXES:
        raise ConfigError(f"index is {index}; it must be one of {', '.join(INDEXES)}")
    if level not in LEVELS:
        raise ConfigError(f"consistency is {level}; it must be one of {', '.join(LEVELS)}")
    if not probes.isdecimal() or not timeout.isdecimal() or not int(probes) or not int(timeout):
        raise ConfigError(f"nprobe is {probes} and timeout is {timeout}; both are whole numbers of at least 1")
    return Address(address.host, address.port, address.name, index, int(probes), level, float(timeout))


def _kind(kinds: Any, kind: str) -> dict[str, Any]:
    """How Milvus names a kind of field."""
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
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # what it logs is raised, too, and said once
    return pymilvus


def _reach(address: Address) -> None:
    """Raise `DatabaseError` if nobody listens, which the client would take its time to find out."""
    try:
        socket.create_connection((address.host, address.port), timeout=min(address.timeout, 10.0)).close()
    except OSError as error:
        raise DatabaseError(
            f"there is no Milvus server at {address.host}:{address.port} ({error.strerror or error}); start one there, "
            f"or mend the address {address}"
        ) from error


def _is_final(error: Any) -> bool:
    """Whether an error will not pass by waiting."""
    code, text = getattr(error, "code", 0), str(error)
    return code in FINAL or type(error).__name__ == "ParamError" or any(one in text for one in FINAL_TEXTS)
