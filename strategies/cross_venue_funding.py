"""One underlying on two venues: long where funding is lower, short where it charges longs more.

Both legs have the same units: of the price only the gap between the marks is left. Each leg lives
on its own margin account; sizes are bounded by what is free in each, and cut where one runs out.
"""

from perpkit.strategy import equity_usd, field, hysteresis, lots, rule, trailing_apr


class Params:
    lookback_hours: int = field(168, ge=1, le=2_000, unit="h", help="hours of funding averaged")
    enter_apr: float = field(0.10, ge=-10, le=10, help="difference of funding that opens a pair")
    exit_apr: float = field(-0.10, ge=-10, le=10, help="difference below which it is closed")
    max_gap_frac: float = field(0.01, ge=0, le=1, help="gap of the two marks that is waited out")
    pair_frac: float = field(0.15, ge=0.001, le=10, help="notional of a leg, fraction of equity")
    max_gross_frac: float = field(1.5, ge=0.1, le=50, help="most of an account, times its free USD")
    trim_gross_frac: float = field(4.0, ge=0.1, le=100, help="the same, from which pairs are cut")
    patience_hours: int = field(3, ge=1, le=1_000, unit="h", help="hours a leg may stand alone")


class Memory:
    on: bool  # on the first coin of a pair, in the order of the run: a pair is wanted
    mate: int  # the second coin
    side: float  # of the first coin: 1 long, -1 short
    uneven_hours: int  # for how long the legs have not been equal
    wanted: float  # on both coins: units of the leg, 0 in no pair


@rule
def notional_usd(book, mine, a):
    """Sum of the legs of an account at their marks; one that waits for its fill counts whole."""
    gross = 0.0
    for m in range(len(book.perps)):
        units = max(abs(book.perps[m].position), mine[m].wanted)
        if book.perps[m].account == a and units > 0.0:
            gross += units * book.perps[m].mark_px
    return gross


@rule
def keep_frac(book, mine, a, p):
    """Share of its positions that an account keeps: less than 1 where its margin runs out."""
    gross, free = notional_usd(book, mine, a), max(book.accounts[a].free_usd, 0.0)
    return p.max_gross_frac * free / gross if gross > p.trim_gross_frac * free else 1.0


@rule
def hold(target, book, mine, i, units):
    """The first coin on its side, its mate on the other, in lots that both have."""
    j, side = mine[i].mate, mine[i].side
    whole = lots(units, min(book.perps[i].lots_per_unit, book.perps[j].lots_per_unit))
    mine[i].wanted = mine[j].wanted = whole
    target.perps[i] = side * whole
    target.perps[j] = -side * whole


@rule
def near(first, second, p):
    """Whether the marks agree: after a jump one venue may lag, and a trade would pay for it."""
    return abs(first.mark_px - second.mark_px) <= p.max_gap_frac * first.mark_px


@rule
def tend(book, ahead, p, mine, i, target):
    """A pair that is on: close it, cut it, or make its legs equal again."""
    pair, first, second = mine[i], book.perps[i], book.perps[mine[i].mate]
    units = min(abs(first.position), abs(second.position))
    uneven = abs(first.position + second.position) * first.lots_per_unit > 0.5
    pair.uneven_hours = pair.uneven_hours + 1 if uneven else 0
    late = pair.uneven_hours >= p.patience_hours
    keep = min(keep_frac(book, mine, first.account, p), keep_frac(book, mine, second.account, p))
    over = not hysteresis(True, pair.side * ahead, p.enter_apr, p.exit_apr)
    if (over and near(first, second, p)) or (units == 0.0 and (late or not uneven)):
        pair.on = False
        hold(target, book, mine, i, 0.0)
    elif late or (keep < 1.0 and not uneven):
        pair.on = units * keep * first.mark_px > 0.25 * p.pair_frac * equity_usd(book)
        hold(target, book, mine, i, units * keep if pair.on else 0.0)


@rule
def size_usd(book, mine, i, j, p):
    """Notional of a leg: a share of equity, or what the accounts have room for, if it is half."""
    usd = full = p.pair_frac * equity_usd(book)
    for a in (book.perps[i].account, book.perps[j].account):
        usd = min(usd, p.max_gross_frac * book.accounts[a].free_usd - notional_usd(book, mine, a))
    return usd if usd >= 0.5 * full else 0.0


def requires(supply):
    places = set(zip(supply.underlyings, supply.venues, strict=True))
    if len(places) > len(set(supply.underlyings)):
        return ""
    known = set(supply.venues)
    where = f"all are on {supply.venues[0]}" if len(known) == 1 else "none is on two"
    return f"one underlying with perps on two venues, and {where}; add the coins of a second venue"


def decide(t, past, book, p, mine, target):
    if t < p.lookback_hours:
        return
    for i in range(len(book.perps)):
        first, own = book.perps[i], trailing_apr(past, i, p.lookback_hours)
        if mine[i].on:
            ahead = trailing_apr(past, mine[i].mate, p.lookback_hours) - own
            tend(book, ahead, p, mine, i, target)
            continue
        for j in range(i + 1, len(book.perps)):
            second = book.perps[j]
            if second.underlying != first.underlying or second.account == first.account:
                continue
            busy = mine[i].wanted + mine[j].wanted + abs(first.position) + abs(second.position)
            ahead = trailing_apr(past, j, p.lookback_hours) - own
            if busy > 0.0 or first.barred or second.barred or not near(first, second, p):
                continue
            usd = size_usd(book, mine, i, j, p)
            if usd > 0.0 and hysteresis(False, abs(ahead), p.enter_apr, p.exit_apr):
                mine[i].on, mine[i].mate, mine[i].uneven_hours = True, j, 0
                mine[i].side = 1.0 if ahead > 0.0 else -1.0
                hold(target, book, mine, i, usd / first.mark_px)
                break
