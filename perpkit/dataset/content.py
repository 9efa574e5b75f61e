"""Rows as the bytes of a part, and back."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

import polars as pl
from polars.exceptions import PanicException, PolarsError

from perpkit.dataset.parts import STORE_FILE, Part
from perpkit.dataset.schema import TABLES, Table
from perpkit.errors import DataError, RequestError, nearest

_ROW_GROUP_ROWS: Final = 1 << 20  # more than any month has: one group a part
_LEVEL: Final = 3


def table_named(name: str) -> Table:
    """The table of this name.

    Raises
    ------
    RequestError
        If there is none.
    """
    for table in TABLES:
        if table.name == name:
            return table
    known = [table.name for table in TABLES]
    raise RequestError(f"no table is named {name}; {nearest(name, known)}")


def to_parquet(table: Table, rows: pl.DataFrame) -> bytes:
    """The bytes of a part, which depend on the rows alone.

    Parameters
    ----------
    table : whose rows they are
    rows : all its columns, sorted by its keys; columns that are all null are left out
    """
    filled = [name for name in table.columns if rows[name].null_count() < rows.height]
    made = io.BytesIO()
    rows.select(filled).write_parquet(
        made,
        compression="zstd",
        compression_level=_LEVEL,
        statistics=True,
        row_group_size=_ROW_GROUP_ROWS,
    )
    return made.getvalue()


def read_parts(table: Table, parts: Sequence[Part], columns: Sequence[str] = ()) -> pl.DataFrame:
    """Rows of some parts of a table, in the order of the parts.

    Parameters
    ----------
    table : whose parts they are
    parts : of a store
    columns : those wanted; none: all

    Raises
    ------
    DataError
        If a part is missing, was changed or cannot be read.
    """
    wanted = list(columns or table.columns)
    if not parts:
        return pl.DataFrame(schema=table.dtypes).select(wanted)
    contents: list[bytes | io.BytesIO] = [io.BytesIO(part.content()) for part in parts]
    try:
        rows = pl.scan_parquet(
            contents,  # type: ignore[arg-type]
            schema=table.dtypes,
            missing_columns="insert",
            glob=False,
            hive_partitioning=False,
        )
        frame = rows.select(wanted).collect()
    except (PolarsError, PanicException) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        some = parts[0].name if len(parts) == 1 else f"one of {len(parts)} parts of {table.name}"
        raise DataError(
            f"{some} cannot be read as Parquet ({reason}); write it again from its source"
        ) from error
    told = sum(part.rows for part in parts)
    if frame.height != told:
        raise DataError(
            f"{STORE_FILE} tells of {told:,} rows of {table.name} where there are "
            f"{frame.height:,}; bring it back from a copy, or fetch or import into a new folder"
        )
    return frame
