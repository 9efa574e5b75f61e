"""Whether two runs are told apart by their daily returns: arithmetic, no words."""

from __future__ import annotations

from math import ceil, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from perpkit.arrays import F64, I64
from perpkit.metrics.returns import DAYS_PER_YEAR, daily_rows, returns

ENOUGH_DAYS = 30  # with fewer no interval is told
WEEK = 7  # days: what weekends do comes again each week, so the lag reaches over one
LEVEL = 0.95
NOISE = 1e-12  # of a daily return: less is rounding


class Daily(NamedTuple):
    """Returns of two runs on the days that both have."""

    time_ms: I64  # (D,) ends of the days
    first: F64  # (D,)
    other: F64  # (D,)

    @property
    def away(self) -> F64:
        """Return of the other less that of the first."""
        told = self.other - self.first
        return np.where(np.abs(told) < NOISE, 0.0, told)


class Apart(NamedTuple):
    """What the daily differences say; fractions, by day unless their name says a year."""

    days: int
    mean: float
    apr: float  # simple, a year
    lag: int  # days
    error_apr: float | None  # standard error, robust to autocorrelation
    low_apr: float | None  # confidence interval
    high_apr: float | None
    t: float | None
    needed_days: float | None  # until such a difference would be told apart amid such noise
    ahead: float  # share of days
    behind: float
    weeks: int
    weeks_ahead: float | None
    correlation: float | None
    worst: float
    best: float

    @property
    def told(self) -> bool:
        """Whether the interval leaves zero out."""
        return (
            self.low_apr is not None
            and self.high_apr is not None
            and (self.low_apr > 0.0 or self.high_apr < 0.0)
        )


def common_days(first: tuple[I64, F64], other: tuple[I64, F64]) -> Daily:
    """Daily returns of two runs between the midnights, UTC, that both have.

    Days are consecutive; they end where one has lost everything.

    Parameters
    ----------
    first, other : times, ms, and equity, USD, by the hour
    """
    shared, here, there = np.intersect1d(first[0], other[0], return_indices=True)
    closes = daily_rows(shared)
    made = [returns(first[1][here[closes]]), returns(other[1][there[closes]])]
    days = min(len(made[0]), len(made[1]))
    return Daily(shared[closes][1 : days + 1], made[0][:days], made[1][:days])


def long_run_variance(x: F64, lag: int) -> float:
    """Variance of a series with its autocovariances up to a lag, weights falling in a line.

    Newey and West, 1987; never below 0.
    """
    away = x - x.mean()
    total = float(away @ away)
    for k in range(1, lag + 1):
        total += 2.0 * (1.0 - k / (lag + 1)) * float(away[k:] @ away[:-k])
    return max(total, 0.0) / max(len(x) - 1, 1)


def noise(away: F64) -> float:
    """Long-run variance of daily differences: the larger of that over a week and over the lag.

    Which lag is right is not known, and the smaller of two would claim more than both bear.
    """
    if len(away) < 2:
        return 0.0
    lag = lag_of(len(away))
    return max(long_run_variance(away, lag), long_run_variance(away, min(lag, WEEK)))


def lag_of(days: int) -> int:
    """Days over which differences may be correlated.

    1.3 √n (Lazarus, Lewis, Stock and Watson, 2018), at least a week, at most a third of the days.
    """
    return max(1, min(max(WEEK, ceil(1.3 * sqrt(days))), days // 3))


def student(level: float, freedom: float) -> float:
    """Quantile of Student's t, by its expansion around the normal one.

    Right to 0.01 from 4 degrees of freedom on, at levels up to 0.99.

    >>> round(student(0.975, 10), 2), round(student(0.975, 1e9), 2)
    (2.23, 1.96)
    """
    z = NormalDist().inv_cdf(level)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def apart(daily: Daily, comparisons: int = 1) -> Apart | None:
    """Statistics of the differences; None without a common day.

    The interval is that of Student's t with 1.5 n / (lag + 1) degrees of freedom (Lazarus, Lewis,
    Stock and Watson, 2018), wide enough for several comparisons to hold together (Bonferroni).
    """
    away = daily.away
    days = len(away)
    if not days:
        return None
    mean, lag = float(away.mean()), lag_of(days)
    variance = noise(away)
    error = low = high = t = needed = None
    if days >= ENOUGH_DAYS and variance > 0.0:
        error = sqrt(variance / days)
        wide = student(1.0 - (1.0 - LEVEL) / 2 / comparisons, 1.5 * days / (lag + 1))
        low, high = mean - wide * error, mean + wide * error
        t = mean / error
        needed = variance * (wide / mean) ** 2 if mean else None
    weeks = away[: days // WEEK * WEEK].reshape(-1, WEEK).sum(axis=1)
    moves = daily.first.std() > NOISE and daily.other.std() > NOISE and days > 2

    def a_year(value: float | None) -> float | None:
        return None if value is None else value * DAYS_PER_YEAR

    return Apart(
        days,
        mean,
        mean * DAYS_PER_YEAR,
        lag,
        a_year(error),
        a_year(low),
        a_year(high),
        t,
        needed,
        float(np.mean(away > 0.0)),
        float(np.mean(away < 0.0)),
        len(weeks),
        float(np.mean(weeks > NOISE)) if len(weeks) else None,
        float(np.corrcoef(daily.first, daily.other)[0, 1]) if moves else None,
        float(away.min()),
        float(away.max()),
    )
