"""Trades of tokens that take time: what is under way is no hedge, no margin and not for sale.

Of a purchase the cash leaves at once, and the tokens are locked until they are delivered; of a sale
the tokens leave at once, and the cash comes later. A trade that fails to settle is undone at its
own price in the currency it was paid in: who was to receive tokens has missed what they gained. A
token that nobody may move is neither delivered nor given back until it may be; who may not receive
it any more gets the cash back.
"""

from __future__ import annotations

from perpkit.arrays import (
    Book,
    Event,
    Flow,
    Out,
    Pending,
    Perps,
    Reason,
    Records,
    Replay,
    Settings,
    TermsNow,
    Tokens,
)
from perpkit.book.barred import is_barred, is_stuck
from perpkit.book.fills import fill_token, whole_lots
from perpkit.book.margin import cash_px, initial_usd
from perpkit.book.ways import draw_inventory, read_price
from perpkit.book.write import write_event, write_fill, write_payment
from perpkit.rule import rule

SETTLEMENT = int(Reason.SETTLEMENT)
SETTLEMENT_COST = int(Flow.SETTLEMENT_COST)
SENT = int(Event.SETTLEMENT_SENT)
SETTLED = int(Event.SETTLED)
UNWOUND = int(Event.UNWOUND)
WAITS = int(Event.LEG_WAITS)
WALLET = 0
LONG = 1 << 40  # rows: no leg under way


@rule
def has_leg(k: int, pending: Pending) -> bool:
    """Whether a trade of a token is under way."""
    return bool(k < pending.leg_row.shape[0] and pending.leg_row[k] >= 0)


@rule
def undelivered(k: int, pending: Pending) -> float:
    """Units of a token that are bought and not delivered yet."""
    if not has_leg(k, pending):
        return 0.0
    return float(max(pending.leg_units[k], 0.0))


@rule
def fails(t: int, k: int, tape: Replay) -> bool:
    """Whether a trade of this hour is unwound in the end."""
    return bool(k < tape.settle_end.shape[1] and tape.settle_end[t, k] == 1)


@rule
def is_late(t: int, k: int, tape: Replay, tokens: Tokens) -> bool:
    """Whether an order is not delivered within the hour."""
    return bool(tokens.order_rows[k] > 0 or fails(t, k, tape))


@rule
def backed_order(m: int, term: Records, perps: Perps, tokens: Tokens, pending: Pending) -> float:
    """Part of a perp's short order that hedges tokens which are there, in whole lots.

    With ``pair = "together"`` the rest waits for its tokens: until they are delivered the book is
    long without a hedge, and never short without one.
    """
    k = perps.token[m]
    held = (tokens.units[k] - undelivered(k, pending)) * tokens.multiplier[k]
    allowed = max(perps.order[m], min(0.0, -held - perps.position[m]))
    size = whole_lots(allowed, term.lots_per_unit)
    return size if abs(size) * perps.order_px[m] >= term.min_order_usd else 0.0


@rule
def waits_for_token(m: int, term: Records, book: Book, settings: Settings) -> bool:
    """Whether what a perp's target asks for is all of it a short whose tokens are under way."""
    perps, tokens, k = book.perps, book.tokens, book.perps.token[m]
    if settings.pair_together == 0 or k < 0 or not has_leg(k, book.pending):
        return False
    held = (tokens.units[k] - undelivered(k, book.pending)) * tokens.multiplier[k]
    there = whole_lots(min(0.0, -held - perps.position[m]), term.lots_per_unit)
    return bool(perps.target[m] < perps.position[m] and there == 0.0 and not perps.barred[m])


@rule
def all_wait(terms: TermsNow, book: Book, settings: Settings) -> bool:
    """Whether every target waits for a trade under way, and all that was to be said is said."""
    perps, tokens, pending = book.perps, book.tokens, book.pending
    if pending.legs[0] == 0:
        return False
    for k in range(tokens.target.shape[0]):
        asks = tokens.target[k] < tokens.units[k] or tokens.target[k] > tokens.units[k]  # not NaN
        if asks and not (has_leg(k, pending) and pending.leg_waits[k]):
            return False
    for m in range(perps.target.shape[0]):
        asks = perps.target[m] < perps.position[m] or perps.target[m] > perps.position[m]
        if asks and not waits_for_token(m, terms[m], book, settings):
            return False
    return True


