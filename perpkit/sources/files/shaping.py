"""Rows of a file made rows of a table: names, types, units, times, and every slip refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from perpkit.dataset.schema import FLAG, FLOAT, TEXT, TIME
from perpkit.errors import DataError, nearest
from perpkit.sources.files.mapping import Cell, FileMap
from perpkit.sources.files.pieces import Piece, Wanted
from perpkit.sources.files.slips import ROW, Slip, refuse, slips_of, unread
from perpkit.sources.files.times import parse_times

_TRUE: Final = ("true", "yes", "1", "t", "y")
_FALSE: Final = ("false", "no", "0", "f", "n")
_RAW: Final = "__raw_"
_BOOK: Final = ("impact_bid_px", "impact_ask_px")


@dataclass(slots=True)
class Shaper:
    """One file's way onto the table of a mapping; `only` are the instruments to take, None: all."""

    mapping: FileMap
    file: str
    only: frozenset[str] | None = None
    left_out: set[str] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)  # columns of the file that nothing asks for
    _names: dict[str, str] = field(default_factory=dict)

    def choose(self, head: Sequence[str]) -> Wanted:
        """Find the columns of the file that are to be read, and remember their names.

        Raises
        ------
        DataError
            If a column is not there.
        """
        self._names = {}
        for target, cell in self.mapping.cells.items():
            found = next((name for name in cell.names if name in head), None)
            if found is not None:
                self._names[target] = found
            elif not cell.optional:
                raise self._no_column(target, cell, head)
        mine = {name for cell in self.mapping.cells.values() for name in cell.names}
        self.unread = [name for name in head if name not in mine]
        dtypes = self.mapping.table.dtypes
        wanted: Wanted = {}
        for target, name in self._names.items():
            number = dtypes[target] == FLOAT and wanted.get(name) != TEXT
            wanted[name] = FLOAT if number else TEXT
        return wanted

    def _no_column(self, target: str, cell: Cell, head: Sequence[str]) -> DataError:
        theirs = " or ".join(f'"{name}"' for name in cell.names)
        meant = nearest(cell.names[0], head) if head else "it has none"
        remedy = "" if self.mapping.label.startswith("format") else f" in {self.mapping.label}"
        fix = f"correct it{remedy}" if remedy else "rename it, or write a mapping file"
        return DataError(
            f"{self.file}: there is no column {theirs}, which {self.mapping.label} reads as "
            f"{target}; {fix}: {meant}"
        )

    def shape(self, piece: Piece) -> pl.DataFrame:
        """Make a piece rows of the table, with the helper column `ROW`.

        Raises
        ------
        DataError
            With file, line or row, column and remedy.
        """
        table, raw = self.mapping.table, piece.rows
        columns: list[pl.Series] = []
        unreads: list[Slip] = []
        for target, dtype in table.dtypes.items():
            name = self._names.get(target)
            if name is None:
                value = self.mapping.constants.get(target)
                columns.append(pl.Series(target, [value], dtype).new_from_index(0, raw.height))
                continue
            made = self._cell(target, raw[name]).alias(target)
            columns.append(made)
            if made.null_count() > raw[name].null_count() and dtype != TEXT:
                lost = made.is_null() & raw[name].is_not_null()
                lost &= ~self._zeros(target, raw[name])
                columns.append(lost.alias(_RAW + target))
                zone = self.mapping.times.zone
                unreads.append(unread(target, dtype, pl.col(_RAW + target), zone))
        rows = pl.DataFrame(columns).with_row_index(ROW)
        rows = self._taken(rows)
        on_the_hour = table.on_the_hour and not self.mapping.last
        slips = [*unreads, *slips_of(table, on_the_hour=on_the_hour)]
        refuse(slips, rows, piece, self._names)
        return rows.select(*table.columns, ROW)

    def _taken(self, rows: pl.DataFrame) -> pl.DataFrame:
        if self.only is None:
            return rows
        instrument = self.mapping.table.instrument
        keep = rows[instrument].is_in(list(self.only)) | rows[instrument].is_null()
        if keep.all():
            return rows
        self.left_out.update(rows[instrument].filter(~keep).unique().to_list())
        return rows.filter(keep)

    def _cell(self, target: str, raw: pl.Series) -> pl.Series:
        dtype, cell = self.mapping.table.dtypes[target], self.mapping.cells[target]
        if dtype == TIME:
            made = parse_times(raw, self.mapping.times, f"{self.file}: {raw.name}")
            return self._known_at(made) if target == "time" else made
        if dtype == FLAG:
            return _flag(raw)
        if dtype == TEXT:
            return _text(raw, cell)
        made = _number(raw, decimal_comma=self.mapping.layout.decimal == ",")
        if cell.zero_is_null:
            made = made.set(made == 0.0, None)
        if cell.scale.times != 1.0:
            return made * cell.scale.times
        return made / cell.scale.over if cell.scale.over != 1.0 else made

    def _known_at(self, time: pl.Series) -> pl.Series:
        # The time of a row of a table is when it was known: of a bar, its end.
        times = self.mapping.times
        if self.mapping.table.name == "bars" or times.bar_ms is None or not times.at_start:
            return time
        return (time.cast(pl.Int64) + times.bar_ms).cast(TIME)

    def _zeros(self, target: str, raw: pl.Series) -> pl.Series:
        if not self.mapping.cells[target].zero_is_null:
            return pl.Series([False]).new_from_index(0, raw.len())
        return (_number(raw, decimal_comma=False) == 0.0).fill_null(value=False)


def _number(raw: pl.Series, *, decimal_comma: bool) -> pl.Series:
    if raw.dtype == TEXT:
        text = raw.str.strip_chars()
        if decimal_comma:
            text = text.str.replace(",", ".", literal=True)
        return text.cast(FLOAT, strict=False)
    if raw.dtype.is_numeric():
        return raw.cast(FLOAT)
    return pl.Series(raw.name, [None] * raw.len(), FLOAT)


def _flag(raw: pl.Series) -> pl.Series:
    if raw.dtype == FLAG:
        return raw
    text = raw.cast(TEXT).str.strip_chars().str.to_lowercase()
    made = pl.DataFrame({"x": text}).select(
        pl.when(pl.col("x").is_in(_TRUE))
        .then(statement=True)
        .when(pl.col("x").is_in(_FALSE))
        .then(statement=False)
    )
    return made.to_series()


def _text(raw: pl.Series, cell: Cell) -> pl.Series:
    text = raw.cast(TEXT)
    if cell.strip:
        text = text.str.strip_suffix(cell.strip)
    return cell.prefix + text if cell.prefix else text
