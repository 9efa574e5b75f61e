"""Many updates at once, where nothing but the passing of time happens in them.

With the book of the hour held, oracle and basis EMA are sums of powers, see the record PATH. A
piece ends where that ceases to hold: at a trigger or a limit, and where the mark could have an
extreme inside it. What lies between two pieces is done update by update.
"""

from __future__ import annotations

import math

from perpkit.arrays import Closed, Records
from perpkit.market.bounds import lower_trigger, upper_trigger
from perpkit.market.steps import within_step
from perpkit.market.update import middle
from perpkit.rule import rule

EWMA = int(Closed.EWMA)
FROZEN = int(Closed.FROZEN)

STEADY = 1e-12  # how near its limit the EMA's sum of weights must be to count as there
SERIES = 0.5  # largest share of its resting price that the oracle may be away for the series
SMALL = 1e-17
APART = 1e-7  # least difference of the two decays: a sum of two powers needs two


@rule
def resting_px(path: Records, term: Records) -> float:
    """Where the oracle is on its way to; NaN where its course is no power."""
    px = path.oracle_px
    if path.open == 1:
        # The mark, where it is the base of the next step, stays between oracle and mid.
        by_mark = term.step_on_mark == 1.0 and not math.isnan(path.mid_px)
        if by_mark and within_step(px, path.mid_px, term.step_frac) != px:
            px = math.nan
    elif term.oracle_closed == EWMA:
        if path.pull_bid_px > px and px < path.highest_px:
            px = path.pull_bid_px
        elif path.pull_ask_px < px and px > path.lowest_px:
            px = path.pull_ask_px
    else:
        held = min(max(path.external_px, path.lowest_px), path.highest_px)
        if term.oracle_closed != FROZEN or held != px:
            px = math.nan
    return float(px)


@rule
def set_out(path: Records, term: Records) -> bool:
    """Write the course from here; False where it has none in this form."""
    path.rest_px = resting_px(path, term)
    path.gap_px = path.oracle_px - path.rest_px
    path.swing_px = 0.0
    path.lag_px = 0.0
    moves = path.gap_px != 0.0
    if math.isnan(path.gap_px) or (moves and path.gain == 1.0):
        return False
    if math.isnan(path.mid_px) or term.median_mark != 1.0:
        return True
    steady = path.steady
    if path.keep == 0.0 or abs(path.basis_weight - steady) > STEADY * steady:
        return False
    if moves:
        apart = 1.0 - path.gain - path.keep
        if abs(apart) < APART:
            return False
        path.lag_px = -path.gap_px * (1.0 - path.keep) * (1.0 - path.gain) / apart
    basis = path.basis_sum / path.basis_weight
    path.swing_px = basis - (path.mid_px - path.rest_px) - path.lag_px
    return unlimited(path, term)


@rule
def unlimited(path: Records, term: Records) -> bool:
    """Whether no update of the course can meet a step limit of the marks."""
    second = path.gap_px + path.lag_px
    pace = abs(path.swing_px) * (1.0 - path.keep) + abs(second) * path.gain
    floor = path.mid_px - abs(path.swing_px) - abs(second)
    fastest = max(pace, abs(path.gap_px) * path.gain)
    least = min(floor, min(path.oracle_px, path.rest_px))
    return bool(pace <= term.step_frac * floor and fastest <= path.mark_step * least)


@rule
def before_limit(path: Records, term: Records, left: int) -> int:
    """How many updates the oracle surely stays short of a trigger and of its bounds."""
    upper = upper_trigger(path, term)
    lower = lower_trigger(path, term)
    if path.open == 0 and not lower < path.oracle_px < upper:
        return 0
    limit = path.rest_px
    if path.gap_px < 0.0:
        limit = min(limit, min(upper, path.highest_px))
    elif path.gap_px > 0.0:
        limit = max(limit, max(lower, path.lowest_px))
    if limit == path.rest_px:
        return left
    share = (limit - path.rest_px) / path.gap_px
    # One less than the last short of it: the division may be off by an update, the walk is not.
    return min(left, int(math.log(share) / math.log1p(-path.gain)) - 1)


@rule
def mark_slope(path: Records, kept: float, stayed: float) -> float:
    """Change of oracle + basis EMA in the update after those that left these two shares."""
    second = path.gap_px + path.lag_px
    return float(-path.swing_px * (1.0 - path.keep) * kept - second * path.gain * stayed)


@rule
def basis_at(path: Records, kept: float, stayed: float) -> float:
    """The basis EMA after the updates that left these two shares."""
    return float(path.mid_px - path.rest_px + path.swing_px * kept + path.lag_px * stayed)


@rule
def before_turn(path: Records, updates: int) -> int:
    """Updates until oracle + basis EMA turns round, fewer than these."""
    second = (path.gap_px + path.lag_px) * path.gain
    ratio = -path.swing_px * (1.0 - path.keep) / second
    at = math.log(ratio) / (math.log1p(-path.gain) - math.log(path.keep))
    return min(updates - 1, int(at))


@rule
def before_crossing(path: Records, updates: int) -> int:
    """Updates until the basis EMA changes sign, by halving; it does within them, and once."""
    low = 0
    high = updates
    sign = basis_at(path, 1.0, 1.0)
    while high - low > 1:
        half = (low + high) // 2
        kept = path.keep ** float(half)
        if basis_at(path, kept, (1.0 - path.gain) ** float(half)) * sign > 0.0:
            low = half
        else:
            high = half
    return low


