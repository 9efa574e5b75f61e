"""A venue made up for the tests, which answers as the info API does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Body = dict[str, Any]
NVDA, TSLA = "xyz:NVDA", "xyz:TSLA"

HOUR_MS = 3_600_000
NOW = datetime(2026, 11, 20, 10, 30, 15, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1_000)
LISTED = datetime(2026, 9, 25, 14, tzinfo=UTC)
LISTED_MS = int(LISTED.timestamp() * 1_000)
PAGE = 500


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


class Clock:
    """Seconds that pass only by sleeping."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.now_s += seconds


class Venue:
    """Perps of one dex from their listing to now, and the core perp BTC.

    Parameters
    ----------
    coins : their listing in milliseconds since 1970, by name
    now_ms : the last instant
    candles : how many hourly candles are kept
    page : rows of fundingHistory
    """

    def __init__(
        self,
        coins: Mapping[str, int],
        now_ms: int = NOW_MS,
        candles: int = 5_000,
        page: int = PAGE,
    ) -> None:
        self.coins, self.now_ms, self.candles, self.page = dict(coins), now_ms, candles, page
        self.untraded: set[int] = set()  # starts of candles without a trade
        self.unsettled: set[int] = set()  # hours without a settlement
        self.ended: dict[str, int] = {}  # instant at which a perp was delisted
        self.multiplier = "0.5"
        self.cap = "50000000.0"
        self.clamps: list[list[str]] = []

    # ------------------------------------------------------------------ what is true

    def premium(self, coin: str, hour_ms: int) -> float:
        """Average premium of the hour that ends then, to ten decimals."""
        turn = hour_ms / HOUR_MS / 17 + len(coin)
        return round(0.0004 * math.sin(turn), 10)

    def rate(self, coin: str, hour_ms: int) -> float:
        p = self.premium(coin, hour_ms)
        return round(0.5 * (p + min(max(0.0001 - p, -0.0003), 0.0003)) / 8, 10)

    def close(self, coin: str, start_ms: int) -> float:
        return round(100.0 + len(coin) + 5 * math.sin(start_ms / HOUR_MS / 40), 2)

    def settled(self, coin: str) -> list[dict[str, Any]]:
        first = -(-self.coins[coin] // HOUR_MS) * HOUR_MS
        return [
            {
                "coin": coin,
                "fundingRate": f"{self.rate(coin, hour):.10f}",
                "premium": f"{self.premium(coin, hour):.10f}",
                "time": hour + 1 + hour // HOUR_MS % 117,
            }
            for hour in range(first, self._end(coin), HOUR_MS)
            if hour not in self.unsettled and hour + 118 <= self.now_ms
        ]

    def _end(self, coin: str) -> int:
        return min(self.ended.get(coin, self.now_ms), self.now_ms)

    def candle(self, coin: str, start_ms: int) -> dict[str, Any]:
        close = self.close(coin, start_ms)
        return {
            "t": start_ms,
            "T": start_ms + HOUR_MS - 1,
            "s": coin,
            "i": "1h",
            "o": f"{close - 0.1:.2f}",
            "c": f"{close:.2f}",
            "h": f"{close + 0.5:.2f}",
            "l": f"{close - 0.5:.2f}",
            "v": "10.0",
            "n": 0 if start_ms in self.untraded else 12,
        }

    # ------------------------------------------------------------------ the API

    def __call__(self, body: Body) -> Any:
        """Answer a request."""
        kinds = {
            "meta": self._meta,
            "perpDexs": self._dexs,
            "fundingHistory": self._funding,
            "candleSnapshot": self._candles,
            "metaAndAssetCtxs": self._contexts,
        }
        known = kinds.get(body["type"])
        return NotImplemented if known is None else known(body)

    def _meta(self, body: Body) -> Any:
        if not body.get("dex"):
            core = {"szDecimals": 5, "name": "BTC", "maxLeverage": 40, "marginTableId": 56}
            tiers = [["0.0", 40], ["150000000.0", 20]]
            made = [{"lowerBound": low, "maxLeverage": highest} for low, highest in tiers]
            table = {"description": "tiered 40x", "marginTiers": made}
            return {"universe": [core], "marginTables": [[56, table]], "collateralToken": 0}
        if body["dex"] != "xyz":
            return None
        universe = [
            {
                "szDecimals": 3,
                "name": coin,
                "maxLeverage": 20,
                "marginTableId": 20,
                "growthMode": "enabled",
                **({"isDelisted": True} if coin in self.ended else {}),
            }
            for coin in self.coins
            if ":" in coin
        ]
        table = {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": 50}]}
        return {"universe": universe, "marginTables": [[50, table]], "collateralToken": 0}

    def _dexs(self, _: Body) -> Any:
        names = [coin for coin in self.coins if ":" in coin]
        return [
            None,
            {
                "name": "xyz",
                "fullName": "XYZ",
                "assetToStreamingOiCap": [[coin, self.cap] for coin in names],
                "assetToFundingMultiplier": [[coin, self.multiplier] for coin in names],
                "assetToFundingInterestRate": [],
                "assetToFundingClamp": self.clamps,
            },
        ]

    def _funding(self, body: Body) -> Any:
        if body["coin"] not in self.coins:
            return None
        first, last = body["startTime"], body.get("endTime", self.now_ms)
        rows = [row for row in self.settled(body["coin"]) if first <= row["time"] <= last]
        return rows[: self.page]

    def _candles(self, body: Body) -> Any:
        told = body["req"]
        coin = told["coin"]
        if coin not in self.coins:
            return None
        listed = self.coins[coin] // HOUR_MS * HOUR_MS
        end = self._end(coin)
        kept = end // HOUR_MS * HOUR_MS - (self.candles - 1) * HOUR_MS
        first = max(told["startTime"] // HOUR_MS * HOUR_MS, listed, kept)
        last = min(told["endTime"], end)
        return [self.candle(coin, start) for start in range(first, last + 1, HOUR_MS)]

    def _contexts(self, body: Body) -> Any:
        meta = self._meta(body)
        if meta is None:
            return None
        return [meta, [self.context(entry["name"]) for entry in meta["universe"]]]

    def context(self, coin: str) -> dict[str, Any]:
        """The context of now; the mark turns with the seconds."""
        oracle = self.close(coin, self.now_ms // HOUR_MS * HOUR_MS) if coin in self.coins else 90.0
        mark = oracle * (1 + 0.001 * math.sin(self.now_ms / 60_000))
        return {
            "funding": "0.00000625",
            "openInterest": "1234.5",
            "prevDayPx": "100.0",
            "dayNtlVlm": "1000000.0",
            "premium": "0.0001",
            "oraclePx": f"{oracle:.4f}",
            "markPx": f"{mark:.4f}",
            "midPx": f"{mark:.4f}",
            "impactPxs": [f"{mark - 0.01:.4f}", f"{mark + 0.01:.4f}"],
            "dayBaseVlm": "10.0",
        }
