"""How far the first tier of a perp's margin reaches, formed once for all hours of an era.

Nearly every position stays in its first tier. Where that is known from its notional alone an hour
need not look at the others.
"""

from __future__ import annotations

import math

from perpkit.arrays import Perps, Records, Replay, TermsNow
from perpkit.rule import rule

SURELY = 1.0 - 1e-9  # of where two lines meet: below it rounding lets neither pass the other
APART = 1e-3  # of a rate: of rates closer than that it is not known where their lines meet


@rule
def reach_usd(first_frac: float, frac: float, off_usd: float) -> float:
    """Notional up to which a tier asks for no more than the first one does; 0 where unknown."""
    if off_usd >= 0.0 and frac <= first_frac:
        return math.inf
    if off_usd > 0.0 and frac - first_frac > APART * frac:
        return off_usd / (frac - first_frac) * SURELY
    return 0.0


@rule
def first_tier_usd(term: Records) -> float:
    """Notional up to which the first tier is in force, of initial margin and of maintenance."""
    usd = reach_usd(term.initial_frac, term.initial2_frac, term.initial2_off_usd)
    usd = min(usd, reach_usd(term.initial_frac, term.initial3_frac, term.initial3_off_usd))
    first = term.maintenance_frac
    usd = min(usd, reach_usd(first, term.maintenance2_frac, term.maintenance2_off_usd))
    return min(usd, reach_usd(first, term.maintenance3_frac, term.maintenance3_off_usd))


@rule
def lay_tiers(t: int, first: int, tape: Replay, terms: TermsNow, perps: Perps) -> None:
    """Measure the first tiers, in the ``first`` hour played and where the terms change."""
    if t > first and tape.era[t] == tape.era[t - 1]:
        return
    for m in range(perps.tier_usd.shape[0]):
        perps.tier_usd[m] = first_tier_usd(terms[m])