@rule
def has_impact(path: Records) -> bool:
    """Whether both impact prices are there."""
    return not (math.isnan(path.bid_px) or math.isnan(path.ask_px))


@rule
def unturned(path: Records, updates: int, kept: float, stayed: float) -> int:
    """So many of these updates, which leave these shares, that the mark has no extreme inside.

    Oracle and oracle + basis EMA are two of the three prices it is the median of, the third rests.
    While both rise or both fall so does it; while they part or meet it turns at most where they
    cross. Without impact prices the mark enters the premium, which needs to know its side.
    """
    if path.swing_px == 0.0 and path.lag_px == 0.0:
        return updates
    slope = mark_slope(path, 1.0, 1.0)
    if path.gap_px != 0.0 and slope * mark_slope(path, kept, stayed) < 0.0:
        return before_turn(path, updates)
    matters = path.gap_px * slope > 0.0 or not has_impact(path)
    if matters and basis_at(path, 1.0, 1.0) * basis_at(path, kept, stayed) < 0.0:
        return before_crossing(path, updates)
    return updates


@rule
def inverses(path: Records, updates: int, stayed: float) -> float:
    """Sum of 1 / oracle over the updates; NaN where its series is slow.

    1 / (R + g a^k) is a geometric series in g a^k / R, and the sum over k of each term is one too.
    """
    if path.gap_px == 0.0:
        return float(updates / path.rest_px)
    share = -path.gap_px / path.rest_px
    if abs(share) > SERIES:
        return math.nan
    total = float(updates)
    power = 1.0
    one = 1.0
    all_of_them = 1.0
    while abs(power * one) > SMALL:
        power *= share
        one *= 1.0 - path.gain
        all_of_them *= stayed
        total += power * one * (1.0 - all_of_them) / (1.0 - one)
    return float(total / path.rest_px)


@rule
def bookless_premiums(path: Records, term: Records, updates: int, kept: float) -> float:
    """Sum of mark / oracle - 1 over the updates; NaN where it has no closed form.

    The mark of a piece is the oracle, the oracle + basis EMA or the mid throughout.
    """
    oracle = path.oracle_px
    basis = path.mid_px - oracle
    if math.isnan(basis):
        return 0.0
    if path.gap_px != 0.0 or not path.lowest_px <= path.mid_px <= path.highest_px:
        return math.nan
    if term.median_mark != 1.0 or path.swing_px * basis >= 0.0:
        return float(updates * (basis / oracle))
    if (basis + path.swing_px) * basis < 0.0:
        return 0.0
    swings = path.swing_px * path.keep * (1.0 - kept) / (1.0 - path.keep)
    return float((updates * basis + swings) / oracle)


@rule
def premiums_of(path: Records, term: Records, updates: int, kept: float, stayed: float) -> float:
    """Sum of the premiums over the updates; NaN where it has no closed form."""
    if not has_impact(path):
        return bookless_premiums(path, term, updates, kept)
    if term.two_sided == 1.0:
        px = 0.5 * (path.bid_px + path.ask_px)
    elif path.bid_px > path.oracle_px:
        px = path.bid_px
    elif path.ask_px < path.oracle_px:
        px = path.ask_px
    else:
        return 0.0
    return float(px * inverses(path, updates, stayed) - updates)


@rule
def arrive(path: Records, term: Records, kept: float, stayed: float) -> None:
    """Oracle and mark at the end of the piece."""
    path.oracle_px = path.rest_px + path.gap_px * stayed
    if math.isnan(path.mid_px):
        path.basis_sum *= kept
        path.basis_weight *= kept
        path.supplied_px = path.oracle_px
        path.mark_px = path.oracle_px
    elif term.median_mark == 1.0:
        basis = basis_at(path, kept, stayed)
        path.basis_sum = basis * path.basis_weight
        second = min(max(path.oracle_px + basis, path.lowest_px), path.highest_px)
        path.supplied_px = second
        mark = middle(path.oracle_px, second, path.mid_px)
        path.mark_px = min(max(mark, path.lowest_px), path.highest_px)
    path.high_px = max(path.high_px, path.mark_px)
    path.low_px = min(path.low_px, path.mark_px)


@rule
def jump(path: Records, term: Records, left: int) -> int:
    """Do as many of the updates that are left as go at once; how many that were."""
    if path.free == 0 or not set_out(path, term):
        return 0
    updates = before_limit(path, term, left)
    fewer = updates
    kept = 1.0
    stayed = 1.0
    while fewer > 0:
        updates = fewer
        if path.power != updates:
            path.power = updates
            path.kept = path.keep ** float(updates)
            path.stayed = (1.0 - path.gain) ** float(updates)
        kept = path.kept
        stayed = path.stayed
        fewer = unturned(path, updates, kept, stayed)
        if fewer == updates:
            break
    if fewer < 1:
        return 0
    premiums = premiums_of(path, term, updates, kept, stayed)
    if math.isnan(premiums):
        return 0
    path.premiums += premiums
    arrive(path, term, kept, stayed)
    return updates
