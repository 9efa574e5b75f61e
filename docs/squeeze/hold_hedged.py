"""Buy the token and short the perp once; sell the tokens that a lost short leaves unhedged."""

from perpkit.strategy import field


class Params:
    shares: float = field(300.0, ge=1, help="size of the hedge")


class Memory:
    on: bool  # the hedge was asked for
    held: bool  # and was there


def decide(t, past, book, p, mine, target):
    perp = book.perps[0]
    token = book.tokens[perp.token]
    if not mine[0].on:
        target.perps[0] = -p.shares
        target.tokens[perp.token] = p.shares / token.multiplier
        mine[0].on = True
        return
    if perp.position != 0.0:
        mine[0].held = True
    naked = token.units * token.multiplier + perp.position
    if mine[0].held and naked > 0.5 / perp.lots_per_unit:
        target.tokens[perp.token] = -perp.position / token.multiplier
