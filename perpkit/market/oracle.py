"""Oracle and mark within the step limit of plain terms."""

from __future__ import annotations

import math

from perpkit.arrays import Closed, Records, Session
from perpkit.market.premium import hour_premium, premium_of
from perpkit.market.steps import within_steps
from perpkit.rule import rule

ALWAYS = int(Session.ALWAYS)
EXTERNAL = int(Closed.EXTERNAL)


@rule
def is_solved(term: Records) -> bool:
    """Whether the venue forms its prices by more than the plain step limits."""
    follows_itself = term.oracle_closed != EXTERNAL and term.external_session != ALWAYS
    return bool(follows_itself or term.median_mark == 1.0 or term.bound_frac > 0.0)


@rule
def hold_mid(path: Records) -> None:
    """Mid of the perp's own book: recorded, else between the impact prices, else NaN."""
    if math.isnan(path.mid_px):
        path.mid_px = 0.5 * (path.bid_px + path.ask_px)


@rule
def hold_pull(path: Records) -> None:
    """The prices that draw an internal oracle: the impact prices, the mid where neither is known.

    One that is missing alone is a side with too little depth, and draws nothing.
    """
    path.pull_bid_px = path.bid_px
    path.pull_ask_px = path.ask_px
    if math.isnan(path.bid_px) and math.isnan(path.ask_px):
        path.pull_bid_px = path.mid_px
        path.pull_ask_px = path.mid_px


@rule
def mark_held(path: Records) -> None:
    """Note whether a step limit held the oracle away from the external price there is."""
    away = path.oracle_px != path.told_px and not math.isnan(path.told_px)
    path.held = 1 if away and path.open == 1 else 0


@rule
def forget(path: Records) -> None:
    """Keep of an hour under plain terms what terms that are solved could go on from.

    The bounds' reference is the external price, as in any hour that has one; no reset is used, and
    neither the second mark nor the average basis goes back to before.
    """
    if not math.isnan(path.told_px):
        path.reference_px = path.told_px
    path.resets_up = 0
    path.resets_down = 0
    path.supplied_px = 0.0
    path.basis_sum = 0.0
    path.basis_weight = 0.0


@rule
def form_price(path: Records, term: Records) -> None:
    """Oracle, mark and premium of one coin's hour under plain terms.

    The oracle follows the external price and the mark follows the book's mid, each within the step
    limit of its base; without a book the mark is the oracle. The first price of a coin is free.
    """
    hold_mid(path)
    forget(path)
    mid = path.mid_px
    path.open = 1
    path.external_px = path.told_px
    oracle = path.told_px
    mark = mid
    first = math.isnan(path.oracle_px)
    if not first:
        base = path.mark_px if term.step_on_mark == 1.0 else path.oracle_px
        oracle = within_steps(path.told_px, base, term.step_frac, term.updates_per_hour)
        mark = within_steps(mid, path.mark_px, term.step_frac, term.updates_per_hour)
    if math.isnan(mid):
        mark = oracle
    if first or term.updates_per_hour == 1.0:
        bid, ask = path.bid_px, path.ask_px
        path.premiums = premium_of(oracle, mark, bid, ask, term.two_sided)
    else:
        path.premiums = hour_premium(path, term)
    path.oracle_px = oracle
    path.mark_px = mark
    path.high_px = math.nan  # the marks at both ends of the hour are its extremes
    path.low_px = math.nan
    mark_held(path)
