"""Funding rates by a venue's formula."""

from __future__ import annotations

import math

from perpkit.arrays import B8, F64, Formula, Records
from perpkit.market.steps import clip
from perpkit.rule import rule

VENTUALS = int(Formula.VENTUALS)
CFD_SWAP = int(Formula.CFD_SWAP)

LONGEST_HOURS = 24  # the longest interval between two settlements
LARGEST_POWER = 100.0  # of 400: far beyond any cap, and within what a float holds


@rule
def rate_over(premium: float, multiplier: float, hours: float, term: Records) -> float:
    """Rate of a settlement that covers so many hours: what longs pay shorts, share of notional.

    Parameters
    ----------
    premium : average over those hours, 8-hour units
    multiplier : factor on the 8-hour rate
    term : interest_8h, clamp_8h, cap_1h

    Notes
    -----
    Hyperliquid documentation, trading/funding and HIP-3 deployer actions:
    ``clip(m (P + clip(I - P, -c, +c)) / 8, -cap, +cap)`` for an hour.
    """
    pull = clip(term.interest_8h - premium, -term.clamp_8h, term.clamp_8h)
    rate_8h = multiplier * (premium + pull)
    return clip(rate_8h / 8.0 * hours, -term.cap_1h, term.cap_1h)


@rule
def settled_rate(premium: float, term: Records) -> float:
    """Rate of one whole interval from its average premium; see :func:`rate_over`."""
    return rate_over(premium, term.funding_multiplier, term.interval_hours, term)


@rule
def growing_multiplier(mark_px: float, oracle_px: float, term: Records) -> float:
    """Multiplier that grows with the gap of mark and oracle, 400-fold at the full gap.

    Ventuals documentation, trading/funding-rate: ``m 400^(R^6)``,
    ``R = |mark / oracle - 1| / gap``, so 0.005 at no gap and 2 at one of 19%.
    """
    gap = abs(mark_px / oracle_px - 1.0) / term.funding_gap_frac
    power = min(gap**6.0, LARGEST_POWER)
    return float(term.funding_multiplier * 400.0**power)


@rule
def hours_covered(t: int, m: int, due: B8, interval_hours: float) -> int:
    """Hours since the settlement before row ``t``; a whole interval where there was none.

    After a change of the interval the first settlement covers what has passed since the last.
    """
    for hours in range(1, LONGEST_HOURS + 1):
        if t - hours < 0:
            break
        if due[t - hours, m]:
            return hours
    return int(interval_hours)


@rule
def mean_premium(t: int, m: int, premium: F64, hours: int) -> float:
    """Average of the hourly premiums of the hours that end at row ``t``, since the listing."""
    total = 0.0
    count = 0
    for row in range(max(t - hours + 1, 0), t + 1):
        if not math.isnan(premium[row, m]):
            total += premium[row, m]
            count += 1
    return total / count if count > 0 else math.nan


@rule
def formula_rate(
    premium: float, hours: int, oracle_px: float, mark_px: float, term: Records
) -> float:
    """Rate by the venue's formula for a settlement that covers so many hours.

    NaN before the first price. A contract for difference has no premium: each night longs and
    shorts pay rates of their own, this is the longs'.
    """
    if math.isnan(oracle_px):
        return math.nan
    if term.funding_formula == CFD_SWAP:
        return float(term.swap_long_1d * hours / 24.0)
    multiplier = term.funding_multiplier
    if term.funding_formula == VENTUALS:
        multiplier = growing_multiplier(mark_px, oracle_px, term)
    return rate_over(premium, multiplier, float(hours), term)


@rule
def short_rate(rate: float, hours: int, term: Records) -> float:
    """The rate that a short receives: the longs' but for the swap of a contract for difference."""
    if term.funding_formula == CFD_SWAP and not math.isnan(rate):
        return float(-term.swap_short_1d * hours / 24.0)
    return rate
