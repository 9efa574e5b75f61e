"""Closures of the market: weekends and holidays, what the perps said, and where prices reopened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from perpkit.arrays import F64, I64
from perpkit.metrics.reading import add_up, codes, floats, rows_of
from perpkit.report.hours import Grid, spells
from perpkit.report.reading import Run
from perpkit.units import HOUR_MS

LEAST_HOURS: Final = 20  # a night is shorter, a holiday longer
_SEARCHED: Final = 4  # rows from the reopening on in which its first price must show


@dataclass(frozen=True, slots=True)
class Closures:
    """Closures of C coins and times, in the order of coins; those told in part are left out.

    Attributes
    ----------
    coin : (C,) place of the coin
    closes : (C,) row at which the session closes: its price is the last from outside
    opens : (C,) row at which the session opens: no price from outside has come yet
    reopens : (C,) row of the first price after it
    close_px, reopen_px : (C,) these prices: external, or the oracle where none is recorded
    forecast_px : (C,) mark of the last closed row, the one before ``opens``
    weekend : (C,) closures that overlap are one weekend
    external : whether every such price is external
    cut : closures left out: the run begins or ends in them, or a price is not known
    """

    coin: I64
    closes: I64
    opens: I64
    reopens: I64
    close_px: F64
    reopen_px: F64
    forecast_px: F64
    weekend: I64
    external: bool
    cut: int

    @property
    def foretold(self) -> F64:
        """(C,) move that the perp foretold, frac of the close."""
        return self.forecast_px / self.close_px - 1.0

    @property
    def gap(self) -> F64:
        """(C,) move from the close to the reopening, frac of the close."""
        return self.reopen_px / self.close_px - 1.0

    @property
    def count(self) -> int:
        """Weekends."""
        return int(self.weekend.max()) + 1 if self.weekend.size else 0


def closures(market: Grid) -> Closures:
    """Closures of at least 20 hours of every coin."""
    closed = market.phase("closed")
    external, oracle, mark = (market.of(n) for n in ("external_px", "oracle_px", "mark_px"))
    found: list[list[NDArray[Any]]] = []
    cut = 0
    for m in range(len(market.names)):
        first, after = spells(closed[:, m])
        ends = np.append(market.time_ms, market.time_ms[-1:] + HOUR_MS)
        long = ends[after] - ends[first] >= LEAST_HOURS * HOUR_MS
        whole = long & (first > 0) & (after < len(market.time_ms))
        begun, opens = first[whole], after[whole]
        own_told = bool(np.isfinite(external[:, m]).any())
        price = external[:, m] if own_told else oracle[:, m]
        reopens = _reopening(price, begun, opens, own_told)
        known = np.maximum(reopens, 0)
        prices = price[begun], price[known], mark[opens - 1, m]
        usable = (reopens >= 0) & np.isfinite(prices).all(axis=0) & (prices[0] > 0.0)
        cut += int(long.sum() - usable.sum())
        own = (np.full(len(begun), m), begun, opens, reopens, *prices)
        found.append([column[usable] for column in own])
    coin, begun, opens, reopens, close, reopen, forecast = map(
        np.concatenate, zip(*found, strict=True)
    )
    weekend = _weekends(begun, reopens)
    told = bool(np.isfinite(external).any(axis=0).all())
    return Closures(coin, begun, opens, reopens, close, reopen, forecast, weekend, told, cut)


def _reopening(price: F64, closes: I64, opens: I64, told: bool) -> I64:
    """Row of the first price after each closure, -1 where it is not found.

    An external price is the close's until the first one comes. Without one, the venue's oracle is
    taken an hour after the opening: at its instant it may still be the one of the closed market.
    """
    last = len(price) - 1
    if not told:
        return np.where(opens < last, opens + 1, -1)
    found = np.full(closes.shape, -1, np.int64)
    for later in reversed(range(_SEARCHED)):
        row = np.minimum(opens + later, last)
        new = np.isfinite(price[row]) & (price[row] != price[closes])
        found = np.where(new, row, found)
    return found


def _weekends(closes: I64, reopens: I64) -> I64:
    """Number the closures that overlap alike, from the earliest on."""
    order = np.argsort(closes, kind="stable")
    reach = np.maximum.accumulate(reopens[order]) if order.size else reopens
    begins = np.append(True, closes[order][1:] > reach[:-1])[: order.size]
    made = np.empty(order.size, np.int64)
    made[order] = np.cumsum(begins) - 1
    return made


class Weekends(NamedTuple):
    """What the run made of W weekends, each from its first close to its last reopening price."""

    first: I64  # (W,) rows
    last: I64  # (W,)
    funding_usd: F64  # (W,)
    prices_usd: F64  # (W,) perps and tokens
    other_usd: F64  # (W,) fees, slippage and every other cause
    held: F64  # (C,) USD at mark of each closure's perp at the row of its forecast
    coin_usd: F64  # (C,) all that is attributed to the perp until its reopening price
    coin_funding_usd: F64  # (C,)

    @property
    def net_usd(self) -> F64:
        """(W,) change of equity."""
        return self.funding_usd + self.prices_usd + self.other_usd


def weekends(run: Run, market: Grid, found: Closures) -> Weekends:
    """P&L of the whole run by weekend, and of each perp by closure."""
    count = found.count
    first = np.full(count, len(market.time_ms))
    last = np.zeros(count, np.int64)
    np.minimum.at(first, found.weekend, found.closes)
    np.maximum.at(last, found.weekend, found.reopens)
    equity = run.frames["equity"]
    funding = _between(floats(equity["funding_usd"]), first, last)
    prices = _between(floats(equity["perp_price_usd"] + equity["token_price_usd"]), first, last)
    net = _between(np.diff(floats(equity["equity_usd"]), prepend=0.0), first, last)
    booked = run.frames["attribution"]
    paid = booked.filter(pl.col("cause") == "funding")
    coin = found.coin
    return Weekends(
        first,
        last,
        funding,
        prices,
        net - funding - prices,
        _grid(run.frames["positions"], "value_usd", market)[found.opens - 1, coin],
        *(
            _between(_grid(frame, "usd", market), found.closes, found.reopens, coin)
            for frame in (booked, paid)
        ),
    )


def _between(usd: F64, first: I64, last: I64, coin: I64 | None = None) -> F64:
    """Sum of the rows after the first up to the last, of a series or of a coin's."""
    total = np.cumsum(usd, axis=0)
    if coin is None:
        return np.asarray(total[last] - total[first], np.float64)
    return np.asarray(total[last, coin] - total[first, coin], np.float64)


