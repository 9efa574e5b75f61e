"""Step 6 of the hour: from standing targets to fills.

Order: sells and reductions, then token buys, then perp increases. What margin or cash does not
allow is cut; with ``pair = "together"`` both legs of a hedge are cut to the smaller, and neither
moves while the other cannot.
"""

from __future__ import annotations

import math

from perpkit.arrays import (
    F64,
    Accounts,
    Book,
    Event,
    Out,
    Perps,
    Reason,
    Records,
    Replay,
    Settings,
    TermsNow,
    Tokens,
)
from perpkit.book.fills import fill_perp, perp_px, whole_lots
from perpkit.book.hedges import is_hedge
from perpkit.book.isolated import fund, isolated_usd, payer, release
from perpkit.book.legs import all_wait, is_late, margin_to_come, trade_token, wait_for_legs
from perpkit.book.limits import limit_orders
from perpkit.book.margin import assess, cash_px, free_units, initial_usd
from perpkit.book.ways import bought_for, read_price, take_way
from perpkit.book.write import write_event
from perpkit.rule import rule

TARGET = int(Reason.TARGET)
TRIMMED = int(Event.TRIMMED)
REENTRY_REFUSED = int(Event.REENTRY_REFUSED)
UNIT_SLACK = 1e-9  # of what is held: rounding of what is free


# --------------------------------------------------------------------------- what is asked for


@rule
def differs(target: F64, held: F64) -> bool:
    """Whether any target is not what is held; NaN asks for nothing. Most hours end here."""
    for n in range(target.shape[0]):  # noqa: SIM110 (there are no generators in compiled code)
        if target[n] < held[n] or target[n] > held[n]:
            return True
    return False


@rule
def ask_perps(terms: TermsNow, perps: Perps) -> bool:
    """Orders of the perps: what their targets still ask for; whether there are any."""
    some = False
    for m in range(perps.target.shape[0]):
        perps.order[m] = 0.0
        gap = perps.target[m] - perps.position[m]
        if gap != 0.0 and not math.isnan(gap):
            term = terms[m]
            size = whole_lots(gap, term.lots_per_unit)
            px = perp_px(perps.mid_px[m], perps.mark_px[m], gap, term.cost_frac)
            # An order without a price yet stands too, to hold back the other leg of its hedge.
            if math.isnan(px) or abs(size) * px >= term.min_order_usd:
                perps.order[m] = size
                perps.order_px[m] = px
                some = True
    return some


@rule
def ask_tokens(t: int, tape: Replay, tokens: Tokens, settings: Settings) -> bool:
    """Orders of the tokens, by their ways: what their targets still ask for; whether any do."""
    some = False
    for k in range(tokens.target.shape[0]):
        tokens.order[k] = 0.0
        gap = tokens.target[k] - tokens.units[k]
        if gap != 0.0 and not math.isnan(gap):
            take_way((t, k), gap, tape, tokens, settings)
            px = tokens.order_px[k]
            if math.isnan(px) or abs(tokens.order[k]) * px >= tokens.min_order_usd[k]:
                some = True
            elif tokens.order_share[k] < 1.0:  # its way takes too little, so its hedge waits too
                tokens.tradable[k] = False
                some = True
            else:
                tokens.order[k] = 0.0
    return some


@rule
def cut_sales(t: int, book: Book, out: Out) -> None:
    """Cut sales to the units that are neither locked nor pledged; 0 if that is below the minimum.

    The perp leg of a hedge is not held back for them: closing it frees margin.
    """
    tokens = book.tokens
    for k in range(tokens.order.shape[0]):
        order = tokens.order[k]
        if order >= 0.0:
            continue
        free = max(free_units(k, book), 0.0)
        if -order - free > UNIT_SLACK * tokens.units[k]:
            sold = free if free * tokens.order_px[k] >= tokens.order_min_usd[k] else 0.0
            tokens.order[k] = -sold
            if not tokens.trimmed[k]:
                tokens.trimmed[k] = True
                instrument = book.perps.order.shape[0] + k
                write_event(t, TRIMMED, instrument, tokens.account[k], -sold / order, out)


# --------------------------------------------------------------------------- what can be traded


@rule
def drop_waiting(perps: Perps, tokens: Tokens, settings: Settings) -> None:
    """Let orders wait that have no price this hour, and with them the other leg of a hedge."""
    for m in range(perps.order.shape[0]):
        waits = bool(perps.stale[m])
        if is_hedge(m, perps, tokens, settings):
            k = perps.token[m]
            waits = waits or not tokens.tradable[k]
            if waits:
                tokens.order[k] = 0.0
        if waits:
            perps.order[m] = 0.0
    for k in range(tokens.order.shape[0]):
        if not tokens.tradable[k]:
            tokens.order[k] = 0.0


