"""Hold the token and short its perp while trailing funding pays.

The token leg and the perp leg are equal in units of the share, so what is left is the funding that
longs pay, less what entering and leaving costs. Entry and exit use two rates, so that a rate that
flickers around one of them does not trade every hour; and no pair is opened whose funding, at the
rate of the last hours, would not pay for its round trip in the time it is meant to be held.
"""

from perpkit.strategy import field, lots, room_usd, rule, trailing_apr


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
    cost_frac: float = field(
        0.002, ge=0, le=1, help="cost of a round trip of both legs, fraction of a pair; 0: no gate"
    )
    hold_hours: int = field(720, ge=1, unit="h", help="time in which funding must pay for that")


class Memory:
    on: bool  # a pair is wanted


@rule
def is_worth(apr, p):
    """Whether funding at this rate pays for the round trip within the holding time."""
    return p.cost_frac == 0.0 or apr * p.hold_hours / 8760.0 > p.cost_frac


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
        share = book.tokens[k].multiplier
        held = (book.tokens[k].units - book.tokens[k].pending) * share
        if mine[m].on:
            lost = held > 0.0 and perp.position == 0.0  # liquidated, or never filled
            if apr < p.exit_apr or (lost and past.live[-1, k]):
                mine[m].on = False
                target.perps[m] = 0.0
                target.tokens[k] = 0.0
            elif abs(held + perp.position) > p.rebalance_frac * held:
                target.perps[m] = -lots(held, perp.lots_per_unit)
        elif apr > p.enter_apr and past.live[-1, k] and room >= p.notional_usd:
            if perp.barred or not perp.mark_px > 0.0 or not is_worth(apr, p):
                continue
            units = lots(p.notional_usd / perp.mark_px, perp.lots_per_unit)
            mine[m].on = True
            room -= p.notional_usd
            target.perps[m] = -units
            target.tokens[k] = units / share
