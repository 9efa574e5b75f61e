"""Bids above asks, and lows above highs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from perpkit.dataset.schema import TABLES, Table
from perpkit.research.quality.raw import ROW, Edit, Found, Raw
from perpkit.research.quality.telling import Place, blank, first_ms, found, moment, places, rows

CROSSED: Final = "crossed"
EXTREMES: Final = "extremes"
_SWAPPED: Final = 0.9  # share of the rows that are crossed where the columns are swapped


def check_crossed(raw: Raw) -> Iterator[Found]:
    """Bids above their asks."""
    return _pairs(raw, CROSSED, "bid")


def check_extremes(raw: Raw) -> Iterator[Found]:
    """Lows above their highs."""
    return _pairs(raw, EXTREMES, "low")


def _pairs(raw: Raw, name: str, word: str) -> Iterator[Found]:
    for table in TABLES:
        for low, high in table.ordered:
            if word in low and raw.has(table.name, low, high):
                frame = raw.tables[table.name]
                bad = frame.filter(pl.col(low) > pl.col(high))
                for place in places(raw, table.name, bad):
                    yield _told(raw, table, name, place, (low, high))


def _told(raw: Raw, table: Table, name: str, place: Place, pair: tuple[str, str]) -> Found:
    low, high = pair
    own = raw.of(table.name, place.instrument)
    both = own.drop_nulls([low, high]).height
    swapped = place.bad.height >= _SWAPPED * both and both > 1
    if swapped:
        why = f"{low} and {high} are swapped"
        edits = [
            Edit(table.name, a, place.bad.select(ROW, pl.col(b).alias("after")), True, why)
            for a, b in ((low, high), (high, low))
        ]
    else:
        why = f"{low} is above {high}"
        edits = [blank(table.name, column, place.bad, why, sure=True) for column in pair]
    do = "swaps the columns" if swapped else "writes null in both, as neither is surely right"
    say = (
        f"{low} is above {high} in {rows(place.bad.height)}, first "
        f"{moment(first_ms(place.bad))}; --fix {do}"
    )
    return found(raw, name, place, say, *edits)
