"""The terms of a venue from its settled rates and premiums alone.

For each coin: interest, clamp and multiplier of the funding formula (perpkit.research.feasible), as
intervals that hold every value which fits all rows to their last published decimal. A value is
called identified where its interval is so narrow that it holds one number of the precision that
terms are set in at most: 0.001 for the multiplier (and 1% of it), 0.000001 for clamp and interest,
a hundredth of a basis point. The simplest decimal inside is a suggestion.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np

from perpkit.arrays import B8, I64
from perpkit.research.decimals import MOST, decimals_of, whole
from perpkit.research.estimates import (
    TERMS,
    Estimate,
    estimates_of,
    likeliest,
    simplest,
    zones_of,
)
from perpkit.research.feasible import FREE, PER_ONE, Rows
from perpkit.research.history import History, Settled
from perpkit.research.regimes import Regime, Split, split
from perpkit.units import stamp

_CAPPED: Final = 2  # rows at one largest rate that may be a cap


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms in force over some rows, `baseline_8h` being multiplier times interest."""

    first_ns: int
    last_ns: int
    rows: int
    at_baseline: int | None  # rows at it, below and above; None where it is not identified
    below: int | None
    above: int | None
    multiplier: Estimate
    clamp_8h: Estimate
    interest_8h: Estimate
    baseline_8h: Estimate
    simplest_fit: bool | None  # whether the simplest decimals together fit every row


@dataclass(frozen=True, slots=True)
class Switch:
    """A change of terms: after the settlement `after_ns` and not later than that at `by_ns`."""

    after_ns: int  # the last row that only the old terms fit
    by_ns: int  # the first row that only the new terms fit
    changed: tuple[str, ...]  # terms whose old and new intervals do not meet


@dataclass(frozen=True, slots=True)
class OddRow:
    """A row that no terms fit, and the rate that the terms around it would have settled."""

    time_ns: int
    funding: float
    premium: float
    expected: float | None


@dataclass(frozen=True, slots=True)
class Cap:
    """The cap of a settled rate; where no row stands at it, it is only known to be higher."""

    low: float
    high: float | None
    rows: int


@dataclass(frozen=True, slots=True)
class Inferred:
    """What the settlements of one coin say of its terms.

    `terms` is empty where there is nothing to go by, and `says` tells why.
    """

    coin: str
    rows: int
    unusable: int  # rows without a premium
    decimals: int
    intervals: tuple[tuple[int, int], ...]  # (from, hours)
    terms: tuple[Terms, ...]
    switches: tuple[Switch, ...]
    odd: tuple[OddRow, ...]
    cap: Cap | None
    says: str


def infer(history: History) -> dict[str, Inferred]:
    """Infer the terms of every coin of a history.

    Raises
    ------
    DataError
        If a stamp names no settlement.
    """
    history.refuse_faults()
    return {coin: infer_coin(coin, own) for coin, own in history.settled.items()}


def infer_coin(coin: str, settled: Settled) -> Inferred:
    """Infer the terms of one coin from its settlements.

    Parameters
    ----------
    coin : its name, for the answer
    settled : (R,) settlements; rates and premiums as published, to ten decimals at most
    """
    usable = ~np.isnan(settled.premium)
    own = settled.take(usable)
    made = _Coin(coin, own, int((~usable).sum()))
    if not len(own.time_ns):
        return made.answer("no row has a premium, so there is nothing to go by")
    plain = split(made.rows())
    chosen, capped = plain, np.zeros(len(own.time_ns), np.bool_)
    if plain.cost:
        at_most = made.at_largest()
        if len(np.unique(own.premium[at_most])) >= _CAPPED:
            with_cap = split(made.rows(at_most))
            if with_cap.cost < plain.cost:
                chosen, capped = with_cap, at_most
    if not chosen.complete:
        return made.answer("the rates do not follow the formula: too many rows contradict it")
    return made.answer("", chosen, capped)


