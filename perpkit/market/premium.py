"""The premium of the perp over its oracle, averaged over the hour."""

from __future__ import annotations

import math

from perpkit.arrays import Records, Tape, TermsNow
from perpkit.market.oracle import book_mid, within_steps
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
def form_premiums(t: int, tape: Tape, terms: TermsNow) -> None:
    """Hour-average premium of row ``t`` where none is recorded and the run forms it."""
    formed = tape.external_px.shape[1] > 0
    for m in range(max(tape.external_px.shape[1], tape.by_formula.shape[1])):
        if math.isnan(tape.premium[t, m]):
            if formed:
                tape.premium[t, m] = hour_premium(t, m, tape, terms[m])
            else:
                tape.premium[t, m] = premium_at(t, m, tape, terms[m])


@rule
def premium_at(t: int, m: int, tape: Tape, term: Records) -> float:
    """Premium of the prices of row ``t`` as they stand."""
    bid = tape.impact_bid_px[t, m]
    ask = tape.impact_ask_px[t, m]
    return premium_of(tape.oracle_px[t, m], tape.mark_px[t, m], bid, ask, term.two_sided)


@rule
def hour_premium(t: int, m: int, tape: Tape, term: Records) -> float:
    """Average premium over the updates of ``(t - 1, t]``, external and book of row ``t`` held."""
    updates = int(term.updates_per_hour)
    if t == 0 or math.isnan(tape.oracle_px[t - 1, m]) or updates == 1:
        return premium_at(t, m, tape, term)
    external = tape.external_px[t, m]
    mid = book_mid(t, m, tape)
    mark_base = tape.mark_px[t - 1, m]
    base = mark_base if term.step_on_mark == 1.0 else tape.oracle_px[t - 1, m]
    bid = tape.impact_bid_px[t, m]
    ask = tape.impact_ask_px[t, m]
    total = 0.0
    for update in range(1, updates + 1):
        oracle = within_steps(external, base, term.step_frac, float(update))
        mark = oracle
        if not math.isnan(mid):
            mark = within_steps(mid, mark_base, term.step_frac, float(update))
        sample = premium_of(oracle, mark, bid, ask, term.two_sided)
        if oracle == external and (mark == mid or math.isnan(mid)):
            # Both have arrived: every later update of the hour shows the same premium.
            return (total + sample * (updates - update + 1)) / updates
        total += sample
    return total / updates
