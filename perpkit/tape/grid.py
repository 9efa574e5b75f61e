"""Frames laid on the hourly clock, and prices carried over short gaps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64
from perpkit.errors import DataError
from perpkit.units import HOUR_NS, stamp

NS_PER_MS = 1_000_000


class Placed(NamedTuple):
    """Where each row of a table lands: hour and instrument; rows outside are left out."""

    row: I64
    column: I64
    keep: B8


def hours_between(first_ns: int, last_ns: int) -> I64:
    """Every hour boundary from first to last, both included."""
    # arange(first, last, step) forms its length in float and can lose the last hour.
    return first_ns + HOUR_NS * np.arange((last_ns - first_ns) // HOUR_NS + 1, dtype=np.int64)


def times_ns(frame: pl.DataFrame) -> I64:
    """The ``time`` column in nanoseconds."""
    return frame["time"].dt.epoch("ms").to_numpy().astype(np.int64) * NS_PER_MS


def place(frame: pl.DataFrame, key: str, names: tuple[str, ...], time_ns: I64) -> Placed:
    """Hour and instrument number of every row of a table."""
    at = times_ns(frame)
    row = (at - time_ns[0]) // HOUR_NS
    number = {name: n for n, name in enumerate(names)}
    column = np.array([number.get(x, -1) for x in frame[key].to_list()], np.int64)
    keep = (row >= 0) & (row < len(time_ns)) & (column >= 0)
    return Placed(row[keep], column[keep], keep)


def lay(frame: pl.DataFrame, name: str, at: Placed, shape: tuple[int, int]) -> F64:
    """One column as (T, instruments), NaN where the table has no value."""
    grid = np.full(shape, np.nan)
    values = frame[name].cast(pl.Float64).to_numpy().astype(np.float64)
    grid[at.row, at.column] = values[at.keep]
    return grid


def rows_since(present: B8) -> I64:
    """Rows since the last present one, (T, X); -1 before the first."""
    rows = np.arange(present.shape[0])[:, None]
    last = np.maximum.accumulate(np.where(present, rows, -1), axis=0)
    return np.where(last < 0, -1, rows - last)


def carry(grid: F64, age: I64) -> F64:
    """Values as of their last present row; NaN before the first.

    >>> carry(np.array([[1.0], [np.nan]]), np.array([[0], [1]])).tolist()
    [[1.0], [1.0]]
    """
    rows = np.arange(grid.shape[0])[:, None] - np.maximum(age, 0)
    carried = np.take_along_axis(grid, rows, axis=0)
    carried[age < 0] = np.nan
    return carried


def refuse_gaps(
    age: I64, names: tuple[str, ...], time_ns: I64, limit: int, what: str, aside: str = ""
) -> None:
    """Refuse a gap longer than prices may be carried; the aside follows "fill it at the source".

    Raises
    ------
    DataError
        With instrument, first missing hour, length and remedy.
    """
    too_old = age > limit
    if not too_old.any():
        return
    column = int(np.flatnonzero(too_old.any(axis=0))[0])
    row = int(np.flatnonzero(too_old[:, column])[0])
    first = row - int(age[row, column]) + 1
    present_again = np.flatnonzero(age[first:, column] == 0)
    length = int(present_again[0]) if present_again.size else len(time_ns) - first
    raise DataError(
        f"{what} of {names[column]} is missing for {length} hours from {stamp(int(time_ns[first]))}"
        f", longer than max_stale_hours = {limit}; fill it at the source{aside}, raise "
        "max_stale_hours, or choose another start and end"
    )
