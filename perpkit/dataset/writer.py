"""Add rows to a store: stage them, merge them with what is there, commit all or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from perpkit.arrays import I64
from perpkit.dataset.casting import cast_columns
from perpkit.dataset.checks import PART, Source, check_alone, check_years
from perpkit.dataset.content import read_parts, table_named, to_parquet
from perpkit.dataset.description import check_description
from perpkit.dataset.files import publish, put, settle, sync, sync_folder
from perpkit.dataset.lock import locked
from perpkit.dataset.merging import merge
from perpkit.dataset.parts import (
    STORE_FILE,
    Index,
    Part,
    description_name,
    is_store,
    part_name,
    read_index,
)
from perpkit.dataset.schema import TABLES, Table
from perpkit.dataset.staging import Staging
from perpkit.errors import DataError, RequestError, nearest

_Live = dict[tuple[str, str | None, str], Part]
_THREADS: Final = 4  # most of a part's time is the disk's


class Writer:
    """Collects rows for one commit; made by `perpkit.dataset.store.Store.writer`."""

    def __init__(self, folder: Path, before: Index, staging: Staging, *, replace: bool) -> None:
        self._folder = folder
        self._before = before
        self._staging = staging
        self._replace = replace
        self._description: str | None = None
        self._written: list[Path] = []
        self.new_rows = 0  # staged rows that were not there, or not with these cells

    def add(self, table: str, frame: pl.DataFrame) -> None:
        """Stage rows of a table.

        Parameters
        ----------
        table : its name
        frame : any rows in any order, with the table's key columns and any of its others; a null
            says nothing of a cell

        Raises
        ------
        DataError
            If a column is unknown, a key is missing or null, or a type cannot be meant.
        """
        wanted = table_named(table)
        _check_columns(wanted, frame)
        source = Source(table, (table,))
        rows = cast_columns(wanted, frame, source, 0)
        for key in wanted.keys:
            if wanted.columns[key].filled and rows[key].null_count():
                raise DataError(
                    f"{table}: {key} is null in {rows[key].null_count():,} of the rows added; "
                    "fill it or leave these rows out"
                )
        check_years(wanted, rows, source)
        # -0.0 equals 0.0 and has other bytes: which of the two stays would hang on the order.
        rows = rows.select(frame.columns).with_columns(pl.col(pl.Float64) + 0.0)
        with _writing(self._folder):
            self._staging.add(wanted, rows)

    def describe(self, text: str) -> None:
        """Give the text of ``dataset.toml``, written in the same commit.

        Raises
        ------
        DataError
            If it is not what a dataset can say of itself.
        """
        check_description(text)
        self._description = text

    def stage(self) -> Index:
        """Merge what was added and write the parts that changed; nothing counts yet.

        One instrument is in memory at a time: what was added of it, and its months that it meets.
        """
        live = {(part.table, part.instrument, part.month): part for part in self._before.parts}
        with ThreadPoolExecutor(_THREADS) as pool:
            for table, instrument in self._staging.instruments():
                changed = self._merge(table, instrument, live)
                (self._folder / table.name).mkdir(exist_ok=True)
                write = partial(self._write, table, instrument)
                for part in pool.map(write, changed.keys(), changed.values()):
                    live[part.table, part.instrument, part.month] = part
        digest = self._before.description
        if self._description is not None:
            content = self._description.encode()
            digest = hashlib.sha256(content).hexdigest()
            self._put(description_name(digest), content)
        return Index(tuple(live.values()), digest)

    def publish(self, index: Index) -> None:
        """Make staged parts count, by the rename of ``store.json``, and tidy up."""
        with ThreadPoolExecutor(_THREADS) as pool:  # together: one by one is three times as slow
            list(pool.map(sync, self._written))
        for table in TABLES:
            if (self._folder / table.name).is_dir():
                sync_folder(self._folder / table.name)
        publish(self._folder, index, beside=self._staging.folder)
        settle(self._folder, index)

    def _merge(self, table: Table, instrument: str | None, live: _Live) -> dict[str, pl.DataFrame]:
        """Rows of each month that are not yet there as they should be."""
        chunks = [_completed(table, rows) for rows in self._staging.chunks(table, instrument)]
        touched = {_month(number) for rows in chunks for number in np.unique(_months(rows))}
        keys = [(table.name, instrument, month) for month in sorted(touched)]
        there = read_parts(table, [live[key] for key in keys if key in live])
        rows = merge(table, [there, *chunks], replace=self._replace)
        helper = pl.lit(0, pl.UInt32).alias(PART)
        check_alone(table, rows.with_columns(helper), Source(table.name, (table.name,)))
        self.new_rows += _new_rows(rows, there)
        old = _by_month(there)
        return {
            month: own
            for month, own in _by_month(rows).items()
            if month not in old or not own.equals(old[month])
        }

    def _write(self, table: Table, instrument: str | None, month: str, rows: pl.DataFrame) -> Part:
        content = to_parquet(table, rows)
        digest = hashlib.sha256(content).hexdigest()
        self._put(part_name(table.name, instrument, month, digest), content)
        times = rows["time"].cast(pl.Int64)
        return Part(
            folder=self._folder,
            table=table.name,
            instrument=instrument,
            month=month,
            rows=rows.height,
            first_ms=int(times[0]),
            last_ms=int(times[-1]),
            sha256=digest,
        )

    def _put(self, name: str, content: bytes) -> None:
        path = self._folder / name
        put(path, content, beside=self._staging.folder)
        self._written.append(path)


@contextmanager
def open_writer(folder: Path, *, replace: bool) -> Iterator[Writer]:
    """Hold a folder for writing; commit when the block ends, forget everything when it fails."""
    _refuse_plain(folder)
    made = not folder.exists()
    with ExitStack() as stack:
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if made:
                stack.callback(_remove_empty, folder)
            stack.enter_context(locked(folder))
            new = not is_store(folder)
            staging = Staging(folder)
            stack.callback(staging.remove)
            if new:  # before any part, or parts of a killed first writer would read as a dataset
                publish(folder, Index(), beside=staging.folder)
            before = read_index(folder)
        writer = Writer(folder, before, staging, replace=replace)
        try:
            yield writer
            with _writing(folder):
                writer.publish(writer.stage())
        except BaseException:  # Ctrl-C too
            now = read_index(folder)  # that of the commit, where it was made before the failure
            settle(folder, now)
            if new and now == Index():
                (folder / STORE_FILE).unlink()
            raise


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Tell what the disk refuses; the block of the caller, who may meet a network, is not in it."""
    try:
        yield
    except OSError as error:
        raise RequestError(
            f"{folder} cannot be written ({error.strerror or error}); make room there, "
            "or name another folder"
        ) from error


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # it holds what was written
        folder.rmdir()


