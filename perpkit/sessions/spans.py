"""Sessions as spans of time, formed from the days of the tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from perpkit.arrays import B8, I64
from perpkit.errors import DataError
from perpkit.sessions import tables
from perpkit.sessions.tables import DAY_S, Exchange, Window, seconds
from perpkit.units import stamp

_SECOND_NS: Final = 1_000_000_000
_NEW_YORK: Final = ZoneInfo("America/New_York")
_SEOUL: Final = ZoneInfo("Asia/Seoul")
# The session in force at the first hour may have opened that many days before, and the next after
# the last hour may open that many days later: the longest rest in the tables is Korea's 7.
_REACH_DAYS: Final = 14
_FRIDAY, _SUNDAY = 4, 6


class Spans(NamedTuple):
    """Sessions, ascending and apart; the i-th is ``[opens_ns[i], closes_ns[i])``."""

    opens_ns: I64
    closes_ns: I64


class _Pieces(NamedTuple):
    """Windows on local days, in any order: day, and seconds since its midnight."""

    day: I64
    opens_s: I64
    closes_s: I64


class _Source(NamedTuple):
    exchange: Callable[[], Exchange]
    zone: ZoneInfo
    pieces: Callable[[Exchange, I64], _Pieces]


def spans(kind: str, time_ns: I64) -> Spans:
    """Sessions of one kind around some instants.

    Parameters
    ----------
    kind : "us_24_5", "us_index_futures", "us_cash", "korea" or "korea_cash"
    time_ns : (T,) instants, at least one

    Raises
    ------
    DataError
        If an instant is outside the tables, or so near their end that what follows is not known.
    """
    source = _SOURCES[kind]
    exchange = source.exchange()
    first_ns, last_ns = int(time_ns.min()), int(time_ns.max())
    first = max(first_ns // _SECOND_NS // DAY_S - _REACH_DAYS, exchange.first)
    last = min(last_ns // _SECOND_NS // DAY_S + _REACH_DAYS, exchange.last)
    begin_ns = _begin_ns(source, exchange)
    if first_ns < begin_ns or first > last:
        raise _outside(kind, source, exchange, first_ns if first_ns < begin_ns else last_ns)
    made = _merged(source, first, last)
    if last_ns > made.opens_ns[-1]:
        raise _outside(kind, source, exchange, last_ns)
    return made


def _merged(source: _Source, first: int, last: int) -> Spans:
    days = np.arange(first, last + 1, dtype=np.int64)
    pieces = source.pieces(source.exchange(), days)
    opens = _instants(pieces.day, pieces.opens_s, source.zone)
    closes = _instants(pieces.day, pieces.closes_s, source.zone)
    order = np.argsort(opens, kind="stable")
    opens, closes = opens[order], closes[order]
    apart = opens[1:] != closes[:-1]
    return Spans(opens[np.append(True, apart)], closes[np.append(apart, True)])


def _begin_ns(source: _Source, exchange: Exchange) -> int:
    return int(_instants(np.array([exchange.first]), np.array([0]), source.zone)[0])


def _outside(kind: str, source: _Source, exchange: Exchange, at_ns: int) -> DataError:
    end_ns = int(_merged(source, exchange.last - 2 * _REACH_DAYS, exchange.last).opens_ns[-1])
    return DataError(
        f"sessions {kind}: {stamp(at_ns)} is outside the tables, which cover "
        f"{stamp(_begin_ns(source, exchange))} to {stamp(end_ns)}; choose other hours, or "
        "extend the tables with python -m perpkit.sessions --from YEAR --to YEAR "
        '(after pip install "perpkit[calendars]")'
    )


def _instants(day: I64, second: I64, zone: ZoneInfo) -> I64:
    # Clocks move at 02:00 of a Sunday, where no session begins or ends before noon, so the
    # distance from UTC at noon holds for every instant asked for.
    local = day * DAY_S + second
    on, where = np.unique(local // DAY_S, return_inverse=True)
    noon = datetime(1970, 1, 1, 12, tzinfo=zone)  # adding days keeps the local hour
    utc_s = [int((noon + timedelta(days=d)).timestamp()) for d in on.tolist()]
    ahead = on * DAY_S + DAY_S // 2 - np.array(utc_s, np.int64)
    instants: I64 = (local - ahead[where]) * _SECOND_NS
    return instants


# --------------------------------------------------------------------------- the kinds


def _weekday(days: I64) -> I64:
    return (days + 3) % 7  # the epoch was a Thursday; Monday is 0


def _trading(exchange: Exchange, days: I64) -> B8:
    return (_weekday(days) < 5) & ~np.isin(days, exchange.closed)


def _with_special(exchange: Exchange, days: I64, window: Window) -> _Pieces:
    hours = [exchange.special.get(day, window) for day in days.tolist()]
    pairs = np.array(hours, np.int64).reshape(-1, 2)
    return _Pieces(days, pairs[:, 0], pairs[:, 1])


def _us_cash(exchange: Exchange, days: I64) -> _Pieces:
    return _with_special(exchange, days[_trading(exchange, days)], (34_200, 57_600))


def _us_24_5(exchange: Exchange, days: I64) -> _Pieces:
    told = tables.pricing()["us_24_5"]
    begins = seconds(told["opens_the_evening_before"]) - DAY_S
    cash = _us_cash(exchange, days)
    early = np.isin(cash.day, list(exchange.special))
    closes = np.where(early, cash.closes_s, seconds(told["closes"]))
    return _Pieces(cash.day, np.full_like(closes, begins), closes)


def _us_index_futures(_: Exchange, days: I64) -> _Pieces:
    told = tables.pricing()["us_index_futures"]
    evening, closes = seconds(told["opens_the_evening_before"]), seconds(told["closes"])
    other = {day: w for day, w in tables.cme_days().items() if days[0] <= day <= days[-1]}
    usual = days[~np.isin(days, list(other))]
    by_day = usual[_weekday(usual) <= _FRIDAY]
    by_night = usual[(_weekday(usual) < _FRIDAY) | (_weekday(usual) == _SUNDAY)]
    own = [(day, *window) for day, windows in other.items() for window in windows]
    special = np.array(own, np.int64).reshape(-1, 3)
    return _Pieces(
        np.concatenate([by_day, by_night, special[:, 0]]),
        np.concatenate([np.zeros_like(by_day), np.full_like(by_night, evening), special[:, 1]]),
        np.concatenate(
            [np.full_like(by_day, closes), np.full_like(by_night, DAY_S), special[:, 2]]
        ),
    )


def _korea(exchange: Exchange, days: I64) -> _Pieces:
    rows: list[tuple[int, int, int]] = []
    for pre, main, after in zip(*_korean_windows(exchange, days), strict=True):
        rows += [row for row in (pre, main, after) if row[1] < row[2]]
    made = np.array(rows, np.int64).reshape(-1, 3)
    return _Pieces(made[:, 0], made[:, 1], made[:, 2])


def _korea_cash(exchange: Exchange, days: I64) -> _Pieces:
    made = np.array(_korean_windows(exchange, days)[1], np.int64).reshape(-1, 3)
    return _Pieces(made[:, 0], made[:, 1], made[:, 2])


def _korean_windows(exchange: Exchange, days: I64) -> list[list[tuple[int, int, int]]]:
    """Pre-market, main and after-hours window of each trading day; an empty one has no length."""
    regimes = tables.korea_regimes()
    made: list[list[tuple[int, int, int]]] = [[], [], []]
    for day in days[_trading(exchange, days)].tolist():
        _, pre, main, after = [r for r in regimes if r.since <= day][-1]
        if day in exchange.special:
            opens, closes = exchange.special[day]
            pre = (0, 0)
            after = (max(after[0], closes + after[0] - main[1]), after[1])
            main = (opens + main[0] - 32_400, min(main[1], closes))
        for kind, window in enumerate((pre, main, after)):
            made[kind].append((day, *window))
    return made


_SOURCES: Final = {
    "us_24_5": _Source(tables.nyse, _NEW_YORK, _us_24_5),
    "us_index_futures": _Source(tables.nyse, _NEW_YORK, _us_index_futures),
    "us_cash": _Source(tables.nyse, _NEW_YORK, _us_cash),
    "korea": _Source(tables.krx, _SEOUL, _korea),
    "korea_cash": _Source(tables.krx, _SEOUL, _korea_cash),
}
