"""Long frames as matrices, one row an hour of the run: what charts over time are drawn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from perpkit.arrays import F64, I64
from perpkit.units import HOUR_MS


def hour_of(series: pl.Series, axis_ms: I64) -> I64:
    """Row of the run in which each time falls; the axis has a row for every hour."""
    rows = (series.dt.epoch("ms").to_numpy() - axis_ms[0]) // HOUR_MS
    return np.asarray(rows, np.int64)


def code_of(series: pl.Series, names: Sequence[str]) -> I64:
    """Place of each word among the names; they must all be there."""
    return series.cast(pl.Enum(list(names))).to_physical().to_numpy().astype(np.int64)


def names_of(series: pl.Series) -> list[str]:
    """The words of a column, each once, in the order in which they come."""
    return [str(name) for name in series.unique(maintain_order=True)]


def sums(frame: pl.DataFrame, axis_ms: I64, by: str, column: str, names: Sequence[str]) -> F64:
    """A column summed by hour and name: (T, N); what is not told counts as 0."""
    shape = (len(axis_ms), len(names))
    cell = hour_of(frame["time"], axis_ms) * shape[1] + code_of(frame[by], names)
    values = frame[column].cast(pl.Float64).fill_null(0.0).fill_nan(0.0).to_numpy()
    return np.bincount(cell, values, shape[0] * shape[1]).astype(np.float64).reshape(shape)


def totals(frame: pl.DataFrame, axis_ms: I64, column: str) -> F64:
    """A column summed by hour: (T,)."""
    values = frame[column].cast(pl.Float64).fill_null(0.0).to_numpy()
    made = np.bincount(hour_of(frame["time"], axis_ms), values, len(axis_ms))
    return made.astype(np.float64)


def cells(frame: pl.DataFrame, axis_ms: I64, by: str, column: str, names: Sequence[str]) -> F64:
    """A column with one number an hour and name: (T, N), NaN where there is none."""
    made = np.full((len(axis_ms), len(names)), np.nan)
    rows, places = hour_of(frame["time"], axis_ms), code_of(frame[by], names)
    made[rows, places] = frame[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return made
