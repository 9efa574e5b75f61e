"""Funding: what was paid, against what was there to be had."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64
from perpkit.metrics.numbers import Value, longest_run, positive, ratio, share, times
from perpkit.metrics.reading import Run, add_up, codes, floats, found_all, rows_of
from perpkit.units import HOUR_NS, HOURS_PER_YEAR

FULL_FRAC: Final = 0.9  # share of a window's hours that must be recorded for it to count


class Settled(NamedTuple):
    """Settlements by row and coin, (T, M)."""

    there: B8  # the venue settled
    rate: F64  # 0 where it did not
    held: B8  # a position was held
    paid_usd: F64


def settled(run: Run, funding: pl.DataFrame) -> Settled:
    """Both records, the venue's and the account's, on one grid; the first row settles nothing."""
    coins, shape = run.context.perps, run.rate.shape
    there = np.isfinite(run.rate)
    there[0] = False
    rate = np.where(there, run.rate, 0.0)
    row = found_all(rows_of(funding["time"], run.time_ms), funding["time"], "funding.time")
    coin = found_all(codes(funding["coin"], coins), funding["coin"], "funding.coin")
    keys = row * shape[1] + coin
    held = np.zeros(shape, np.bool_)
    held.flat[keys] = True
    paid = add_up(keys, floats(funding["payment_usd"]), held.size).reshape(shape)
    return Settled(there, rate, held, paid)


def mean_notional(run: Run) -> tuple[F64, F64]:
    """Sum up |position · price| · hours of each coin; and its mean over the hours held, or 0."""
    held, coins = run.net, run.names.perps
    mine = run.names.is_perp[held.instrument]
    row, coin = held.row[mine], held.instrument[mine]
    hours = run.hours[row]
    usd_hours = add_up(coin, np.abs(held.value_usd[mine]) * hours, coins)
    on = np.zeros((run.time_ms.size, coins), np.bool_)
    on[row, coin] = True
    held_hours = run.hours @ on
    average = np.zeros(coins)
    np.divide(usd_hours, held_hours, out=average, where=held_hours > 0.0)
    return usd_hours, average


def in_market(run: Run) -> float:
    """Hours with a perp position."""
    held = run.net
    mine = run.names.is_perp[held.instrument]
    return float(run.hours[np.unique(held.row[mine])].sum())


def negative_streak(paid: F64, held: B8) -> int | None:
    """Most held settlements of one coin in a row that cost."""
    if not held.any():
        return None
    return max(longest_run(paid[held[:, m], m] < 0.0) for m in range(held.shape[1]))


def trailing_apr(time_ns: I64, rate: F64, covered: I64 | F64, hours: int) -> F64:
    """Simple annual rate over the window of so many hours that ends at each row.

    Parameters
    ----------
    time_ns : (R,) ascending
    rate : (R, ...) per settlement, 0 where there is none
    covered : (R, ...) hours that each settlement is of, 0 where there is none
    hours : length of the window

    Returns
    -------
    (R, ...) per year, of the recorded hours; NaN where fewer than nine tenths of the window are
    """
    first = np.searchsorted(time_ns, time_ns - hours * HOUR_NS, side="right")
    none = np.zeros((1, *rate.shape[1:]))
    rates = np.concatenate([none, np.cumsum(rate, axis=0)])
    spans = np.concatenate([none, np.cumsum(covered, axis=0)])
    there, full = spans[1:] - spans[first], FULL_FRAC * hours
    apr = (rates[1:] - rates[first]) / np.maximum(there, full) * HOURS_PER_YEAR
    return np.where(there >= full, apr, np.nan)


def funding_metrics(run: Run, funding: pl.DataFrame) -> dict[str, Value]:
    """Group funding."""
    grid = settled(run, funding)
    usd_hours, notional = mean_notional(run)
    total = float(run.causes_usd["funding"].sum())
    market = float(grid.rate.sum(axis=0) @ notional)
    while_held = float(np.where(grid.held, grid.rate, 0.0).sum(axis=0) @ notional)
    count = int(grid.held.sum())
    return {
        "funding_yield_apr": times(ratio(total, float(usd_hours.sum())), HOURS_PER_YEAR),
        "funding_capture_frac": ratio(total, positive(market)),
        "funding_capture_held_frac": ratio(total, positive(while_held)),
        "time_in_market_frac": ratio(in_market(run), run.total_hours),
        "settlements_held": count,
        "settlements_held_frac": ratio(
            float((grid.held & grid.there).sum()), float(grid.there.sum())
        ),
        "funding_hit_frac": share(grid.paid_usd[grid.held] > 0.0),
        "negative_funding_streak": negative_streak(grid.paid_usd, grid.held),
    }
