"""Candles of trades as rows of perps.

The mark is the close and the oracle is mark / (1 + premium), with the premium that was settled at
the hour: the chain's own prices are not in candles. `oracle_source` says "premium". Highs and lows
of trades are none of marks, so they are left out unless asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import polars as pl

from perpkit.dataset.schema import TIME
from perpkit.dataset.store import Store
from perpkit.errors import DataError
from perpkit.units import HOUR_MS

_LATEST_MS: Final = 10 * 60_000  # how late a settlement's stamp may be


@dataclass(slots=True)
class Candles:
    """Makes perps of candles, with the premiums that the dataset in `store` holds."""

    store: Store
    trade_range: bool = False
    without: dict[str, int] = field(default_factory=dict)  # candles left out for want of a premium

    def traded(self, candles: pl.DataFrame) -> pl.DataFrame:
        """Candles in which there was a trade, which is the price of the others too."""
        return candles.filter((pl.col("trades") > 0) | pl.col("trades").is_null())

    def perps(self, candles: pl.DataFrame) -> pl.DataFrame:
        """Make rows of perps; a candle at whose end no premium was settled is left out.

        Parameters
        ----------
        candles : coin, time (the end), close, high, low

        Raises
        ------
        DataError
            If a coin has no settled premium at all.
        """
        made: list[pl.DataFrame] = []
        for (name,), own in candles.partition_by("coin", as_dict=True, maintain_order=True).items():
            coin = str(name)
            premiums = self._premiums(coin, own)
            rows = own.join(premiums, on="time", how="inner", maintain_order="left")
            if rows.height < own.height:
                self.without[coin] = self.without.get(coin, 0) + own.height - rows.height
            made.append(rows)
        extremes = [
            pl.col("high").alias("mark_high_px"),
            pl.col("low").alias("mark_low_px"),
        ]
        return pl.concat(made).select(
            "time",
            "coin",
            (pl.col("close") / (1.0 + pl.col("premium"))).alias("oracle_px"),
            pl.col("close").alias("mark_px"),
            *(extremes if self.trade_range else []),
            pl.lit("premium").alias("oracle_source"),
        )

    def _premiums(self, coin: str, own: pl.DataFrame) -> pl.DataFrame:
        if self.store.last_ms("funding", coin) is None:
            raise DataError(
                f"{coin} has no settled premium in {self.store.folder}, and candles give no "
                "oracle without one; import its settlements first: perpkit data import hf-funding"
            )
        times = own["time"].cast(pl.Int64)
        first, last = int(times.to_numpy().min()), int(times.to_numpy().max())
        rows = self.store.rows("funding", coin, first, last + _LATEST_MS)
        ms = pl.col("time").cast(pl.Int64)
        settled = rows.filter((ms % HOUR_MS <= _LATEST_MS) & pl.col("premium").is_not_null())
        hour = (ms // HOUR_MS * HOUR_MS).cast(TIME).alias("time")
        # Two settlements at one hour are for the run to refuse; here the later would do as well.
        return settled.select(hour, "premium").unique("time", keep="last", maintain_order=True)
