"""Slips of a file, told with file, line, column and remedy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import polars as pl

from perpkit.dataset.schema import FLAG, FLOAT, TIME, Table
from perpkit.errors import DataError
from perpkit.sources.files.pieces import Piece
from perpkit.units import HOUR_MS

ROW: Final = "__row"  # helper column: which row of its piece a row was
_YEARS: Final = (2000, 2100)


class Slip(NamedTuple):
    """Rows of `column` that are wrong, in words that follow the value, and the remedy."""

    column: str
    broken: pl.Expr
    says: str
    remedy: str


def refuse(slips: list[Slip], rows: pl.DataFrame, piece: Piece, names: dict[str, str]) -> None:
    """Raise on the first slip there is.

    Parameters
    ----------
    rows : of the table, with `ROW`
    piece : the rows as the file has them
    names : the file's name of each column

    Raises
    ------
    DataError
        With file, line or row, column, value and remedy.
    """
    counts = rows.select(slip.broken.sum().alias(str(i)) for i, slip in enumerate(slips)).row(0)
    for slip, count in zip(slips, counts, strict=True):
        if count:
            first = rows.filter(slip.broken)[ROW][0]
            raise tell(slip, int(first), int(count), piece, names)


def tell(slip: Slip, row: int, count: int, piece: Piece, names: dict[str, str]) -> DataError:
    """Make the error of a slip at a row of a piece."""
    column, theirs = slip.column, names.get(slip.column)
    subject = column if theirs in (None, column) else f'{column} (column "{theirs}")'
    value = piece.rows[theirs][row] if theirs is not None else None
    shown = "" if value is None else f' is "{value}", which'
    more = f"; so {_are(count - 1)} near it" if count > 1 else ""
    return DataError(
        f"{piece.file}, {piece.place(row)}: {subject}{shown} {slip.says}{more}; {slip.remedy}"
    )


def unread(column: str, dtype: pl.DataType, broken: pl.Expr, zone: str | None) -> Slip:
    """Cells that hold something which is no value of the column's type."""
    if dtype == TIME:
        says = "is no time that the mapping's format reads"
        if zone is not None:
            says += f", or one that {zone} has twice or never where its clocks change"
        return Slip(column, broken, says, "repair it, or say its format under [time] of a mapping")
    if dtype == FLAG:
        return Slip(column, broken, "is neither true nor false", "write true or false")
    remedy = "write a plain number, or name the words for an absent value under [file] null"
    return Slip(column, broken, "is no number", remedy)


def slips_of(table: Table, *, on_the_hour: bool) -> Iterator[Slip]:
    """Slips that rows of a table may have, in the order in which they are told."""
    for name, column in table.columns.items():
        if column.filled:
            yield Slip(name, pl.col(name).is_null(), "is absent", "fill it, or remove the row")
    year = pl.col("time").dt.year()
    remedy = "look for another unit, such as seconds where the format says milliseconds"
    says = "is not within the years {} to {}".format(*_YEARS)
    yield Slip("time", ~year.is_between(*_YEARS), says, remedy)
    if on_the_hour:
        off = pl.col("time").cast(pl.Int64) % HOUR_MS != 0
        remedy = 'write rows = "last" in a mapping, or stamp = "start" with the length of a bar'
        yield Slip("time", off, f"is off the hour, where {table.name} have a row an hour", remedy)
    for name, column in table.columns.items():
        if column.dtype != FLOAT:
            continue
        wrong = ~pl.col(name).is_finite()
        yield Slip(name, wrong, "is no finite number", "leave the cell empty where it is absent")
        if column.bound is not None:
            bound = column.bound
            yield Slip(name, bound.broken(pl.col(name)), bound.says, bound.remedy)
    for low, high in table.ordered:
        crossed = pl.col(low) > pl.col(high)
        yield Slip(low, crossed, f"is above {high}", "look for swapped columns in the mapping")
    for name, known in table.choices.items():
        remedy = f"write {' or '.join(known)}"
        yield Slip(name, ~pl.col(name).is_in(known), "is not known", remedy)


def _are(count: int) -> str:
    return "is 1 row" if count == 1 else f"are {count:,} rows"
