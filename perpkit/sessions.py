"""When the underlyings of US equity perps are priced, and when their cash market trades.

The pricing week runs from Sunday 20:00 to Friday 20:00 New York time, stitched from overnight,
pre-market, regular and post-market trading (trade.xyz documentation, asset-directory/stocks); the
cash session is Monday to Friday 09:30 to 16:00. Both include their first instant and not their
last. Public holidays and early closes are not known here: such days count as ordinary ones.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from perpkit.arrays import B8, F64, I8, I64, Phase
from perpkit.errors import RequestError, nearest
from perpkit.units import HOUR_NS, instant

SESSIONS: Final = ("24/7", "24/5", "cash")

_NEW_YORK: Final = ZoneInfo("America/New_York")
_SUNDAY: Final = 6
_WEEK_TURNS: Final = time(20, 0)
_CASH_OPENS: Final = time(9, 30)
_CASH_CLOSES: Final = time(16, 0)
# The session in force at the first hour may have opened, and the one after the last hour may open,
# up to a week away; the days more are for the distance of New York from UTC.
_REACH: Final = timedelta(days=9)


class Hours(NamedTuple):
    """The market of US equities, hour by hour."""

    phase: I8  # (T,) codes of arrays.Phase
    hours_to_reopen: F64  # (T,) to the next start of the pricing week, 0 within it
    hours_to_cash_open: F64  # (T,) to the next cash open, 0 in the cash session


class _Spans(NamedTuple):
    """Sessions, ascending; the i-th runs from ``opens_ns[i]`` until before ``closes_ns[i]``."""

    opens_ns: I64
    closes_ns: I64


def us_equity_hours(time_ns: I64) -> Hours:
    """Phase of the market at each instant, and the hours until it reopens.

    Parameters
    ----------
    time_ns : (T,) instants, in any order

    Returns
    -------
    Hours of shape (T,); `hours_to_cash_open` has halves, as 09:30 is not on the hour

    Examples
    --------
    >>> friday_8pm = np.array([1_786_147_200_000_000_000])  # 8 August 2026 00:00Z
    >>> us_equity_hours(friday_8pm)
    Hours(phase=array([0], dtype=int8), hours_to_reopen=array([48.]),
          hours_to_cash_open=array([61.5]))
    """
    days = _days_around(time_ns)
    week, cash = _pricing_weeks(days), _cash_sessions(days)
    priced, trading = _within(time_ns, week), _within(time_ns, cash)
    phase = np.where(trading, Phase.CASH, np.where(priced, Phase.EXTENDED, Phase.CLOSED))
    return Hours(
        phase=phase.astype(np.int8),
        hours_to_reopen=np.where(priced, 0.0, _hours_to_open(time_ns, week)),
        hours_to_cash_open=np.where(trading, 0.0, _hours_to_open(time_ns, cash)),
    )


def open_at(time_ns: I64, session: str) -> B8:
    """Whether a session is open at each instant.

    Parameters
    ----------
    time_ns : (T,) instants, in any order
    session : "24/7" always; "24/5" the pricing week; "cash" the regular session

    Returns
    -------
    (T,) bool

    Raises
    ------
    RequestError
        If the session is none of these.
    """
    if session not in SESSIONS:
        raise RequestError(f'session "{session}" is unknown; {nearest(session, SESSIONS)}')
    if session == "24/7":
        return np.ones(len(time_ns), np.bool_)
    days = _days_around(time_ns)
    return _within(time_ns, _pricing_weeks(days) if session == "24/5" else _cash_sessions(days))


def _days_around(time_ns: I64) -> list[date]:
    if not len(time_ns):
        return []
    first = instant(int(time_ns.min())).date() - _REACH
    last = instant(int(time_ns.max())).date() + _REACH
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _pricing_weeks(days: list[date]) -> _Spans:
    sundays = [day for day in days if day.weekday() == _SUNDAY]
    fridays = [day + timedelta(days=5) for day in sundays]
    return _Spans(_instants(sundays, _WEEK_TURNS), _instants(fridays, _WEEK_TURNS))


def _cash_sessions(days: list[date]) -> _Spans:
    weekdays = [day for day in days if day.weekday() < 5]
    return _Spans(_instants(weekdays, _CASH_OPENS), _instants(weekdays, _CASH_CLOSES))


def _instants(days: list[date], at: time) -> I64:
    # New York moves its clocks at 02:00, so none of these local times is skipped or doubled.
    seconds = [int(datetime.combine(day, at, _NEW_YORK).timestamp()) for day in days]
    return np.array(seconds, np.int64) * 1_000_000_000


def _within(time_ns: I64, spans: _Spans) -> B8:
    last_opened = np.searchsorted(spans.opens_ns, time_ns, side="right") - 1
    inside: B8 = time_ns < spans.closes_ns[last_opened]
    return inside


def _hours_to_open(time_ns: I64, spans: _Spans) -> F64:
    upcoming = np.searchsorted(spans.opens_ns, time_ns, side="left")
    hours: F64 = (spans.opens_ns[upcoming] - time_ns) / HOUR_NS
    return hours
