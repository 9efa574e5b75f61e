"""A dataset as it lies in its files, read without refusing what stands in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl
from polars.exceptions import PanicException, PolarsError

from perpkit.dataset.casting import cast_column
from perpkit.dataset.checks import PART, Source, check, check_all_have_rows, check_alone
from perpkit.dataset.description import FILE, Description, read_description
from perpkit.dataset.parts import is_store, read_index
from perpkit.dataset.plain import files_of, label_of, misnamed
from perpkit.dataset.schema import FLOAT, FUNDING, ONCHAIN, TABLES, TEXT, TIME, Table
from perpkit.dataset.stored import strangers
from perpkit.errors import DataError
from perpkit.research.findings import Finding, Severity

ROW: Final = "row"  # number of a row in its table, over all parts, as they lie
NAMED: Final = {table.name: table for table in TABLES}
_FILE: Final = "__file"
_PER_MS: Final = {"ms": 1, "us": 1_000, "ns": 1_000_000}


class Part(NamedTuple):
    """One file of a table and the numbers of its rows: `first` to `first + rows - 1`."""

    path: Path
    first: int
    rows: int


class Coerced(NamedTuple):
    """A column stored in another type, and whether its values are certain in the right one."""

    table: str
    column: str
    before: str
    after: str
    sure: bool
    reason: str


class Edit(NamedTuple):
    """Cells of one column that a check would change, or whole rows that it would remove."""

    table: str
    column: str | None  # None: the rows are removed
    cells: pl.DataFrame  # ROW, and `after` in the column's dtype where there is a column
    sure: bool  # certain enough to be written; else set aside for the checks that follow
    reason: str


class Found(NamedTuple):
    """What a check found in one place, and what it would change there."""

    finding: Finding | None  # None: nothing is wrong, yet later checks are to see it changed
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Raw:
    """Tables as they lie in the files, cast to the schema's types and sorted by their keys.

    Frames have the columns of the schema that their files have, and `ROW`. A table without a file
    is absent.
    """

    path: Path
    about: Description
    described: bool  # a dataset.toml names the instruments; else it is a file of settlements
    tables: dict[str, pl.DataFrame]
    labels: dict[str, str]
    parts: dict[str, list[Part]]
    coerced: list[Coerced] = field(default_factory=list)
    places: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    extra: dict[str, list[str]] = field(default_factory=dict)  # columns that the schema has not

    def edited(self, edits: list[Edit]) -> Raw:
        """The same with edits made, sure or not."""
        tables = dict(self.tables)
        for name in {edit.table for edit in edits}:
            own = [edit for edit in edits if edit.table == name]
            tables[name] = apply(tables[name], own)
            if any(edit.column in NAMED[name].keys for edit in own):
                tables[name] = tables[name].sort(NAMED[name].keys, maintain_order=True)
        return replace(self, tables=tables, places={})

    def of(self, table: str, instrument: str) -> pl.DataFrame:
        """Rows of one instrument, ascending in time."""
        frame = self.tables[table]
        if table not in self.places:
            self.places[table] = spans(frame[NAMED[table].instrument])
        start, count = self.places[table].get(instrument, (0, 0))
        return frame.slice(start, count)

    def has(self, table: str, *columns: str) -> bool:
        """Whether a table is there with rows and with all these columns."""
        frame = self.tables.get(table)
        return frame is not None and frame.height > 0 and set(columns) <= set(frame.columns)


def spans(names: pl.Series) -> dict[str, tuple[int, int]]:
    """First row and number of rows of each name, where rows of one name stand together.

    As those of an instrument do in a table sorted by its keys.

    >>> spans(pl.Series(["A", "A", "B"]))
    {'A': (0, 2), 'B': (2, 1)}
    """
    runs = names.rle().struct.unnest()
    starts = runs["len"].cum_sum() - runs["len"]
    found = zip(starts.to_list(), runs["len"].to_list(), strict=True)
    return dict(zip(runs["value"].to_list(), found, strict=True))


def apply(frame: pl.DataFrame, edits: list[Edit]) -> pl.DataFrame:
    """A frame with edits made; of two of one cell the later stands."""
    by_column: dict[str | None, list[pl.DataFrame]] = {}
    for edit in edits:
        by_column.setdefault(edit.column, []).append(edit.cells)
    for column, made in by_column.items():
        if column is not None:
            cells = pl.concat(own.select(ROW, pl.col("after").alias(column)) for own in made)
            cells = cells.unique(ROW, keep="last", maintain_order=True)
            frame = frame.update(cells, on=ROW, how="left", include_nulls=True)
    if gone := by_column.get(None):
        removed = pl.concat(own.select(ROW) for own in gone)
        frame = frame.join(removed, on=ROW, how="anti", maintain_order="left")
    return frame


# --------------------------------------------------------------------------- reading


def read_raw(path: Path) -> Raw:
    """Read a dataset folder, or one Parquet file of settlements.

    Raises
    ------
    DataError
        If there is no description, a file is not Parquet, or a column's type says nothing.
    """
    if path.is_file():
        about = Description(path.name, "", "", ONCHAIN, perps={}, tokens={})
        raw = Raw(path, about, described=False, tables={}, labels={}, parts={})
        _read_table(raw, FUNDING, [path], path.parent)
        raw.labels[FUNDING.name] = path.name
        return raw
    raw = Raw(path, read_description(path), described=True, tables={}, labels={}, parts={})
    for table in TABLES:
        files = _live(path, table)
        if files:
            _read_table(raw, table, files, path)
            raw.labels[table.name] = label_of(path, table)
    return raw


def _live(folder: Path, table: Table) -> list[Path]:
    """Files that count: of a store those it lists, whose digests must hold."""
    if not is_store(folder):
        return files_of(folder, table)
    own = [part for part in read_index(folder).parts if part.table == table.name]
    for part in own:
        part.content()
    return [part.path for part in own]


def _read_table(raw: Raw, table: Table, files: list[Path], folder: Path) -> None:
    frame, counts = _at_once(raw, table, files) or _one_by_one(raw, table, files, folder)
    firsts = accumulate(counts, initial=0)
    parts = [Part(*own) for own in zip(files, firsts, counts, strict=False)]
    order = [column for column in table.columns if column in frame.columns]
    lacking = [key for key in table.keys if key not in order]
    if lacking:
        raise DataError(
            f"{files[0].relative_to(folder).as_posix()}: column {', '.join(lacking)} is missing, "
            f"which {table.name} needs; there is {', '.join(frame.columns)}: add it, or rename one "
            "of these"
        )
    frame = frame.select(order).with_row_index(ROW)
    raw.tables[table.name] = frame.sort(table.keys, maintain_order=True)
    raw.parts[table.name] = parts


def _at_once(raw: Raw, table: Table, files: list[Path]) -> tuple[pl.DataFrame, list[int]] | None:
    """Rows of files that have the schema's types, and how many each has; None where one has not.

    A store has thousands of parts, and most of the time went into opening them one by one.
    """
    try:
        schemas = [pl.read_parquet_schema(file) for file in files]
        wanted = {
            column: dtype
            for column, dtype in table.dtypes.items()
            if any(column in have for have in schemas)
        }
        if any(
            have.get(column, dtype) != dtype for have in schemas for column, dtype in wanted.items()
        ):
            return None
        rows = pl.scan_parquet(
            files,
            schema=wanted,
            missing_columns="insert",
            extra_columns="ignore",
            include_file_paths=_FILE,
            glob=False,
            hive_partitioning=False,
        ).collect()
    except (PolarsError, PanicException, OSError):
        return None  # which file it is, and why, is told where they are read one by one
    lengths = dict(rows[_FILE].rle().struct.unnest().select("value", "len").iter_rows())
    _note_extra(raw, table, [name for have in schemas for name in have])
    return rows.drop(_FILE), [lengths.get(str(file), 0) for file in files]


def _one_by_one(
    raw: Raw, table: Table, files: list[Path], folder: Path
) -> tuple[pl.DataFrame, list[int]]:
    pieces = [_read_part(raw, table, file, file.relative_to(folder).as_posix()) for file in files]
    frame = pl.concat(pieces, how="diagonal") if len(pieces) > 1 else pieces[0]
    return frame, [piece.height for piece in pieces]


def _note_extra(raw: Raw, table: Table, have: Iterable[str]) -> None:
    known = raw.extra.setdefault(table.name, [])
    known += dict.fromkeys(name for name in have if name not in (*table.columns, *known))


def _read_part(raw: Raw, table: Table, file: Path, name: str) -> pl.DataFrame:
    try:
        scan = pl.scan_parquet(file, glob=False, hive_partitioning=False)
        have = scan.collect_schema()
        wanted = [column for column in table.columns if column in have]
        piece = scan.select(wanted).collect()
    except (PolarsError, PanicException, OSError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(
            f"{name} cannot be read as Parquet ({reason}); write it again from its source"
        ) from error
    _note_extra(raw, table, have)
    casts = [_lenient(raw, table, name, piece[column]) for column in wanted]
    return piece.with_columns(casts)


def _lenient(raw: Raw, table: Table, name: str, column: pl.Series) -> pl.Series:
    want, have = table.dtypes[column.name], column.dtype
    told = (table.name, column.name, str(have), str(want))
    if want == TIME and isinstance(have, pl.Datetime):
        if have.time_zone is None:
            raw.coerced.append(Coerced(*told, False, "names no time zone, read here as UTC"))
            return column.dt.replace_time_zone("UTC").dt.cast_time_unit("ms")
        if (column.to_physical() % _PER_MS[have.time_unit] != 0).any():
            raw.coerced.append(Coerced(*told, True, "is finer than a millisecond"))
            return column.dt.convert_time_zone("UTC").dt.cast_time_unit("ms")
    if want == FLOAT and have == TEXT:
        numbers = column.cast(FLOAT, strict=False)
        if numbers.null_count() == column.null_count():
            raw.coerced.append(Coerced(*told, True, "holds numbers as text"))
            return numbers
    return column.to_frame().select(cast_column(name, column.name, have, want)).to_series()


def unread(raw: Raw) -> list[str]:
    """Sentences on files and columns of other names than the schema's."""
    store = is_store(raw.path)
    made = strangers(raw.path) if store else misnamed(raw.path)
    made += [
        f"{raw.labels[name]}: not read: {', '.join(columns)}"
        for name, columns in raw.extra.items()
        if columns
    ]
    return made


