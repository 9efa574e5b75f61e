"""What was held of each instrument, for how long, and how much of it was traded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import F64, I64
from perpkit.metrics.reading import (
    add_up,
    codes,
    floats,
    found_all,
    milliseconds,
    netted,
    rows_of,
)
from perpkit.report.reading import Run
from perpkit.units import HOUR_MS


class Holdings(NamedTuple):
    """By instrument, perps first, then tokens: (I,) each."""

    usd_hours: F64  # sum of the sizes of what was held · hours
    hours: F64  # with a holding
    volume_usd: F64  # of trades


def holdings(run: Run, trades: pl.DataFrame) -> Holdings:
    """What was held and traded of each instrument; an hour lasts until the next row, the last 0.

    ``trades`` is :func:`perpkit.report.fills.priced` without what is no trade.

    Raises
    ------
    DataError
        If a position or a fill is of an instrument that the run has not.
    """
    held = netted(run.frames["positions"])
    time_ms = milliseconds(run.frames["equity"]["time"])
    lasting = np.append(np.diff(time_ms) / HOUR_MS, 0.0)
    instruments = [*run.coins, *run.tokens]
    row = found_all(rows_of(held["time"], time_ms), held["time"], "positions.time")
    which = _codes(held["instrument"], instruments, "positions")
    usd_hours = add_up(which, np.abs(floats(held["value_usd"])) * lasting[row], len(instruments))
    on = np.zeros((len(instruments), len(time_ms)), np.bool_)  # held in two accounts counts once
    on[which, row] = True
    traded = _codes(trades["instrument"], instruments, "fills")
    volume = add_up(traded, floats(trades["usd"]), len(instruments))
    return Holdings(usd_hours, on @ lasting, volume)


def _codes(told: pl.Series, instruments: list[str], frame: str) -> I64:
    return found_all(codes(told, instruments), told, f"{frame}.instrument")


def mean_equity(run: Run) -> float | None:
    """Time-weighted mean equity, that turnover is told of; None of one hour or no equity."""
    frame = run.frames["equity"]
    lasting = np.diff(milliseconds(frame["time"])) / HOUR_MS
    if not lasting.size:
        return None
    mean = float(floats(frame["equity_usd"])[:-1] @ lasting / lasting.sum())
    return mean if mean > 0.0 else None
