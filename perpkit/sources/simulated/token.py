"""The tokens' rows: quotes that freeze over the weekend, and a T-bill token."""

from __future__ import annotations

import numpy as np
import polars as pl

from perpkit.arrays import F64
from perpkit.sources.simulated.clock import Calendar, autoregressive, datetimes, draws, rounded
from perpkit.sources.simulated.scenario import BP, Scenario
from perpkit.units import HOURS_PER_YEAR


def quote_px(scenario: Scenario, clock: Calendar, which: int, external: F64) -> tuple[F64, F64]:
    """Quote a token: live in the week, from Friday 20:00 New York to Sunday what stood then.

    Parameters
    ----------
    external : (T,) USD a share

    Returns
    -------
    bid_px, ask_px : (T,) USD a token
    """
    stock = scenario.stocks[which]
    size = clock.time_ns.size
    rng = draws(scenario, which, 8)
    fair = external * stock.multiplier
    fair = fair * (1.0 + 3.0 * BP * autoregressive(rng.standard_normal(size), 0.9))
    cash = (clock.et_hour >= 10) & (clock.et_hour <= 16)
    width = stock.token_spread_bp * np.exp(0.3 * rng.standard_normal(size))
    width = np.clip(width * np.where(cash, 0.8, 1.2), 2.0, 10.0)
    wide = stock.weekend_spread_bp * np.exp(0.3 * rng.standard_normal(size))
    width = np.where(clock.is_open, width, np.clip(wide, 1.0, 900.0)) * BP
    below = np.where(clock.is_open, 0.5, rng.uniform(0.3, 0.7, size)) * width
    digits = 2 if stock.multiplier == 1.0 else 3
    bid = rounded(fair * (1.0 - below), digits)
    ask = rounded(np.maximum(fair * (1.0 - below + width), bid + 0.1**digits), digits)
    rows = np.arange(size)
    frozen = ~clock.is_open & np.concatenate(([False], ~clock.is_open[:-1]))
    seen = np.maximum.accumulate(np.where(frozen, 0, rows))
    return bid[seen], ask[seen]


def token_frame(scenario: Scenario, clock: Calendar, which: int, external: F64) -> pl.DataFrame:
    """Make the rows of one stock token."""
    stock = scenario.stocks[which]
    bid, ask = quote_px(scenario, clock, which, external)
    depth = autoregressive(draws(scenario, which, 9).standard_normal(clock.time_ns.size), 0.95)
    depth = stock.day_volume_usd * 0.03 * np.exp(0.3 * depth) * np.where(clock.is_open, 1.0, 0.3)
    return _token_rows(clock, f"{stock.ticker}x", (bid, ask, None), np.round(depth, -2))


def treasury_frame(scenario: Scenario, clock: Calendar) -> pl.DataFrame:
    """Make the rows of the T-bill token: NAV grows every second, quoted day and night."""
    hours = np.arange(clock.time_ns.size, dtype=np.float64)
    nav = np.round(100.0 * (1.0 + scenario.treasury_apr * hours / HOURS_PER_YEAR), 6)
    half = scenario.treasury_half_spread_frac
    bid, ask = np.round(nav * (1.0 - half), 6), np.round(nav * (1.0 + half), 6)
    return _token_rows(clock, "TBILL", (bid, ask, nav), np.full(hours.size, 5e7))


def _token_rows(
    clock: Calendar, token: str, prices: tuple[F64, F64, F64 | None], depth_usd: F64
) -> pl.DataFrame:
    size = clock.time_ns.size
    bid, ask, nav = prices
    return pl.DataFrame(
        {
            "time": datetimes(clock),
            "token": pl.repeat(token, size, eager=True),
            "bid_px": bid,
            "ask_px": ask,
            "nav_px": pl.repeat(None, size, dtype=pl.Float64, eager=True) if nav is None else nav,
            "liquidity_usd": depth_usd,
            "halted": pl.repeat(False, size, eager=True),
        }
    )
