"""How long to wait before a request is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

_BASE_S = 0.5
_CAP_S = 30.0


class Patience(NamedTuple):
    """When to try again, and when to give up."""

    attempts: int = 8  # of one request, in all
    longest_s: float = 300.0  # a server that asks for a longer pause is not waited for
    uniform: Callable[[], float] = random.random  # draws from [0, 1)

    def pause_s(self, failures: int) -> float:
        """Full jitter: anything from nothing to a bound that doubles with each failure.

        >>> steady = Patience(uniform=lambda: 0.5)
        >>> [steady.pause_s(n) for n in (1, 2, 3, 20)]
        [0.25, 0.5, 1.0, 15.0]
        """
        return self.uniform() * min(_CAP_S, _BASE_S * 2.0 ** (failures - 1))


def asked_for_s(header: str | None, now_ms: int) -> float | None:
    """Read the pause that ``Retry-After`` asks for, in seconds; None where it says none.

    It is a number of seconds or a date, which is held against the server's own clock.

    >>> asked_for_s("7", 0), asked_for_s("Thu, 01 Jan 1970 00:01:00 GMT", 15_000)
    (7.0, 45.0)
    >>> asked_for_s("soon", 0), asked_for_s("-3", 0), asked_for_s(None, 0)
    (None, None, None)
    """
    if header is None:
        return None
    text = header.strip()
    if text.isdecimal():
        return float(text)
    when_ms = date_ms(text)
    return None if when_ms is None else max(0.0, (when_ms - now_ms) / 1_000)


def date_ms(header: str | None) -> int | None:
    """Read an HTTP date as milliseconds since 1970; None where it is none.

    >>> date_ms("Sat, 13 Dec 2025 00:00:00 GMT")
    1765584000000
    >>> date_ms("yesterday"), date_ms(None)
    (None, None)
    """
    if header is None:
        return None
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000)
