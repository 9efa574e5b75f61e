"""Numbers that their column cannot hold: prices of zero, negative sizes, rates of 1 and more."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from perpkit.dataset.schema import RATE, TABLES, Table
from perpkit.research.quality.raw import Found, Raw
from perpkit.research.quality.telling import (
    Place,
    blank,
    first_ms,
    found,
    moment,
    places,
    removed,
    rows,
)

NAME = "values"


def check(raw: Raw) -> Iterator[Found]:
    """Numbers beyond the bound of their column.

    A price of zero or less and a negative size stand for an absent value. What a rate of 1 or more
    was meant to be is not known.
    """
    for table in TABLES:
        if not raw.has(table.name):
            continue
        frame = raw.tables[table.name]
        broken = {
            name: column.bound.broken(pl.col(name)).fill_null(value=False)
            for name, column in table.columns.items()
            if column.bound is not None and name in frame.columns
        }
        counts = frame.select(expr.sum().alias(name) for name, expr in broken.items())
        hit = [name for name in counts.columns if counts[name][0]]
        if hit:
            bad = frame.filter(pl.any_horizontal(broken[name] for name in hit))
            for place in places(raw, table.name, bad):
                for bound in dict.fromkeys(table.columns[name].bound for name in hit):
                    own = {n: broken[n] for n in hit if table.columns[n].bound is bound}
                    cells = place.bad.filter(pl.any_horizontal(own.values()))
                    if cells.height:
                        yield _told(raw, table, place._replace(bad=cells), own)


def _told(raw: Raw, table: Table, place: Place, broken: dict[str, pl.Expr]) -> Found:
    own = {name: place.bad.filter(expr) for name, expr in broken.items()}
    own = {name: cells for name, cells in own.items() if cells.height}
    bounds = {name: table.columns[name].bound for name in own}
    sure = all(bound is not RATE and not table.columns[n].filled for n, bound in bounds.items())
    what = "; ".join(f"{name} {bound.says}" for name, bound in bounds.items() if bound is not None)
    remedies = {bound.remedy for bound in bounds.values() if bound is not None}
    fix = "--fix writes null" if sure else f"--fix leaves it: {'; '.join(sorted(remedies))}"
    say = f"{what} in {rows(place.bad.height)}, first {moment(first_ms(place.bad))}; {fix}"
    edits = [
        removed(table.name, cells, what, sure=False)
        if table.columns[name].filled
        else blank(table.name, name, cells, what, sure=sure)
        for name, cells in own.items()
    ]
    return found(raw, NAME, place, say, *edits)
