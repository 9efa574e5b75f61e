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
    shut : (T,) bool
        There was no external price within the hour. The row of Sunday 20:00 New York is shut and
        not closed: the first print comes within the hour that begins there.
    reopens : (T,) bool
        The first row after a shut one that is not.
    hours_to_reopen : (T,) float64
        From the row to the one that reopens; 0 while open.
    hours_since_close : (T,) float64
        From the first row of the shut spell; 0 while open.
    elapsed : (T,) float64
        Share of the shut spell that has passed, 0 to 1; 0 while open.
    et_hour : (T,) int64
        New York hour of the row, 0 to 23.
    cash : (T,) bool
        The hour had some of the cash session.
    cash_close : (T,) bool
        The cash session ended with the row.
    spell : (T,) int64
        Which shut spell the row lies in, from 0; -1 while open.
    spell_hours : (S,) float64
        Length of each spell within the rows.
    """

    time_ns: I64
    closed: B8
    shut: B8
    reopens: B8
    hours_to_reopen: F64
    hours_since_close: F64
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
    # Two rows before tell what the first hour was, and whether it reopened the market.
    time_ns = start_ns + HOUR_NS * np.arange(-2, rows, dtype=np.int64)
    told, cash = us_equity_hours(time_ns), session_hours(time_ns, "us_cash")
    closed = told.phase == Phase.CLOSED
    trading = (cash.phase == Phase.CASH)[1:]
    before, shut = closed[:-2], closed[1:-1]
    begins = shut & np.append(True, ~shut[:-1])
    spell = np.where(shut, np.cumsum(begins) - 1, -1)
    to_reopen = np.where(shut, told.hours_to_reopen[2:] + 1.0, 0.0)
    since = _since(shut)
    return Hours(
        time_ns[2:],
        closed[2:],
        shut,
        before & ~shut,
        to_reopen,
        np.where(shut, since, 0.0),
        np.where(shut, since / np.maximum(since + to_reopen - 1.0, 1.0), 0.0),
        _et_hour(time_ns[2:]),
        trading[:-1] | trading[1:],
        trading[:-1] & ~trading[1:],
        spell,
        np.bincount(spell[spell >= 0]).astype(np.float64),
    )


def _since(shut: B8) -> F64:
    """Hours since the first shut row, counted within the rows."""
    rows = np.arange(len(shut))
    last_open = np.maximum.accumulate(np.where(shut, -1, rows))
    return (rows - last_open - 1).astype(np.float64)


def _et_hour(time_ns: I64) -> I64:
    moments = pl.Series(time_ns // 1_000_000).cast(pl.Datetime("ms", "UTC"))
    made: I64 = moments.dt.convert_time_zone(NEW_YORK).dt.hour().cast(pl.Int64).to_numpy()
    return made


def datetimes(time_ns: I64) -> pl.Series:
    """Instants as the column ``time``."""
    return pl.Series("time", time_ns // 1_000_000).cast(pl.Datetime("ms", "UTC"))