def coerced_findings(raw: Raw) -> list[Finding]:
    """Columns stored in other types than the schema's."""
    made = []
    for own in dict.fromkeys(raw.coerced):
        fix = f"--fix stores it as {own.after}" if own.sure else "state the zone at the source"
        say = f"{own.column} {own.reason} ({own.before}); {fix}"
        rows = raw.tables[own.table].height
        label = raw.labels[own.table]
        made.append(Finding("types", Severity.ERROR, label, "", rows, None, say, own.sure))
    return made


# --------------------------------------------------------------------------- the strict reader


def strict_frames(raw: Raw) -> tuple[dict[str, pl.DataFrame], list[Finding]]:
    """Frames of a `Dataset`, and what the strict reader would still refuse in them."""
    frames: dict[str, pl.DataFrame] = {}
    findings: list[Finding] = []
    for table in TABLES:
        frame = raw.tables.get(table.name)
        if frame is None:
            frames[table.name] = pl.DataFrame(schema=table.dtypes)
            findings += _without_rows(raw, table, frames[table.name])
            continue
        absent = [
            pl.lit(None, dtype).alias(column)
            for column, dtype in table.dtypes.items()
            if column not in frame.columns
        ]
        frame = frame.select(*frame.columns[1:], *absent).select(*table.columns)
        frames[table.name] = frame
        label = raw.labels[table.name]
        try:
            whole, source = frame.with_columns(_NO_PART), Source(label, (label,))
            if raw.described:
                check(table, whole, source, raw.about)
            else:
                check_alone(table, whole, source)
        except DataError as error:
            say = str(error).removeprefix(f"{label}: ")
            findings.append(Finding("reader", Severity.ERROR, label, "", 0, None, say))
        findings += _without_rows(raw, table, frame)
    return frames, findings


def _without_rows(raw: Raw, table: Table, frame: pl.DataFrame) -> list[Finding]:
    """Instruments that ``dataset.toml`` lists and no row is of, which a run refuses, too."""
    label = raw.labels.get(table.name, "")
    source = Source(label or f"{table.name}.parquet", (label,) if label else ())
    try:
        check_all_have_rows(table, set(frame[table.instrument].unique()), source, raw.about)
    except DataError as error:
        return [Finding("reader", Severity.ERROR, FILE, "", 0, None, str(error).split(": ", 1)[1])]
    return []


_NO_PART: Final = pl.lit(0, pl.UInt32).alias(PART)
