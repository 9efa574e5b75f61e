"""The faults a table can have, each told in one sentence.

A fault is an expression that is true in the broken rows. All those of a table are counted in one
pass; only when a count is not zero are the rows looked at again to say where.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import polars as pl

from perpkit.dataset.description import FILE, Description
from perpkit.dataset.schema import EXTERNAL, FORMED, PERPS, TOKENS, Table, required
from perpkit.errors import DataError, nearest
from perpkit.units import HOUR_MS, MINUTE_MS, instant, stamp

# Microseconds or seconds read as milliseconds land outside, and would overflow as nanoseconds.
_YEARS: Final = (2000, 2100)
_YEAR_10000_MS: Final = 253_402_300_800_000  # from here on Python's datetime cannot follow

PART: Final = "part"  # helper column: which file of the table a row came from


class Source(NamedTuple):
    """Where a table was read: its name for messages, and its files by number of part."""

    label: str
    parts: tuple[str, ...]


class Fault(NamedTuple):
    """Rows of `column` that are wrong, in words that follow its name, and the remedy."""

    column: str
    broken: pl.Expr
    says: str
    remedy: str


def check(table: Table, frame: pl.DataFrame, source: Source, about: Description) -> None:
    """Raise on the first fault of a table.

    Parameters
    ----------
    table : what the rows should be
    frame : all rows, cast, sorted by the table's keys, with the helper column `PART`
    source : the files, for messages
    about : the instruments there are

    Raises
    ------
    DataError
        With file, column, instrument, first time, count and remedy.
    """
    _check_presence(table, frame, source, about)
    _raise_first(table, frame, source, list(_nulls(table)))
    _check_names(table, frame, source, about)
    _raise_first(table, frame, source, list(_faults(table)))


def check_alone(table: Table, frame: pl.DataFrame, source: Source) -> None:
    """Raise on the first fault of a table that no ``dataset.toml`` describes; else as `check`."""
    _raise_first(table, frame, source, [*_nulls(table), *_faults(table)])


def check_years(table: Table, frame: pl.DataFrame, source: Source) -> None:
    """Raise on times that cannot be meant; else as `check`."""
    _raise_first(table, frame, source, [_strange_years()])


def check_all_have_rows(
    table: Table, there: set[str | None], source: Source, about: Description
) -> None:
    """Raise where a described instrument is not among those that have rows; else as `check`."""
    if table not in (PERPS, TOKENS):
        return
    declared = about.perps if table is PERPS else about.tokens
    lacking = [name for name in declared if name not in there]
    if lacking:
        rest = f" (nor have {len(lacking) - 1} more)" if len(lacking) > 1 else ""
        where = f" in {source.label}" if source.parts else f", as there is no {source.label}"
        raise DataError(
            f"{FILE}: {table.instrument} {lacking[0]} has no row{where}{rest}; "
            f"add its rows, or remove it from {FILE}"
        )


def tell(table: Table, bad: pl.DataFrame, source: Source, fault: Fault) -> DataError:
    """Make the error that names the first broken instrument, its rows, and how many others."""
    instrument = table.instrument
    name = bad.sort("time", nulls_last=True)[instrument][0]
    own = bad.filter(pl.col(instrument).eq_missing(pl.lit(name, pl.String)))
    subject = fault.column
    if name is not None:
        subject += f" {name}" if fault.column == instrument else f" of {name}"
    text = f"{_files(source, own)}: {subject} {fault.says} in {_rows(own.height)}"
    first = own["time"].cast(pl.Int64).min()
    if isinstance(first, int):
        text += f", first {_moment(first)}"
    if bad.height > own.height:
        others = bad[instrument].n_unique() - 1
        more = _rows(bad.height - own.height)
        text += f" (and in {more} of {others} other{'s' if others > 1 else ''})"
    return DataError(f"{text}; {fault.remedy}")


def _raise_first(table: Table, frame: pl.DataFrame, source: Source, faults: list[Fault]) -> None:
    counts = frame.select(fault.broken.sum().alias(str(i)) for i, fault in enumerate(faults))
    for fault, count in zip(faults, counts.row(0), strict=True):
        if count:
            raise tell(table, frame.filter(fault.broken), source, fault)


def _nulls(table: Table) -> Iterator[Fault]:
    for name, column in table.columns.items():
        if column.filled:
            yield Fault(name, pl.col(name).is_null(), "is null", "fill it or remove the row")


def _faults(table: Table) -> Iterator[Fault]:
    repeated = pl.all_horizontal(pl.col(k).eq_missing(pl.col(k).shift(1)) for k in table.keys)
    yield Fault("time", repeated, "repeats another row's", "keep one row of each")
    yield _strange_years()
    if table.on_the_hour:
        off = pl.col("time").cast(pl.Int64) % HOUR_MS != 0
        remedy = "give each row the full hour by which it was known"
        yield Fault("time", off, "is off the hour", remedy)
    for name, column in table.columns.items():
        if not column.dtype.is_float():
            continue
        yield Fault(
            name,
            pl.col(name).is_nan(),
            "is NaN",
            "write null where a value is absent, or repair it at the source",
        )
        yield Fault(
            name,
            pl.col(name).is_infinite(),
            "is infinite",
            "look for a division by zero at the source",
        )
        if column.bound is not None:
            bound = column.bound
            yield Fault(name, bound.broken(pl.col(name)), bound.says, bound.remedy)
    for rule in table.rules:
        yield Fault(rule.column, rule.broken(), rule.says, rule.remedy)
    for low, high in table.ordered:
        crossed = pl.col(low) > pl.col(high)
        remedy = "look for swapped columns, or write null in both where the quote is not real"
        yield Fault(low, crossed, f"is above {high}", remedy)


def _strange_years() -> Fault:
    # Polars knows no year of a time that is very far away.
    strange = ~pl.col("time").dt.year().is_between(*_YEARS).fill_null(value=False)
    remedy = "look for another unit, such as microseconds written as milliseconds"
    return Fault("time", strange, "is not within the years {} to {}".format(*_YEARS), remedy)


_OWN_MARK = (
    '; only a coin whose venue prices it by its own mark (external_session = "none") may lack it'
)


def _check_presence(table: Table, frame: pl.DataFrame, source: Source, about: Description) -> None:
    prices = about.prices
    # A column of nulls alone counts as absent: perpkit itself writes and returns such columns.
    absent = {name for name in table.columns if frame[name].null_count() == frame.height}
    if not frame.height:
        return
    ruled = {rule.column for rule in table.rules}  # which says itself what rows may lack it
    for name in required(table, prices):
        if name in absent - ruled and name in required(table, prices, unlisted=about.unlisted):
            own = _OWN_MARK if name == "external_px" else ""
            raise DataError(
                f"{source.label}: {name} is null in all rows; fill it at the source{own}"
            )
    if table is not PERPS:
        return
    for name in FORMED[prices]:
        if name not in absent:
            raise DataError(
                f'{source.label}: {name} is given although prices = "{prices}", where perpkit '
                f'forms it; remove the column, or write prices = "onchain" in {FILE}'
            )
    sides = [name for name in ("impact_bid_px", "impact_ask_px") if name not in absent]
    if prices == EXTERNAL and len(sides) == 1:
        lacking = "impact_ask_px" if sides == ["impact_bid_px"] else "impact_bid_px"
        raise DataError(
            f"{source.label}: {sides[0]} is given without {lacking}; "
            "give both impact prices, or neither"
        )


def _check_names(table: Table, frame: pl.DataFrame, source: Source, about: Description) -> None:
    known = about.names(table.instrument)
    for name in _strangers(frame, table.instrument, known):
        fault = Fault(
            table.instrument,
            pl.col(table.instrument) == name,
            f"is not in {FILE}",
            f"correct it, or add it there: {nearest(name, sorted(known))}",
        )
        raise tell(table, frame.filter(fault.broken), source, fault)
    for column, choices in table.choices.items():
        for name in _strangers(frame, column, choices):
            fault = Fault(column, pl.col(column) == name, f'is "{name}"', nearest(name, choices))
            raise tell(table, frame.filter(fault.broken), source, fault)


def _strangers(frame: pl.DataFrame, column: str, known: Sequence[str] | set[str]) -> list[str]:
    return sorted(set(frame[column].drop_nulls().unique()) - set(known))


def _files(source: Source, rows: pl.DataFrame) -> str:
    parts = [source.parts[i] for i in rows[PART].unique().sort()]
    first: str = parts[0]
    if len(parts) == 1:
        return first
    return f"{first} and {len(parts) - 1} more part{'s' if len(parts) > 2 else ''}"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _moment(ms: int) -> str:
    if not 0 <= ms < _YEAR_10000_MS:
        return f"{ms} ms after 1970"
    ns = ms * 1_000_000
    if ms % MINUTE_MS == 0:
        return stamp(ns)
    return instant(ns).strftime("%Y-%m-%d %H:%M:%S") + f".{ms % 1000:03d}Z"
