"""Recorded funding on its own hour."""

from __future__ import annotations

import numpy as np
import polars as pl

from perpkit.arrays import F64, I64
from perpkit.dataset import Dataset
from perpkit.dataset.plain import label_of
from perpkit.dataset.schema import FUNDING, PERPS
from perpkit.errors import DataError
from perpkit.tape.grid import times_ns
from perpkit.units import HOUR_NS, stamp

LATEST_NS = 600 * 1_000_000_000  # a stamp later than ten minutes is no settlement of its boundary


def settlements(dataset: Dataset) -> tuple[pl.DataFrame, str]:
    """The record of funding and where it stands: its own table, else the perps' column."""
    if dataset.funding.height:
        own = dataset.funding.filter(pl.col("funding").is_not_null())
        return own, label_of(dataset.folder, FUNDING)
    recorded = dataset.perps.filter(pl.col("funding").is_not_null())
    return recorded.select("time", "coin", "funding", "premium"), label_of(dataset.folder, PERPS)


def snap(at_ns: I64, interval_ns: I64) -> tuple[I64, I64]:
    """The boundary each stamp belongs to, and by how much it is late, both in nanoseconds.

    >>> snap(np.array([3_600_000_000_039]), np.array([3_600_000_000_000]))[1].tolist()
    [39]
    """
    late = at_ns % interval_ns
    return at_ns - late, late


def lay_settlements(
    frame: pl.DataFrame, file: str, coins: tuple[str, ...], time_ns: I64, interval_hours: F64
) -> tuple[F64, F64]:
    """Rates and premiums (T, M) on the hours they settle, NaN elsewhere.

    Parameters
    ----------
    interval_hours : (T, M) funding interval in force

    Raises
    ------
    DataError
        If a stamp is more than ten minutes late, or two settle on one boundary.
    """
    rates = np.full((len(time_ns), len(coins)), np.nan)
    premiums = np.full_like(rates, np.nan)
    for m, coin in enumerate(coins):
        own = frame.filter(pl.col("coin") == coin)
        at = times_ns(own)
        # Outside the rows no interval is known to snap by, and nothing settles on a row.
        within = (at >= time_ns[0]) & (at <= time_ns[-1] + LATEST_NS)
        own, at = own.filter(pl.Series(within)), at[within]
        near = (at - time_ns[0]) // HOUR_NS
        interval_ns = interval_hours[near, m].astype(np.int64) * HOUR_NS
        boundary, late = snap(at, interval_ns)
        _refuse_late(late, at, coin, file)
        _refuse_double(boundary, coin, file)
        row = (boundary - time_ns[0]) // HOUR_NS
        keep = (row >= 0) & (row < len(time_ns))
        rates[row[keep], m] = own["funding"].to_numpy()[keep]
        premiums[row[keep], m] = own["premium"].cast(pl.Float64).to_numpy()[keep]
    return rates, premiums


def _refuse_late(late: I64, at: I64, coin: str, file: str) -> None:
    bad = np.flatnonzero(late > LATEST_NS)
    if bad.size:
        first = int(bad[0])
        raise DataError(
            f"{file}: time of {coin} is {late[first] // 1_000_000_000} s past its settlement in "
            f"{bad.size} rows, first {stamp(int(at[first]))}; ten minutes is the most: correct the "
            "stamps or set terms.interval_hours to the venue's interval"
        )


def _refuse_double(boundary: I64, coin: str, file: str) -> None:
    doubled = np.flatnonzero(np.diff(np.sort(boundary)) == 0)
    if doubled.size:
        first = int(np.sort(boundary)[doubled[0]])
        raise DataError(
            f"{file}: funding of {coin} settles twice at {stamp(first)} ({doubled.size} such "
            "hours); keep one row a settlement"
        )