@rule
def match_hedges(terms: TermsNow, perps: Perps, tokens: Tokens, settings: Settings) -> None:
    """Cut the perp of a hedge to the share that the way of its token takes, in whole lots.

    A leg that falls below its smallest order goes, and the other with it.
    """
    for m in range(perps.order.shape[0]):
        k = perps.token[m]
        if not is_hedge(m, perps, tokens, settings) or tokens.order_share[k] == 1.0:
            continue
        term, wanted = terms[m], perps.order[m] * tokens.order_share[k]
        size = whole_lots(wanted, term.lots_per_unit)
        tokens.order[k] *= size / wanted
        read_price(k, tokens)
        usd = abs(tokens.order[k]) * tokens.order_px[k]
        enough = abs(size) * perps.order_px[m] >= term.min_order_usd
        if not enough or usd < tokens.order_min_usd[k]:
            size = 0.0
            tokens.order[k] = 0.0
        perps.order[m] = size


@rule
def refuse_reentry(t: int, perps: Perps, tokens: Tokens, out: Out, settings: Settings) -> None:
    """After a liquidation only closing is left; the buy of its hedge is refused with it."""
    for m in range(perps.order.shape[0]):
        order, position = perps.order[m], perps.position[m]
        closes = position * order < 0.0 and abs(order) <= abs(position)
        if not perps.barred[m] or order == 0.0 or closes:
            continue
        k = perps.token[m]
        if is_hedge(m, perps, tokens, settings) and tokens.order[k] > 0.0:
            # Left standing it would be bought alone once the perp's target is withdrawn.
            tokens.target[k] = math.nan
            tokens.order[k] = 0.0
        perps.order[m] = -position if position * order < 0.0 else 0.0
        if not perps.trimmed[m]:
            perps.trimmed[m] = True
            usd = abs(order) * perps.order_px[m]
            write_event(t, REENTRY_REFUSED, m, perps.account[m], usd, out)


# --------------------------------------------------------------------------- margin and cash


@rule
def lost_usd(m: int, perps: Perps, term: Records) -> float:
    """What a unit of a perp's order costs at once: its fee, and its price against the mark."""
    px = perps.order_px[m]
    against = math.copysign(1.0, perps.order[m]) * (px - perps.mark_px[m])
    return float(max(against, 0.0) + px * term.fee_frac)


@rule
def need_usd(size: float, m: int, perps: Perps, term: Records) -> float:
    """Free margin that so many more units of a perp take, USD: initial margin and costs."""
    held = abs(perps.position[m]) * perps.mark_px[m]
    more = abs(size) * perps.mark_px[m]
    asked = initial_usd(held + more, term) - initial_usd(held, term)
    return float(asked + abs(size) * lost_usd(m, perps, term))


@rule
def affordable(m: int, free_usd: float, perps: Perps, term: Records) -> float:
    """Units that free margin covers beside those held: the least that a tier's line leaves."""
    held = abs(perps.position[m]) * perps.mark_px[m]
    mark, lost = perps.mark_px[m], lost_usd(m, perps, term)
    budget = max(free_usd, 0.0) + initial_usd(held, term)
    units = (budget - held * term.initial_frac) / (mark * term.initial_frac + lost)
    if term.initial2_frac > 0.0:
        left = budget - held * term.initial2_frac + term.initial2_off_usd
        units = min(units, left / (mark * term.initial2_frac + lost))
    if term.initial3_frac > 0.0:
        left = budget - held * term.initial3_frac + term.initial3_off_usd
        units = min(units, left / (mark * term.initial3_frac + lost))
    return float(max(units, 0.0))


@rule
def cut_perp(m: int, free_usd: float, perps: Perps, term: Records) -> float:
    """A perp order, cut to whole lots that free margin covers; 0 if that is below the minimum."""
    order = perps.order[m]
    if need_usd(order, m, perps, term) <= free_usd:
        return float(order)
    size = whole_lots(
        math.copysign(affordable(m, free_usd, perps, term), order), term.lots_per_unit
    )
    return size if abs(size) * perps.order_px[m] >= term.min_order_usd else 0.0