def _grid(frame: pl.DataFrame, column: str, market: Grid) -> F64:
    """(T, M) of a frame's rows that are of a perp."""
    shape = (len(market.time_ms), len(market.names))
    own = frame.filter(pl.col("instrument").is_in(market.names))
    keys = rows_of(own["time"], market.time_ms) * shape[1] + codes(own["instrument"], market.names)
    return add_up(keys, floats(own[column]), shape[0] * shape[1]).reshape(shape)


class Fit(NamedTuple):
    """How well N foretold moves told the gaps; None where it is undefined."""

    hits: int  # of ``signed``, those with the right sign
    signed: int  # neither move is zero
    foretold_frac: float | None  # 1 - sum of squared errors over sum of squared gaps
    slope: float | None  # of the gap over the foretold move, with a constant
    constant: float | None
    r2: float | None


def fit(foretold: F64, gap: F64) -> Fit:
    """Judge forecasts; at least three are asked for a line."""
    signed = (foretold != 0.0) & (gap != 0.0)
    hits = int((np.sign(foretold) == np.sign(gap))[signed].sum())
    squares = float((gap**2).sum())
    share = 1.0 - float(((gap - foretold) ** 2).sum()) / squares if squares > 0.0 else None
    slope = constant = r2 = None
    if foretold.size >= 3 and foretold.std() > 0.0 and gap.std() > 0.0:
        far, wide = foretold - foretold.mean(), gap - gap.mean()
        slope = float((far * wide).sum() / (far**2).sum())
        constant = float(gap.mean() - slope * foretold.mean())
        r2 = float((far * wide).sum() ** 2 / ((far**2).sum() * (wide**2).sum()))
    return Fit(hits, int(signed.sum()), share, slope, constant, r2)
