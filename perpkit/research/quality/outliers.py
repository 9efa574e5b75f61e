"""Prints that no market made: a value far from its neighbours, which agree with each other."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import Final

import numpy as np
import polars as pl

from perpkit.arrays import B8
from perpkit.dataset.schema import PERPS, Table
from perpkit.research.quality.raw import ROW, Found, Raw
from perpkit.research.quality.series import (
    JUMP,
    PRICED,
    Series,
    columns_of,
    edges,
    jumping,
    prints,
    series,
)
from perpkit.research.quality.telling import (
    Place,
    blank,
    first_ms,
    found,
    moment,
    rows,
)

NAME = "outliers"
# Interest of one hour to the next goes to 1.5 in recorded data, the volume of a day to 4.7.
_SIZES: Final = {"open_interest": 3.0, "day_ntl_vlm": 20.0}


def check(raw: Raw) -> Iterator[Found]:
    """Prices and sizes that jump and come back within six rows.

    At the beginning and the end of a series, where there is nothing to come back to, a jump is a
    print where another price of the same rows does not make it.
    """
    for table in PRICED:
        if not raw.has(table.name):
            continue
        seen: dict[str, list[tuple[Series, B8]]] = {}
        columns = dict.fromkeys(columns_of(raw, table), JUMP)
        if table is PERPS:
            columns |= {name: far for name, far in _SIZES.items() if raw.has(table.name, name)}
        for column, jump in columns.items():
            for own in jumping(raw, table, column, jump):
                made = prints(own, jump)
                for edge in edges(own, made, jump) if column not in _SIZES else ():
                    if _alone(raw, table, own, edge):
                        made[edge] = True
                if made.any():
                    seen.setdefault(own.instrument, []).append((own, made))
        for name in sorted(seen):
            yield _told(raw, table, name, seen[name])


def _alone(raw: Raw, table: Table, own: Series, edge: slice) -> bool:
    """Whether another price of the same hours does not jump as this one does at its edge."""
    at = edge.start or edge.stop
    for column in columns_of(raw, table):
        if column == own.column:
            continue
        other = series(raw, table, column, own.instrument)
        both = np.searchsorted(other.time_ms, own.time_ms[[at - 1, at]])
        if (both < len(other.time_ms)).all() and (
            other.time_ms[both] == own.time_ms[[at - 1, at]]
        ).all():
            step = other.log_px[both[1]] - other.log_px[both[0]]
            if abs(step) <= log(JUMP):
                return True
    return False


def _told(raw: Raw, table: Table, name: str, seen: list[tuple[Series, B8]]) -> Found:
    frame = raw.tables[table.name]
    edits, farthest, columns = [], 0.0, []
    for own, made in seen:
        cells = frame.join(
            pl.DataFrame({ROW: own.row[made]}, schema={ROW: frame.schema[ROW]}), on=ROW, how="semi"
        )
        level = float(np.median(own.log_px[~made]))
        near = np.interp(np.flatnonzero(made), np.flatnonzero(~made), own.log_px[~made])
        away = own.log_px[made] - (near if (~made).any() else level)
        step = float(away[np.argmax(np.abs(away))])
        farthest = step if abs(step) > abs(farthest) else farthest
        columns.append(own.column)
        edits.append(blank(table.name, own.column, cells, "a print far off its hours", sure=True))
    bad = pl.concat([edit.cells.select(ROW) for edit in edits]).unique()
    bad = frame.join(bad, on=ROW, how="semi").sort("time")
    say = (
        f"{', '.join(columns)} {'leap' if len(columns) > 1 else 'leaps'} to "
        f"{np.exp(farthest):.3g} times the hours around in {rows(bad.height)}, first "
        f"{moment(first_ms(bad))}; --fix writes null"
    )
    return found(raw, NAME, Place(table.name, name, bad), say, *edits)
