"""The hours of a simulation and where the US week stands in each."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64, Phase
from perpkit.sessions import session_hours, us_equity_hours
from perpkit.units import HOUR_NS

NEW_YORK: Final = "America/New_York"


class Hours(NamedTuple):
    """The clock, one entry a row; a row tells of the hour that ends with it.

    Attributes
    ----------
    time_ns : (T,) int64
    closed : (T,) bool
        No external price from the row's instant on.
    was_open : (T,) bool
        There was an external price within the hour.
    reopens : (T,) bool
        The first row with an external price again.
    hours_to_reopen : (T,) float64
        0 while open.
    elapsed : (T,) float64
        Share of the closed spell that has passed, 0 to 1; 0 while open.
    et_hour : (T,) int64
        New York hour of the row, 0 to 23.
    cash : (T,) bool
        The hour had some of the cash session.
    cash_close : (T,) bool
        The cash session ended with the row.
    spell : (T,) int64
        Which closed spell the row lies in, from 0; -1 while open. A reopening row belongs to none.
    spell_hours : (S,) float64
        Length of each spell within the rows.
    """

    time_ns: I64
    closed: B8
    was_open: B8
    reopens: B8
    hours_to_reopen: F64
    elapsed: F64
    et_hour: I64
    cash: B8
    cash_close: B8
    spell: I64
    spell_hours: F64


def lay_hours(start_ns: int, rows: int) -> Hours:
    """The clock of so many hours.

    Raises
    ------
    DataError
        If an hour is outside the tables of days.
    """
    # One row before tells what the first hour was.
    time_ns = start_ns + HOUR_NS * np.arange(-1, rows, dtype=np.int64)
    told, cash = us_equity_hours(time_ns), session_hours(time_ns, "us_cash")
    closed = told.phase == Phase.CLOSED
    trading = cash.phase == Phase.CASH
    begins = closed & np.append(True, ~closed[:-1])
    spell = np.where(closed, np.cumsum(begins) - 1, -1)[1:]
    spell -= spell[spell >= 0].min() if (spell >= 0).any() else 0
    spell = np.where(closed[1:], spell, -1)
    lengths = np.bincount(spell[spell >= 0]).astype(np.float64)
    to_reopen = np.where(closed, told.hours_to_reopen, 0.0)[1:]
    since = _since(closed)[1:]
    return Hours(
        time_ns[1:],
        closed[1:],
        ~closed[:-1],
        closed[:-1] & ~closed[1:],
        to_reopen,
        np.where(closed[1:], since / np.maximum(since + to_reopen, 1.0), 0.0),
        _et_hour(time_ns[1:]),
        trading[:-1] | trading[1:],
        trading[:-1] & ~trading[1:],
        spell,
        lengths,
    )


def _since(closed: B8) -> F64:
    """Hours since the market closed, counted within the rows."""
    rows = np.arange(len(closed))
    last_open = np.maximum.accumulate(np.where(closed, -1, rows))
    return (rows - last_open - 1).astype(np.float64)


def _et_hour(time_ns: I64) -> I64:
    moments = pl.Series(time_ns // 1_000_000).cast(pl.Datetime("ms", "UTC"))
    made: I64 = moments.dt.convert_time_zone(NEW_YORK).dt.hour().cast(pl.Int64).to_numpy()
    return made


def datetimes(time_ns: I64) -> pl.Series:
    """Instants as the column ``time``."""
    return pl.Series("time", time_ns // 1_000_000).cast(pl.Datetime("ms", "UTC"))
