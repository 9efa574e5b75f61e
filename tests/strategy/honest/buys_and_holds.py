"""The tokens, bought as soon as they can be traded, and held."""

from perpkit.strategy import field


class Params:
    each_usd: float = field(1_000.0, ge=10, le=1e5, unit="USD")


def decide(t, past, book, p, mine, target):
    for k in range(len(book.tokens)):
        if past.live[-1, k] and book.tokens[k].units == 0.0:
            target.tokens[k] = p.each_usd / past.ask_px[-1, k]
