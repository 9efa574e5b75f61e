"""What the venue's formula says of settlements that are recorded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from perpkit.arrays import F64, I64, Formula, Records, Settings, Tape, Tokens
from perpkit.market.funding import hours_covered

Loop = Callable[[Tape, Records, Tokens, Settings, int, int], None]


def formula_rates(
    tape: Tape, terms: Records, told: F64, loop: Loop, others: tuple[Tokens, Settings]
) -> F64:
    """Rates by the formula at the recorded settlements of a formed tape, (T, M); NaN elsewhere.

    Parameters
    ----------
    tape : formed; nothing is written to it
    told : (T, M) premium recorded with a settlement, the average over its whole interval
    loop : the market loop
    others : tokens and settings, which the loop asks for and which do not matter here
    """
    hours = len(tape.time_ns)
    recorded = ~np.isnan(tape.funding) & tape.due
    none = np.zeros((hours, 0))
    flags = none.astype(np.bool_)
    shadow = tape._replace(
        external_px=none,
        path=tape.path[:0],
        by_formula=recorded,
        premium=_over_intervals(tape, told, terms["interval_hours"][tape.era]),
        funding=np.full_like(tape.funding, np.nan),
        short_funding=none,
        bid_px=none,
        ask_px=none,
        fair_px=none,
        live=flags,
    )
    with np.errstate(all="ignore"):
        loop(shadow, terms, *others, 0, hours)
    return shadow.funding


def _over_intervals(tape: Tape, told: F64, interval_hours: F64) -> F64:
    """Hourly premiums, with those told at a settlement in every hour that it covers.

    For a strategy this would be the future; here nobody decides on it.
    """
    made = tape.premium.copy()
    rows, coins = np.nonzero(~np.isnan(told))
    places = zip(rows.tolist(), coins.tolist(), strict=True)
    # As the market loop has it: after a change of the interval, the hours since the one before.
    covered = [hours_covered(t, m, tape.due, interval_hours[t, m]) for t, m in places]
    lengths: I64 = np.array(covered, np.int64)
    for back in range(int(lengths.max(initial=0))):
        here = (back < lengths) & (rows >= back)
        made[rows[here] - back, coins[here]] = told[rows[here], coins[here]]
    return made


def has_swaps(terms: Records) -> bool:
    """Whether a coin of the run pays a swap a night in place of funding."""
    return bool((terms["funding_formula"] == Formula.CFD_SWAP).any())
