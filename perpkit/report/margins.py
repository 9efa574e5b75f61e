"""Margin ratios and distances to liquidation, read from a run's frames."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import F64, I64
from perpkit.report.chart import numbers, times
from perpkit.report.events import CLOSED, of_margin
from perpkit.report.grid import cells, code_of, hour_of, names_of
from perpkit.report.reading import Run

WALLET = "wallet"
LEAST_DAYS = 10  # for a typical day


class Margin(NamedTuple):
    """Ratios and distances: one row an hour of the run."""

    time_ms: I64
    accounts: list[str]
    ratio: F64  # (T, A), NaN without a position, at least 1 where it was closed by force
    coins: list[str]
    distance: F64  # (T, N), NaN where no price liquidates
    events: pl.DataFrame  # those of the margin


def read_margin(run: Run) -> Margin:
    """Ratios, distances and events."""
    axis = times(run.frames["equity"]["time"])
    told = run.frames["accounts"].filter(pl.col("account") != WALLET)
    names = names_of(told["account"])
    ratio = cells(told, axis, "account", "margin_ratio", names)
    ratio[ratio == 0.0] = np.nan
    events = of_margin(run.frames["events"])
    closed = events.filter(pl.col("kind").is_in(CLOSED) & pl.col("account").is_in(names))
    if closed.height:  # the row of the hour shows what was left, not what was tested
        place = hour_of(closed["time"], axis), code_of(closed["account"], names)
        ratio[place] = np.fmax(ratio[place], 1.0)
    held = run.frames["positions"].filter(pl.col("liquidation_distance_frac").is_not_null())
    coins = names_of(held["instrument"])
    distance = cells(held, axis, "instrument", "liquidation_distance_frac", coins)
    return Margin(axis, names, ratio, coins, distance, events)


def distance_before(run: Run, coin: str, time: datetime) -> float | None:
    """How far its liquidation price was at the end of the hour before; None where none was."""
    held = run.frames["positions"].filter(
        (pl.col("instrument") == coin) & (pl.col("time") == time - timedelta(hours=1))
    )["liquidation_distance_frac"]
    return None if held.null_count() == held.len() else float(held.drop_nulls()[0])


def typical_day(run: Run, coin: str) -> float | None:
    """Standard deviation of the changes of its mark over 24 hours; None for a short run."""
    mark = numbers(run.frames["market"].filter(pl.col("coin") == coin)["mark_px"])[::24]
    with np.errstate(divide="ignore", invalid="ignore"):
        moves = np.diff(np.log(mark))
    moves = moves[np.isfinite(moves)]
    if len(moves) < LEAST_DAYS:
        return None
    told = float(np.std(moves, ddof=1))
    return told if told > 0.0 else None
