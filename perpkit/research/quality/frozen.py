"""Quotes that stand still while their market is open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from perpkit.arrays import B8, I64, Phase
from perpkit.dataset.schema import PERPS, TOKENS, Table
from perpkit.errors import DataError
from perpkit.research.findings import Severity
from perpkit.research.quality.raw import ROW, Found, Raw
from perpkit.research.quality.telling import (
    Place,
    blank,
    first_ms,
    found,
    moment,
    rows,
    same_as_before,
)
from perpkit.research.quality.zone import MOVING
from perpkit.rulebook import Rulebook, open_rulebook
from perpkit.sessions import EXTERNAL_SESSIONS, open_at, session_hours

NAME = "frozen"
_MOVES: Final = 0.5  # share of the hours out of cash sessions that a price moves in, or rests there
LEAST_HOURS: Final = 6  # open hours without a change; in recorded data the most is 3
_PERPS: Final = ("oracle_px", "mark_px", "mid_px", "impact_bid_px", "impact_ask_px", "external_px")
_TOKENS: Final = ("bid_px", "ask_px")


def check(raw: Raw) -> Iterator[Found]:
    """Prices of one value for hours on end in which the market was open.

    Hours that the market was shut do not count: nights without a session, weekends, holidays, and
    for ``external_px`` all but the cash session, as bars of the regular session carry it so.
    Halted tokens do not count, nor tokens of cash and bills.
    """
    book = open_rulebook()
    for table, columns in ((PERPS, _PERPS), (TOKENS, _TOKENS)):
        if not raw.has(table.name) or not raw.described:
            continue
        stood: dict[str, list[tuple[str, pl.DataFrame]]] = {}
        for column in columns:
            if raw.has(table.name, column):
                for name, still in _still(raw, table, column):
                    if (of := _open_rows(raw, book, table, name, column, still)).height:
                        stood.setdefault(name, []).append((column, of))
        for name in sorted(stood):
            yield _told(raw, table, name, stood[name])


def _still(raw: Raw, table: Table, column: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """Rows of each instrument that repeat the price above, in runs long enough to matter."""
    name = table.instrument
    kept = [ROW, name, "time", column, *(["halted"] if raw.has(table.name, "halted") else [])]
    frame = raw.tables[table.name].select(kept).drop_nulls(column)
    same = same_as_before(name, column)
    frame = frame.with_columns((~same).cum_sum().alias("run"), same.alias("same"))
    still = frame.filter("same")
    if "halted" in kept:
        still = still.filter(~pl.col("halted").fill_null(value=False))
    long = still.filter(pl.len().over("run") >= LEAST_HOURS)
    for own in long.partition_by(name, maintain_order=True):
        yield str(own[name][0]), own


def _open_rows(
    raw: Raw, book: Rulebook, table: Table, name: str, column: str, still: pl.DataFrame
) -> pl.DataFrame:
    ns = still["time"].dt.epoch("ms").to_numpy().astype(np.int64) * 1_000_000
    if table is TOKENS:
        is_open = _token_open(raw, book, name, ns)
    else:
        cash = column == "external_px" and not _extended(raw, name)
        is_open = _perp_open(raw, book, name, ns, cash=cash, outside=column == "external_px")
    still = still.filter(pl.Series(is_open))
    return still.filter(pl.len().over("run") >= LEAST_HOURS)


def _token_open(raw: Raw, book: Rulebook, name: str, ns: I64) -> B8:
    meta = raw.about.tokens[name]
    if meta.kind not in MOVING or meta.issuer not in book.names("issuer"):
        return np.zeros(len(ns), np.bool_)
    session = book.issuer(meta.issuer).find("quote_session", int(ns[-1]))
    if session is None or not session.known:
        return np.zeros(len(ns), np.bool_)
    try:
        return open_at(ns, str(session.value))
    except DataError:  # outside the calendars nothing is known to be open
        return np.zeros(len(ns), np.bool_)


def _extended(raw: Raw, coin: str) -> bool:
    """Whether the price outside the chain moves before and after the cash session too."""
    own = raw.of(PERPS.name, coin).select("time", "external_px")
    ns = own["time"].dt.epoch("ms").to_numpy().astype(np.int64) * 1_000_000
    try:
        phase = session_hours(ns, "us_24_5").phase
    except DataError:
        return False
    moved = (own["external_px"] != own["external_px"].shift(1)).fill_null(value=False).to_numpy()
    there = phase == Phase.EXTENDED
    return bool(there.any() and moved[there].mean() >= _MOVES)


def _perp_open(raw: Raw, book: Rulebook, name: str, ns: I64, *, cash: bool, outside: bool) -> B8:
    session = session_of(raw, book, name, int(ns[-1]))
    if outside and session in {"24/7", "none"}:
        session = "us_24_5"
    try:
        phase = session_hours(ns, session).phase
    except DataError:
        return np.zeros(len(ns), np.bool_)
    if cash:
        return np.asarray(phase == Phase.CASH)
    # Without a market outside the perp trades on its own, at all hours.
    return np.asarray(phase != Phase.CLOSED) | (session == "none")


def session_of(raw: Raw, book: Rulebook, coin: str, ns: int) -> str:
    """When a coin has an external price, by the dataset's own word or its venue's; else 24/7."""
    meta = raw.about.perps[coin]
    told = meta.terms.get("external_session")
    if told is None and meta.venue in book.names("venue"):
        value = book.venue(meta.venue).find("external_session", ns, coin)
        told = value.value if value is not None and value.known else None
    return str(told) if told in EXTERNAL_SESSIONS else "24/7"


def _told(raw: Raw, table: Table, name: str, stood: list[tuple[str, pl.DataFrame]]) -> Found:
    columns = ", ".join(column for column, _ in stood)
    longest = max(int(own["run"].value_counts()["count"].max()) for _, own in stood)  # type: ignore[arg-type]
    bad = pl.concat([own.select(ROW, "time") for _, own in stood]).unique(ROW).sort("time")
    say = (
        f"{columns} {'stand' if len(stood) > 1 else 'stands'} still in {rows(bad.height)} while "
        f"the market is open, first {moment(first_ms(bad))}, up to {rows(longest, 'hour')} on "
        "end; --fix leaves them, as the price may have stood: fetch these hours again"
    )
    place = Place(table.name, name, bad)
    # For the later checks: when the price moved within these hours is not known.
    edits = [blank(table.name, column, own, NAME, sure=False) for column, own in stood]
    return found(raw, NAME, place, say, *edits, severity=Severity.WARNING)
