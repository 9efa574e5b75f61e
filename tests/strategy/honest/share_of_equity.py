"""A share of equity in the first pair, put right once a week."""

from perpkit.strategy import equity_usd, field, lots, open_pair


class Params:
    share: float = field(0.2, ge=0, le=0.4)


def decide(t, past, book, p, mine, target):
    if t % 168 == 5 and book.perps[0].token >= 0:
        units = p.share * equity_usd(book) / book.perps[0].mark_px
        open_pair(target, book, 0, lots(units, book.perps[0].lots_per_unit))