class _Coin:
    """Settlements of a coin as exact rows."""

    def __init__(self, coin: str, settled: Settled, unusable: int) -> None:
        self.coin, self.settled, self.unusable = coin, settled, unusable
        self.rate = whole(settled.funding)
        self.premium = whole(settled.premium)
        self.decimals = decimals_of(settled.funding, settled.premium)

    def rows(self, capped: B8 | None = None) -> Rows:
        """Ends of each row; a rate at the cap says only that the formula goes as far."""
        half = 10 ** (MOST - self.decimals)
        factor = 24 // self.settled.hours
        scale = 3 * 2  # PER_ONE is 6e10
        p = scale * self.premium
        y = factor * 2 * self.rate
        y_lo, y_hi = y - factor * half, y + factor * half
        if capped is not None:
            y_hi = np.where(capped & (self.rate > 0), FREE, y_hi)
            y_lo = np.where(capped & (self.rate < 0), -FREE, y_lo)
        return Rows(p - 3 * half, p + 3 * half, y_lo, y_hi)

    def at_largest(self) -> B8:
        """Rows whose rate is the largest of all, either sign."""
        size = np.abs(self.rate)
        found: B8 = (size == size.max()) & (size > 0)
        return found

    def answer(self, says: str, made: Split | None = None, capped: B8 | None = None) -> Inferred:
        """Put what was found into words and numbers."""
        own = self.settled
        terms: list[Terms] = []
        switches: list[Switch] = []
        odd: list[OddRow] = []
        if made is not None:
            rows = self.rows(capped)
            terms = [_terms(rows, own.time_ns, regime) for regime in made.regimes]
            switches = [
                Switch(int(own.time_ns[c.last_old]), int(own.time_ns[c.first_new]), what)
                for c, what in zip(made.changes, _changed(made), strict=True)
            ]
            odd = [self._odd(row, made) for row in made.odd]
        return Inferred(
            coin=self.coin,
            rows=len(own.time_ns),
            unusable=self.unusable,
            decimals=self.decimals,
            intervals=self._intervals(),
            terms=tuple(terms),
            switches=tuple(switches),
            odd=tuple(odd),
            cap=self._cap(made, capped),
            says=says,
        )

    def _intervals(self) -> tuple[tuple[int, int], ...]:
        hours = self.settled.hours
        starts = np.flatnonzero(np.diff(hours, prepend=0) != 0)
        return tuple((int(self.settled.time_ns[n]), int(hours[n])) for n in starts)

    def _odd(self, row: int, made: Split) -> OddRow:
        own = self.settled
        told = float(own.funding[row]), float(own.premium[row])
        near = min(
            (r for r in made.regimes if r.found is not None),
            key=lambda r: _distance(r.rows, row),
            default=None,
        )
        if near is None or near.found is None:
            return OddRow(int(own.time_ns[row]), *told, None)
        m, a, b = likeliest(near.found)
        p = own.premium[row] * PER_ONE
        y = min(m * p + a, max(b, m * p - a)) / PER_ONE
        rate = round(y / 8.0 * float(own.hours[row]), self.decimals)
        return OddRow(int(own.time_ns[row]), *told, rate)

    def _cap(self, made: Split | None, capped: B8 | None) -> Cap | None:
        if made is None or capped is None:
            return None
        half = Fraction(1, 2 * 10**self.decimals)
        largest = Fraction(int(np.abs(self.rate).max()), 10**MOST)
        low = float(max(largest - half, Fraction(0)))
        if not capped.any():
            return Cap(low, None, 0)
        return Cap(low, float(largest + half), int(capped.sum()))


# --------------------------------------------------------------------------- numbers


def holds(rows: Rows, multiplier: Fraction, clamp_8h: Fraction, interest_8h: Fraction) -> B8:
    """Whether each row agrees with terms, exactly: (R,) bool."""
    scale = multiplier.denominator * clamp_8h.denominator * interest_8h.denominator
    m = int(multiplier * scale)
    a, b = (
        int(multiplier * clamp_8h * PER_ONE * scale),
        int(multiplier * interest_8h * PER_ONE * scale),
    )
    ends = []
    for p in (rows.p_lo, rows.p_hi):
        mp = p.astype(object) * m
        ends.append(np.minimum(mp + a, np.maximum(mp - a, b)))
    lowest, highest = ends
    agreed: B8 = (lowest <= rows.y_hi.astype(object) * scale) & (
        highest >= rows.y_lo.astype(object) * scale
    )
    return agreed.astype(np.bool_)


