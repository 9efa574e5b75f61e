"""Bars of a stock as its external price at each hour.

``external_px[t]`` is the latest of the closes of bars ended at or before t and the opens of bars
begun at or before t. Where a bar ends and the next begins at t itself the close counts: the first
trade of the next bar comes after t. Between bars, over nights and weekends, the last price stays;
after the last bar it stays until the session opens again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import I64
from perpkit.dataset.schema import FLOAT, TEXT, TIME
from perpkit.errors import DataError
from perpkit.sessions.spans import spans
from perpkit.sources.files.mapping import Times
from perpkit.units import HOUR_MS, stamp

_MS_NS: Final = 1_000_000
_AT, _TURN, _HOUR, _PX = "at", "turn", "hour", "px"
_HELD_ROWS: Final = 400_000
_EVENTS: Final[dict[str, pl.DataType]] = {
    "symbol": TEXT,
    _HOUR: pl.Int64(),
    _AT: pl.Int64(),
    _TURN: pl.Int8(),
    _PX: FLOAT,
}


class Prices(NamedTuple):
    """Hours of a symbol: time, external_px; until `holds_ms` the last price is still the last."""

    symbol: str
    hours: pl.DataFrame
    holds_ms: int


@dataclass(slots=True)
class Bars:
    """Bars on their way to a price an hour; of each hour only its last price is held."""

    times: Times
    file: str = ""
    _held: list[pl.DataFrame] = field(default_factory=list)
    _rows: int = 0
    _ended: dict[str, int] = field(default_factory=dict)

    def add(self, rows: pl.DataFrame) -> None:
        """Take bars: symbol, time, open, close.

        Raises
        ------
        DataError
            If bars of one symbol overlap, or lie outside the tables of sessions.
        """
        if rows.is_empty():
            return
        rows = rows.sort("symbol", "time", maintain_order=True)
        begins, ends = self._spans(rows["time"].cast(pl.Int64).to_numpy())
        if not self.times.at_start:
            begins = np.maximum(begins, self._ends_before(rows))
        bars = rows.select(
            "symbol", "open", "close", pl.Series("begin", begins), pl.Series("end", ends)
        ).unique(maintain_order=True)
        self._refuse_overlaps(bars)
        self._held.append(_last_of_hours(_events(bars)))
        self._rows += self._held[-1].height
        if self._rows > _HELD_ROWS:
            self._held = [_last_of_hours(pl.concat(self._held))]
            self._rows = self._held[0].height

    def prices(self) -> Iterator[Prices]:
        """Give each symbol's price at every hour from its first to its last."""
        events = _last_of_hours(pl.concat([pl.DataFrame(schema=_EVENTS), *self._held]))
        for (symbol,), own in events.partition_by("symbol", as_dict=True).items():
            hour = own[_HOUR]
            first, last = int(hour[0]), int(hour[-1])
            hours = pl.DataFrame({_HOUR: pl.int_range(first, last + 1, HOUR_MS, eager=True)})
            filled = hours.join(own.select(_HOUR, _PX), on=_HOUR, how="left").sort(_HOUR)
            made = filled.select(
                pl.col(_HOUR).cast(TIME).alias("time"),
                pl.col(_PX).forward_fill().alias("external_px"),
            )
            yield Prices(str(symbol), made, self._opens_after(last))

    def _ends_before(self, rows: pl.DataFrame) -> I64:
        """When the bar before each one ended: a bar stamped at its end may be a short one."""
        ms = rows["time"].cast(pl.Int64)
        last = pl.Series([self._ended.get(name, 0) for name in rows["symbol"].to_list()])
        before = pl.DataFrame({"symbol": rows["symbol"], "ms": ms, "last": last}).select(
            pl.col("ms").shift(1).over("symbol").fill_null(pl.col("last"))
        )
        latest = pl.DataFrame({"symbol": rows["symbol"], "ms": ms}).group_by("symbol").max()
        self._ended.update(dict(latest.iter_rows()))
        found: I64 = before.to_series().to_numpy()
        return np.where(found < ms.to_numpy(), found, 0)

    def _opens_after(self, hour_ms: int) -> int:
        """When the session opens next; the hour itself where no session is named."""
        if self.times.session is None:
            return hour_ms
        opens = spans(self.times.session, np.array([hour_ms * _MS_NS])).opens_ns // _MS_NS
        return int(opens[np.searchsorted(opens, hour_ms)])

    def _spans(self, stamps: I64) -> tuple[I64, I64]:
        """Where each bar begins and ends; the turn of a session cuts it short."""
        length = self.times.bar_ms or HOUR_MS
        if self.times.session is None:
            return (stamps, stamps + length) if self.times.at_start else (stamps - length, stamps)
        opens, closes = spans(self.times.session, stamps * _MS_NS)
        turns = np.sort(np.concatenate([opens, closes])) // _MS_NS
        if self.times.at_start:
            following = turns[np.searchsorted(turns, stamps, side="right").clip(0, len(turns) - 1)]
            cut = (following > stamps) & (following < stamps + length)
            return stamps, np.where(cut, following, stamps + length)
        before = turns[(np.searchsorted(turns, stamps, side="left") - 1).clip(0)]
        cut = (before < stamps) & (before > stamps - length)
        return np.where(cut, before, stamps - length), stamps

    def _refuse_overlaps(self, bars: pl.DataFrame) -> None:
        own = bars.sort("symbol", "begin", maintain_order=True)
        same = pl.col("symbol") == pl.col("symbol").shift(1)
        bad = own.with_columns(was=pl.col("end").shift(1)).filter(
            same & (pl.col("begin") < pl.col("was"))
        )
        if bad.height:
            row = bad.row(0, named=True)
            length = (self.times.bar_ms or HOUR_MS) // 60_000
            raise DataError(
                f"{self.file}: the bar of {row['symbol']} that begins "
                f"{stamp(row['begin'] * _MS_NS)} overlaps the one before it, which lasts until "
                f"{stamp(row['was'] * _MS_NS)} with bars of {length} minutes; remove the double, "
                "or say the right length in a mapping file, under [time] as in "
                'bar = "30m"'
            )