@rule
def follow_tokens(m: int, terms: TermsNow, book: Book, settings: Settings) -> None:
    """Let the orders of a hedge whose token may be under way go one after the other.

    A short follows its tokens as they are delivered, and catches up with those that are there
    before more of them are bought; neither leg is closed while the other cannot be.
    """
    perps, tokens, pending = book.perps, book.tokens, book.pending
    k = perps.token[m]
    if settings.pair_together == 0 or k < 0:
        return
    waits = has_leg(k, pending)
    lags = tokens.order[k] > 0.0 and pending.leg_id[k] > 0  # as only what was under way can
    if perps.order[m] < 0.0 and (waits or lags):
        own = backed_order(m, terms[m], perps, tokens, pending)
        if waits or own != 0.0:
            perps.order[m] = own
        if not waits and own != 0.0:
            tokens.order[k] = 0.0
    elif waits and perps.order[m] * tokens.order[k] < 0.0:
        perps.order[m] = 0.0


@rule
def margin_to_come(m: int, term: Records, book: Book, settings: Settings) -> float:
    """Initial margin of the short that follows tokens which took time, USD.

    Of what is under way, and of what is delivered and not hedged yet: no order of another perp
    takes it.
    """
    perps, tokens, k = book.perps, book.tokens, book.perps.token[m]
    wanted = perps.position[m] - perps.target[m]
    if settings.pair_together == 0 or k < 0 or perps.position[m] > 0.0 or not wanted > 0.0:
        return 0.0
    if book.pending.leg_id[k] == 0:
        return 0.0
    more = min(tokens.units[k] * tokens.multiplier[k] + perps.position[m], wanted)
    px, held = perps.mark_px[m], abs(perps.position[m])
    if not more > 0.0 or not px > 0.0:
        return 0.0
    return float(initial_usd((held + more) * px, term) - initial_usd(held * px, term))


@rule
def wait_for_legs(t: int, terms: TermsNow, book: Book, out: Out, settings: Settings) -> None:
    """Let the orders of tokens wait whose last trade is under way, and with them their hedges."""
    tokens, pending = book.tokens, book.pending
    if pending.leg_row.shape[0] == 0:
        return
    for m in range(book.perps.order.shape[0]):
        follow_tokens(m, terms, book, settings)
    for k in range(pending.leg_row.shape[0]):
        if pending.leg_row[k] < 0 or tokens.order[k] == 0.0:
            continue
        if not pending.leg_waits[k]:
            pending.leg_waits[k] = True
            usd = abs(tokens.order[k]) * tokens.fair_px[k]
            write_event(t, WAITS, book.perps.order.shape[0] + k, WALLET, usd, out)
        tokens.order[k] = 0.0


# --------------------------------------------------------------------------- a leg


@rule
def tell_leg(k: int, pending: Pending, out: Out) -> None:
    """Say of the last fill which way it took, and in which settlement."""
    fill = out.fills[out.used[0] - 1]
    fill.way = pending.leg_way[k]
    fill.settlement_id = pending.leg_id[k]


@rule
def take_back(t: int, k: int, book: Book, out: Out) -> None:
    """Undo a leg at its own price; the fee of the trade is lost, the harsher assumption."""
    tokens, accounts, pending = book.tokens, book.accounts, book.pending
    units, px = pending.leg_units[k], pending.leg_px[k] * cash_px(WALLET, accounts)
    tokens.units[k] -= units
    accounts.cash_usd[WALLET] += units * pending.leg_px[k]
    where = (t, t, book.perps.position.shape[0] + k, WALLET, SETTLEMENT)
    write_fill(where, (-units, px, tokens.fair_px[k], 0.0), out)
    tell_leg(k, pending, out)


