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
_ALIKE: Final = log(1.25)  # prints of one size differ by no more from the next larger
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
            yield from _told(raw, table, name, seen[name])


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


def _told(raw: Raw, table: Table, name: str, seen: list[tuple[Series, B8]]) -> Iterator[Found]:
    """One finding for the prints of one size, prices and sizes apart."""
    cells = pl.concat(_cells(own, made) for own, made in seen)
    cells = cells.sort("event", "away", descending=[False, True])
    # The columns of one hour make one print; its size is that of the column that is furthest off.
    away = pl.col("away").first().over("event", "size")
    cells = cells.with_columns(away.alias("away"), pl.col("step").first().over("event", "size"))
    cells = cells.sort("size", "step", ROW, "column")
    other = (pl.col("step").diff() > _ALIKE) | (pl.col("size") != pl.col("size").shift(1))
    cells = cells.with_columns(other.fill_null(value=False).cum_sum().alias("group"))
    for own in cells.partition_by("group", maintain_order=True):
        yield _one(raw, table, name, own)


def _cells(own: Series, made: B8) -> pl.DataFrame:
    good = np.flatnonzero(~made)
    around = np.interp(np.flatnonzero(made), good, own.log_px[good]) if good.size else 0.0
    step = own.log_px[made] - around
    return pl.DataFrame(
        {
            ROW: own.row[made],
            "event": own.time_ms[made],
            "column": [own.column] * int(made.sum()),
            "size": [own.column in _SIZES] * int(made.sum()),
            "step": step,
            "away": np.abs(step),
        },
        schema_overrides={ROW: pl.UInt32},
    )


def _one(raw: Raw, table: Table, name: str, cells: pl.DataFrame) -> Found:
    frame = raw.tables[table.name]
    columns = [c for c in frame.columns if c in set(cells["column"])]
    edits = []
    for column in columns:
        hit = cells.filter(pl.col("column") == column).select(ROW)
        edits.append(blank(table.name, column, hit, "a print far off its hours", sure=True))
    bad = frame.join(cells.select(ROW).unique(), on=ROW, how="semi").sort("time")
    most = cells.sort("away")["step"][-1]
    say = (
        f"{', '.join(columns)} {'leap' if len(columns) > 1 else 'leaps'} to "
        f"{np.exp(most):.3g} times the hours around in {rows(bad.height)}, first "
        f"{moment(first_ms(bad))}; --fix writes null"
    )
    return found(raw, NAME, Place(table.name, name, bad), say, *edits)
