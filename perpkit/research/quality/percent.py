"""Shares and yearly rates in percent, where fractions are meant."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from perpkit.dataset.schema import ACTIONS, TOKENS
from perpkit.research.quality.raw import ROW, Edit, Found, Raw
from perpkit.research.quality.telling import first_ms, found, moment, places, rows

NAME = "units"
_STEADY = ("treasury", "stable")  # kinds of tokens that pay no 100% a year


def check(raw: Raw) -> Iterator[Found]:
    """Tax of more than all of a dividend, and bills that pay 100% a year and more."""
    if raw.has(ACTIONS.name, "withholding_frac"):
        tax = pl.col("withholding_frac")
        yield from _told(raw, ACTIONS.name, "withholding_frac", (tax > 1) & (tax <= 100))
    if raw.described and raw.has(TOKENS.name, "apr"):
        steady = [name for name, meta in raw.about.tokens.items() if meta.kind in _STEADY]
        paid = pl.col("apr")
        yield from _told(
            raw, TOKENS.name, "apr", (paid >= 1) & (paid <= 100) & pl.col("token").is_in(steady)
        )


def _told(raw: Raw, table: str, column: str, broken: pl.Expr) -> Iterator[Found]:
    for place in places(raw, table, raw.tables[table].filter(broken)):
        cells = place.bad.select(ROW, (pl.col(column) / 100).alias("after"))
        edit = Edit(table, column, cells, True, "percents stored as fractions")
        say = (
            f"{column}: percents stored as fractions, in {rows(place.bad.height)}, first "
            f"{moment(first_ms(place.bad))}; --fix divides them by 100"
        )
        yield found(raw, NAME, place, say, edit)
