"""Funding rates from the premium."""

from __future__ import annotations

import math

from perpkit.arrays import Records, Tape, TermsNow
from perpkit.rule import rule


@rule
def clip(value: float, lowest: float, highest: float) -> float:
    """The value, held within two bounds."""
    return min(max(value, lowest), highest)


@rule
def settled_rate(premium: float, term: Records) -> float:
    """Rate of one settlement: what longs pay shorts, as a fraction of notional at the oracle.

    Parameters
    ----------
    premium : average over the interval, 8-hour units
    term : interest_8h, clamp_8h, funding_multiplier, interval_hours, cap_1h

    Notes
    -----
    Hyperliquid documentation, trading/funding and HIP-3 deployer actions:
    ``clip(m (P + clip(I - P, -c, +c)) / 8, -cap, +cap)`` for an hour.
    """
    pull = clip(term.interest_8h - premium, -term.clamp_8h, term.clamp_8h)
    rate_8h = term.funding_multiplier * (premium + pull)
    return clip(rate_8h / 8.0 * term.interval_hours, -term.cap_1h, term.cap_1h)


@rule
def mean_premium(t: int, m: int, tape: Tape, hours: int) -> float:
    """Average of the hourly premiums of the interval that ends at row ``t``, since the listing."""
    total = 0.0
    count = 0
    for row in range(max(t - hours + 1, 0), t + 1):
        if not math.isnan(tape.premium[row, m]):
            total += tape.premium[row, m]
            count += 1
    return total / count if count > 0 else math.nan


@rule
def form_funding(t: int, tape: Tape, terms: TermsNow) -> None:
    """Rates of row ``t`` where one is due and none is recorded; the recorded rate always wins."""
    for m in range(tape.by_formula.shape[1]):
        if tape.by_formula[t, m] and not math.isnan(tape.oracle_px[t, m]):
            hours = int(terms[m].interval_hours)
            tape.funding[t, m] = settled_rate(mean_premium(t, m, tape, hours), terms[m])
