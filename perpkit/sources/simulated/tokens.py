"""The tokens' rows: quotes around the shares they stand for, frozen while the market is shut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64
from perpkit.sources.simulated.draws import Draw, normals, uniforms, wandering
from perpkit.sources.simulated.events import Event, of, span
from perpkit.sources.simulated.hours import Hours, datetimes
from perpkit.sources.simulated.parameters import BP, Values
from perpkit.sources.simulated.path import Path
from perpkit.sources.simulated.stocks import Stock, column
from perpkit.units import HOURS_PER_YEAR

BILL: Final = "TBILL"
BILL_UNDERLYING: Final = "USD-TBILL"
_BILL_START: Final = 100.0
_YEAR_DAYS: Final = 365.0


class Quote(NamedTuple):
    """Bids and asks of tokens, each (T, S) USD a token; what is halted stands still."""

    bid_px: F64
    ask_px: F64
    nav_px: F64
    halted: B8


def token_name(ticker: str) -> str:
    """Name of a stock's token.

    >>> token_name("NVDA")
    'NVDAx'
    """
    return f"{ticker}x"


def halts(
    hours: Hours,
    stocks: Sequence[Stock],
    path: Path,
    events: Sequence[Event],
    values: Values,
    seed: int,
) -> B8:
    """Draw the hours in which a token is halted: after a leap of the price, and now and then."""
    names, rows = [stock.ticker for stock in stocks], len(hours.time_ns)
    whole = path.true_px * path.shares
    leap = np.abs(np.diff(np.log(whole), axis=0, prepend=np.log(whole[:1]))) > values.halt_move_frac
    u = uniforms(seed, Draw.HALTS, names, rows)
    begins = (u < values.token_halts_a_year / HOURS_PER_YEAR) & ~hours.shut[:, None]
    made: B8 = leap & ~hours.closed[:, None]
    for row, s in zip(*np.nonzero(begins), strict=True):
        made[row : row + max(round(values.token_halt_hours), 1), s] = True
    for event in of(events, "halt"):
        made[span(event), event.stock] = True
    return made


def draw_quotes(
    hours: Hours,
    stocks: Sequence[Stock],
    path: Path,
    events: Sequence[Event],
    values: Values,
    seed: int,
) -> Quote:
    """Draw the tokens' quotes: live in the week, and over a weekend what stood at its start."""
    names, rows = [stock.ticker for stock in stocks], len(hours.time_ns)
    nav = path.true_px * path.multiplier
    noise = wandering(normals(seed, Draw.QUOTE, names, rows), 0.8)
    off = (values.token_noise_bp * noise - values.token_discount_bp) * BP
    width = _widths(hours, stocks, values, seed)
    for event in of(events, "discount"):
        off[span(event), event.stock] += event.size
    for event in of(events, "width"):
        width[span(event), event.stock] += event.size
    mid = nav * (1.0 + off)
    tick = _tick(stocks)
    bid: F64 = np.round(mid * (1.0 - width / 2.0) / tick) * tick
    ask: F64 = np.maximum(np.round(mid * (1.0 + width / 2.0) / tick) * tick, bid + tick)
    halted = halts(hours, stocks, path, events, values, seed)
    seen = _last_quoted(hours, halted)
    pick = (seen, np.arange(len(names)))
    bid_px: F64 = np.round(bid[pick], 4)
    ask_px: F64 = np.round(ask[pick], 4)
    return Quote(bid_px, ask_px, np.round(nav, 4), halted)


def _tick(stocks: Sequence[Stock]) -> F64:
    """Cents; less for what costs less."""
    worth = column(stocks, "start_px") * column(stocks, "multiplier")
    return np.where(worth >= 100.0, 0.01, np.where(worth >= 20.0, 0.001, 0.0001))


def _widths(hours: Hours, stocks: Sequence[Stock], values: Values, seed: int) -> F64:
    """Width of each quote, (T, S) as a fraction."""
    names, rows = [stock.ticker for stock in stocks], len(hours.time_ns)
    noise = normals(seed, Draw.WIDTH, names, rows)
    live = np.where(hours.cash, values.token_spread_bp, values.token_night_spread_bp)[:, None]
    frozen = column(stocks, "weekend_spread_bp") * np.exp(0.3 * noise)
    bp = np.where((hours.closed | hours.shut)[:, None], frozen, live * np.exp(0.5 * noise))
    made: F64 = np.clip(bp, 0.3, 1_500.0) * BP
    return made


def _last_quoted(hours: Hours, halted: B8) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Row whose quote stands in each row: the first of a closed spell holds for all of it."""
    rows = np.arange(len(hours.time_ns))
    quoted = ~hours.shut[:, None] & ~halted
    quoted[0] = True
    made = np.maximum.accumulate(np.where(quoted, rows[:, None], 0), axis=0)
    return made.astype(np.int64)


def token_frames(
    hours: Hours,
    stocks: Sequence[Stock],
    path: Path,
    quote: Quote,
    values: Values,
    seed: int,
) -> list[pl.DataFrame]:
    """The rows of the stocks' tokens, a frame each."""
    names, rows = [stock.ticker for stock in stocks], len(hours.time_ns)
    depth = wandering(normals(seed, Draw.DEPTH, names, rows), 0.95)
    usual = values.day_volume_usd * values.token_liquidity_frac * column(stocks, "size")
    shut = np.where(hours.shut, 0.3, 1.0)[:, None]
    liquidity = np.round(usual * np.exp(0.3 * depth) * shut, -2)
    time = datetimes(hours.time_ns)
    return [
        pl.DataFrame(
            {
                "time": time,
                "token": pl.repeat(token_name(name), rows, eager=True),
                "bid_px": quote.bid_px[:, s],
                "ask_px": quote.ask_px[:, s],
                "nav_px": quote.nav_px[:, s],
                "multiplier": path.multiplier[:, s],
                "liquidity_usd": liquidity[:, s],
                "halted": quote.halted[:, s],
            }
        )
        for s, name in enumerate(names)
    ]


def bill_frame(hours: Hours, values: Values, seed: int) -> pl.DataFrame:
    """The rows of the T-bill token: a NAV told on market days, a quote that moves with the week."""
    rows = len(hours.time_ns)
    days = (hours.time_ns - hours.time_ns[0]) / (24 * 3_600 * 1e9)
    told = np.maximum.accumulate(np.where(hours.cash_close, days, 0.0))
    nav = np.round(_BILL_START * (1.0 + values.bill_apr * told / _YEAR_DAYS), 6)
    noise = normals(seed, Draw.BILLS, [BILL], rows)[:, 0]
    # Buyers pay up for what has accrued since the last NAV.
    fair = _BILL_START * (1.0 + values.bill_apr * days / _YEAR_DAYS) * (1.0 + 0.05 * BP * noise)
    seen = np.maximum.accumulate(np.where(hours.shut, 0, np.arange(rows)))
    half = values.bill_half_spread_bp * BP
    return pl.DataFrame(
        {
            "time": datetimes(hours.time_ns),
            "token": pl.repeat(BILL, rows, eager=True),
            "bid_px": np.round(fair[seen] * (1.0 - half), 6),
            "ask_px": np.round(fair[seen] * (1.0 + half), 6),
            "nav_px": nav,
            "multiplier": np.ones(rows),
            "liquidity_usd": np.full(rows, 5e7),
            "halted": np.zeros(rows, np.bool_),
        }
    )
