"""Recorded funding and premiums held against the venue's formula, to the last decimal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64
from perpkit.research.decimals import decimals_of
from perpkit.research.history import Settled
from perpkit.research.terms import SURE, Era, eras
from perpkit.rulebook import CoinTerms, Rulebook

FORMULA: Final = "premium"  # the funding formula that a premium alone decides
_PARTS: Final = ("interest_8h", "clamp_8h", "funding_multiplier", "cap_1h", "interval_hours")
_BINARY: Final = 1e-15  # room for the binary form of published decimals
_IMPACTS: Final = ("oracle_px", "impact_bid_px", "impact_ask_px", "premium")


@dataclass(frozen=True, slots=True)
class Audit:
    """Rows of one coin held against a formula.

    `rows` are all there are, `tested` those that the rulebook has terms for. `worst_error` is the
    largest distance from the formula, `tolerance` what rounding of rate and premium explains at
    the most. Rows that differ are split by whether the terms they were held against are sure
    (verified or documented) or not.
    """

    rows: int
    tested: int
    exact: int
    worst_error: float | None
    worst_ns: int | None
    tolerance: float | None
    first_differing_ns: int | None
    differing_sure: int
    differing_unsure: int
    untested: tuple[tuple[str, int], ...]  # why, and how many rows
    decimals: int
    zeros: int = (
        0  # tested rows in which recorded and formed value are both zero: they tell nothing
    )

    @property
    def exact_frac(self) -> float | None:
        """Share of the tested rows that the formula explains; None where none is tested."""
        return self.exact / self.tested if self.tested else None


@dataclass(slots=True)
class _Held:
    """What is known of each row while the eras are gone through."""

    error: F64
    tolerance: F64
    tested: B8
    sure: B8
    untested: dict[str, int]

    @classmethod
    def of(cls, count: int) -> _Held:
        no = np.zeros(count, np.bool_)
        return cls(np.zeros(count), np.zeros(count), no, no.copy(), {})

    def skip(self, why: str, rows: B8) -> None:
        """Leave rows untested."""
        if count := int(rows.sum()):
            self.untested[why] = self.untested.get(why, 0) + count

    def audit(self, time_ns: I64, decimals: int) -> Audit:
        """Sum up."""
        off = self.tested & (self.error > self.tolerance + _BINARY)
        told = self.tested.any()
        worst = int(np.argmax(np.where(self.tested, self.error, -1.0))) if told else 0
        return Audit(
            rows=len(time_ns),
            tested=int(self.tested.sum()),
            exact=int((self.tested & ~off).sum()),
            worst_error=float(self.error[worst]) if told else None,
            worst_ns=int(time_ns[worst]) if told else None,
            tolerance=float(self.tolerance[worst]) if told else None,
            first_differing_ns=int(time_ns[np.argmax(off)]) if off.any() else None,
            differing_sure=int((off & self.sure).sum()),
            differing_unsure=int((off & ~self.sure).sum()),
            untested=tuple(self.untested.items()),
            decimals=decimals,
        )


def audit_funding(coin: CoinTerms, settled: Settled, book: Rulebook) -> Audit:
    """Hold every settlement against ``clip(m (P + clip(I - P, -c, c)) / 8 * hours, -cap, cap)``.

    Parameters
    ----------
    coin : whose terms hold
    settled : (R,) settlements
    book : the rulebook

    Returns
    -------
    Audit; rate and premium are each rounded to so many decimals d, so a settlement is exact where
    it lies within ``0.5e-d (1 + m hours / 8)`` of the formula

    Raises
    ------
    DataError
        If the rulebook has no such venue.
    """
    decimals = decimals_of(settled.funding, settled.premium)
    held = _Held.of(len(settled.time_ns))
    for era in eras(coin, (*_PARTS, "funding_formula"), settled.time_ns, book):
        _hold_rates(held, era, settled, 0.5 * 10.0**-decimals)
    return held.audit(settled.time_ns, decimals)


def _hold_rates(held: _Held, era: Era, settled: Settled, half: float) -> None:
    rows = era.rows
    formula = era.values["funding_formula"]
    if formula is not None and formula.known and formula.value != FORMULA:
        return held.skip(f"the formula {formula.value} needs more than the premium", rows)
    if lacking := [key for key in era.lacking() if key != "interval_hours"]:
        return held.skip(f"{', '.join(sorted(lacking))} unknown", rows)
    held.skip("without a premium", rows & np.isnan(settled.premium))
    rows = rows & ~np.isnan(settled.premium)
    held.tested |= rows
    held.sure |= rows & (era.confidence((*_PARTS[:4], "funding_formula")) in SURE)
    m, i, c = (era.number(k) for k in ("funding_multiplier", "interest_8h", "clamp_8h"))
    cap = era.number("cap_1h", none=np.inf)
    p, hours = settled.premium[rows], settled.hours[rows]
    rate = np.clip(m * (p + np.clip(i - p, -c, c)) / 8.0 * hours, -cap, cap)
    held.error[rows] = np.abs(rate - settled.funding[rows])
    held.tolerance[rows] = half * (1.0 + m * hours / 8.0)
    return None


def interval_rows(coin: CoinTerms, settled: Settled, book: Rulebook) -> tuple[B8, bool]:
    """Settlements whose stamps show another interval than the rulebook says.

    Returns
    -------
    (R,) bool, and whether the rulebook is sure of its intervals there
    """
    wrong = np.zeros(len(settled.time_ns), np.bool_)
    sure = True
    for era in eras(coin, ("interval_hours",), settled.time_ns, book):
        if era.lacking():
            continue
        other = era.rows & (settled.hours != era.number("interval_hours"))
        wrong |= other
        if other.any():
            sure = sure and era.confidence(("interval_hours",)) in SURE
    return wrong, sure


def audit_premium(coin: CoinTerms, perps: pl.DataFrame, book: Rulebook) -> Audit:
    """Hold recorded premiums against the impact prices and the oracle of their own row.

    Parameters
    ----------
    coin : whose terms hold
    perps : rows of that coin with ``time, oracle_px, impact_bid_px, impact_ask_px, premium``,
        ascending; rows that lack one of them count for nothing
    book : the rulebook

    Returns
    -------
    Audit; a premium that is an average over the hour is not that of one instant and differs

    Raises
    ------
    DataError
        If the rulebook has no such venue.
    """
    whole = perps.drop_nulls(_IMPACTS)
    time_ns = whole["time"].dt.epoch("ms").to_numpy().astype(np.int64) * 1_000_000
    oracle, bid, ask, premium = (whole[name].to_numpy() for name in _IMPACTS)
    decimals = decimals_of(premium)
    held = _Held.of(whole.height)
    held.tolerance[:] = 0.5 * 10.0**-decimals
    zeros = 0
    for era in eras(coin, ("premium",), time_ns, book):
        if era.lacking():
            held.skip("premium unknown", era.rows)
            continue
        if era.word("premium") == "two_sided":
            formed = 0.5 * (bid + ask) / oracle - 1.0
        else:
            formed = (np.maximum(bid - oracle, 0.0) - np.maximum(oracle - ask, 0.0)) / oracle
        held.tested |= era.rows
        held.sure |= era.rows & (era.confidence(("premium",)) in SURE)
        held.error[era.rows] = np.abs(formed - premium)[era.rows]
        zeros += int((era.rows & (formed == 0.0) & (premium == 0.0)).sum())
    return replace(held.audit(time_ns, decimals), zeros=zeros)
