"""Times shifted by whole hours, as where New York's clock is stored as UTC."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import F64
from perpkit.dataset.schema import FUNDING, PERPS, TIME, TOKENS, Table
from perpkit.research.findings import Severity
from perpkit.research.quality.raw import NAMED, ROW, Edit, Found, Raw
from perpkit.research.quality.telling import Place, first_ms, found, hour_ms, moment, rows
from perpkit.units import HOUR_MS

NAME = "zone"
FARTHEST: Final = 14  # hours: no clock on earth is further from UTC
_LAGS: Final = range(-FARTHEST, FARTHEST + 1)
_LEAST: Final = 48  # hours that two series must share
_MOST: Final = 5_000  # the last so many tell as much as three years do
_SURE: Final = 0.8  # a correlation at the stored hour that no other hour need be asked after
_GOOD: Final = 0.5  # of a correlation; real tokens and perps have 0.3 to 0.99 at the right hour
_MARGIN: Final = 0.2  # by which the best hour beats the stored one; real premiums lose 0.15 an hour
_EXTREME: Final = 8.0  # of the usual distance from the middle
_EQUAL: Final = 0.9  # share of equal rates at the right hour

Key = tuple[str, str]  # table and instrument


class Line(NamedTuple):
    """Values of one instrument on a common clock, NaN where absent."""

    first: int  # hour since the epoch
    values: F64


def check(raw: Raw) -> Iterator[Found]:
    """Instruments whose rows stand some whole hours before or after those they belong with.

    Compared are the two records of a coin's funding, premiums with the perp's own prices, tokens
    with the perp of their underlying, ``observed`` with ``time``, and, where nothing else tells,
    the spans of the instruments of a table.
    """
    spans = {table.name: _spans(raw, table) for table in (PERPS, FUNDING, TOKENS)}
    late = _by_observed(raw)
    apart = _apart(raw) if raw.described else {}
    for coin, links in apart.items():
        if (PERPS.name, coin) in late:
            continue
        late |= _blamed(coin, {k: lag for k, lag in links.items() if k not in late}, spans)
    told = set(late)
    for (table, name), hours in late.items():
        if hours:
            yield _told(raw, table, name, hours, sure=True)
    for table, own in spans.items():
        tested = {name for (t, name) in told if t == table}
        tested |= {name for name in own if _tested(table, name, apart)}
        for name, hours in _odd(own).items():
            if name not in tested:
                yield _told(raw, table, name, hours, sure=False)


def _tested(table: str, name: str, apart: dict[str, dict[Key, int]]) -> bool:
    if table == PERPS.name:
        return bool(apart.get(name))
    return any((table, name) in links for links in apart.values())


# --------------------------------------------------------------------------- evidence


def _by_observed(raw: Raw) -> dict[Key, int]:
    """Hours that rows are late by their own ``observed``, which lies in the hour before."""
    made: dict[Key, int] = {}
    for table in (PERPS, TOKENS):
        if not raw.has(table.name, "observed"):
            continue
        ms = pl.col("time").cast(pl.Int64) - pl.col("observed").cast(pl.Int64)
        away = (ms / HOUR_MS).alias("away")
        own = raw.tables[table.name].select(table.instrument, away).drop_nulls()
        middle = own.group_by(table.instrument, maintain_order=True).agg(
            pl.col("away").quantile(0.1).alias("low"), pl.col("away").quantile(0.9).alias("high")
        )
        for name, low, high in middle.iter_rows():
            hours = int(np.floor(low + 1e-9)) if low >= 0 else int(np.floor(low))
            if high - low <= 1.5 and hours and not (low < 1.5 and high > 0):
                made[table.name, name] = hours
    return made


def _apart(raw: Raw) -> dict[str, dict[Key, int]]:
    """By coin: hours that each record beside its prices is later than they are."""
    made: dict[str, dict[Key, int]] = {}
    if not raw.has("perps"):
        return made
    for coin, own in _by_name(raw, PERPS).items():
        links: dict[Key, int] = {}
        settled = _funding_lag(raw, coin, own)
        if settled is not None:
            links[FUNDING.name, coin] = settled
        under = raw.about.perps[coin].underlying
        px = _price(own)
        for token, meta in raw.about.tokens.items():
            if meta.underlying == under and px is not None and raw.has("tokens"):
                quotes = raw.tables[TOKENS.name].filter(pl.col("token") == token)
                lag = _lag_of(_returns(px), _returns(_price(quotes)))
                if lag is not None:
                    links[TOKENS.name, token] = lag
        made[coin] = links
    return made


def _by_name(raw: Raw, table: Table) -> dict[str, pl.DataFrame]:
    parts = raw.tables[table.name].partition_by(table.instrument, maintain_order=True)
    return {str(own[table.instrument][0]): own for own in parts}


def _funding_lag(raw: Raw, coin: str, own: pl.DataFrame) -> int | None:
    if not raw.has("funding", "funding"):
        return None
    settled = raw.tables[FUNDING.name].filter(pl.col("coin") == coin)
    for column in ("funding", "premium"):
        if column in own.columns and column in settled.columns:
            lag = _equal_lag(_line(own, pl.col(column)), _line(settled, pl.col(column)))
            if lag is not None:
                return lag
    if "premium" not in settled.columns:
        return None
    return _lag_of(_premium(own), _line(settled, pl.col("premium")))


def _premium(own: pl.DataFrame) -> Line | None:
    if {"mark_px", "oracle_px"} <= set(own.columns):
        return _line(own, pl.col("mark_px") / pl.col("oracle_px") - 1.0)
    return None


def _price(own: pl.DataFrame) -> Line | None:
    if {"bid_px", "ask_px"} <= set(own.columns):
        return _line(own, ((pl.col("bid_px") + pl.col("ask_px")) / 2).log())
    for column in ("oracle_px", "mark_px", "mid_px", "external_px"):
        if column in own.columns and own[column].null_count() < own.height:
            return _line(own, pl.col(column).log())
    return None


def _line(own: pl.DataFrame, value: pl.Expr) -> Line | None:
    told = own.select((hour_ms() // HOUR_MS).alias("hour"), value.cast(pl.Float64).alias("value"))
    told = told.filter(pl.col("value").is_finite()).tail(_MOST)
    if told.height < _LEAST:
        return None
    hour = told["hour"].to_numpy().astype(np.int64)
    values = np.full(int(hour[-1] - hour[0]) + 1, np.nan)
    values[hour - hour[0]] = told["value"].to_numpy()
    return Line(int(hour[0]), values)


def _returns(line: Line | None) -> Line | None:
    return None if line is None else Line(line.first + 1, np.diff(line.values))


def _at(line: Line, lag: int, first: int, count: int) -> F64:
    """Values of a line moved `lag` hours back, on a clock."""
    made = np.full(count, np.nan)
    start = line.first - lag - first
    low, high = max(start, 0), min(start + len(line.values), count)
    if low < high:
        made[low:high] = line.values[low - start : high - start]
    return made


def _lag_of(base: Line | None, other: Line | None) -> int | None:
    """Hours that a series is later than another it moves with; None where they show none."""
    if base is None or other is None:
        return None
    base, other = _tamed(base), _tamed(other)
    found_at: dict[int, float] = {}
    for lag in sorted(_LAGS, key=abs):
        moved = _at(other, lag, base.first, len(base.values))
        both = np.isfinite(moved) & np.isfinite(base.values)
        if both.sum() >= _LEAST:
            a, b = base.values[both], moved[both]
            if a.std() > 0 and b.std() > 0:
                found_at[lag] = float(np.corrcoef(a, b)[0, 1])
        if found_at.get(0, 0.0) >= _SURE:
            return 0
    if not found_at:
        return None
    best = max(found_at, key=lambda lag: (found_at[lag], -abs(lag)))
    if found_at[best] < _GOOD:
        return None
    return best if found_at[best] >= found_at.get(0, 0.0) + _MARGIN else 0


def _tamed(line: Line) -> Line:
    """Without the extremes, of which a single one would make or break a correlation."""
    known = line.values[np.isfinite(line.values)]
    middle = float(np.median(known))
    away = float(np.median(np.abs(known - middle)))
    if away == 0.0:
        return line
    far = _EXTREME * away
    return Line(line.first, np.clip(line.values, middle - far, middle + far))


def _equal_lag(base: Line | None, other: Line | None) -> int | None:
    """The same where the two hold the same numbers; the commonest of them tells nothing."""
    if base is None or other is None:
        return None
    known = base.values[np.isfinite(base.values)]
    numbers, counts = np.unique(known, return_counts=True)
    telling = np.isfinite(base.values) & (base.values != numbers[np.argmax(counts)])
    share: dict[int, float] = {}
    for lag in sorted(_LAGS, key=abs):
        moved = _at(other, lag, base.first, len(base.values))
        both = telling & np.isfinite(moved)
        if both.sum() >= _LEAST / 4:
            share[lag] = float(np.mean(np.abs(base.values[both] - moved[both]) < 1e-12))
        if share.get(0, 0.0) >= _EQUAL:
            return 0
    if not share:
        return None
    best = max(share, key=lambda lag: (share[lag], -abs(lag)))
    return best if share[best] >= _EQUAL else None


# --------------------------------------------------------------------------- whose fault it is


def _spans(raw: Raw, table: Table) -> dict[str, tuple[int, int]]:
    if not raw.has(table.name):
        return {}
    hour = hour_ms() // HOUR_MS
    ends = (
        raw.tables[table.name]
        .group_by(table.instrument, maintain_order=True)
        .agg(hour.min().alias("first"), hour.max().alias("last"))
    )
    return {str(name): (first, last) for name, first, last in ends.iter_rows()}


def _odd(spans: dict[str, tuple[int, int]]) -> dict[str, int]:
    """Hours by which both ends of an instrument are later than those of all others."""
    made: dict[str, int] = {}
    for name, (first, last) in spans.items():
        others = {span for other, span in spans.items() if other != name}
        if len(spans) < 3 or len(others) != 1:
            continue
        start, end = others.pop()
        if first - start == last - end and 0 < abs(first - start) <= FARTHEST:
            made[name] = first - start
    return made


def _blamed(
    coin: str, links: dict[Key, int], spans: dict[str, dict[str, tuple[int, int]]]
) -> dict[Key, int]:
    """Who is late: the coin where all that belongs to it says so, else each for itself."""
    lags = set(links.values())
    if not links or lags == {0}:
        return {}
    odd = _odd(spans[PERPS.name]).get(coin, 0)
    if len(lags) == 1:
        lag = next(iter(lags))
        # The coin's own record of funding and a token would hardly be late by the same.
        if odd == -lag or (len({table for table, _ in links}) > 1 and odd):
            return {(PERPS.name, coin): -lag}
        tables = {table for table, _ in links}
        clean = not any(_odd(spans[table]).get(name) == lag for table, name in links)
        if len(tables) > 1 and clean:
            return {(PERPS.name, coin): -lag}
    return {key: lag for key, lag in links.items() if lag}


def _told(raw: Raw, table: str, name: str, hours: int, *, sure: bool) -> Found:
    bad = raw.tables[table].filter(pl.col(NAMED[table].instrument) == name)
    way = "late" if hours > 0 else "early"
    count = rows(abs(hours), "hour")
    after = (pl.col("time").cast(pl.Int64) - hours * HOUR_MS).cast(TIME).alias("after")
    edit = Edit(table, "time", bad.select(ROW, after), sure, f"{count} {way}")
    if sure:
        say = (
            f"time is {count} {way} against the records it belongs with, as where a local clock "
            f"is stored as UTC, in {rows(bad.height)}, first {moment(first_ms(bad))}; --fix "
            "shifts them"
        )
    else:
        say = (
            f"both ends are {count} {way} against all other {NAMED[table].instrument}s, as where "
            f"a local clock is stored as UTC, {rows(bad.height)}, first {moment(first_ms(bad))}; "
            "--fix leaves them, as nothing else tells: compare a day with the source"
        )
    grade = Severity.ERROR if sure else Severity.WARNING
    return found(raw, NAME, Place(table, name, bad), say, edit, severity=grade)
