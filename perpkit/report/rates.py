"""Funding of a run's coins as rates a year, and what of it the run received."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64
from perpkit.metrics.funding import trailing_apr
from perpkit.metrics.reading import add_up, codes, floats, rows_of
from perpkit.report.hours import Grid, mean, term
from perpkit.report.reading import Run
from perpkit.units import HOUR_MS, HOURS_PER_YEAR

ALL: Final = "all coins"
WEEK_HOURS: Final = 168
MONTH_HOURS: Final = 720


class Rates(NamedTuple):
    """Simple rates a year of N series: of more than one coin their mean first, then the coins."""

    grid: Grid
    names: list[str]
    rate: F64  # (T, M) of the coins, per settlement, NaN where there is none
    covered: F64  # (T, M) hours that a settlement is of
    hourly: F64  # (T, N)
    week: F64  # (T, N) trailing, NaN until the window is full
    month: F64  # (T, N)
    baseline: F64  # (T, N) at a premium near zero; NaN where no terms tell it
    closed: F64  # (T, N) share of the coins whose session is closed


def rates_of(run: Run, market: Grid) -> Rates:
    """Funding of every coin of the market frame."""
    rate = market.of("funding")
    covered = _covered(run, market, rate)
    series = [
        rate / covered * HOURS_PER_YEAR,
        _trailing(market, rate, covered, WEEK_HOURS),
        _trailing(market, rate, covered, MONTH_HOURS),
        _baseline(run, market),
        market.phase("closed").astype(np.float64),
    ]
    names = list(market.names)
    if len(names) > 1:
        names = [ALL, *names]
        series = [np.vstack([mean(own, 1), own.T]).T for own in series]
    return Rates(market, names, rate, covered, *series)


def _covered(run: Run, market: Grid, rate: F64) -> F64:
    """Hours that each settlement is of: as the terms have it, else the commonest spacing."""
    made = np.empty_like(rate)
    told = term(run, "interval_hours", market.time_ms)
    for m, coin in enumerate(market.names):
        gaps = np.diff(market.time_ms[np.isfinite(rate[:, m])])
        spacing, counts = np.unique(gaps, return_counts=True)
        usual = spacing[np.argmax(counts)] / HOUR_MS if spacing.size else 1.0
        made[:, m] = np.nan_to_num(told[coin], nan=usual) if coin in told else usual
    return made


def _baseline(run: Run, market: Grid) -> F64:
    """(T, M) multiplier x interest, of coins whose rate is formed of a premium."""
    made = np.full((len(market.time_ms), len(market.names)), np.nan, order="F")
    interest, factor = (term(run, k, market.time_ms) for k in ("interest_8h", "funding_multiplier"))
    for m, coin in enumerate(market.names):
        if coin in interest and coin in factor:
            made[:, m] = interest[coin] * factor[coin] / 8.0 * HOURS_PER_YEAR
    return made


def _trailing(market: Grid, rate: F64, covered: F64, hours: int) -> F64:
    there = np.isfinite(rate)
    paid, spans = np.where(there, rate, 0.0), np.where(there, covered, 0.0)
    made = trailing_apr(market.time_ms * 1_000_000, paid, spans, hours)
    return np.where(there, made, np.nan)


class Taken(NamedTuple):
    """What the run received, against shorts of each coin at its mean notional while held.

    The definitions are those of ``funding_capture_frac`` and ``funding_capture_held_frac``: every
    settlement after the first row counts.
    """

    paid_usd: F64  # (T, M)
    offered_usd: F64  # (T, M) to a short of the mean notional, held throughout
    held: B8  # (T, M) a position was held at the settlement
    hours: F64  # (M,) with a position
    notional_usd: F64  # (M,) mean while held, 0 where never


def taken_of(run: Run, rates: Rates) -> Taken:
    """What the run received of the funding of its coins."""
    time_ms, coins = rates.grid.time_ms, rates.grid.names
    shape = rates.rate.shape
    funding = run.frames["funding"]
    keys = rows_of(funding["time"], time_ms) * shape[1] + codes(funding["coin"], coins)
    paid = add_up(keys, floats(funding["payment_usd"]), shape[0] * shape[1]).reshape(shape)
    held = np.zeros(shape, np.bool_)
    held.flat[keys] = True
    positions = run.frames["positions"].filter(pl.col("instrument").is_in(coins))
    row, coin = rows_of(positions["time"], time_ms), codes(positions["instrument"], coins)
    hours = rates.grid.hours()
    usd_hours = add_up(coin, np.abs(floats(positions["value_usd"])) * hours[row], shape[1])
    on = np.zeros(shape, np.bool_)
    on[row, coin] = True
    held_hours = hours @ on
    notional = np.zeros(shape[1])
    np.divide(usd_hours, held_hours, out=notional, where=held_hours > 0.0)
    offered = np.where(np.isfinite(rates.rate), rates.rate, 0.0) * notional
    offered[0] = 0.0
    return Taken(paid, offered, held, held_hours, notional)
