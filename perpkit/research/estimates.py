"""From the box that rows leave open to a word on each term: identified, or why it is not."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final, NamedTuple

from perpkit.research.feasible import PER_ONE, Feasible, Rows, Span

TERMS: Final = ("multiplier", "clamp_8h", "interest_8h")
_GRID: Final = {
    "multiplier": Fraction(1, 1_000),
    "clamp_8h": Fraction(1, 10**6),
    "interest_8h": Fraction(1, 10**6),
    "baseline_8h": Fraction(1, 10**6),
}
_FEW: Final = "the rates off the baseline are too few or too near one another"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the rows say of one term: every value that fits lies in [`low`, `high`]."""

    low: float
    high: float
    identified: bool
    simplest: float | None  # the decimal of fewest digits inside; None where not identified
    why: str  # why it is not identified, else ""


class Zones(NamedTuple):
    """Rows at the baseline, below and above it; None where it is not identified."""

    at: int
    below: int
    above: int


def simplest(span: Span) -> Fraction:
    """The decimal of fewest digits in a span; of several the one nearest to its middle.

    >>> simplest(Span(Fraction(2999, 10**7), Fraction(30012, 10**8)))
    Fraction(3, 10000)
    """
    ten = 1
    while True:
        first, last = ceil(span.low * ten), span.high * ten // 1
        if first <= last:
            middle = round((span.low + span.high) * ten / 2)
            return Fraction(min(max(middle, first), last), ten)
        ten *= 10


def zones_of(rows: Rows, found: Feasible) -> Zones | None:
    """Rows by where they lie; None where the baseline is not identified."""
    if found.baseline_8h.width >= _GRID["baseline_8h"]:
        return None
    below = int((rows.y_hi < int(found.baseline_8h.low * PER_ONE)).sum())
    above = int((rows.y_lo > int(found.baseline_8h.high * PER_ONE)).sum())
    return Zones(len(rows.y_lo) - below - above, below, above)


def estimates_of(found: Feasible, zones: Zones | None) -> dict[str, Estimate]:
    """What rows say of each term, and of the product that is their baseline."""
    return {name: _estimate(name, getattr(found, name), _why(name, found, zones)) for name in _GRID}


def _estimate(name: str, span: Span, why: str) -> Estimate:
    narrow = span.width < _GRID[name]
    if name == "multiplier":
        narrow = narrow and span.width * 100 < span.high
    return Estimate(
        low=float(span.low),
        high=float(span.high),
        identified=narrow,
        simplest=float(simplest(span)) if narrow else None,
        why="" if narrow else why,
    )


def _why(name: str, found: Feasible, zones: Zones | None) -> str:
    """Why a term may not be identified."""
    if found.multiplier.low == 0:
        return "every rate is 0 within rounding, as without a multiplier"
    if zones is None:
        return _why_off_baseline(name, found)
    off = zones.below + zones.above
    if not off:
        return "every rate is at the baseline, which shows only multiplier times interest"
    if off == 1:
        return "one rate off the baseline is too little for multiplier and clamp"
    return _FEW


def _why_off_baseline(name: str, found: Feasible) -> str:
    if name in {"multiplier", "clamp_8h"}:
        return _FEW
    if found.clamp_8h.high < _GRID["clamp_8h"]:
        return "the clamp is 0 within rounding, so no rate rests at the interest"
    return "no rate is surely at the baseline, where it shows"


def likeliest(found: Feasible) -> tuple[float, float, float]:
    """Terms in units: the simplest decimals where all are identified, else some that fit."""
    spans = (found.multiplier, found.clamp_8h, found.interest_8h)
    if any(span.width >= _GRID[name] for name, span in zip(TERMS, spans, strict=True)):
        return found.inner
    m, c, i = map(simplest, spans)
    return float(m), float(m * c * PER_ONE), float(m * i * PER_ONE)
