"""Which way an order for a token takes, and at what price: its quote, a pool, its issuer.

Where several may be taken the order takes the cheapest that is open, fee included; a tie goes to
the quote. It is cut to what that way takes in the hour, and asks again for the rest in the next.
"""

from __future__ import annotations

import math

from perpkit.arrays import Replay, Settings, Tokens, Way
from perpkit.book.barred import is_barred, is_barred_at_issuer
from perpkit.book.fills import token_px
from perpkit.rule import rule

QUOTE, DEX, ISSUER = int(Way.QUOTE), int(Way.DEX), int(Way.ISSUER)
BY_QUOTE, BY_DEX, BY_ISSUER = 1 << QUOTE, 1 << DEX, 1 << ISSUER
DAY_NS = 86_400_000_000_000


# --------------------------------------------------------------------------- prices


@rule
def rubbed(px: float, k: int, size: float, tokens: Tokens) -> float:
    """A price worse by the token's friction."""
    return float(px * (1.0 + math.copysign(tokens.friction_frac[k], size)))


@rule
def quote_px(k: int, size: float, tokens: Tokens) -> float:
    """Price at the quote, whatever the size."""
    px = token_px(tokens.bid_px[k], tokens.ask_px[k], size, tokens.half_spread_frac[k])
    return rubbed(px, k, size, tokens)


@rule
def pool_px(mid_px: float, liquidity_usd: float, size: float) -> float:
    """Average price of signed units against a pool whose two sides keep their product.

    With L / 2 USD on each side, ``x = L / (2 mid)`` tokens and ``y = L / 2`` USD: q units cost
    ``y q / (x - q)`` and bring ``y q / (x + q)``. NaN where the pool holds no more than is bought.
    """
    left = 1.0 - 2.0 * size * mid_px / liquidity_usd
    return mid_px / left if left > 0.0 else math.nan


@rule
def pool_usd(k: int, tokens: Tokens) -> float:
    """Liquidity of a token's pool, 0 where there is none."""
    usd = tokens.liquidity_usd[k] if k < tokens.liquidity_usd.shape[0] else 0.0
    return float(usd) if usd > 0.0 else 0.0


@rule
def dex_px(k: int, size: float, tokens: Tokens) -> float:
    """Average price of an order against the token's pool, never better than its quote."""
    liquidity, quoted = pool_usd(k, tokens), quote_px(k, size, tokens)
    if liquidity == 0.0 or math.isnan(quoted):
        return math.nan
    px = pool_px(0.5 * (tokens.bid_px[k] + tokens.ask_px[k]), liquidity, size)
    if math.isnan(px):
        return math.nan
    px = rubbed(px, k, size, tokens)
    return max(px, quoted) if size > 0.0 else min(px, quoted)


@rule
def read_price(k: int, tokens: Tokens) -> None:
    """Read the price of an order again that has been cut: against a pool less costs less."""
    if tokens.order_way[k] == DEX and tokens.order[k] != 0.0:
        tokens.order_px[k] = dex_px(k, tokens.order[k], tokens)


@rule
def bought_for(k: int, cash_usd: float, tokens: Tokens) -> float:
    """Units that cash buys by the way of the order, its fee included.

    Against a pool ``q mid (1 + rub) / (1 - 2 q mid / L)`` is the cash, solved for q.
    """
    usd, fee = max(cash_usd, 0.0), tokens.order_fee_frac[k]
    if tokens.order_way[k] != DEX:
        return float(usd / (tokens.order_px[k] * (1.0 + fee)))
    mid = 0.5 * (tokens.bid_px[k] + tokens.ask_px[k])
    spent = usd / ((1.0 + fee) * (1.0 + tokens.friction_frac[k]))
    units = spent / (mid * (1.0 + 2.0 * spent / pool_usd(k, tokens)))
    return float(min(units, usd / (quote_px(k, 1.0, tokens) * (1.0 + fee))))


# --------------------------------------------------------------------------- what is open


@rule
def quote_open(t: int, k: int, tape: Replay, settings: Settings) -> bool:
    """Whether a token trades at its quote: it is live, or any that is recorded, by choice."""
    allowed = settings.trade_frozen_quotes == 1
    frozen = allowed and not tape.halted[t, k] and not tape.token_stale[t, k]
    return bool(tape.live[t, k] or frozen)


@rule
def inventory_left(t: int, k: int, tape: Replay, tokens: Tokens) -> float:
    """What a token's issuer still sells or buys back today, USD."""
    if tokens.drawn_day[k] != tape.time_ns[t] // DAY_NS:
        return float(tokens.inventory_usd[k])
    return float(max(tokens.inventory_usd[k] - tokens.drawn_usd[k], 0.0))


@rule
def largest_purchase_usd(t: int, k: int, tape: Replay, tokens: Tokens, settings: Settings) -> float:
    """The most that a way of a token takes of a purchase in this hour, USD; 0: none is open.

    A quote takes any size, a pool a share of what it holds, an issuer what is left of the day.
    """
    ways, may = tokens.ways[k], not is_barred(k, 1.0, tokens)
    if ways & BY_QUOTE != 0 and may and quote_open(t, k, tape, settings):
        return math.inf
    usd = 0.0
    if ways & BY_DEX != 0 and may and not (tape.halted[t, k] or tape.token_stale[t, k]):
        usd = settings.max_pool_frac * 0.5 * pool_usd(k, tokens)
    if ways & BY_ISSUER != 0 and k < tape.mint_rows.shape[1]:
        sells = tape.mint_rows[t, k] >= 0 and tokens.nav_px[k] > 0.0
        if sells and not is_barred_at_issuer(k, 1.0, tokens):
            usd = max(usd, inventory_left(t, k, tape, tokens))
    return usd