@rule
def cut_token(k: int, cash_usd: float, tokens: Tokens) -> float:
    """A token buy, cut to what cash covers; 0 if that is below the minimum of its way."""
    read_price(k, tokens)
    order, px = tokens.order[k], tokens.order_px[k]
    if order * px * (1.0 + tokens.order_fee_frac[k]) <= cash_usd:
        return float(order)
    size = bought_for(k, cash_usd, tokens)
    return size if size * px >= tokens.order_min_usd[k] else 0.0


@rule
def trim_hedge(m: int, free_usd: float, term: Records, book: Book) -> float:
    """Cut both legs of a hedge to the smaller, in whole lots of the perp; the share left."""
    perps, tokens = book.perps, book.tokens
    k = perps.token[m]
    perp, token = perps.order[m], tokens.order[k]
    a = tokens.account[k]
    cash = book.accounts.value_usd[a] * cash_px(a, book.accounts)
    size = cut_perp(m, free_usd, perps, term)
    units = cut_token(k, cash, tokens)
    share = min(size / perp, units / token)
    if share < 1.0:
        size = whole_lots(perp * share, term.lots_per_unit)
        share = size / perp
        enough = abs(size) * perps.order_px[m] >= term.min_order_usd
        tokens.order[k] = token * share
        read_price(k, tokens)
        if not enough or tokens.order[k] * tokens.order_px[k] < tokens.order_min_usd[k]:
            size, share = 0.0, 0.0
            tokens.order[k] = 0.0
        perps.order[m] = size
    return float(share)


@rule
def trim_late(
    where: tuple[int, int], free_usd: float, term: Records, book: Book, out: Out
) -> float:
    """Cut a token buy that takes time to what margin and cash allow of its hedge; its need, USD.

    The perp ``(row, perp)`` itself waits until its tokens are delivered, and its margin with it.
    """
    t, m = where
    tokens = book.tokens
    k = book.perps.token[m]
    share = trim_hedge(m, free_usd, term, book)
    need = need_usd(book.perps.order[m], m, book.perps, term)
    book.perps.order[m] = 0.0
    if share < 1.0 and not tokens.trimmed[k]:
        tokens.trimmed[k] = True
        write_event(t, TRIMMED, book.perps.order.shape[0] + k, tokens.account[k], share, out)
    return need


@rule
def reserve(m: int, usd: float, perps: Perps, accounts: Accounts) -> None:
    """Keep free margin of whoever pays for a perp from the orders after it."""
    a = payer(m, perps, accounts)
    accounts.free_usd[a] -= usd
    accounts.cash_free_usd[a] -= usd


@rule
def trim_perp(
    where: tuple[int, int], tape: Replay, term: Records, book: Book, out: Out, settings: Settings
) -> None:
    """Cut the increase ``(row, perp)``, and with it its hedge."""
    t, m = where
    perps, tokens, accounts = book.perps, book.tokens, book.accounts
    order, a, k = perps.order[m], payer(m, perps, accounts), perps.token[m]
    free = accounts.free_usd[a]
    if a != perps.account[m]:  # the margin of an isolated position is cash, and not borrowed
        free = min(free, accounts.cash_free_usd[a])
    paired = is_hedge(m, perps, tokens, settings) and tokens.order[k] > 0.0
    if paired and is_late(t, k, tape, tokens):
        reserve(m, trim_late((t, m), free, term, book, out), perps, accounts)
        return
    if paired:
        share = trim_hedge(m, free, term, book)
        cost = tokens.order[k] * tokens.order_px[k] * (1.0 + tokens.order_fee_frac[k])
        wallet = tokens.account[k]
        accounts.value_usd[wallet] -= cost / cash_px(wallet, accounts)
    else:
        perps.order[m] = cut_perp(m, free, perps, term)
        share = perps.order[m] / order
    reserve(m, need_usd(perps.order[m], m, perps, term), perps, accounts)
    if share < 1.0 and not perps.trimmed[m]:
        perps.trimmed[m] = True
        write_event(t, TRIMMED, m, a, share, out)


@rule
def trim_perps(
    t: int, tape: Replay, terms: TermsNow, book: Book, out: Out, settings: Settings
) -> None:
    """Cut perp increases, and with them their hedges, in the order of the instruments.

    Shorts that follow tokens which took time come before all orders but their own perp's.
    """
    perps, accounts = book.perps, book.accounts
    had_legs = book.pending.sent[0] > 0
    for m in range(perps.order.shape[0] if had_legs else 0):
        reserve(m, margin_to_come(m, terms[m], book, settings), perps, accounts)
    for m in range(perps.order.shape[0]):
        if perps.order[m] == 0.0:
            continue
        own = margin_to_come(m, terms[m], book, settings) if had_legs else 0.0
        reserve(m, -own, perps, accounts)
        had = accounts.free_usd[payer(m, perps, accounts)]
        trim_perp((t, m), tape, terms[m], book, out, settings)
        taken = had - accounts.free_usd[payer(m, perps, accounts)]
        reserve(m, max(own - taken, 0.0), perps, accounts)


