"""Wrong tokens are answered with growing delay; nobody else waits, and memory stays bounded."""

from __future__ import annotations

import time

import pytest

from lookalike.web.http import throttle
from lookalike.web.http.security import cookie_name
from lookalike.web.http.throttle import Throttle
from tests.web.conftest import Serve, Served

TOKEN = "correct horse"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_wrong_token_of_an_address_waits_longer() -> None:
    clock = Clock()
    slow = Throttle(clock)
    waits = [slow.wrong("192.0.2.1") for _ in range(12)]
    assert waits[:3] == [0.02, 0.04, 0.08]
    assert waits == sorted(waits)
    assert waits[-1] == throttle.LONGEST
    assert slow.wrong("192.0.2.2") == throttle.FIRST
    clock.now += throttle.FORGOTTEN + 1
    assert slow.wrong("192.0.2.1") == throttle.FIRST


def test_a_household_of_ipv6_counts_as_one() -> None:
    slow = Throttle(Clock())
    assert [slow.wrong(f"2001:db8::{part:x}") for part in range(3)] == [0.02, 0.04, 0.08]


def test_many_wrong_tokens_from_everywhere_wait_longest() -> None:
    clock = Clock()
    slow = Throttle(clock)
    waits = [slow.wrong(f"10.0.{part >> 8}.{part & 255}") for part in range(3 * throttle.ADDRESSES)]
    assert waits[throttle.MANY - 1] == throttle.FIRST
    assert set(waits[throttle.MANY :]) == {throttle.LONGEST}
    assert len(slow._wrong) == throttle.ADDRESSES
    clock.now += throttle.MINUTE + 1
    assert slow.wrong("192.0.2.9") == throttle.FIRST


def test_right_tokens_do_not_wait_and_wrong_ones_do(
    serve: Serve, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def wrong(self: Throttle, address: str) -> float:
        asked.append(address)
        return 0.2

    monkeypatch.setattr(Throttle, "wrong", wrong)
    with serve(served.path, token=TOKEN) as guarded:
        began = time.monotonic()
        for given in ({"params": {"token": "wrong horse"}}, {"headers": {"authorization": "Bearer wrong horse"}}):
            assert guarded.client.get("/api/info", **given).status_code == 401  # type: ignore[arg-type]
        assert time.monotonic() - began >= 0.4
        assert asked == ["127.0.0.1"] * 2
        assert guarded.client.get("/api/info").status_code == 401  # a missing token does not count as a guess
        other = {"cookie": f"{cookie_name('another server')}=x"}
        assert guarded.client.get("/api/info", headers=other).status_code == 401
        right = {"authorization": f"Bearer {TOKEN}"}
        assert guarded.client.get("/api/info", headers=right).status_code == 200
        assert len(asked) == 2
