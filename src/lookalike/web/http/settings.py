"""Limits and permissions of a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lookalike.core.parallel import cores

CONNECTIONS = 4096  # concurrent
LEAST_TOKEN = 8  # characters


def _connections() -> int:
    """At most half of the limit on open files: requests need some, too."""
    try:
        import resource  # absent on Windows
    except ImportError:
        return CONNECTIONS
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return CONNECTIONS if allowed == resource.RLIM_INFINITY else max(min(allowed // 2, CONNECTIONS), 1)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Limits and permissions of one server."""

    host: str = "127.0.0.1"  # address to listen on
    token: str = ""  # that clients must send; empty: none
    names: tuple[str, ...] = ()  # other host names
    cors: tuple[str, ...] = ()  # origins whose pages may use the API
    write: bool = False  # whether anything may be changed
    audit: Path | None = None  # log of the answers of `match`
    trash: Path | None = None  # where plans may move files
    roots: tuple[str, ...] = ()  # folders below which may be indexed
    hide_paths: bool = False  # whether answers have paths from the indexed folders on only
    prefer: tuple[str, ...] = ()  # rules for the best copy, before the built-in ones
    max_body: int = 64 << 20  # bytes of a request
    max_pixels: int = 100_000_000  # of an uploaded image
    memory: int = 1 << 30  # bytes to decode one image
    seconds: float = 10.0  # to decode one image
    body_seconds: float = 60.0  # for a request's body to arrive, or for the client to read some of the answer
    header_seconds: float = 10.0  # for a request's headers to arrive
    connections: int = field(default_factory=_connections)
    workers: int = min(8, max(2, cores()))  # two, so that one slow image does not block all others