# --------------------------------------------------------------------------- regimes


def _terms(rows: Rows, time_ns: I64, regime: Regime) -> Terms:
    own = regime.rows
    found = regime.found
    if found is None:
        nothing = "no row is surely of these terms"
        anything = Estimate(-1.0, 1.0, identified=False, simplest=None, why=nothing)
        return Terms(0, 0, 0, None, None, None, anything, anything, anything, anything, None)
    mine = rows.take(own)
    zones = zones_of(mine, found)
    estimates = estimates_of(found, zones)
    told = [estimates[name] for name in TERMS]
    fit = None
    if all(e.identified for e in told):
        fit = bool(holds(mine, *(simplest(getattr(found, name)) for name in TERMS)).all())
    at, below, above = zones or (None, None, None)
    return Terms(
        first_ns=int(time_ns[own[0]]),
        last_ns=int(time_ns[own[-1]]),
        rows=len(own),
        at_baseline=at,
        below=below,
        above=above,
        simplest_fit=fit,
        **estimates,
    )


def _changed(made: Split) -> list[tuple[str, ...]]:
    told = []
    for before, after in zip(made.regimes, made.regimes[1:], strict=False):
        names: tuple[str, ...] = ()
        if before.found is not None and after.found is not None:
            names = tuple(
                name
                for name in (*TERMS, "baseline_8h")
                if getattr(before.found, name).high < getattr(after.found, name).low
                or getattr(after.found, name).high < getattr(before.found, name).low
            )
        told.append(names)
    return told


def _distance(rows: I64, row: int) -> int:
    return max(int(rows[0]) - row, row - int(rows[-1]), 0)


def as_dict(found: dict[str, Inferred], history: History) -> dict[str, Any]:
    """What was inferred, ready for JSON; times as text."""
    return {
        "schema": 1,
        "name": history.name,
        "funding_from": history.file,
        "formed": history.formed,
        "coins": {coin: _coin_dict(own) for coin, own in found.items()},
    }


def _coin_dict(own: Inferred) -> dict[str, Any]:
    return {
        "rows": own.rows,
        "rows_without_premium": own.unusable,
        "decimals": own.decimals,
        "intervals": [{"from": stamp(ns), "hours": hours} for ns, hours in own.intervals],
        "regimes": [_terms_dict(terms) for terms in own.terms],
        "changes": [
            {"after": stamp(s.after_ns), "by": stamp(s.by_ns), "changed": list(s.changed)}
            for s in own.switches
        ],
        "odd_rows": [
            {
                "time": stamp(o.time_ns),
                "funding": o.funding,
                "premium": o.premium,
                "expected_funding": o.expected,
            }
            for o in own.odd
        ],
        "cap": None
        if own.cap is None
        else {"low": own.cap.low, "high": own.cap.high, "rows": own.cap.rows},
        "says": own.says,
    }


def _terms_dict(terms: Terms) -> dict[str, Any]:
    names = ("multiplier", "clamp_8h", "interest_8h", "baseline_8h")
    return {
        "from": stamp(terms.first_ns) if terms.rows else None,
        "to": stamp(terms.last_ns) if terms.rows else None,
        "rows": terms.rows,
        "rows_at_baseline": terms.at_baseline,
        "rows_below": terms.below,
        "rows_above": terms.above,
        **{
            name: {
                "low": e.low,
                "high": e.high,
                "identified": e.identified,
                "simplest": e.simplest,
                "why": e.why,
            }
            for name in names
            for e in (getattr(terms, name),)
        },
        "simplest_fit_all_rows": terms.simplest_fit,
    }
