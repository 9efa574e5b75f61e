"""Oracle and mark within the venue's step limit."""

from __future__ import annotations

import math

from perpkit.arrays import Records, Tape, TermsNow
from perpkit.rule import rule


@rule
def within_steps(target_px: float, base_px: float, frac: float, updates: float) -> float:
    """The price nearest to a target that so many limited updates from a base can reach.

    Parameters
    ----------
    target_px, base_px : USD
    frac : largest relative move of one update
    updates : how many updates

    Returns
    -------
    USD, within ``[base (1 - frac)^updates, base (1 + frac)^updates]``
    """
    lowest: float = base_px * (1.0 - frac) ** updates
    highest: float = base_px * (1.0 + frac) ** updates
    return min(max(target_px, lowest), highest)


@rule
def book_mid(t: int, m: int, tape: Tape) -> float:
    """Mid of the perp's own book: recorded, else between the impact prices, else NaN."""
    mid = tape.mid_px[t, m]
    if math.isnan(mid):
        mid = 0.5 * (tape.impact_bid_px[t, m] + tape.impact_ask_px[t, m])
    return float(mid)


@rule
def form_prices(t: int, tape: Tape, terms: TermsNow) -> None:
    """Oracle and mark of row ``t`` where the dataset brings external prices.

    The oracle follows the external price and the mark follows the book's mid, each within the step
    limit of its base; without a book the mark is the oracle. The first price of a coin is free.
    """
    for m in range(tape.external_px.shape[1]):
        form_price(t, m, tape, terms[m])


@rule
def form_price(t: int, m: int, tape: Tape, term: Records) -> None:
    """Oracle and mark of one coin."""
    external = tape.external_px[t, m]
    mid = book_mid(t, m, tape)
    oracle = external
    mark = mid
    if t > 0 and not math.isnan(tape.oracle_px[t - 1, m]):
        last_mark = tape.mark_px[t - 1, m]
        base = last_mark if term.step_on_mark == 1.0 else tape.oracle_px[t - 1, m]
        oracle = within_steps(external, base, term.step_frac, term.updates_per_hour)
        mark = within_steps(mid, last_mark, term.step_frac, term.updates_per_hour)
    tape.oracle_px[t, m] = oracle
    tape.mark_px[t, m] = oracle if math.isnan(mid) else mark
    tape.bound[t, m] = oracle != external and not math.isnan(external)
