"""Drawdowns of equity, row by row."""

from __future__ import annotations

from math import sqrt

import numpy as np

from perpkit.arrays import F64, I64
from perpkit.metrics.numbers import NOISE, Value, deviation, largest, mean, ratio
from perpkit.metrics.reading import Run
from perpkit.metrics.returns import ENOUGH_DAYS, cagr, daily_rows, returns
from perpkit.units import HOUR_MS, HOURS_PER_YEAR


def drawdowns(equity: F64) -> F64:
    """Equity over its highest value so far, less 1; rounding is 0."""
    depth = equity / np.maximum.accumulate(equity) - 1.0
    return np.where(depth < -NOISE, depth, 0.0)


def spells(depth: F64, time_ms: I64) -> tuple[F64, F64]:
    """Lowest value and hours, from peak to regained peak, of each drawdown."""
    under = np.concatenate(([False], depth < 0.0, [False]))
    first = np.flatnonzero(under[1:] & ~under[:-1])  # the peak is the row before
    after = np.flatnonzero(under[:-1] & ~under[1:])
    if not first.size:
        return np.empty(0), np.empty(0)
    lowest = np.minimum.reduceat(depth, first)
    regained = np.minimum(after, depth.size - 1)
    return lowest, (time_ms[regained] - time_ms[first - 1]) / HOUR_MS


def serenity(excess: float | None, ulcer: float, closes: F64) -> float | None:
    """Excess return over ulcer times pitfall."""
    daily = returns(closes)
    if daily.size < ENOUGH_DAYS:
        return None
    depth = drawdowns(closes[: daily.size + 1])
    worst = depth[depth <= np.quantile(depth, 0.05)]
    pitfall = ratio(-float(worst.mean()), deviation(daily))
    return None if pitfall is None else ratio(excess, ulcer * pitfall, NOISE**2)


def drawdown_metrics(run: Run) -> dict[str, Value]:
    """Group drawdown."""
    equity, hours = run.equity_usd, run.total_hours
    start, final = float(equity[0]), float(equity[-1])
    depth = drawdowns(equity)
    lowest, lasted = spells(depth, run.time_ms)
    worst, ulcer = float(depth.min()), sqrt(float((depth**2).mean()))
    total = ratio(final - start, start)
    free = run.context.risk_free_apr * hours / HOURS_PER_YEAR
    return {
        "max_drawdown_frac": worst,
        "mean_drawdown_frac": mean(lowest),
        "longest_drawdown_hours": largest(lasted),
        "mean_drawdown_hours": mean(lasted),
        "ulcer_frac": ulcer,
        "calmar": ratio(cagr(start, final, hours), abs(worst)),
        "return_over_drawdown": ratio(total, abs(worst)),
        "serenity": serenity(
            None if total is None else total - free, ulcer, equity[daily_rows(run.time_ms)]
        ),
    }
