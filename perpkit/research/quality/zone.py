"""Times shifted by whole hours, as where New York's clock is stored as UTC."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from perpkit.dataset.schema import FUNDING, PERPS, TIME, TOKENS, Table
from perpkit.research.findings import Severity
from perpkit.research.quality.lags import Line, equal_lag, lag_of, line, returns
from perpkit.research.quality.raw import NAMED, ROW, Edit, Found, Raw
from perpkit.research.quality.rhythm import FARTHEST, hours_late
from perpkit.research.quality.telling import Place, first_ms, found, hour_ms, moment, rows
from perpkit.units import HOUR_MS

NAME = "zone"
MOVING: Final = ("equity", "crypto")  # kinds of tokens whose price moves; bills and cash may rest
Key = tuple[str, str]  # table and instrument


def check(raw: Raw) -> Iterator[Found]:
    """Instruments whose rows stand some whole hours before or after those they belong with.

    Compared are the two records of a coin's funding, premiums with the perp's own prices, tokens
    with the perp of their underlying, ``observed`` with ``time``, and, where nothing else tells,
    the spans of the instruments of a table.
    """
    spans = {table.name: _spans(raw, table) for table in (PERPS, FUNDING, TOKENS)}
    apart = _apart(raw) if raw.described else {}
    may = _by_rhythm(raw)
    agreed = _agreeing(may, apart)
    late = {key: lags[0] for key, lags in agreed.items()} | _by_observed(raw)
    for coin, links in apart.items():
        if (PERPS.name, coin) not in late:
            late |= _blamed(coin, {k: lag for k, lag in links.items() if k not in late}, spans)
    for (table, hours), names in _together(late).items():
        for group in _groups(raw, table, names, spans[table]):
            may_be = agreed.get((table, group[0]), [hours])
            yield _told(raw, table, group, may_be if hours in may_be else [hours], "")
    for table, own in spans.items():
        tested = {name for (t, name) in late if t == table}
        tested |= {name for name in own if _tested(table, name, apart)}
        for name, hours in _odd(own).items():
            if name not in tested:
                yield _told(raw, table, [name], [hours], "at both ends ")


def _agreeing(may: dict[Key, list[int]], apart: dict[str, dict[Key, int]]) -> dict[Key, list[int]]:
    """Shifts that a price's own week allows, less those that its perp or its tokens contradict."""
    made = dict(may)
    for coin, links in apart.items():
        own = (PERPS.name, coin)
        for key, lag in links.items():
            if own in may:
                kept = [n for n in made[own] if n + lag in may.get(key, [0])]
                made[own] = kept or made[own]
            if key in may:
                kept = [n for n in made[key] if n - lag in may.get(own, [0])]
                made[key] = kept or made[key]
    return made


def _groups(
    raw: Raw, table: str, names: list[str], spans: dict[str, tuple[int, int]]
) -> list[list[str]]:
    """One group of a table that is late as a whole; else each instrument for itself."""
    others = [name for name in spans if name not in names]
    still = {name for name, meta in raw.about.tokens.items() if meta.kind not in MOVING}
    alike = len({spans[name] for name in spans}) == 1 and still.issuperset(others)
    if len(names) > 1 and (not others or (table == TOKENS.name and alike)):
        return [names + others]
    return [[name] for name in names]


def _together(late: dict[Key, int]) -> dict[tuple[str, int], list[str]]:
    """Late instruments by their table and by how many hours."""
    made: dict[tuple[str, int], list[str]] = {}
    for (table, name), hours in late.items():
        if hours:
            made.setdefault((table, hours), []).append(name)
    return made


def _by_rhythm(raw: Raw) -> dict[Key, list[int]]:
    """Hours that prices of US stocks may be late, by when they change and when they rest."""
    made: dict[Key, list[int]] = {}
    if not raw.described:
        return made
    if raw.has("perps", "external_px"):
        for coin, own in _by_name(raw, PERPS).items():
            made[PERPS.name, coin] = _late_by(own, "external_px")
    if raw.has("tokens", "bid_px"):
        for token, own in _by_name(raw, TOKENS).items():
            if raw.about.tokens[token].kind in MOVING:
                made[TOKENS.name, token] = _late_by(own, "bid_px")
    return {key: lags for key, lags in made.items() if lags}


def _late_by(own: pl.DataFrame, column: str) -> list[int]:
    told = own.select((hour_ms() // HOUR_MS).alias("hour"), column).drop_nulls()
    near = (pl.col("hour").diff() == 1) & (pl.col(column) != pl.col(column).shift(1))
    told = told.with_columns(near.fill_null(value=False).alias("changed"))
    if not told.height:
        return []
    hour = told["hour"].to_numpy().astype(np.int64)
    return hours_late(hour, told["changed"].to_numpy())


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
                quotes = raw.of(TOKENS.name, token)
                lag = lag_of(returns(px), returns(_price(quotes)))
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
    settled = raw.of(FUNDING.name, coin)
    for column in ("funding", "premium"):
        if column in own.columns and column in settled.columns:
            lag = equal_lag(line(own, pl.col(column)), line(settled, pl.col(column)))
            if lag is not None:
                return lag
    if "premium" not in settled.columns:
        return None
    return lag_of(_premium(own), line(settled, pl.col("premium")))


def _premium(own: pl.DataFrame) -> Line | None:
    if {"mark_px", "oracle_px"} <= set(own.columns):
        return line(own, pl.col("mark_px") / pl.col("oracle_px") - 1.0)
    return None


def _price(own: pl.DataFrame) -> Line | None:
    if {"bid_px", "ask_px"} <= set(own.columns):
        return line(own, ((pl.col("bid_px") + pl.col("ask_px")) / 2).log())
    for column in ("oracle_px", "mark_px", "mid_px", "external_px"):
        if column in own.columns and own[column].null_count() < own.height:
            return line(own, pl.col(column).log())
    return None


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


def _told(raw: Raw, table: str, names: list[str], lags: list[int], ends: str) -> Found:
    """A finding; sure where one lag alone is possible and more than the ends of the rows say so."""
    key, hours = NAMED[table].instrument, lags[0]
    bad = raw.tables[table].filter(pl.col(key).is_in(names))
    name = names[0] if len(names) == 1 else f"all {key}s"
    way = "late" if hours > 0 else "early"
    many = " or ".join(str(abs(lag)) for lag in sorted(lags, key=abs))
    count = rows(abs(hours), "hour") if len(lags) == 1 else f"{many} hours"
    if ends:
        fix = "--fix leaves them, as nothing else tells: compare a day with the source"
    elif len(lags) > 1:
        fix = "--fix leaves them, as the price rests longer than its market: compare a day"
    else:
        fix = "--fix shifts them"
    against = f"all other {key}s" if ends else "the records or the market it belongs with"
    say = (
        f"time is {count} {way} {ends}against {against}, as where a local clock is stored as UTC, "
        f"in {rows(bad.height)}, first {moment(first_ms(bad))}; {fix}"
    )
    sure = not ends and len(lags) == 1
    after = (pl.col("time").cast(pl.Int64) - hours * HOUR_MS).cast(TIME).alias("after")
    edit = Edit(table, "time", bad.select(ROW, after), sure, f"{count} {way}")
    grade = Severity.ERROR if sure else Severity.WARNING
    return found(raw, NAME, Place(table, name, bad), say, edit, severity=grade)
