"""Rows that name no instrument or no time, or one that ``dataset.toml`` does not know."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

import polars as pl

from perpkit.dataset.description import FILE
from perpkit.dataset.schema import TABLES, Table
from perpkit.errors import nearest
from perpkit.research.quality.raw import ROW, Edit, Found, Raw
from perpkit.research.quality.telling import Place, first_ms, found, moment, places, removed, rows
from perpkit.units import HOUR_MS

NAME = "names"


def check(raw: Raw) -> Iterator[Found]:
    """Names and times that are null, and names that are not in the description."""
    for table in TABLES:
        if not raw.has(table.name):
            continue
        yield from _nulls(raw, table)
        yield from _strangers(raw, table)


def _nulls(raw: Raw, table: Table) -> Iterator[Found]:
    frame = raw.tables[table.name]
    keys = [name for name in table.keys if table.columns[name].filled]
    bad = frame.filter(pl.any_horizontal(pl.col(key).is_null() for key in keys))
    if bad.height:
        lacking = [key for key in keys if bad[key].null_count()]
        say = (
            f"{' and '.join(lacking)} is null in {rows(bad.height)}; it cannot be known which row "
            "is meant, so --fix leaves it: fill it at the source or remove the row"
        )
        edit = removed(table.name, bad, say, sure=False)
        yield found(raw, NAME, Place(table.name, "", bad), say, edit)


def _strangers(raw: Raw, table: Table) -> Iterator[Found]:
    frame, name = raw.tables[table.name], table.instrument
    known = raw.about.names(name) if raw.described else set(frame[name].drop_nulls().unique())
    kinds = [pl.col(column).is_in(words).not_() for column, words in table.choices.items()]
    bad = frame.filter(
        pl.col(name).is_not_null() & pl.any_horizontal(~pl.col(name).is_in(known), *kinds)
    )
    for place in places(raw, table.name, bad):
        own = place.instrument
        if own in known:
            words = sorted(set(place.bad["kind"].to_list()))
            advice = nearest(words[0], table.choices["kind"])
            where = f"{rows(place.bad.height)}, {_first(place)}"
            say = f'kind is "{words[0]}" in {where}; --fix leaves it: {advice}'
            yield found(raw, NAME, place, say, removed(table.name, place.bad, say, sure=False))
            continue
        say = (
            f"{name} {own} is not in {FILE}, {rows(place.bad.height)}, {_first(place)}; --fix "
            f"leaves it: correct it, or add it there: {nearest(own, sorted(known))}"
        )
        yield found(raw, NAME, place, say, _meant(frame, table, place, known, say))


def _first(place: Place) -> str:
    return f"first {moment(first_ms(place.bad))}"


def _meant(frame: pl.DataFrame, table: Table, place: Place, known: set[str], say: str) -> Edit:
    """For the later checks: the rows under the name nearest to theirs that lacks just these.

    One that has no row at all lacks these, too.
    """
    hours = place.bad["time"].cast(pl.Int64)
    beside = pl.Series([hours[0] - HOUR_MS, hours[-1] + HOUR_MS])
    for near in get_close_matches(place.instrument, sorted(known), n=10, cutoff=0.4):
        own = frame.filter(pl.col(table.instrument) == near)["time"].cast(pl.Int64)
        joins = own.is_empty() or beside.is_in(own.implode()).any()
        if joins and not hours.is_in(own.implode()).any():
            cells = place.bad.select(ROW, pl.lit(near).alias("after"))
            return Edit(table.name, table.instrument, cells, False, say)
    return removed(table.name, place.bad, say, sure=False)
