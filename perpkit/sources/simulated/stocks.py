"""What one stock differs by from another: drawn by its name, or told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from perpkit.arrays import F64
from perpkit.errors import RequestError, nearest
from perpkit.sources.simulated.draws import Draw, stream
from perpkit.sources.simulated.parameters import Values


class Stock(NamedTuple):
    """One stock, its perps and its token.

    Attributes
    ----------
    ticker : str
    start_px : float
        USD a share at the start.
    scale : float
        Its volatility, times that of the parameters.
    premium_bp : float
        Mean of its perps' premium in open hours.
    spike_up_share : float
        Share of crowding in which longs crowd.
    impact : float
        Its impact spread, times that of the parameters.
    size : float
        Its open interest and volume, times those of the parameters.
    weekend_spread_bp : float
        Width at which its token's quote is frozen.
    dividend_yield : float
        A year, in four; 0 pays none.
    multiplier : float
        Shares a token at the start.
    max_leverage : int
    """

    ticker: str
    start_px: float
    scale: float
    premium_bp: float
    spike_up_share: float
    impact: float
    size: float
    weekend_spread_bp: float
    dividend_yield: float
    multiplier: float
    max_leverage: int


def drawn(ticker: str, values: Values, seed: int) -> Stock:
    """A stock as its name and the seed have it."""
    rng = stream(seed, Draw.CHARACTER, ticker)
    z, u = rng.standard_normal(8), rng.random(4)
    width = values.token_weekend_spread_bp * np.exp(values.token_weekend_spread_log * z[4])
    return Stock(
        ticker=ticker,
        start_px=round(float(values.start_px * np.exp(0.5 * z[0])), 2),
        scale=round(float(np.exp(values.scale_log * z[1])), 3),
        premium_bp=round(float(values.premium_bp + values.premium_spread_bp * z[2]), 3),
        spike_up_share=values.spike_up_share,
        impact=round(float(np.exp(0.25 * z[3])), 3),
        size=round(float(np.exp(0.5 * z[5])), 3),
        weekend_spread_bp=round(float(np.clip(width, 1.0, 900.0)), 1),
        dividend_yield=round(float(2.0 * values.dividend_yield * u[0]), 4) if u[1] < 0.7 else 0.0,
        multiplier=1.0,
        max_leverage=20 if u[2] < 0.4 else 10,
    )


def make_stocks(
    tickers: Sequence[str],
    told: Mapping[str, Mapping[str, float]],
    values: Values,
    seed: int,
) -> tuple[Stock, ...]:
    """Every stock; what is `told` of one is in place of what is drawn.

    Raises
    ------
    RequestError
        If a ticker is named twice or none is, or what is told is not of a stock.
    """
    if not tickers:
        raise RequestError("no stock is named; write --stocks NVDA,TSLA")
    if len(set(tickers)) < len(tickers):
        raise RequestError(f"--stocks {','.join(tickers)} names one twice; name each once")
    made = []
    for ticker in tickers:
        if not ticker.isalnum() or not ticker.isascii():
            raise RequestError(f"--stocks: {ticker!r} is no ticker; use letters and digits")
        own = dict(told.get(ticker, {}))
        for key in own:
            if key not in Stock._fields[1:]:
                raise RequestError(f"stocks.{ticker}.{key}: {nearest(key, Stock._fields[1:])}")
        made.append(drawn(ticker, values, seed)._replace(**own))  # type: ignore[arg-type]
    return tuple(made)


def column(stocks: Sequence[Stock], name: str) -> F64:
    """One number of every stock, (S,)."""
    return np.array([getattr(stock, name) for stock in stocks], np.float64)
