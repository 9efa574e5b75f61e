"""Prints that no market made: a value far from its neighbours, which agree with each other."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import Final

import numpy as np
import polars as pl

from perpkit.arrays import B8
from perpkit.dataset.schema import PERPS, Table
from perpkit.research.findings import Severity
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
SMALL: Final = 1.12  # a print that may have been paid; xyz:SKHX printed 19% off on 2026-07-27
_BACK: Final = 1.04  # how near to the level before a small print it comes back, and others stay
_EXTREMES: Final = ("mark_high_px", "mark_low_px")  # may be far off for a moment
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


def check_small(raw: Raw) -> Iterator[Found]:
    """Prices of perps that leap less and come back, while another price of the rows stays."""
    if not raw.has(PERPS.name):
        return
    seen: dict[str, list[tuple[Series, B8]]] = {}
    columns = [name for name in columns_of(raw, PERPS) if name not in _EXTREMES]
    for column in columns:
        for own in jumping(raw, PERPS, column, SMALL):
            made = prints(own, SMALL, _BACK)
            if made.any() and _unshared(raw, own, made, columns):
                seen.setdefault(own.instrument, []).append((own, made))
    for name in sorted(seen):
        yield from _told(raw, PERPS, name, seen[name], sure=False)


def _unshared(raw: Raw, own: Series, made: B8, columns: list[str]) -> bool:
    """Whether in these rows another price of the perp stays where it was."""
    at = np.flatnonzero(made)
    first = at[np.concatenate([[True], np.diff(at) > 1])]
    for column in columns:
        other = series(raw, PERPS, column, own.instrument)
        place = np.searchsorted(other.time_ms, own.time_ms[first])
        there = (place > 0) & (place < len(other.time_ms))
        if column == own.column or not there.all():
            continue
        step = np.abs(other.log_px[place] - other.log_px[place - 1])
        if (other.time_ms[place] == own.time_ms[first]).all() and (step <= log(_BACK)).all():
            return True
    return False


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


def _told(
    raw: Raw, table: Table, name: str, seen: list[tuple[Series, B8]], *, sure: bool = True
) -> Iterator[Found]:
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
        yield _one(raw, table, name, own, sure=sure)


def _cells(own: Series, made: B8) -> pl.DataFrame:
    good = np.flatnonzero(~made)
    around = np.interp(np.flatnonzero(made), good, own.log_px[good]) if good.size else 0.0
    step = own.log_px[made] - around
    return pl.DataFrame(
        {
            ROW: own.row[made],
            "event": own.time_ms[made],
            "step": step,
            "away": np.abs(step),
        },
        schema_overrides={ROW: pl.UInt32},
    ).with_columns(pl.lit(own.column).alias("column"), pl.lit(own.column in _SIZES).alias("size"))


def _one(raw: Raw, table: Table, name: str, cells: pl.DataFrame, *, sure: bool) -> Found:
    frame = raw.of(table.name, name)
    there = set(cells["column"].unique())
    columns = [column for column in frame.columns if column in there]
    edits = []
    for column in columns:
        hit = cells.filter(pl.col("column") == column).select(ROW)
        edits.append(blank(table.name, column, hit, "a print far off its hours", sure=sure))
    bad = frame.join(cells.select(ROW).unique(), on=ROW, how="semi").sort("time")
    most = cells.sort("away")["step"][-1]
    fix = (
        "--fix writes null" if sure else "--fix leaves it, as it may have been paid: compare trades"
    )
    say = (
        f"{', '.join(columns)} {'leap' if len(columns) > 1 else 'leaps'} to "
        f"{np.exp(most):.3g} times the hours around in {rows(bad.height)}, first "
        f"{moment(first_ms(bad))}; {fix}"
    )
    grade = Severity.ERROR if sure else Severity.WARNING
    return found(raw, NAME, Place(table.name, name, bad), say, *edits, severity=grade)
