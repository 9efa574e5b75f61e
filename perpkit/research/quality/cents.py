"""Prices in cents: a hundred times the other prices of the row, or of the hours around."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import Final

import numpy as np
import polars as pl

from perpkit.arrays import F64, I64
from perpkit.dataset.schema import PERPS, TOKENS, Table
from perpkit.research.quality.actions import explained
from perpkit.research.quality.raw import ROW, Edit, Found, Raw
from perpkit.research.quality.series import PRICED, Series, columns_of, jumping
from perpkit.research.quality.telling import Place, first_ms, found, moment, rows

NAME = "units"
_HUNDRED: Final = log(100.0)
_ROOM: Final = log(1.35)  # what the price itself may move meanwhile, or a token trade off its stock
_MOST: Final = 0.6  # share of the rows that shows which level is the right one


def check(raw: Raw) -> Iterator[Found]:
    """Columns and spells of prices that are a hundred times what they should be, or a hundredth.

    Within an instrument the columns that agree are right; of two that differ the lower is. Of
    levels in time that is right which the other columns have, or, where prices come back to it,
    most of the rows; else the lower.
    """
    for table in PRICED:
        if raw.has(table.name):
            scales: dict[str, dict[str, pl.DataFrame]] = {}
            for name, column, cells in (*_columns(raw, table), *_spells(raw, table)):
                scales.setdefault(name, {})[column] = cells
            for name in sorted(scales):
                yield _told(raw, table, name, scales[name])


Scaled = Iterator[tuple[str, str, pl.DataFrame]]  # instrument, column, ROW and `by`


def _columns(raw: Raw, table: Table) -> Scaled:
    """Whole columns in another unit than the other columns of their instrument."""
    columns = columns_of(raw, table)
    if len(columns) < 2:
        return
    name, frame = table.instrument, raw.tables[table.name]
    middles = frame.group_by(name, maintain_order=True).agg(
        pl.col(column).median() for column in columns
    )
    for row in middles.iter_rows(named=True):
        levels = {c: log(row[c]) for c in columns if row[c] is not None and row[c] > 0}
        if len(levels) < 2:
            continue
        middle = float(np.median(list(levels.values())))
        low = min(levels.values())
        apart = [level for level in levels.values() if abs(level - low) > _ROOM]
        right = low if 2 * len(apart) == len(levels) else middle
        for column, level in levels.items():
            if _near(level - right):
                by = np.exp(-np.sign(level - right) * _HUNDRED)
                own = raw.of(table.name, row[name]).drop_nulls(column)
                if _whole(own, column, columns):
                    yield row[name], column, own.select(ROW, pl.lit(by).alias("by"))


def _whole(own: pl.DataFrame, column: str, columns: list[str]) -> bool:
    """Whether a column has one level all along, so that it is no spell of a hundred times."""
    steps = own.select(pl.col(column).log().diff().abs() > _HUNDRED - _ROOM)
    return not steps.to_series().any() and len(columns) > 1


def _near(step: float) -> bool:
    return abs(abs(step) - _HUNDRED) < _ROOM


def _spells(raw: Raw, table: Table) -> Scaled:
    """Hours in another unit than the hours around."""
    for column in columns_of(raw, table):
        for own in jumping(raw, table, column):
            steps = np.diff(own.log_px)
            hundred = np.abs(np.abs(steps) - _HUNDRED) < _ROOM
            places = np.flatnonzero(hundred) + 1
            if not places.size or explained(raw, table, own, int(places[0]), 100.0):
                continue
            level = np.concatenate([[0], np.cumsum(np.where(hundred, np.sign(steps), 0))])
            level = level.astype(np.int64)
            off = level - _right(raw, table, own, level)
            if off.any():
                cells = pl.DataFrame({ROW: own.row[off != 0], "by": 100.0 ** -off[off != 0]})
                yield (
                    own.instrument,
                    column,
                    cells.with_columns(pl.col(ROW).cast(pl.UInt32), pl.col("by").cast(pl.Float64)),
                )


def _right(raw: Raw, table: Table, own: Series, level: I64) -> int:
    """The level that is in dollars."""
    near = _steady(raw, table, own)
    if near is not None:
        away = {
            int(n): abs(float(np.nanmedian((own.log_px - near)[level == n]))) for n in set(level)
        }
        away = {n: far for n, far in away.items() if not np.isnan(far)}
        if away:
            return min(away, key=lambda n: (away[n], n))
    levels, counts = np.unique(level, return_counts=True)
    returns = np.count_nonzero(np.diff(level)) > 1
    if returns and counts.max() >= _MOST * len(level):
        return int(levels[np.argmax(counts)])
    return int(levels.min())


def _steady(raw: Raw, table: Table, own: Series) -> F64 | None:
    """Another price of the same rows that has no spells, NaN where absent; None without any."""
    frame = raw.of(table.name, own.instrument)
    at = pl.DataFrame({ROW: own.row}).with_columns(pl.col(ROW).cast(pl.UInt32))
    for column in columns_of(raw, table):
        if column == own.column:
            continue
        px = at.join(frame.select(ROW, column), on=ROW, how="left", maintain_order="left")[column]
        other: F64 = np.log(px.cast(pl.Float64).fill_null(np.nan).to_numpy())
        steps = np.abs(np.diff(other[~np.isnan(other)]))
        if len(steps) and not (steps > _HUNDRED - _ROOM).any():
            return other
    return None


def _told(raw: Raw, table: Table, name: str, scaled: dict[str, pl.DataFrame]) -> Found:
    frame = raw.of(table.name, name)
    edits = []
    for column, cells in scaled.items():
        # Divided, where it is: 18012 / 100 has the digits that 18012 x 0.01 has not.
        px = frame.join(cells, on=ROW, how="inner", maintain_order="left")
        after = (
            pl.when(pl.col("by") < 1)
            .then(pl.col(column) / (1 / pl.col("by")).round())
            .otherwise(pl.col(column) * pl.col("by").round())
        )
        edits.append(
            Edit(table.name, column, px.select(ROW, after.alias("after")), True, "a price in cents")
        )
    kept = pl.concat([edit.cells.select(ROW) for edit in edits]).unique()
    bad = frame.join(kept, on=ROW, how="semi").sort("time")
    by = next(iter(scaled.values()))["by"][0]
    word = "100 times too high, as in cents" if by < 1 else "100 times too low"
    do = "divides by 100" if by < 1 else "multiplies by 100"
    say = (
        f"{', '.join(scaled)} {'are' if len(scaled) > 1 else 'is'} {word}, in "
        f"{rows(bad.height)}, first {moment(first_ms(bad))}; --fix {do}"
    )
    return found(raw, NAME, Place(table.name, name, bad), say, *edits)


def check_legs(raw: Raw) -> Iterator[Found]:
    """Tokens and perps of one underlying a hundred times apart: the higher is in cents."""
    if not (raw.described and raw.has("tokens", "bid_px", "ask_px") and raw.has("perps")):
        return
    levels = {name: _level(raw, PERPS, name) for name in raw.about.perps}
    higher: dict[tuple[str, str], Table] = {}
    for token, meta in raw.about.tokens.items():
        if meta.multiplier is None:
            continue
        own = _level(raw, TOKENS, token)
        for coin, perp in raw.about.perps.items():
            px = levels[coin]
            if perp.underlying != meta.underlying or own is None or px is None:
                continue
            step = own - log(meta.multiplier) - px
            if _near(step):
                higher[("", token) if step > 0 else (coin, "")] = TOKENS if step > 0 else PERPS
    for (coin, token), table in higher.items():
        name = coin or token
        frame = raw.of(table.name, name)
        by = pl.lit(0.01).alias("by")
        scaled = {
            column: frame.filter(pl.col(column).is_not_null()).select(ROW, by)
            for column in columns_of(raw, table)
        }
        yield _told(raw, table, name, {c: cells for c, cells in scaled.items() if cells.height})


def _level(raw: Raw, table: Table, name: str) -> float | None:
    own = raw.of(table.name, name)
    middles = [own[column].median() for column in columns_of(raw, table)]
    known = [float(px) for px in middles if isinstance(px, float) and px > 0]
    return log(float(np.median(known))) if known else None
