"""Hold the token and short its perp while trailing funding pays for what that costs.

The token leg and the perp leg are equal in units of the share, so what is left is the funding that
longs pay, less what entering and leaving costs. Entry and exit use two rates, so that a rate that
flickers around one of them does not trade every hour. No pair is opened whose funding, at the rate
of the last hours, would not pay for its round trip, and for a dividend that it loses on, in the
time it is meant to be held; none within hours of a report; none larger than the market takes.
"""

import math

from perpkit.strategy import field, lots, pair_cost_frac, room_usd, rule, trailing_apr

LEAST = 0.25  # of notional_usd: a smaller pair is not worth its place in the gross limit


class Params:
    lookback_hours: int = field(72, ge=1, le=2_000, unit="h", help="hours of funding averaged")
    enter_apr: float = field(0.08, ge=-10, le=10, help="average funding that opens a pair")
    exit_apr: float = field(0.0, ge=-10, le=10, help="average funding that closes it")
    rebalance_frac: float = field(
        0.05, ge=0, le=1, help="hedge error, fraction of the token leg, that is traded away"
    )
    notional_usd: float = field(10_000.0, ge=10, unit="USD", help="size of a pair at entry")
    max_gross_frac: float = field(
        0.6, ge=0, le=50, help="largest sum of perp notionals, fraction of equity"
    )
    capacity_frac: float = field(
        0.5, ge=0, le=1, help="largest pair, share of what an hour takes of either leg"
    )
    gate: bool = field(True, help="funding must pay for costs as they are shown")
    extra_cost_frac: float = field(
        0.0, ge=0, le=1, help="what it must pay beside them, fraction of a pair"
    )
    hold_hours: int = field(720, ge=1, unit="h", help="time in which funding must pay for that")
    dividend_hours: int = field(
        72, ge=0, unit="h", help="before a dividend that costs a pair more than leaving: it leaves"
    )
    earnings_hours: int = field(
        24,
        ge=0,
        unit="h",
        help="before a report in which no pair is opened; 0: opened all the same",
    )
    leave_before_earnings: bool = field(False, help="close pairs in those hours too")


class Memory:
    on: bool  # a pair is wanted


@rule
def lost_frac(past, perp, m):
    """What the next dividend announced costs a pair; NaN where that is not known.

    What a pair would gain is not counted: others see the date too, and funding comes to it.
    """
    usd = -past.pair_dividend_usd[-1, m]
    return 0.0 if usd < 0.0 else usd / perp.mark_px


@rule
def is_worth(past, book, p, m, apr, usd):
    """Whether funding at this rate pays for what a pair is shown to cost, in time."""
    perp, hourly = book.perps[m], apr / 8760.0
    if not p.gate:
        return True
    cost = 2.0 * pair_cost_frac(past, book, m, usd) + p.extra_cost_frac
    ahead = past.hours_to_ex_dividend[-1, perp.underlying]
    if ahead <= p.hold_hours:
        lost = lost_frac(past, perp, m)
        cost += lost
        if lost != 0.0 and not hourly * ahead > lost:
            return False  # not known, or better opened after it
    return hourly * p.hold_hours > cost


@rule
def is_early(past, perp, p):
    """Whether a report is announced for the hours in which no pair is opened."""
    return past.hours_to_earnings[-1, perp.underlying] < p.earnings_hours


@rule
def steps_aside(past, book, p, m, apr, usd):
    """Whether a pair is to be closed before what comes, and opened again after it at most."""
    perp = book.perps[m]
    if p.leave_before_earnings and is_early(past, perp, p):
        return True
    ahead = past.hours_to_ex_dividend[-1, perp.underlying]
    if not p.gate or not ahead <= p.dividend_hours:
        return False
    back = 2.0 * pair_cost_frac(past, book, m, usd) + apr * ahead / 8760.0
    return lost_frac(past, perp, m) > back


@rule
def size_usd(book, p, m):
    """Size of a pair: as told, or a share of what an hour takes of the smaller leg; else 0."""
    perp = book.perps[m]
    takes = min(perp.liquidity_usd, book.tokens[perp.token].liquidity_usd)
    usd = p.notional_usd if math.isinf(takes) else min(p.notional_usd, p.capacity_frac * takes)
    return usd if usd >= LEAST * p.notional_usd else 0.0


@rule
def tend(past, book, p, mine, target, m, apr):
    """A pair that is on: close it, or let the perp follow its token."""
    perp, token = book.perps[m], book.tokens[book.perps[m].token]
    held = (token.units - token.pending) * token.multiplier
    open_now = past.live[-1, perp.token] or token.liquidity_usd > 0.0
    lost = held > 0.0 and perp.position == 0.0  # liquidated, or never filled
    over = apr < p.exit_apr
    if not over and open_now:
        over = lost or (held > 0.0 and steps_aside(past, book, p, m, apr, held * perp.mark_px))
    if over:
        mine[m].on = False
        target.perps[m] = 0.0
        target.tokens[perp.token] = 0.0
    elif abs(held + perp.position) > p.rebalance_frac * held:
        target.perps[m] = -lots(held, perp.lots_per_unit)


def decide(t, past, book, p, mine, target):
    if t < p.lookback_hours:
        return
    room = room_usd(book, mine, p.notional_usd, p.max_gross_frac)
    for m in range(len(book.perps)):
        perp = book.perps[m]
        k = perp.token
        if k < 0:
            continue
        apr = trailing_apr(past, m, p.lookback_hours)
        if mine[m].on:
            tend(past, book, p, mine, target, m, apr)
        elif apr > p.enter_apr and room >= p.notional_usd and perp.mark_px > 0.0:
            usd = size_usd(book, p, m)
            if usd == 0.0 or perp.barred or is_early(past, perp, p):
                continue
            if is_worth(past, book, p, m, apr, usd):
                units = lots(usd / perp.mark_px, perp.lots_per_unit)
                mine[m].on = True
                room -= p.notional_usd
                target.perps[m] = -units
                target.tokens[k] = units / book.tokens[k].multiplier