@rule
def end_leg(t: int, k: int, book: Book, out: Out) -> None:
    """Deliver what is due, or undo the trade; and pay what settling it cost."""
    tokens, accounts, pending = book.tokens, book.accounts, book.pending
    instrument = book.perps.position.shape[0] + k
    units, paid = pending.leg_units[k], abs(pending.leg_units[k]) * pending.leg_px[k]
    usd = paid * cash_px(WALLET, accounts)
    accounts.cash_usd[WALLET] += pending.leg_usd[k]
    if units > 0.0:
        tokens.locked[k] = max(tokens.locked[k] - units, 0.0)
    if pending.leg_end[k] == 1 or (units > 0.0 and is_barred(k, units, tokens)):
        take_back(t, k, book, out)
        write_event(t, UNWOUND, instrument, WALLET, usd, out)
    else:
        write_event(t, SETTLED, instrument, WALLET, usd, out)
    cost = paid * pending.leg_cost_frac[k]
    if cost != 0.0:
        accounts.cash_usd[WALLET] -= cost
        what = (units, pending.leg_cost_frac[k], -cost)
        write_payment(t, SETTLEMENT_COST, (instrument, WALLET), what, out)
    pending.legs[0] -= 1
    pending.legs[1] -= 1 if units < 0.0 else 0
    pending.leg_units[k] = 0.0
    pending.leg_usd[k] = 0.0
    pending.leg_row[k] = -1
    pending.leg_waits[k] = False


@rule
def end_legs(t: int, book: Book, out: Out) -> None:
    """Step 2 of the hour: end the legs that are due; no failure of a venue does it sooner."""
    pending = book.pending
    if pending.legs[0] == 0 or t < pending.legs[2]:
        return
    first = t + LONG
    for k in range(pending.leg_row.shape[0]):
        if 0 <= pending.leg_row[k] <= t and not is_stuck(k, book.tokens):
            end_leg(t, k, book, out)
        elif pending.leg_row[k] >= 0:
            first = min(first, int(pending.leg_row[k]))
    pending.legs[2] = first


@rule
def send_leg(t: int, k: int, tape: Replay, book: Book, out: Out) -> None:
    """Put the trade that was just filled under way; one that ends within the hour ends here."""
    tokens, accounts, pending = book.tokens, book.accounts, book.pending
    settles = k < tape.settle_rows.shape[1]
    cost = tape.settle_cost_frac[t, k] if settles else 0.0
    if not is_late(t, k, tape, tokens) and cost == 0.0:
        return
    size, usd = tokens.order[k], abs(tokens.order[k]) * tokens.order_px[k]
    if size > 0.0:
        tokens.locked[k] += size
    else:
        due = usd * (1.0 - tokens.order_fee_frac[k]) / cash_px(WALLET, accounts)
        accounts.cash_usd[WALLET] -= due
        pending.leg_usd[k] = due
    ends = t + tokens.order_rows[k]
    pending.legs[2] = ends if pending.legs[0] == 0 else min(pending.legs[2], ends)
    pending.legs[0] += 1
    pending.legs[1] += 1 if size < 0.0 else 0
    pending.sent[0] += 1
    pending.leg_id[k] = pending.sent[0]
    pending.leg_units[k] = size
    pending.leg_px[k] = tokens.order_px[k] / cash_px(WALLET, accounts)
    pending.leg_way[k] = tokens.order_way[k]
    pending.leg_row[k] = ends
    pending.leg_end[k] = 1 if fails(t, k, tape) else 0
    pending.leg_cost_frac[k] = cost
    tell_leg(k, pending, out)
    write_event(t, SENT, book.perps.position.shape[0] + k, WALLET, usd, out)
    if tokens.order_rows[k] == 0:
        end_leg(t, k, book, out)


@rule
def trade_token(t: int, what: tuple[int, int], tape: Replay, book: Book, out: Out) -> None:
    """Fill the order ``(token, reason)`` by its way, and put under way what takes time."""
    k, reason = what
    tokens = book.tokens
    read_price(k, tokens)
    fill_token(t, (book.perps.position.shape[0] + k, k, reason), tokens, book.accounts, out)
    draw_inventory(t, k, tape, tokens)
    if k < book.pending.leg_row.shape[0]:
        send_leg(t, k, tape, book, out)
