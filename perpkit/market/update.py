"""One update of the relayer: oracle, mark, premium."""

from __future__ import annotations

import math

from perpkit.arrays import Closed, Records
from perpkit.market.bounds import anchor, reanchor
from perpkit.market.premium import premium_of
from perpkit.market.steps import within_step
from perpkit.rule import rule

EWMA = int(Closed.EWMA)
BLEND = int(Closed.BLEND)
OWN_MARK = int(Closed.OWN_MARK)


@rule
def middle(one: float, two: float, three: float) -> float:
    """The median of three."""
    return max(min(one, two), min(max(one, two), three))


@rule
def ewma_gain(seconds: float, tau_hours: float, cap_frac: float) -> float:
    """Share of a gap that one step of an exponential average closes.

    Parameters
    ----------
    seconds : since the step before
    tau_hours : time constant
    cap_frac : longest time that one step counts, as a share of the time constant; NaN for any
    """
    tau_seconds = 3600.0 * tau_hours
    if cap_frac > 0.0:
        seconds = min(seconds, cap_frac * tau_seconds)
    return -math.expm1(-seconds / tau_seconds)


@rule
def impact_difference(oracle_px: float, bid_px: float, ask_px: float) -> float:
    """How far the impact prices lie beyond the oracle, USD; a missing side (NaN) adds nothing.

    trade.xyz documentation, perp-mechanics/oracle-price:
    ``max(bid - S, 0) - max(S - ask, 0)``.
    """
    if bid_px > oracle_px:
        return bid_px - oracle_px
    if ask_px < oracle_px:
        return ask_px - oracle_px
    return 0.0


@rule
def oracle_target(path: Records, term: Records) -> float:
    """Where the oracle would go without limits."""
    px = path.oracle_px
    if path.open == 1:
        return float(path.external_px)
    if term.oracle_closed == EWMA:
        return float(px + path.gain * impact_difference(px, path.pull_bid_px, path.pull_ask_px))
    if term.oracle_closed == OWN_MARK:
        return float(px + path.gain * (path.mark_px - px))
    if term.oracle_closed == BLEND:
        path.external_weight *= path.decay
        impact_px = 0.5 * (path.pull_bid_px + path.pull_ask_px)
        if not math.isnan(impact_px):
            path.internal_px += path.gain * (impact_px - path.internal_px)
        share = path.external_weight
        return float(share * path.external_px + (1.0 - share) * path.internal_px)
    return float(path.external_px)


@rule
def move_oracle(path: Records, term: Records) -> None:
    """The oracle of one update, within bounds and the relayer's limit.

    Priced by its own book it steps from itself, whatever the base is with an external price.
    """
    target = min(max(oracle_target(path, term), path.lowest_px), path.highest_px)
    base = path.oracle_px
    if term.step_on_mark == 1.0 and path.open == 1:
        base = path.mark_px
    path.oracle_px = within_step(target, base, term.step_frac)
    path.free = 1 if path.oracle_px == target else 0
    if path.open == 0:
        reanchor(path, term)


@rule
def supplied_mark(path: Records, term: Records) -> float:
    """The second mark a relayer supplies: oracle + the EMA of mid - oracle, within its limit.

    Hyperliquid documentation, trading/robust-price-indices, for the recursion of the EMA;
    trade.xyz documentation, perp-mechanics/mark-price.
    """
    path.basis_sum = path.basis_sum * path.keep + (path.mid_px - path.oracle_px) * path.seconds
    path.basis_weight = path.basis_weight * path.keep + path.seconds
    target = path.oracle_px + path.basis_sum / path.basis_weight
    target = min(max(target, path.lowest_px), path.highest_px)
    supplied = target
    if path.supplied_px > 0.0:
        supplied = within_step(target, path.supplied_px, term.step_frac)
    if supplied != target:
        path.free = 0
    path.supplied_px = supplied
    return float(supplied)


@rule
def move_mark(path: Records, term: Records) -> None:
    """The mark of one update; without a book it is the oracle.

    Hyperliquid documentation, HIP-3 deployer actions: the median of the supplied marks and the
    local one, at most 1% from the mark before. The book's mid stands for the local mark, which
    also knows the last trade.
    """
    if math.isnan(path.mid_px):
        path.basis_sum *= path.keep  # time passes for the average without a sample
        path.basis_weight *= path.keep
        path.supplied_px = path.oracle_px
        path.mark_px = path.oracle_px
        return
    target = path.mid_px
    if term.median_mark == 1.0:
        target = middle(path.oracle_px, supplied_mark(path, term), path.mid_px)
    target = min(max(target, path.lowest_px), path.highest_px)
    if path.mark_px > 0.0:
        path.mark_px = within_step(target, path.mark_px, path.mark_step)
    else:
        path.mark_px = target
    if path.mark_px != target:
        path.free = 0


@rule
def update(path: Records, term: Records) -> None:
    """One update of oracle and mark, and the hour's tally of it."""
    move_oracle(path, term)
    move_mark(path, term)
    oracle, mark = path.oracle_px, path.mark_px
    path.premiums += premium_of(oracle, mark, path.bid_px, path.ask_px, term.two_sided)
    path.high_px = max(path.high_px, mark)
    path.low_px = min(path.low_px, mark)


@rule
def turn(path: Records, term: Records, is_open: bool, external_px: float) -> None:
    """Begin a stretch with or without an external price.

    With one, it is the reference and no reset is used. The internal price starts from the last.
    """
    closing = path.open == 1 and not is_open
    path.open = 1 if is_open else 0
    if is_open:
        path.external_px = external_px
        path.resets_up = 0
        path.resets_down = 0
        anchor(path, term, external_px)
    elif closing:
        path.internal_px = path.external_px
        path.external_weight = 1.0
        anchor(path, term, path.reference_px)
