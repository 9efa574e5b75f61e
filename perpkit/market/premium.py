"""The premium of the perp over its oracle, averaged over the hour."""

from __future__ import annotations

import math

from perpkit.arrays import Records
from perpkit.market.steps import within_steps
from perpkit.rule import rule


@rule
def premium_of(
    oracle_px: float, mark_px: float, bid_px: float, ask_px: float, sides: float
) -> float:
    """One premium sample.

    Parameters
    ----------
    oracle_px, mark_px : USD
    bid_px, ask_px : impact prices, USD; NaN where there is no book
    sides : 1 for the impact mid over the oracle (HIP-3), 0 for the one-sided impact difference

    Returns
    -------
    fraction of the oracle, 8-hour units; mark over oracle where there is no book

    Notes
    -----
    Hyperliquid documentation, trading/funding: the core formula has a dead band inside the impact
    spread, the builder-deployed one has none.
    """
    if math.isnan(bid_px) or math.isnan(ask_px):
        return mark_px / oracle_px - 1.0
    if sides == 1.0:
        return 0.5 * (bid_px + ask_px) / oracle_px - 1.0
    return (max(bid_px - oracle_px, 0.0) - max(oracle_px - ask_px, 0.0)) / oracle_px


@rule
def hour_premium(path: Records, term: Records) -> float:
    """Average premium over the updates of an hour under plain terms.

    Oracle and mark start from those of the path; external price and book are held.
    """
    updates = int(term.updates_per_hour)
    external = path.external_px
    mid = path.mid_px
    mark_base = path.mark_px
    base = mark_base if term.step_on_mark == 1.0 else path.oracle_px
    total = 0.0
    for update in range(1, updates + 1):
        oracle = within_steps(external, base, term.step_frac, float(update))
        mark = oracle
        if not math.isnan(mid):
            mark = within_steps(mid, mark_base, term.step_frac, float(update))
        sample = premium_of(oracle, mark, path.bid_px, path.ask_px, term.two_sided)
        if oracle == external and (mark == mid or math.isnan(mid)):
            # Both have arrived: every later update of the hour shows the same premium.
            return (total + sample * (updates - update + 1)) / updates
        total += sample
    return total / updates