@rule
def draw_inventory(t: int, k: int, tape: Replay, tokens: Tokens) -> None:
    """Count an order with the issuer against its inventory of the day."""
    if tokens.order_way[k] != ISSUER:
        return
    today = tape.time_ns[t] // DAY_NS
    if tokens.drawn_day[k] != today:
        tokens.drawn_day[k] = today
        tokens.drawn_usd[k] = 0.0
    tokens.drawn_usd[k] += abs(tokens.order[k]) * tokens.order_px[k]


@rule
def cheaper(k: int, size: float, px: float, fee_frac: float, tokens: Tokens) -> bool:
    """Whether a way costs less than the one the order takes so far, fee included."""
    if not tokens.tradable[k]:
        return not math.isnan(px)
    side = math.copysign(1.0, size)
    best = side * tokens.order_px[k] * (1.0 + side * tokens.order_fee_frac[k])
    return bool(side * px * (1.0 + side * fee_frac) < best)


@rule
def try_quote(
    where: tuple[int, int], size: float, tape: Replay, tokens: Tokens, settings: Settings
) -> None:
    """Let an order take the quote; its price stands for the order also while no way is open."""
    t, k = where
    tokens.order[k] = size
    tokens.order_way[k] = QUOTE
    tokens.order_px[k] = quote_px(k, size, tokens)
    tokens.order_fee_frac[k] = tokens.fee_frac[k]
    tokens.order_min_usd[k] = tokens.min_order_usd[k]
    tokens.order_rows[k] = 0
    may = tokens.ways[k] & BY_QUOTE != 0 and not is_barred(k, size, tokens)
    tokens.tradable[k] = may and quote_open(t, k, tape, settings)


@rule
def try_dex(
    where: tuple[int, int], size: float, tape: Replay, tokens: Tokens, settings: Settings
) -> None:
    """Let an order take the pool where that is cheaper: at all hours, while it is recorded.

    A purchase is cut to a share of what the pool holds, ``max_pool_frac``.
    """
    t, k = where
    liquidity = pool_usd(k, tokens)
    shut = tape.halted[t, k] or tape.token_stale[t, k] or is_barred(k, size, tokens)
    if tokens.ways[k] & BY_DEX == 0 or shut:
        return
    if size > 0.0 and liquidity > 0.0:
        mid = 0.5 * (tokens.bid_px[k] + tokens.ask_px[k])
        size = min(size, settings.max_pool_frac * 0.5 * liquidity / mid)
    px = dex_px(k, size, tokens)
    if cheaper(k, size, px, tokens.fee_frac[k], tokens):
        tokens.order[k] = size
        tokens.order_way[k] = DEX
        tokens.order_px[k] = px
        tokens.order_fee_frac[k] = tokens.fee_frac[k]
        tokens.tradable[k] = True


@rule
def try_issuer(where: tuple[int, int], size: float, tape: Replay, tokens: Tokens) -> None:
    """Let an order go to the issuer where that is cheaper: at NAV, in its hours, with its fee.

    It is cut to what is left of the day's inventory, and not less than the issuer's minimum.
    """
    t, k = where
    if tokens.ways[k] & BY_ISSUER == 0 or k >= tape.mint_rows.shape[1]:
        return
    if is_barred_at_issuer(k, size, tokens):
        return
    buys, nav = size > 0.0, tokens.nav_px[k]
    rows = tape.mint_rows[t, k] if buys else tape.buyback_rows[t, k]
    in_fee, out_fee = tokens.mint_fee_frac[k], tokens.redeem_fee_frac[k]  # see perpkit.lend
    in_least, out_least = tokens.mint_min_usd[k], tokens.redeem_min_usd[k]
    fee = in_fee if buys else out_fee
    least = max(in_least if buys else out_least, tokens.min_order_usd[k])
    if rows < 0 or not nav > 0.0:
        return
    px = rubbed(nav, k, size, tokens)
    units = min(abs(size), inventory_left(t, k, tape, tokens) / px)
    if units > 0.0 and units * px >= least and cheaper(k, size, px, fee, tokens):
        tokens.order[k] = math.copysign(units, size)
        tokens.order_way[k] = ISSUER
        tokens.order_px[k] = px
        tokens.order_fee_frac[k] = fee
        tokens.order_min_usd[k] = least
        tokens.order_rows[k] = rows
        tokens.tradable[k] = True


@rule
def take_way(
    where: tuple[int, int], size: float, tape: Replay, tokens: Tokens, settings: Settings
) -> None:
    """Make an order ``(row, token)`` of signed units, by the cheapest way that is open to it.

    Where none is, it stands at its quote and is not tradable. Settlement comes after the issuer's
    delay, which is the harsher reading of two delays.
    """
    t, k = where
    try_quote(where, size, tape, tokens, settings)
    if tokens.ways[k] != BY_QUOTE:
        try_dex(where, size, tape, tokens, settings)
        try_issuer(where, size, tape, tokens)
    tokens.order_share[k] = tokens.order[k] / size
    if k < tape.settle_rows.shape[1]:
        tokens.order_rows[k] += tape.settle_rows[t, k]
