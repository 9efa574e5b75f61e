"""Fills the missing windows of one perp into the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from perpkit.dataset.store import Store
from perpkit.sources.hyperliquid.commit import committing
from perpkit.sources.hyperliquid.describe import described
from perpkit.sources.hyperliquid.history import Asks, Settlement, candles, settlements
from perpkit.sources.hyperliquid.markets import Market
from perpkit.sources.hyperliquid.plan import Span, Window, oldest_candle, windows
from perpkit.sources.hyperliquid.tables import funding_rows, nominal_hour, price_rows
from perpkit.units import HOUR_MS

LATE_MS: Final = 600_000  # how long after its hour a settlement may be stamped

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Fetched:
    """What the store holds of a perp in the span asked for, and what was left out this time."""

    coin: str
    span: Span
    prices: int = 0
    first_price_ms: int | None = None
    settlements: int = 0
    first_funding_ms: int | None = None
    ended_ms: int | None = None  # last settlement of a perp that is delisted
    gaps: int = 0  # hours without a settlement after the first one
    untraded: int = 0
    without_premium: int = 0
    unranged: int = 0  # prices that were there already, without the range that was asked for


class Filling:
    """One perp on its way into a store.

    Parameters
    ----------
    client : asks the API
    store : where rows go, a window a commit
    market : the perp
    span : hours to have
    now_ms : the server's time, after which nothing is asked for
    trade_range : write the range of trades as that of the mark
    """

    def __init__(
        self,
        client: Asks,
        store: Store,
        market: Market,
        span: Span,
        now_ms: int,
        *,
        trade_range: bool = False,
    ) -> None:
        self._client, self._store, self._market = client, store, market
        self._span, self._now_ms, self._trade_range = span, now_ms, trade_range
        self._premium = self._stored("funding")
        self._priced = set(self._stored("perps"))
        self._out_of_reach = False
        self._made = Fetched(market.coin, span)

    def fill(self, progress: Progress) -> Fetched:
        """Ask for all windows with missing hours; each is committed before the next is asked for.

        Raises
        ------
        DataError
            If the API does not answer, or contradicts itself or the store.
        """
        # A perp that ended long ago keeps its last candles, however old.
        reach_ms = self._span.first_ms if self._market.delisted else oldest_candle(self._now_ms)
        todo = list(windows(self._span, set(self._premium), self._priced, reach_ms))
        for done, window in enumerate(todo):
            progress(done, len(todo))
            self._window(window)
        return self._told()

    def _window(self, window: Window) -> None:
        coin = self._market.coin
        settled = [] if window.funding is None else self._settled(window.funding)
        span = None if self._out_of_reach else window.prices
        prices = None if span is None else self._prices(span)
        # All is here: a watch of the folder waits for a commit, and not for the API.
        with committing(self._store) as writer:
            if settled:
                writer.add("funding", funding_rows(coin, settled))
            if prices is not None and prices.height:
                writer.add("perps", prices)
            text = described(self._store.folder, [self._market])
            if text is not None:
                writer.describe(text)

    def _settled(self, span: Span) -> list[Settlement]:
        until_ms = min(span.last_ms + LATE_MS, self._now_ms)
        found = settlements(self._client, self._market.coin, span.first_ms, until_ms)
        self._premium |= {nominal_hour(row.time_ms): row.premium for row in found}
        return found

    def _prices(self, span: Span) -> pl.DataFrame:
        """Rows for the hours of a span that the store has none of."""
        coin = self._market.coin
        found = candles(self._client, coin, span.first_ms - HOUR_MS, span.last_ms - HOUR_MS)
        # Once there were newer ones, nothing means that all older ones are gone, too.
        self._out_of_reach = not found and bool(self._priced)
        new = [candle for candle in found if candle.time_ms + HOUR_MS not in self._priced]
        premium = {ms: value for ms, value in self._premium.items() if value is not None}
        priced = price_rows(coin, new, premium, trade_range=self._trade_range)
        self._made.untraded += priced.untraded
        self._made.without_premium += priced.without_premium
        self._priced |= {candle.time_ms + HOUR_MS for candle in found}
        return priced.rows

    def _stored(self, table: str) -> dict[int, float | None]:
        """Hours of the span of which the store has a row, each with its premium."""
        span = self._span
        rows = self._store.rows(table, self._market.coin, span.first_ms, span.last_ms + LATE_MS)
        times = rows["time"].cast(pl.Int64).to_list()
        hours = {
            nominal_hour(time_ms): premium
            for time_ms, premium in zip(times, rows["premium"].to_list(), strict=True)
        }
        return {ms: premium for ms, premium in hours.items() if ms <= span.last_ms}

    def _told(self) -> Fetched:
        made = self._made
        prices, settled = sorted(self._stored("perps")), sorted(self._stored("funding"))
        made.prices, made.settlements = len(prices), len(settled)
        made.first_price_ms = prices[0] if prices else None
        if self._trade_range:
            there = self._store.rows("perps", made.coin, *self._span)
            made.unranged = there["mark_high_px"].null_count()
        if settled:
            made.first_funding_ms = settled[0]
            made.ended_ms = settled[-1] if self._market.delisted else None
            last_ms = self._span.last_ms if made.ended_ms is None else made.ended_ms
            made.gaps = (last_ms - settled[0]) // HOUR_MS + 1 - len(settled)
        return made
