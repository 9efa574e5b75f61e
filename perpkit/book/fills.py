"""Booking of a trade, and the price it is done at."""

from __future__ import annotations

import math

from perpkit.arrays import Accounts, Out, Perps, Reason, Records, Tokens
from perpkit.book.margin import cash_px
from perpkit.book.write import write_fill
from perpkit.rule import rule

BACKSTOP, ADL = int(Reason.BACKSTOP), int(Reason.ADL)
SHOCK, ACTION = int(Reason.SHOCK), int(Reason.ACTION)
LOT_SLACK = 1e-6  # of a lot: 4.9999999 lots are five, whatever the float says


@rule
def perp_px(mid_px: float, mark_px: float, size: float, cost_frac: float) -> float:
    """Price of a perp order: the book's mid, else the mark, worse by half-spread and impact."""
    reference = mark_px if math.isnan(mid_px) else mid_px
    return reference * (1.0 + math.copysign(cost_frac, size))


@rule
def token_px(bid_px: float, ask_px: float, size: float, half_spread_frac: float) -> float:
    """Price of a token order: ask for a buy, bid for a sale; a mid quote is widened first."""
    if bid_px == ask_px:
        return ask_px * (1.0 + math.copysign(half_spread_frac, size))
    return ask_px if size > 0.0 else bid_px


@rule
def whole_lots(size: float, lots_per_unit: float) -> float:
    """A size cut to whole lots, towards zero."""
    lots = math.floor(abs(size) * lots_per_unit + LOT_SLACK)
    return math.copysign(lots / lots_per_unit, size)


@rule
def entry_after(before: float, entry_px: float, after: float, px: float) -> float:
    """Average entry after a trade at ``px`` took a position from ``before`` to ``after`` units."""
    if after == 0.0:
        return 0.0
    if abs(after) < abs(before):
        return entry_px
    return (before * entry_px + (after - before) * px) / after


@rule
def fill_perp(
    trade: tuple[int, int, float, float, int],
    term: Records,
    perps: Perps,
    accounts: Accounts,
    out: Out,
) -> None:
    """Book a perp trade ``(row, perp, size, px, reason)`` that reduces or increases, never both.

    A reduction realises profit against the average entry; an increase averages the entry. The
    position is snapped to whole lots so that a closed one is exactly zero.
    """
    row, m, asked, px, reason = trade
    before = perps.position[m]
    after = math.floor((before + asked) * term.lots_per_unit + 0.5) / term.lots_per_unit
    size = after - before
    # These are no orders: the venue moves the position itself.
    free = reason in (BACKSTOP, ADL, SHOCK, ACTION)
    fee = 0.0 if free else abs(size) * px * term.fee_frac
    cash = -fee
    if abs(after) < abs(before):
        cash -= size * (px - perps.entry_px[m])
    perps.entry_px[m] = entry_after(before, perps.entry_px[m], after, px)
    perps.position[m] = after
    accounts.cash_usd[perps.account[m]] += cash
    what = (size, px, perps.mark_px[m], fee)
    write_fill((row, perps.decided[m], m, perps.account[m], reason), what, out)


@rule
def fill_token(
    row: int, where: tuple[int, int, int], tokens: Tokens, accounts: Accounts, out: Out
) -> None:
    """Book the order of a token against its account's cash.

    ``where`` is instrument, token and reason.

    Tokens are priced in USD, and paid in what the account settles in.
    """
    instrument, k, reason = where
    size, px = tokens.order[k], tokens.order_px[k]
    fee = abs(size) * px * tokens.order_fee_frac[k]
    tokens.units[k] += size
    accounts.cash_usd[tokens.account[k]] -= (size * px + fee) / cash_px(tokens.account[k], accounts)
    what = (size, px, tokens.fair_px[k], fee)
    write_fill((row, tokens.decided[k], instrument, tokens.account[k], reason), what, out)
    out.fills[out.used[0] - 1].way = tokens.order_way[k]