@rule
def trim_tokens(t: int, tape: Replay, book: Book, out: Out, settings: Settings) -> None:
    """Cut token buys that are no leg of a hedge, or come after it, to the cash that is left."""
    perps, tokens, accounts = book.perps, book.tokens, book.accounts
    for k in range(tokens.order.shape[0]):
        order = tokens.order[k]
        if order <= 0.0:
            continue
        m = tokens.perp[k]
        hedge = m >= 0 and perps.token[m] == k and is_hedge(m, perps, tokens, settings)
        if hedge and not is_late(t, k, tape, tokens):
            continue
        a = tokens.account[k]
        usd = accounts.value_usd[a] * cash_px(a, accounts)
        size = cut_token(k, usd, tokens)
        tokens.order[k] = size
        read_price(k, tokens)
        cost = size * tokens.order_px[k] * (1.0 + tokens.order_fee_frac[k])
        accounts.value_usd[a] -= cost / cash_px(a, accounts)
        if size < order and not tokens.trimmed[k]:
            tokens.trimmed[k] = True
            write_event(t, TRIMMED, perps.order.shape[0] + k, a, size / order, out)


# --------------------------------------------------------------------------- fills


@rule
def trade_tokens(t: int, sign: float, tape: Replay, book: Book, out: Out) -> None:
    """Fill the token orders of one sign."""
    for k in range(book.tokens.order.shape[0]):
        if book.tokens.order[k] * sign > 0.0:
            trade_token(t, (k, TARGET), tape, book, out)


@rule
def reduce_perps(t: int, terms: TermsNow, perps: Perps, accounts: Accounts, out: Out) -> None:
    """Fill the part of each order that reduces; what is left of it then only increases."""
    for m in range(perps.order.shape[0]):
        order, position = perps.order[m], perps.position[m]
        if order * position < 0.0:
            size = math.copysign(min(abs(order), abs(position)), order)
            perps.order[m] = whole_lots(order - size, terms[m].lots_per_unit)
            kept = isolated_usd(m, perps, accounts)
            fill_perp((t, m, size, perps.order_px[m], TARGET), terms[m], perps, accounts, out)
            release(m, kept * abs(perps.position[m] / position), perps, accounts)


@rule
def increase_perps(t: int, terms: TermsNow, perps: Perps, accounts: Accounts, out: Out) -> None:
    """Fill what is left of each order."""
    for m in range(perps.order.shape[0]):
        size = perps.order[m]
        if size != 0.0:
            fund(m, need_usd(size, m, perps, terms[m]), perps, accounts)
            fill_perp((t, m, size, perps.order_px[m], TARGET), terms[m], perps, accounts, out)


@rule
def has_orders(perps: Perps, tokens: Tokens) -> bool:
    """Whether any order is left; none is in the hours in which all of them wait."""
    some = False
    for m in range(perps.order.shape[0]):
        some |= perps.order[m] != 0.0
    for k in range(tokens.order.shape[0]):
        some |= tokens.order[k] != 0.0
    return some


@rule
def trade(t: int, tape: Replay, terms: TermsNow, book: Book, out: Out, settings: Settings) -> None:
    """Fill the standing targets at the prices of the hour."""
    perps, tokens, accounts = book.perps, book.tokens, book.accounts
    if not (differs(perps.target, perps.position) or differs(tokens.target, tokens.units)):
        return
    if all_wait(terms, book, settings):
        return
    some_perp = ask_perps(terms, perps)
    some_token = ask_tokens(t, tape, tokens, settings)
    if not (some_perp or some_token):
        return
    refuse_reentry(t, perps, tokens, out, settings)
    wait_for_legs(t, terms, book, out, settings)
    drop_waiting(perps, tokens, settings)
    match_hedges(terms, perps, tokens, settings)
    limit_orders(t, tape, terms, book, out, settings)
    if not has_orders(perps, tokens):
        return
    cut_sales(t, book, out)
    trade_tokens(t, -1.0, tape, book, out)
    reduce_perps(t, terms, perps, accounts, out)
    assess(terms, book)
    trim_perps(t, tape, terms, book, out, settings)
    trim_tokens(t, tape, book, out, settings)
    trade_tokens(t, 1.0, tape, book, out)
    increase_perps(t, terms, perps, accounts, out)
