"""What is still to be asked: the windows of a span in which hours are missing, newest first.

A window holds fewer hours than a page has rows, so one request fills it. The newest comes first
because only the newest candles can be had: a dataset that is cut short is one of recent hours, with
prices and funding both.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from perpkit.units import HOUR_MS

WINDOW_HOURS: Final = 480
CANDLES_KEPT: Final = 5_000  # of one coin and interval, by the API
# It was seen to answer with a few more; asking for these costs nothing.
_CANDLES_ASKED: Final = CANDLES_KEPT + 100
# A settlement is stamped up to a second or two late, and the last trade of an hour with it.
SETTLED_MS: Final = 60_000


class Span(NamedTuple):
    """Hours to have, the first and the last, both included, in milliseconds since 1970."""

    first_ms: int
    last_ms: int


class Window(NamedTuple):
    """Hours to ask for; a span is None where nothing of it is missing."""

    funding: Span | None
    prices: Span | None


def last_hour(now_ms: int) -> int:
    """The latest hour whose settlement and candle are certain to be whole at an instant."""
    return (now_ms - SETTLED_MS) // HOUR_MS * HOUR_MS


def oldest_candle(now_ms: int) -> int:
    """The first hour that candles may reach back to at an instant."""
    return last_hour(now_ms) - _CANDLES_ASKED * HOUR_MS


def windows(
    span: Span, settled: AbstractSet[int], priced: AbstractSet[int], reach_ms: int
) -> Iterator[Window]:
    """Windows with missing hours, newest first, their bounds the same for every span.

    Parameters
    ----------
    settled, priced : hours of the span that the store holds
    reach_ms : hour before which no prices are asked for
    """
    step = WINDOW_HOURS * HOUR_MS
    for number in range(span.last_ms // step, span.first_ms // step - 1, -1):
        first = max(span.first_ms, number * step)
        last = min(span.last_ms, (number + 1) * step - HOUR_MS)
        own = Span(first, last)
        near = Span(max(first, reach_ms), last)
        window = Window(
            own if _lacks(own, settled) else None, near if _lacks(near, priced) else None
        )
        if window != (None, None):
            yield window


def _lacks(span: Span, there: AbstractSet[int]) -> bool:
    return any(ms not in there for ms in range(span.first_ms, span.last_ms + 1, HOUR_MS))
