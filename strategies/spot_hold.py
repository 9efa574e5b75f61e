"""Buy the tokens of all paired coins, as many dollars of each, and hold them; no perp.

What owning the shares would have brought: a carry that hedges them is to be set against it. A token
is bought in the first hour in which its quote can be traded, and never again; the money is shared
among those that are listed by then.
"""

from perpkit.strategy import equity_usd, field, rule


class Params:
    gross_frac: float = field(
        0.6, ge=0, le=1, help="tokens in all when they are bought, fraction of equity"
    )


class Memory:
    bought: bool


@rule
def is_bought(book, m):
    """Whether its token is listed, and paired with no perp before this one."""
    k = book.perps[m].token
    for n in range(m):
        if book.perps[n].token == k:
            return False
    return k >= 0 and book.tokens[k].fair_px > 0.0


def decide(t, past, book, p, mine, target):
    count, held = 0, 0.0
    for m in range(len(book.perps)):
        if is_bought(book, m):
            count += 1
            held += (
                book.tokens[book.perps[m].token].units * book.tokens[book.perps[m].token].fair_px
            )
    whole = p.gross_frac * equity_usd(book)
    for m in range(len(book.perps)):
        k = book.perps[m].token
        if mine[m].bought or not is_bought(book, m) or not past.live[-1, k]:
            continue
        usd = min(whole / count, whole - held)  # one that is listed later finds what is left
        if usd > 0.0:
            mine[m].bought = True
            target.tokens[k] = usd / past.ask_px[-1, k]
