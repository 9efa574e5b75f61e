"""Tables of a store: only the parts that the span and the coins asked for meet are read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import polars as pl

from perpkit.dataset.checks import PART, Source, check, check_all_have_rows
from perpkit.dataset.content import read_parts
from perpkit.dataset.description import Description, read_text
from perpkit.dataset.files import left_over
from perpkit.dataset.parts import STORE_FILE, Index, Part
from perpkit.dataset.schema import FUNDING, PERPS, TABLES, Table
from perpkit.dataset.span import Span, Tables, nothing_left
from perpkit.errors import DataError


def read_stored(folder: Path, index: Index, about: Description, span: Span) -> Tables:
    """Read the parts of a store that a span meets and check the rows read.

    Parameters
    ----------
    folder : of the store
    index : its parts
    about : its description
    span : what is asked for

    Raises
    ------
    DataError
        On the first fault in a part that is read.
    """
    frames = {table.name: _read_table(table, index, about, span) for table in TABLES}
    perps = [part for part in index.parts if part.table == PERPS.name]
    first_ms = min(p.first_ms for p in perps)
    if frames[PERPS.name].is_empty():
        raise nothing_left(first_ms, max(p.last_ms for p in perps))
    return Tables(frames, tuple(strangers(folder)), _digest(folder, index), first_ms)


def meeting(table: Table, index: Index, span: Span) -> list[Part]:
    """Parts of a table that may hold a row asked for, in order."""
    low, high = span.bounds_ms(table)
    found = [
        part
        for part in index.parts
        if part.table == table.name
        and (low is None or part.last_ms >= low)
        and (high is None or part.first_ms <= high)
    ]
    if span.coins is None or table not in (PERPS, FUNDING):
        return found
    own = [part for part in found if part.instrument in span.coins]
    return found if table is FUNDING and not own else own


def _read_table(table: Table, index: Index, about: Description, span: Span) -> pl.DataFrame:
    every = [part for part in index.parts if part.table == table.name]
    label = f"{table.name}/" if every else table.name
    if table is PERPS and not every:
        raise DataError(f"{STORE_FILE}: no part is of perps; it is the one table a dataset needs")
    there = {part.instrument for part in every}
    check_all_have_rows(table, there, Source(label, (label,) if every else ()), about)
    parts = meeting(table, index, span)
    if not parts:
        return pl.DataFrame(schema=table.dtypes)
    numbers = np.repeat(np.arange(len(parts), dtype=np.uint32), [part.rows for part in parts])
    frame = read_parts(table, parts).with_columns(pl.Series(PART, numbers))
    check(table, frame, Source(label, tuple(part.name for part in parts)), about)
    return span.cut(table, frame.drop(PART))


def strangers(folder: Path) -> list[str]:
    """Sentences on Parquet files in the folder of a store that it does not list."""
    homes = {table.name: folder / table.name for table in TABLES}
    names = [entry.name for entry in os.scandir(folder)]
    names += [
        f"{name}/{entry.name}"
        for name, home in homes.items()
        if home.is_dir()
        for entry in os.scandir(home)
    ]
    # A file named as a part is a part, or was left by a killed writer.
    return [
        f"{name}: not read: {STORE_FILE} does not list it"
        for name in sorted(names)
        if name.endswith(".parquet") and not left_over(name)
    ]


def _digest(folder: Path, index: Index) -> str:
    digest = hashlib.sha256(read_text(folder))
    lines = (f"{p.table} {p.instrument} {p.month} {p.sha256}\n" for p in index.parts)
    digest.update("".join(lines).encode())
    return digest.hexdigest()
