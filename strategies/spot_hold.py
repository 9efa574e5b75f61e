"""Buy the tokens of all paired coins, as many dollars of each, and hold them; no perp.

What owning the shares would have brought: a carry that hedges them is to be set against it. A token
is bought in the first hour in which its quote can be traded, and never again.
"""

from perpkit.strategy import equity_usd, field, rule


class Params:
    gross_frac: float = field(
        0.6, ge=0, le=1, help="tokens in all when they are bought, fraction of equity"
    )


class Memory:
    bought: bool


@rule
def is_first(book, m):
    """Whether no perp before this one is paired with its token."""
    for n in range(m):
        if book.perps[n].token == book.perps[m].token:
            return False
    return book.perps[m].token >= 0


def decide(t, past, book, p, mine, target):
    tokens = 0
    for m in range(len(book.perps)):
        if is_first(book, m):
            tokens += 1
    for m in range(len(book.perps)):
        k = book.perps[m].token
        if mine[m].bought or not is_first(book, m) or not past.live[-1, k]:
            continue
        mine[m].bought = True
        target.tokens[k] = p.gross_frac * equity_usd(book) / tokens / past.ask_px[-1, k]
