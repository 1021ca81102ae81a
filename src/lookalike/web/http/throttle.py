"""Wrong tokens are answered late, the later the more there were: guessing is slow, and a right token never waits.

Only the answer to a wrong token is delayed, so no one can shut others out by guessing in their name.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

FIRST = 0.02  # seconds that the first wrong token of an address waits; each further one twice as long
LONGEST = 2.0  # seconds; less than a server that stops waits for requests
FORGOTTEN = 900.0  # seconds without a wrong token, after which an address begins anew
ADDRESSES = 4096  # that are remembered, those that were wrong last
MANY = 100  # wrong tokens in all within a minute, from which on each waits longest, whoever sends it
MINUTE = 60.0


class Throttle:
    """Delays of answers to wrong tokens."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how often, and when last
        self._began, self._count = clock(), 0  # of the running minute

    def wrong(self, address: str) -> float:
        """Delay of the answer to another wrong token from an address, in seconds."""
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
    """The network that counts as one client: an IPv4 address, or a /64 of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))