def _events(bars: pl.DataFrame) -> pl.DataFrame:
    """Prices with the time at which they were known and the hour in which they count."""
    at = pl.col(_AT)
    full = -(-at // HOUR_MS) * HOUR_MS
    opens = bars.select("symbol", pl.col("begin").alias(_AT), pl.col("open").alias(_PX))
    closes = bars.select("symbol", pl.col("end").alias(_AT), pl.col("close").alias(_PX))
    # An open on the hour gives way to a close of that instant, and is what is known after it.
    after = opens.filter(at % HOUR_MS == 0)
    order = list(_EVENTS)
    return pl.concat(
        [
            opens.with_columns(
                full.alias(_HOUR), (at % HOUR_MS != 0).cast(pl.Int8).alias(_TURN)
            ).select(order),
            closes.with_columns(
                full.alias(_HOUR), (at % HOUR_MS == 0).cast(pl.Int8).alias(_TURN)
            ).select(order),
            after.with_columns(
                (full + HOUR_MS).alias(_HOUR), pl.lit(2, pl.Int8).alias(_TURN)
            ).select(order),
        ]
    )


def _last_of_hours(events: pl.DataFrame) -> pl.DataFrame:
    ordered = events.sort("symbol", _HOUR, _AT, _TURN, maintain_order=True)
    same = [pl.col(k) == pl.col(k).shift(1) for k in ("symbol", _HOUR, _AT, _TURN)]
    bad = ordered.filter(pl.all_horizontal(*same, pl.col(_PX) != pl.col(_PX).shift(1)))
    if bad.height:
        row = bad.row(0, named=True)
        raise DataError(
            f"bars of {row['symbol']} give two prices for {stamp(row[_AT] * _MS_NS)}, one of them "
            f"{row[_PX]}; leave out one of the files or rows that hold it"
        )
    return ordered.group_by("symbol", _HOUR, maintain_order=True).last().select(list(_EVENTS))