def _refuse_plain(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"{folder} is a file; name a folder")
    if is_store(folder):
        return
    for table in TABLES:
        file = folder / f"{table.name}.parquet"
        parts = list((folder / table.name).glob("*.parquet"))
        if file.exists() or parts:
            name = file.name if file.exists() else f"{table.name}/"
            raise RequestError(
                f"{folder} holds {name} of a dataset that is not kept by months, to which nothing "
                "can be added; name another folder"
            )


def _check_columns(table: Table, frame: pl.DataFrame) -> None:
    for column in frame.columns:
        if column not in table.columns:
            raise DataError(
                f"{table.name}: there is no column {column}; {nearest(column, table.columns)}"
            )
    for key in table.keys:
        if key not in frame.columns:
            raise DataError(f"{table.name}: column {key} is missing in the rows added; add it")


def _months(rows: pl.DataFrame) -> I64:
    """The month of each row, counted from the year 0."""
    time = rows["time"]
    return (time.dt.year().cast(pl.Int64) * 12 + (time.dt.month() - 1)).to_numpy()


def _month(number: int) -> str:
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def _by_month(rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Rows sorted by time, cut where a month begins."""
    numbers = _months(rows)
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    if not len(starts):
        return {}
    ends = [*starts[1:], len(numbers)]
    return {
        _month(int(numbers[low])): rows.slice(low, high - low)
        for low, high in zip(starts.tolist(), ends, strict=True)
    }


def _new_rows(rows: pl.DataFrame, there: pl.DataFrame) -> int:
    """How many rows are not word for word among those there."""
    if there.is_empty():
        return rows.height
    return rows.join(there, on=rows.columns, how="anti", nulls_equal=True).height


def _completed(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    absent = [
        pl.lit(None, dtype).alias(name)
        for name, dtype in table.dtypes.items()
        if name not in rows.columns
    ]
    return rows.with_columns(absent).select(*table.columns)
