"""Delays after wrong tokens: guessing is slow, but a right token never waits.

Only the response to a wrong token is delayed, so nobody can lock others out by guessing in their name.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

FIRST = 0.02  # delay in seconds after an address's first wrong token; it doubles with each further one
LONGEST = 2.0  # seconds; shorter than the grace period of a stopping server
FORGOTTEN = 900.0  # seconds without a wrong token, after which an address starts from scratch
ADDRESSES = 4096  # remembered at most, the most recent ones
MANY = 100  # wrong tokens in total within a minute, beyond which everyone gets the longest delay
MINUTE = 60.0


class Throttle:
    """Delays of responses to wrong tokens."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # count, and last time
        self._began, self._count = clock(), 0  # of the current minute

    def wrong(self, address: str) -> float:
        """The delay in seconds for another wrong token from an address."""
        now, key = self._clock(), _network(address)
        count, last = self._wrong.pop(key, (0, now))
        count = 1 if now - last > FORGOTTEN else count + 1
        self._wrong[key] = (count, now)
        if len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)
        if now - self._began > MINUTE:
            self._began, self._count = now, 0
        self._count += 1
        return LONGEST if self._count > MANY else min(LONGEST, FIRST * 2 ** min(count - 1, 20))


def _network(address: str) -> str:
    """The network that counts as one client: an IPv4 address, or an IPv6 /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    return str(parsed) if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))
