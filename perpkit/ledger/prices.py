"""The frames of what was traded in: prices of perps and tokens, hour by hour."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from perpkit.arrays import F64, Phase
from perpkit.tape import Market
from perpkit.tape.splits import premiums

PHASES = tuple(phase.name.lower() for phase in Phase)


def market_frame(market: Market) -> pl.DataFrame:
    """Prices and rates of every perp, one row an hour and coin; what is not known is null."""
    tape, names = market.tape, market.names
    hours, coins = tape.mark_px.shape
    formed = tape.external_px.shape[1] > 0
    external = tape.external_px if formed else np.full_like(tape.oracle_px, np.nan)
    with np.errstate(all="ignore"):
        lag = np.where(tape.bound & formed, external / tape.oracle_px - 1.0, np.nan)
    phase = pl.Series("phase", PHASES).gather(
        np.asarray(tape.phase[:, names.perp_underlying], np.int64).reshape(-1)
    )
    return pl.DataFrame(
        {
            "time": _time(market, coins),
            "coin": _cycled(names.coins, hours),
            "oracle_px": _told(tape.oracle_px),
            "mark_px": _told(tape.mark_px),
            "external_px": _told(external),
            "oracle_lag_frac": _told(lag),
            "premium_8h": _told(tape.premium),
            "funding": _told(tape.funding),
            "phase": phase,
        }
    )


def quotes_frame(market: Market) -> pl.DataFrame:
    """Quotes of every token, one row an hour and token; what is not known is null."""
    tape, names = market.tape, market.names
    hours, tokens = tape.fair_px.shape
    return pl.DataFrame(
        {
            "time": _time(market, tokens),
            "token": _cycled(names.tokens, hours),
            "bid_px": _told(np.where(tape.live, tape.bid_px, np.nan)),
            "ask_px": _told(np.where(tape.live, tape.ask_px, np.nan)),
            "fair_px": _told(tape.fair_px),
            "nav_px": _told(tape.nav_px),
            "multiplier": _told(tape.multiplier),
            "premium_frac": _told(premiums(tape, names.token_perp)),
        }
    )


def _time(market: Market, wide: int) -> pl.Series:
    at = np.repeat(market.tape.time_ns // 1_000_000, wide)
    return pl.Series("time", at).cast(pl.Datetime("ms", "UTC"))


def _cycled(names: tuple[str, ...], hours: int) -> pl.Series:
    every = np.tile(np.arange(len(names), dtype=np.int64), hours)
    return pl.Series(list(names), dtype=pl.String).gather(every)


def _told(values: F64 | Any) -> pl.Series:
    """Row by row, null where there is no number."""
    return pl.Series(np.ascontiguousarray(values, np.float64).reshape(-1)).fill_nan(None)
