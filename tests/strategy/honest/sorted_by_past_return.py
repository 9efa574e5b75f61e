"""Short what rose most over the last day, long what fell most."""

from perpkit.strategy import field, lots


class Params:
    hours: int = field(24, ge=1, le=200, unit="h")
    notional_usd: float = field(2_000.0, ge=10, le=1e6, unit="USD")


def decide(t, past, book, p, mine, target):
    if t < p.hours or t % 24:
        return
    best, worst = -1, -1
    most, least = -10.0, 10.0
    for m in range(len(book.perps)):
        gain = past.mark_px[-1, m] / past.mark_px[-1 - p.hours, m] - 1.0
        if gain > most:
            most, best = gain, m
        if gain < least:
            least, worst = gain, m
    for m in range(len(book.perps)):
        size = 0.0
        if m == best:
            size = -p.notional_usd
        elif m == worst:
            size = p.notional_usd
        if book.perps[m].mark_px > 0.0:
            units = size / book.perps[m].mark_px
            target.perps[m] = lots(units, book.perps[m].lots_per_unit)
