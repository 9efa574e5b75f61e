"""Returns: the whole period, by hour, by day, by month, and against the underlyings."""

from __future__ import annotations

from math import sqrt

import numpy as np

from perpkit.arrays import F64, I64
from perpkit.metrics.numbers import (
    NOISE,
    Value,
    deviation,
    largest,
    mean,
    ratio,
    share,
    smallest,
    times,
)
from perpkit.metrics.reading import Run, instant_of
from perpkit.units import HOUR_MS, HOURS_PER_YEAR

DAY_MS = 24 * HOUR_MS
DAYS_PER_YEAR = 365
ENOUGH_DAYS = 20  # a 5% tail of fewer days holds no day


def returns(value: F64) -> F64:
    """Take simple returns between values, up to the first value at or below zero."""
    ruin = np.flatnonzero(value <= 0.0)
    kept = value[: ruin[0] + 1] if ruin.size else value
    return kept[1:] / kept[:-1] - 1.0


def daily_rows(time_ms: I64) -> I64:
    """Rows at 00:00 UTC."""
    return np.flatnonzero(time_ms % DAY_MS == 0)


def monthly_rows(time_ms: I64) -> I64:
    """Find row 0 and the last row of each calendar month; 00:00 of the first closes a month."""
    month = (time_ms[1:] - 1).astype("datetime64[ms]").astype("datetime64[M]")
    last = np.flatnonzero(month[1:] != month[:-1]) + 1
    return np.unique(np.concatenate(([0], last, [time_ms.size - 1])))


def cagr(start: float, final: float, hours: float) -> float | None:
    """Compounded growth a year."""
    if start <= 0.0 or hours <= 0.0:
        return None
    if final <= 0.0:
        return -1.0
    try:
        return float((final / start) ** (HOURS_PER_YEAR / hours) - 1.0)
    except OverflowError:
        return None


def moment(x: F64, order: int) -> float | None:
    """Standardised population moment."""
    if x.size < order or deviation(x) is None:
        return None
    return float((((x - x.mean()) / x.std()) ** order).mean())


def straightness(value: F64) -> float | None:
    """R² of a straight line through the logarithm."""
    if value.size < 3 or value.min() <= 0.0:
        return None
    log = np.log(value / value[0])
    if deviation(log) is None:
        return None
    return float(np.corrcoef(np.arange(log.size), log)[0, 1] ** 2)


def _whole(run: Run) -> dict[str, Value]:
    start, final, hours = run.context.capital_usd, float(run.equity_usd[-1]), run.total_hours
    total = ratio(final - start, start)
    free = run.context.risk_free_apr * hours / HOURS_PER_YEAR
    hourly = returns(run.path_usd)
    return {
        "start": instant_of(run, 0),
        "end": instant_of(run, -1),
        "period_hours": hours,
        "start_equity_usd": start,
        "final_equity_usd": final,
        "peak_equity_usd": float(run.path_usd.max()),
        "net_pnl_usd": run.net_usd,
        "total_return_frac": total,
        "excess_return_frac": None if total is None else total - free,
        "cagr_frac": cagr(start, final, hours),
        "mean_return_apr": times(mean(hourly), HOURS_PER_YEAR),
        "volatility_frac": times(deviation(hourly), sqrt(HOURS_PER_YEAR)),
    }


def ratios(daily: F64, risk_free_apr: float) -> dict[str, Value]:
    """Sharpe and its kin of daily returns."""
    excess = daily - risk_free_apr / DAYS_PER_YEAR
    bad = np.minimum(excess, 0.0)
    typical, year = mean(excess), sqrt(DAYS_PER_YEAR)
    downside = sqrt(float((bad**2).mean())) if bad.size else None
    kurtosis = moment(daily, 4)
    return {
        "days": int(daily.size),
        "sharpe": times(ratio(typical, deviation(excess)), year),
        "sortino": times(ratio(typical, downside, NOISE), year),
        "omega": ratio(float(np.maximum(excess, 0.0).sum()), -float(bad.sum()), NOISE),
        "skew": moment(daily, 3),
        "kurtosis": None if kurtosis is None else kurtosis - 3.0,
        "best_day_frac": largest(daily),
        "worst_day_frac": smallest(daily),
        "positive_days_frac": share(daily > 0.0),
    }


def tails(daily: F64) -> dict[str, Value]:
    """Look at the worst and the best 5% of days."""
    if daily.size < ENOUGH_DAYS:
        return dict.fromkeys(("var_95_frac", "cvar_95_frac", "tail_ratio"))
    low, high = np.quantile(daily, [0.05, 0.95])
    return {
        "var_95_frac": float(low),
        "cvar_95_frac": mean(daily[daily <= low]),
        "tail_ratio": ratio(abs(high), abs(low), NOISE),
    }


def against(daily: F64, benchmark: F64, risk_free_apr: float) -> dict[str, Value]:
    """Daily returns against those of a benchmark, NaN where it has none."""
    known = np.isfinite(benchmark)
    free = risk_free_apr / DAYS_PER_YEAR
    own, other, year = daily[known] - free, benchmark[known] - free, float(DAYS_PER_YEAR)
    if own.size < 3:
        own = other = own[:0]
    slope = None
    if deviation(other) is not None:
        slope = float(np.cov(own, other)[0, 1] / other.var(ddof=1))
    active = own - other
    spread = deviation(active)
    alpha = None if slope is None else float(own.mean() - slope * other.mean()) * year
    return {
        "beta": slope,
        "alpha_apr": alpha,
        "treynor": times(ratio(mean(own), slope, NOISE), year),
        "tracking_error_frac": times(spread, sqrt(year)),
        "information_ratio": times(ratio(mean(active), spread), sqrt(year)),
    }


def _benchmark(run: Run, closes: I64, days: int) -> F64:
    paired = np.unique(run.names.underlying[run.names.paired])
    prices = run.oracle_px[closes][:, paired]
    moves = (prices[1:] / prices[:-1] - 1.0)[:days]
    known = np.isfinite(moves)
    count = known.sum(axis=1)
    total = np.where(known, moves, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def return_metrics(run: Run) -> dict[str, Value]:
    """Fill the groups period, equity, return, daily and benchmark."""
    closes = daily_rows(run.time_ms)
    daily = returns(run.equity_usd[closes])
    monthly = returns(run.equity_usd[monthly_rows(run.time_ms)])
    free = run.context.risk_free_apr
    return {
        **_whole(run),
        **ratios(daily, free),
        **tails(daily),
        "stability_r2": straightness(run.equity_usd[closes]),
        "best_month_frac": largest(monthly),
        "worst_month_frac": smallest(monthly),
        "positive_months_frac": share(monthly > 0.0),
        **against(daily, _benchmark(run, closes, daily.size), free),
    }
