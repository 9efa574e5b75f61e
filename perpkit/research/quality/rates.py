"""Funding in another unit: 8-hour rates stored as hourly ones, percents stored as fractions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I8, I64
from perpkit.dataset.schema import FUNDING, PERPS
from perpkit.research.findings import Severity
from perpkit.research.history import CORE, intervals
from perpkit.research.quality.raw import ROW, Edit, Found, Raw
from perpkit.research.quality.telling import Place, first_ms, found, moment, rows
from perpkit.research.terms import Era, eras
from perpkit.rulebook import CoinTerms, Rulebook, open_rulebook
from perpkit.units import HOUR_MS, HOURS_PER_YEAR

NAME = "units"
_DIGIT: Final = 0.5e-8  # the coarsest rounding of published rates
_CLEAR: Final = 20.0  # a rate so many roundings from zero shows its unit
_RUN: Final = 6  # rates at so many times the baseline, none at it, show a unit without premiums
_ABSURD_APR: Final = 20.0  # where nothing else is known: 2,000% a year, in the middle of all rows
_KEYS: Final = (
    "interest_8h",
    "clamp_8h",
    "funding_multiplier",
    "cap_1h",
    "interval_hours",
    "funding_formula",
)


class Slip(NamedTuple):
    """A unit that rates and premiums may stand in by mistake."""

    rate_by: float  # the stored rate over the true one
    premium_by: float
    word: str
    do: str


SLIPS: Final = (
    Slip(8.0, 1.0, "8-hour rates stored as rates of one hour", "divides them by 8"),
    Slip(100.0, 1.0, "percents stored as fractions", "divides them by 100"),
    Slip(100.0, 100.0, "percents stored as fractions, premiums too", "divides both by 100"),
    Slip(1.0, 100.0, "premiums in percent stored as fractions", "divides them by 100"),
    Slip(800.0, 1.0, "8-hour rates in percent stored as hourly fractions", "divides them by 800"),
    Slip(0.125, 1.0, "hourly parts of rates stored as rates of 8 hours", "multiplies them by 8"),
    Slip(0.01, 1.0, "rates a hundred times too small", "multiplies them by 100"),
)


def check(raw: Raw, venue: str | None = None, book: Rulebook | None = None) -> Iterator[Found]:
    """Rates that the venue's formula explains in another unit, and not in their own.

    Where a premium stands beside a rate each row tells by itself, to the last decimal. Else rates
    at a multiple of the venue's baseline do, where they come in runs.
    """
    book = open_rulebook() if book is None else book
    for table in (FUNDING, PERPS):
        if not raw.has(table.name, "funding"):
            continue
        frame = raw.tables[table.name].filter(pl.col("funding").is_not_null())
        for own in frame.partition_by("coin", maintain_order=True):
            coin = str(own["coin"][0])
            yield from _of_coin(raw, table.name, _terms(raw, coin, venue), own, book)


def _terms(raw: Raw, coin: str, venue: str | None) -> CoinTerms:
    if raw.described:
        meta = raw.about.perps[coin]
        return CoinTerms(coin, meta.venue, meta.terms)
    prefix, colon, _ = coin.partition(":")
    return CoinTerms(coin, venue or (prefix if colon else CORE), {})


def _of_coin(
    raw: Raw, table: str, terms: CoinTerms, own: pl.DataFrame, book: Rulebook
) -> Iterator[Found]:
    ms = own["time"].cast(pl.Int64).to_numpy().astype(np.int64)
    ns = (ms - ms % HOUR_MS) * 1_000_000
    hours = intervals(ns) if len(ns) > 1 else None
    if hours is None:
        return
    rate = own["funding"].to_numpy()
    premium = np.full(len(ns), np.nan)
    if "premium" in own.columns:
        premium = own["premium"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    code = np.zeros(len(ns), np.int8)  # 0 undecided, 1 right, n + 2: SLIPS[n], -1 none of these
    told = terms.venue in book.names("venue")
    if told:
        for era in eras(terms, _KEYS, ns, book):
            _by_premium(code, era, rate, premium, hours)
        if np.isnan(premium).all():
            for era in eras(terms, _KEYS, ns, book):
                _by_baseline(code, era, rate, hours)
    slipped = _filled(code)
    for n in np.unique(slipped[slipped > 1]).tolist():
        yield _told(raw, table, own, pl.Series(slipped == n), SLIPS[n - 2])
    if not (code > 0).any():
        yield from _absurd(raw, table, own, rate, hours)


def _by_premium(code: I8, era: Era, rate: F64, premium: F64, hours: I64) -> None:
    formula = era.values["funding_formula"]
    if formula is not None and formula.known and formula.value != "premium":
        return
    if [key for key in era.lacking() if key not in {"interval_hours", "funding_formula"}]:
        return
    m, i, c = (era.number(k) for k in ("funding_multiplier", "interest_8h", "clamp_8h"))
    cap = era.number("cap_1h", none=np.inf)

    def formed(p: F64) -> F64:
        made: F64 = np.clip(m * (p + np.clip(i - p, -c, c)) / 8.0 * hours, -cap, cap)
        return made

    room = _DIGIT * (1.0 + m * hours / 8.0)
    rows_ = era.rows & ~np.isnan(premium)
    plain = formed(premium)
    code[rows_ & (np.abs(rate - plain) <= room) & (np.abs(plain) > _CLEAR * room)] = 1
    off = rows_ & (np.abs(rate - plain) > room)
    if not off.any():
        return
    hits: dict[int, B8] = {}
    strange = off.copy()
    for n, slip in enumerate(SLIPS):
        want = formed(premium / slip.premium_by) * slip.rate_by
        size = max(slip.rate_by, 1.0)
        clear = np.abs(want) > _CLEAR * room * size
        fits = off & (np.abs(rate - want) <= room * size)
        hits[n] = fits & clear
        strange &= ~fits
    code[strange] = -1
    # Under other terms than the rulebook's some rows meet a slip by chance, and most meet none.
    if strange.sum() > np.any(list(hits.values()), axis=0).sum():
        return
    # Where the formula is flat a row fits two slips: it has made that of the most others.
    for n in sorted(hits, key=lambda n: -int(hits[n].sum())):
        code[hits[n] & (code == 0)] = n + 2


def _by_baseline(code: I8, era: Era, rate: F64, hours: I64) -> None:
    if [key for key in ("funding_multiplier", "interest_8h") if key in era.lacking()]:
        return
    base = era.number("funding_multiplier") * era.number("interest_8h") / 8.0 * hours
    if not base.any():
        return
    hit = np.zeros(len(rate), np.int8)
    hit[era.rows & (np.abs(rate - base) <= _DIGIT / 10)] = 1
    for n, slip in enumerate(SLIPS):
        if slip.premium_by == 1.0:
            at = era.rows & (hit == 0) & (np.abs(rate - base * slip.rate_by) <= base * 1e-6)
            hit[at] = n + 2
    order = np.flatnonzero(hit)
    if not order.size:
        return
    starts = np.flatnonzero(np.concatenate([[True], np.diff(hit[order]) != 0]))
    for start, stop in zip(starts, np.append(starts[1:], len(order)), strict=True):
        if hit[order[start]] == 1 or stop - start >= _RUN:
            code[order[start:stop]] = hit[order[start]]


def _filled(code: I8) -> I8:
    """Undecided rows between two of one kind are of that kind."""
    known = np.where(code > 0, np.arange(len(code)), -1)
    before = np.maximum.accumulate(known)
    after = np.minimum.accumulate(np.where(code > 0, np.arange(len(code)), len(code))[::-1])[::-1]
    left = np.where(before >= 0, code[np.maximum(before, 0)], 0)
    right = np.where(after < len(code), code[np.minimum(after, len(code) - 1)], 0)
    left, right = np.where(left == 0, right, left), np.where(right == 0, left, right)
    made: I8 = np.where((code == 0) & (left == right), left, code).astype(np.int8)
    return made


def _told(raw: Raw, table: str, own: pl.DataFrame, which: pl.Series, slip: Slip) -> Found:
    bad = own.filter(which)
    edits = []
    for column, by in (("funding", slip.rate_by), ("premium", slip.premium_by)):
        if by != 1.0 and column in own.columns:
            # A quotient of whole numbers keeps the digits that a product with 1/100 would not.
            cell = pl.col(column) / by if by > 1 else pl.col(column) * (1.0 / by)
            cells = bad.filter(pl.col(column).is_not_null()).select(ROW, cell.alias("after"))
            edits.append(Edit(table, column, cells, True, slip.word))
    what = " and ".join(edit.column or "" for edit in edits)
    say = (
        f"{what}: {slip.word}, in {rows(bad.height)}, first {moment(first_ms(bad))}; "
        f"--fix {slip.do}"
    )
    place = Place(table, str(own["coin"][0]), bad)
    return found(raw, NAME, place, say, *edits)


def _absurd(raw: Raw, table: str, own: pl.DataFrame, rate: F64, hours: I64) -> Iterator[Found]:
    apr = np.abs(rate) / hours * HOURS_PER_YEAR
    if float(np.median(apr)) < _ABSURD_APR:
        return
    say = (
        f"the middle one of {rows(own.height)} of funding comes to {np.median(apr):.0%} a year, "
        "as where percents are stored as fractions or 8-hour rates as hourly ones; --fix leaves "
        "them, as no terms of the venue tell which: divide them at the source"
    )
    place = Place(table, str(own["coin"][0]), own)
    yield found(raw, NAME, place, say, severity=Severity.WARNING)
