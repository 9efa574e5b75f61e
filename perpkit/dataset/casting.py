"""Columns of a file or a frame brought to the dtypes of the schema, or refused."""

from __future__ import annotations

from typing import Final

import polars as pl

from perpkit.dataset.checks import PART, Fault, Source, tell
from perpkit.dataset.schema import FLAG, FLOAT, TEXT, TIME, Table
from perpkit.errors import DataError

_PER_MS: Final = {"ms": 1, "us": 1_000, "ns": 1_000_000}


def cast_columns(table: Table, raw: pl.DataFrame, source: Source, part: int) -> pl.DataFrame:
    """Bring some columns of a table to all of them, cast, absent ones as nulls.

    Parameters
    ----------
    table : which columns there are and of what dtype
    raw : any subset of them
    source : the files, for messages
    part : which of the files these rows are from; becomes the helper column `PART`

    Raises
    ------
    DataError
        If a column is of a type that cannot be meant, or a time is finer than a millisecond.
    """
    name = source.parts[part]
    want = table.dtypes
    casts = [_cast(name, column, have, want[column]) for column, have in raw.schema.items()]
    absent = [
        pl.lit(None, dtype).alias(column)
        for column, dtype in table.dtypes.items()
        if column not in raw.columns
    ]
    index = pl.lit(part, pl.UInt32).alias(PART)
    frame = raw.with_columns(*casts, *absent, index).select(*table.columns, PART)
    _check_exact_times(table, raw, frame, source)
    return frame


def _cast(name: str, column: str, have: pl.DataType, want: pl.DataType) -> pl.Expr:
    cell = pl.col(column)
    if isinstance(have, pl.Null) or have == want:
        return cell.cast(want)
    if want == TIME:
        if isinstance(have, pl.Datetime) and have.time_zone is not None:
            return cell.dt.convert_time_zone("UTC").dt.cast_time_unit("ms")
        if isinstance(have, pl.Datetime):
            raise DataError(
                f"{name}: {column} names no time zone; state it at the source, "
                'with .dt.replace_time_zone("UTC") in polars where the times are UTC'
            )
    fits = {
        FLOAT: have.is_numeric(),
        TEXT: isinstance(have, pl.Categorical | pl.Enum),
        FLAG: False,
    }
    if fits.get(want, False):
        return cell.cast(want)
    raise DataError(f"{name}: {column} is of type {have}, not {want}; store it as {want}")


def _check_exact_times(
    table: Table, raw: pl.DataFrame, frame: pl.DataFrame, source: Source
) -> None:
    for column, have in raw.schema.items():
        if table.dtypes[column] != TIME or not isinstance(have, pl.Datetime):
            continue
        inexact = raw[column].to_physical() % _PER_MS[have.time_unit] != 0
        if inexact.any():
            fault = Fault(
                column,
                pl.lit(value=True),
                "is finer than a millisecond",
                f'round it at the source, with .dt.round("1ms") in polars, and store it as {TIME}',
            )
            raise tell(table, frame.filter(inexact), source, fault)
