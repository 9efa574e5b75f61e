"""Rows of the dataset's tables, made of what the API answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from perpkit.dataset.schema import PERPS, TIME
from perpkit.sources.hyperliquid.history import Candle, Settlement
from perpkit.units import HOUR_MS

PREMIUM = "premium"  # oracle_source of an oracle formed from a price and a premium


class Priced(NamedTuple):
    """Rows of ``perps`` formed of candles, and what could not be formed."""

    rows: pl.DataFrame
    untraded: int  # hours whose candle holds no trade: its close is an older price
    without_premium: int  # hours without the premium that the oracle is formed from


def funding_rows(coin: str, settled: Sequence[Settlement]) -> pl.DataFrame:
    """Settlements as rows of ``funding``, with the stamps that the chain gave them."""
    return pl.DataFrame(
        {
            "time": [row.time_ms for row in settled],
            "coin": [coin] * len(settled),
            "funding": [row.funding for row in settled],
            "premium": [row.premium for row in settled],
        },
        schema={"time": pl.Int64, "coin": pl.String, "funding": pl.Float64, "premium": pl.Float64},
    ).with_columns(pl.col("time").cast(TIME))


def price_rows(
    coin: str, made: Sequence[Candle], premium: Mapping[int, float], *, trade_range: bool
) -> Priced:
    """Rows of ``perps`` at the hours at which these candles ended.

    The mark is the last trade's price and the oracle that price / (1 + the hour's premium), which
    is what trades and premium alone can say. Highs and lows of trades are none of marks, so they
    are left out unless asked for.

    Parameters
    ----------
    made : candles, ascending
    premium : average premium of the hour that ends at each instant
    trade_range : write highest and lowest trade as ``mark_high_px`` and ``mark_low_px``
    """
    traded = [candle for candle in made if candle.trades]
    whole = [candle for candle in traded if candle.time_ms + HOUR_MS in premium]
    ends = [candle.time_ms + HOUR_MS for candle in whole]
    columns: dict[str, list[int] | list[str] | list[float]] = {
        "time": ends,
        "coin": [coin] * len(whole),
        "oracle_px": [c.close / (1.0 + premium[end]) for c, end in zip(whole, ends, strict=True)],
        "mark_px": [candle.close for candle in whole],
        "oracle_source": [PREMIUM] * len(whole),
    }
    if trade_range:
        columns["mark_high_px"] = [candle.high for candle in whole]
        columns["mark_low_px"] = [candle.low for candle in whole]
    schema = {name: pl.Int64() if name == "time" else PERPS.dtypes[name] for name in columns}
    rows = pl.DataFrame(columns, schema=schema).with_columns(pl.col("time").cast(TIME))
    return Priced(rows, len(made) - len(traded), len(traded) - len(whole))


def nominal_hour(time_ms: int) -> int:
    """The full hour that a settlement belongs to: stamps are late, never early."""
    return time_ms // HOUR_MS * HOUR_MS
