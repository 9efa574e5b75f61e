"""NaN and infinities, where null means that a value is absent."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from perpkit.dataset.schema import TABLES
from perpkit.research.quality.raw import Found, Raw
from perpkit.research.quality.telling import (
    blank,
    first_ms,
    floats,
    found,
    moment,
    places,
    removed,
    rows,
)

NAME = "nan"


def check(raw: Raw) -> Iterator[Found]:
    """Numbers that are none."""
    for table in TABLES:
        if not raw.has(table.name):
            continue
        columns = floats(raw, table.name)
        frame = raw.tables[table.name]
        broken = {name: ~pl.col(name).is_finite() for name in columns}
        counts = frame.select(expr.sum().alias(name) for name, expr in broken.items())
        hit = [name for name in columns if counts[name][0]]
        if not hit:
            continue
        bad = frame.filter(pl.any_horizontal(broken[name] for name in hit))
        for place in places(raw, table.name, bad):
            own = {name: place.bad.filter(broken[name]) for name in hit}
            own = {name: cells for name, cells in own.items() if cells.height}
            filled = [name for name in own if table.columns[name].filled]
            kind = (
                "NaN" if all(cells[n].is_nan().all() for n, cells in own.items()) else "no number"
            )
            cells_said = ", ".join(own)
            fix = "--fix removes nothing here: write the size" if filled else "--fix writes null"
            say = (
                f"{cells_said} {'is' if len(own) == 1 else 'are'} {kind} in "
                f"{rows(place.bad.height)}, first {moment(first_ms(place.bad))}; {fix}"
            )
            edits = [
                removed(table.name, cells, "no number", sure=False)
                if name in filled
                else blank(table.name, name, cells, f"{kind} where null is meant", sure=True)
                for name, cells in own.items()
            ]
            yield found(raw, NAME, place, say, *edits)
