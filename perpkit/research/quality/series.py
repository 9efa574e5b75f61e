"""Prices of one column as series, instrument by instrument, and where they jump."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64
from perpkit.dataset.schema import PERPS, TOKENS, Table
from perpkit.research.quality.raw import ROW, Raw
from perpkit.research.quality.telling import same_as_before

# From one row to the next, in either direction. The largest of 40,551 real hourly bars of stocks
# is 1.26, over a night with earnings; the smallest usual split is 3 for 2.
JUMP: Final = 1.45
SHORT: Final = 6  # rows: a level that returns within so many is a print, a longer one a spell
PRICES: Final = {
    PERPS.name: (
        "oracle_px",
        "mark_px",
        "mid_px",
        "external_px",
        "impact_bid_px",
        "impact_ask_px",
        "mark_high_px",
        "mark_low_px",
    ),
    TOKENS.name: ("bid_px", "ask_px", "nav_px"),
}
PRICED: Final = (PERPS, TOKENS)


class Series(NamedTuple):
    """One column of one instrument, (N,) each, ascending in time, absent values left out."""

    table: str
    instrument: str
    column: str
    row: I64
    time_ms: I64
    log_px: F64

    def jumps(self, jump: float = JUMP) -> I64:
        """Places whose value lies further from the one before than a market goes."""
        return np.flatnonzero(np.abs(np.diff(self.log_px)) > log(jump)) + 1


def columns_of(raw: Raw, table: Table) -> list[str]:
    """Columns of prices that a table has."""
    return [name for name in PRICES[table.name] if raw.has(table.name, name)]


def jumping(raw: Raw, table: Table, column: str, jump: float = JUMP) -> Iterator[Series]:
    """Series of the instruments whose column jumps at least once."""
    name = table.instrument
    frame = raw.tables[table.name].select(ROW, name, "time", column)
    frame = frame.filter(pl.col(column) > 0)
    leap = (pl.col(column).log().diff().abs() > log(jump)) & same_as_before(name)
    hit = frame.filter(leap)[name].unique(maintain_order=True)
    for instrument in hit:
        yield series(raw, table, column, str(instrument))


def series(raw: Raw, table: Table, column: str, instrument: str) -> Series:
    """One column of one instrument."""
    own = raw.of(table.name, instrument).filter(pl.col(column) > 0)
    return Series(
        table.name,
        instrument,
        column,
        own[ROW].to_numpy().astype(np.int64),
        own["time"].cast(pl.Int64).to_numpy().astype(np.int64),
        np.log(own[column].to_numpy()),
    )


def prints(own: Series, jump: float = JUMP, back: float | None = None) -> B8:
    """Rows that leave the level before them and come back to it within `SHORT` rows.

    They leave by `jump` and come back to within `back` of it, by default as near.

    >>> px = np.log(np.array([100.0, 101, 400, 99, 100, 1, 2, 100]))
    >>> none = np.zeros(8, np.int64)
    >>> prints(Series("", "", "", none, none, px)).nonzero()[0].tolist()
    [2, 5, 6]
    """
    made = np.zeros(len(own.log_px), np.bool_)
    places = own.jumps(jump)
    beyond = np.append(own.log_px, np.full(SHORT, np.inf))
    after = beyond[places[:, None] + np.arange(SHORT + 1)]
    home = np.abs(after - own.log_px[places - 1][:, None]) <= log(back or jump)
    back_at = np.where(home.any(axis=1), places + np.argmax(home, axis=1), 0)
    done = 0
    for place, end in zip(places.tolist(), back_at.tolist(), strict=True):
        if place >= done and end:
            made[place:end] = True
            done = end
    return made


def edges(own: Series, made: B8, jump: float = JUMP) -> list[slice]:
    """Short levels at the beginning and the end, of which one neighbour alone is known."""
    left = np.flatnonzero(~made)
    level = own.log_px[left]
    at = np.flatnonzero(np.abs(np.diff(level)) > log(jump)) + 1
    found: list[slice] = []
    if at.size and at[0] <= SHORT and len(left) - at[0] > SHORT:
        found.append(slice(0, int(left[at[0]])))
    if at.size and len(left) - at[-1] <= SHORT and at[-1] > SHORT:
        found.append(slice(int(left[at[-1]]), len(own.log_px)))
    return found
