"""In for some hours, out for as many, counted in memory."""

from perpkit.strategy import field


class Params:
    hours: int = field(12, ge=1, le=100, unit="h")
    long: bool = False


class Memory:
    hours: int
    on: bool


def decide(t, past, book, p, mine, target):
    for m in range(len(book.perps)):
        if not book.perps[m].mark_px > 0.0:
            continue
        mine[m].hours += 1
        if mine[m].hours >= p.hours:
            mine[m].hours = 0
            mine[m].on = not mine[m].on
            size = 1.0 if p.long else -1.0
            target.perps[m] = size if mine[m].on else 0.0
