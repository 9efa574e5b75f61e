"""Which rows of a dataset are asked for."""

from __future__ import annotations

from typing import Final, NamedTuple

import polars as pl

from perpkit.dataset.schema import ACTIONS, FUNDING, PERPS, SHOCKS, Table
from perpkit.errors import DataError
from perpkit.units import HOUR_NS, stamp

_MS_NS: Final = 1_000_000


class Span(NamedTuple):
    """First and last instant to keep, both inclusive, and the coins; None for all there is."""

    start_ns: int | None = None
    end_ns: int | None = None
    coins: tuple[str, ...] | None = None

    def bounds_ms(self, table: Table) -> tuple[int | None, int | None]:
        """First and last millisecond of a table's rows, both inclusive.

        Bounds are brought to the file's milliseconds, so that no time can overflow as nanoseconds.
        """
        # What is announced in the span may come after it.
        if table is ACTIONS:
            return None, None
        # What a shock started before the span is still on in it, and what a split made of units.
        whole = self.start_ns is None or table is SHOCKS
        low = None if whole or self.start_ns is None else -(-self.start_ns // _MS_NS)
        if self.end_ns is None:
            return low, None
        if table is FUNDING:  # a settlement may be stamped late
            return low, -(-(self.end_ns + HOUR_NS) // _MS_NS) - 1
        return low, self.end_ns // _MS_NS

    def cut(self, table: Table, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows asked for."""
        low, high = self.bounds_ms(table)
        time_ms = pl.col("time").cast(pl.Int64)
        if low is not None:
            frame = frame.filter(time_ms >= low)
        if high is not None:
            frame = frame.filter(time_ms <= high)
        if self.coins is None or table not in (PERPS, FUNDING):
            return frame
        own = frame.filter(pl.col("coin").is_in(self.coins))
        # A run reads funding of the prices' table only where this one says nothing of any coin.
        return frame if table is FUNDING and own.is_empty() else own


class Tables(NamedTuple):
    """What was read: frames by name of the table, sentences on what was not, and the digest.

    `first_ms` is the first hour of perps in the files, whatever was asked for.
    """

    frames: dict[str, pl.DataFrame]
    notes: tuple[str, ...]
    digest: str
    first_ms: int


def nothing_left(first_ms: int, last_ms: int) -> DataError:
    """The error that no hour is left."""
    first, last = stamp(first_ms * _MS_NS), stamp(last_ms * _MS_NS)
    return DataError(
        f"perps has no row in the span asked for; the data run from {first} to {last}, "
        "so ask for a span within"
    )
