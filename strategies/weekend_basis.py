"""Trade a perp against the last price of its closed market, until that market opens again.

While the market is closed the perp goes on. Where it has run ahead of the last external price it is
shorted against its token, if the token is quoted and the perp is rich against it too; else, with
`fade`, the perp is traded alone, against its move: a bet that the move was too large. Sessions are
those of the underlying's calendar, so a holiday is a weekend like any other.
"""

import math

from perpkit.strategy import field, fill_cost_frac, lots, pair_cost_frac, room_usd, rule

CLOSED, CASH = 0, 2  # past.phase


class Params:
    enter_frac: float = field(
        0.005, ge=0, le=1, help="basis, with the funding to be expected, that is entered"
    )
    gate: bool = field(True, help="and it must pay for the round trip as costs are shown")
    limit_frac: float = field(
        0.045, ge=0, le=1, help="basis from which the venue's bounds may hold it: not entered"
    )
    hedged: bool = field(True, help="short a rich perp against its token where that is quoted")
    fade: bool = field(True, help="else trade the perp alone, against its move")
    exit_at_cash_open: bool = field(
        False, help="leave after the cash open (09:30 New York) and not at the first external price"
    )
    closed_hours: float = field(20.0, ge=1, unit="h", help="shorter closures are left alone")
    least_hours: float = field(3.0, ge=1, unit="h", help="not entered with less to the reopening")
    lookback_hours: int = field(8, ge=1, le=2_000, unit="h", help="funding expected to go on")
    notional_usd: float = field(10_000.0, ge=10, unit="USD", help="size of a position at entry")
    max_gross_frac: float = field(
        0.6, ge=0, le=50, help="largest sum of perp notionals, fraction of equity"
    )


class Memory:
    close_px: float  # the last external price, while the market is closed; else 0
    on: bool  # a position is wanted
    paired: bool  # with the token


@rule
def is_free(book, mine, k):
    """Whether the token hedges nothing else."""
    for n in range(len(book.perps)):
        if mine[n].paired and book.perps[n].token == k:
            return False
    return book.tokens[k].units == 0.0


@rule
def expected_frac(past, m, p, ahead):
    """What a short receives until the exit, if funding goes on as in the last hours."""
    total = past.funding_total[-1, m] - past.funding_total[-1 - p.lookback_hours, m]
    return total / p.lookback_hours * ahead


@rule
def pays(worth, cost_frac, p):
    """Whether what it is worth pays for going in and out."""
    return not p.gate or worth > 2.0 * cost_frac


@rule
def enter(past, book, p, mine, target, m):
    """Enter if the basis is worth it; says whether."""
    perp = book.perps[m]
    k, u = perp.token, perp.underlying
    basis = perp.mark_px / mine[m].close_px - 1.0
    ahead = past.hours_to_cash_open[-1, u] if p.exit_at_cash_open else past.hours_to_reopen[-1, u]
    funding = expected_frac(past, m, p, ahead)
    if not abs(basis) < p.limit_frac or not math.isfinite(funding):
        return False
    units = lots(p.notional_usd / perp.mark_px, perp.lots_per_unit)
    usd = p.notional_usd
    if p.hedged and basis > 0.0 and k >= 0 and past.live[-1, k] and is_free(book, mine, k):
        share = book.tokens[k].multiplier
        ahead_of_token = perp.mark_px * share / past.ask_px[-1, k] - 1.0
        worth = min(basis, ahead_of_token) + funding
        if worth > p.enter_frac and pays(worth, pair_cost_frac(past, book, m, usd), p):
            mine[m].paired = True
            target.perps[m] = -units
            target.tokens[k] = units / share
            return True
    side = -1.0 if basis > 0.0 else 1.0
    worth = abs(basis) - side * funding
    if p.fade and worth > p.enter_frac and pays(worth, fill_cost_frac(past, book, m, usd), p):
        target.perps[m] = side * units
        return True
    return False


def decide(t, past, book, p, mine, target):
    if t < p.lookback_hours:
        return
    room = room_usd(book, mine, p.notional_usd, p.max_gross_frac)
    for m in range(len(book.perps)):
        perp = book.perps[m]
        u = perp.underlying
        mine[m].close_px /= perp.split_factor  # a share of today
        if past.phase[-1, u] != CLOSED:
            mine[m].close_px = 0.0
            if mine[m].on and (past.phase[-1, u] == CASH or not p.exit_at_cash_open):
                target.perps[m] = 0.0
                if mine[m].paired:
                    target.tokens[perp.token] = 0.0
                mine[m].on = False
                mine[m].paired = False
            continue
        # The row at which the market closes still has the oracle of the hour before.
        if past.phase[-2, u] != CLOSED and past.hours_to_reopen[-1, u] >= p.closed_hours:
            mine[m].close_px = past.oracle_px[-1, m]
        if mine[m].on or not mine[m].close_px > 0.0 or perp.barred or room < p.notional_usd:
            continue
        if past.hours_to_reopen[-1, u] < p.least_hours or not perp.mark_px > 0.0:
            continue
        if enter(past, book, p, mine, target, m):
            mine[m].on = True
            room -= p.notional_usd
