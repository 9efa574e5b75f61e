"""Short the perp and long its token while trailing funding pays."""

from perpkit.strategy import close_pair, field, hysteresis, lots, open_pair, trailing_apr


class Params:
    lookback_hours: int = field(24, ge=1, le=500, unit="h")
    enter_apr: float = field(0.05, ge=-1, le=1)
    exit_apr: float = field(0.0, ge=-1, le=1)
    notional_usd: float = field(5_000.0, ge=10, unit="USD")


class Memory:
    on: bool


def decide(t, past, book, p, mine, target):
    for m in range(len(book.perps)):
        perp = book.perps[m]
        if perp.token < 0 or not perp.mark_px > 0.0:
            continue
        apr = trailing_apr(past, m, p.lookback_hours)
        on = hysteresis(mine[m].on, apr, p.enter_apr, p.exit_apr)
        if on and not mine[m].on:
            units = lots(p.notional_usd / perp.mark_px, perp.lots_per_unit)
            open_pair(target, book, m, units)
        elif mine[m].on and not on:
            close_pair(target, book, m)
        mine[m].on = on
