"""Rows that say the same hour twice."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from perpkit.dataset.schema import FUNDING, TABLES, Table
from perpkit.research.findings import Severity
from perpkit.research.quality.raw import ROW, Found, Raw
from perpkit.research.quality.telling import (
    Place,
    first_ms,
    found,
    hour_ms,
    moment,
    places,
    removed,
    rows,
    same_as_before,
)

NAME = "duplicates"


def check(raw: Raw) -> Iterator[Found]:
    """Rows that repeat another one word for word, and rows that contradict another one.

    The first of them stands. Two settlements of one hour are a pair whatever their stamps.
    """
    for table in TABLES:
        if raw.has(table.name):
            yield from _of_table(raw, table)


def _of_table(raw: Raw, table: Table) -> Iterator[Found]:
    frame = raw.tables[table.name].with_columns(
        (hour_ms() if table is FUNDING else pl.col("time").cast(pl.Int64)).alias("at")
    )
    keys = ["at" if key == "time" else key for key in table.keys]
    again = frame.select(same_as_before(*keys)).to_series()
    if not again.any():
        return
    group = frame.with_columns((~again).cum_sum().alias("group"))
    repeats = group.filter(again)
    heads = group.filter(~again).join(repeats.select("group").unique(), on="group", how="semi")
    values = [c for c in frame.columns if c not in {ROW, "at", "time", *table.keys}]
    both = repeats.join(heads.select("group", *values), on="group", suffix=".head")
    alike = pl.all_horizontal(
        pl.lit(value=True), *(pl.col(c).eq_missing(pl.col(f"{c}.head")) for c in values)
    )
    both = both.with_columns(alike.alias("alike"))
    for place in places(raw, table.name, both.filter(pl.col("alike"))):
        say = (
            f"{rows(place.bad.height)} {_verb(place, 'repeat')} another one word for word, first "
            f"{moment(first_ms(place.bad))}; --fix drops them"
        )
        edit = removed(table.name, place.bad, "repeats another row word for word", sure=True)
        # A file of settlements may be put together of overlapping ones.
        grade = Severity.ERROR if raw.described else Severity.NOTE
        yield found(raw, NAME, place, say, edit, severity=grade)
    for place in places(raw, table.name, both.filter(~pl.col("alike"))):
        say = (
            f"{rows(place.bad.height)} {_verb(place, 'contradict')} another row of the same "
            f"time, first {moment(first_ms(place.bad))}; --fix leaves them, as none is surely "
            "right: keep one row of each"
        )
        edit = removed(table.name, place.bad, say, sure=False)
        yield found(raw, NAME, place, say, edit)


def _verb(place: Place, verb: str) -> str:
    return f"{verb}s" if place.bad.height == 1 else verb
