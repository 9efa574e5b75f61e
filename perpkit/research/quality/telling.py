"""Words and helpers that the checks share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import polars as pl

from perpkit.research.findings import Finding, Severity
from perpkit.research.quality.raw import NAMED, ROW, Edit, Found, Raw
from perpkit.units import HOUR_MS, instant

MS_NS: Final = 1_000_000
LATE_MS: Final = 600_000  # ten minutes: the latest stamp that still names its hour
_YEARS_MS: Final = (946_684_800_000, 4_102_444_800_000)  # 2000 to 2100


class Place(NamedTuple):
    """Bad rows of one instrument in one table."""

    table: str
    instrument: str
    bad: pl.DataFrame  # with ROW and time, ascending in time


def places(raw: Raw, table: str, bad: pl.DataFrame) -> Iterator[Place]:
    """Bad rows instrument by instrument, in the order of their names."""
    name = NAMED[table].instrument
    if bad.is_empty():
        return
    for own in bad.sort(name, "time", ROW).partition_by(name, maintain_order=True):
        yield Place(table, str(own[name][0] or ""), own)


def rows(count: int, what: str = "row") -> str:
    """A count and its word.

    >>> rows(1), rows(2_000, "hour")
    ('1 row', '2,000 hours')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def moment(ms: int | None) -> str:
    """A time for a sentence, to the minute, or to the millisecond where it is off the minute."""
    if ms is None or not _YEARS_MS[0] <= ms < _YEARS_MS[1]:
        return "without a legal time" if ms is None else f"{ms} ms after 1970"
    told = instant(ms * MS_NS)
    if ms % 60_000 == 0:
        return told.strftime("%Y-%m-%d %H:%MZ")
    return told.strftime("%Y-%m-%d %H:%M:%S") + f".{ms % 1000:03d}Z"


def first_ms(bad: pl.DataFrame) -> int | None:
    """The first time of some rows, in milliseconds."""
    first = bad["time"].cast(pl.Int64).min()
    return first if isinstance(first, int) else None


def found(
    raw: Raw,
    check: str,
    place: Place,
    message: str,
    *edits: Edit,
    severity: Severity = Severity.ERROR,
    count: int | None = None,
) -> Found:
    """A finding on the rows of a place; fixable where one of its edits is sure."""
    first = first_ms(place.bad)
    return Found(
        Finding(
            check,
            severity,
            raw.labels[place.table],
            place.instrument,
            place.bad.height if count is None else count,
            first * MS_NS if first is not None and abs(first) < _YEARS_MS[1] else None,
            message,
            any(edit.sure for edit in edits),
        ),
        edits,
    )


def blank(table: str, column: str, bad: pl.DataFrame, reason: str, *, sure: bool) -> Edit:
    """Null in a column of some rows."""
    dtype = NAMED[table].dtypes[column]
    cells = bad.select(ROW, pl.lit(None, dtype).alias("after"))
    return Edit(table, column, cells, sure, reason)


def removed(table: str, bad: pl.DataFrame, reason: str, *, sure: bool) -> Edit:
    """Rows taken out."""
    return Edit(table, None, bad.select(ROW), sure, reason)


def floats(raw: Raw, table: str) -> list[str]:
    """Columns of numbers that a table has."""
    dtypes = NAMED[table].dtypes
    return [
        name for name in raw.tables[table].columns if name in dtypes and dtypes[name].is_float()
    ]


def same_as_before(*columns: str) -> pl.Expr:
    """Whether a row has the same in some columns as the row above."""
    return pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in columns)


def hour_ms(time: str = "time") -> pl.Expr:
    """The full hour at or before a time, in milliseconds."""
    ms = pl.col(time).cast(pl.Int64)
    return ms - ms % HOUR_MS
