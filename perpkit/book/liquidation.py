"""Step 5 of the hour: the margin test, liquidation and bad debt."""

from __future__ import annotations

import math

from perpkit.arrays import (
    Accounts,
    Book,
    Event,
    Flow,
    Out,
    Perps,
    Reason,
    Records,
    Settings,
    TermsNow,
    Tokens,
)
from perpkit.book.barred import is_stuck
from perpkit.book.fills import fill_perp, whole_lots
from perpkit.book.hedges import drop_hedge
from perpkit.book.limits import forced_cost
from perpkit.book.locks import holds_stuck
from perpkit.book.margin import cash_px
from perpkit.book.mirror import count_owed, overdue
from perpkit.book.path import crossing, falls_short, is_short, lay_way, on_way, slack, worst_end
from perpkit.book.write import write_event, write_fill, write_payment
from perpkit.rule import rule

LIQUIDATION = int(Reason.LIQUIDATION)
BACKSTOP = int(Reason.BACKSTOP)
SEIZED = int(Reason.SEIZED)
MARGIN_LOST = int(Flow.MARGIN_LOST)
BAD_DEBT = int(Flow.BAD_DEBT)
DUST_USD = 1e-9  # what rounding leaves is neither owed nor lost
EVENT_LIQUIDATION = int(Event.LIQUIDATION)
EVENT_BACKSTOP = int(Event.BACKSTOP)
EVENT_BAD_DEBT = int(Event.BAD_DEBT)
EVENT_PARTIAL = int(Event.PARTIAL)
EVENT_SEIZED = int(Event.SEIZED)
OWED = int(Event.OWED)


@rule
def belongs(m: int, account: int, perps: Perps) -> bool:
    """Whether a perp has a position in an account."""
    return bool(perps.position[m] != 0.0 and perps.account[m] == account)


@rule
def backstop_share(account: int, terms: TermsNow, perps: Perps) -> float:
    """Share of maintenance at which the venue takes the account over; NaN where it does not.

    The largest of its positions' shares: where one position has a backstop the account has.
    """
    share = math.nan
    for m in range(perps.position.shape[0]):
        own = terms[m].backstop_frac
        if belongs(m, account, perps) and not math.isnan(own):
            share = own if math.isnan(share) else max(share, own)
    return share


@rule
def move_to_trigger(
    account: int, earliest: float, terms: TermsNow, book: Book, settings: Settings
) -> float:
    """The optimistic fill: closes are done where the requirement is first missed.

    Returns how far along the way that is; never before ``earliest``.
    """
    perps = book.perps
    along = max(crossing(account, 1.0, terms, book, perps.worst_px), earliest)
    for m in range(perps.position.shape[0]):
        if belongs(m, account, perps):
            px = on_way(perps.start_px[m], perps.worst_px[m], along)
            cost = forced_cost(m, perps.position[m], terms[m], perps, settings)
            perps.filled_px[m] = px * (1.0 - math.copysign(cost, perps.position[m]))
    return along


# --------------------------------------------------------------------------- closing


@rule
def close(
    trade: tuple[int, int, float, float, int],
    kind: int,
    term: Records,
    perps: Perps,
    accounts: Accounts,
    out: Out,
) -> None:
    """Close ``(row, perp, size, px, reason)``, say so, and cancel the perp's target."""
    t, m, size, px, _ = trade
    write_event(t, kind, m, perps.account[m], abs(size) * px, out)
    perps.decided[m] = t
    fill_perp(trade, term, perps, accounts, out)
    perps.target[m] = math.nan


@rule
def close_all(
    plan: tuple[int, int, int, float], terms: TermsNow, perps: Perps, accounts: Accounts, out: Out
) -> None:
    """Close every position of an account.

    ``plan`` is row, account, reason, and how far along the way to ``filled_px``.
    """
    t, account, reason, along = plan
    kind = EVENT_BACKSTOP if reason == BACKSTOP else EVENT_LIQUIDATION
    for m in range(perps.position.shape[0]):
        if belongs(m, account, perps):
            px = on_way(perps.start_px[m], perps.filled_px[m], along)
            trade = (t, m, -perps.position[m], px, reason)
            close(trade, kind, terms[m], perps, accounts, out)


@rule
def first_part(m: int, term: Records, perps: Perps) -> float:
    """Size of the first liquidation order of a position, units; all of it unless it is large.

    A fifth of a position above 100,000 USD is sent first, then the whole (Hyperliquid
    documentation, trading/liquidations).
    """
    size = abs(perps.position[m])
    large = term.partial_frac > 0.0 and size * perps.worst_px[m] > term.partial_above_usd
    if not large:
        return float(size)
    lot = 1.0 / term.lots_per_unit
    return float(min(size, max(whole_lots(size * term.partial_frac, term.lots_per_unit), lot)))


@rule
def has_large(account: int, terms: TermsNow, perps: Perps) -> bool:
    """Whether the first order of one of an account's positions is less than the whole."""
    large = False
    for m in range(perps.position.shape[0]):
        if belongs(m, account, perps):
            large |= first_part(m, terms[m], perps) < abs(perps.position[m])
    return large


@rule
def close_first_parts(t: int, account: int, terms: TermsNow, book: Book, out: Out) -> None:
    """Send the first order of every position of an account."""
    perps = book.perps
    for m in range(perps.position.shape[0]):
        if belongs(m, account, perps):
            part = first_part(m, terms[m], perps)
            kind = EVENT_PARTIAL if part < abs(perps.position[m]) else EVENT_LIQUIDATION
            size = math.copysign(part, -perps.position[m])
            trade = (t, m, size, perps.filled_px[m], LIQUIDATION)
            close(trade, kind, terms[m], perps, book.accounts, out)


# --------------------------------------------------------------------------- what is left


@rule
def seize(
    t: int, where: tuple[int, int], units: float, book: Book, out: Out, settings: Settings
) -> None:
    """Let the venue sell pledged tokens, ``where = (account, token)``, at the end of the way.

    A haircut is what they count for and not what they bring.
    """
    account, k = where
    tokens, collateral = book.tokens, book.collateral
    px = tokens.end_px[k] * (1.0 - settings.seize_cost_frac)
    collateral.units[account, k] -= units
    tokens.units[k] -= units
    book.accounts.cash_usd[account] += units * px / cash_px(account, book.accounts)
    instrument = book.perps.position.shape[0] + k
    what = (-units, px, tokens.fair_px[k], 0.0)
    write_fill((t, t, instrument, account, SEIZED), what, out)
    write_event(t, EVENT_SEIZED, instrument, account, units * px, out)


@rule
def cover(t: int, account: int, reason: int, book: Book, out: Out, settings: Settings) -> None:
    """Sell pledged tokens until the cash is not below zero; the backstop takes all of them."""
    tokens, collateral, accounts = book.tokens, book.collateral, book.accounts
    if account >= collateral.units.shape[0]:
        return
    for k in range(tokens.units.shape[0]):
        units = collateral.units[account, k]
        if units == 0.0 or is_stuck(k, tokens):
            continue
        px = tokens.end_px[k] * (1.0 - settings.seize_cost_frac)
        short = max(-accounts.cash_usd[account], 0.0)
        wanted = short * cash_px(account, accounts) / px if short > DUST_USD else 0.0
        sold = units if reason == BACKSTOP else min(units, wanted)
        if sold > 0.0:
            seize(t, (account, k), sold, book, out, settings)
            if sold < units:
                accounts.cash_usd[account] = 0.0  # covered to the last digit


@rule
def settle_account(
    t: int, account: int, reason: int, book: Book, out: Out, settings: Settings
) -> None:
    """What a closed account is left with.

    The backstop keeps what margin is left (Hyperliquid documentation, trading/liquidations); an
    account below zero is set to zero and the venue bears the shortfall. Against pledged tokens that
    nobody may move it stays owed: the venue keeps what it will be paid with.
    """
    cover(t, account, reason, book, out, settings)
    cash_usd = book.accounts.cash_usd
    left = cash_usd[account]
    if -DUST_USD <= left < 0.0:
        cash_usd[account] = 0.0
    elif left < 0.0 and holds_stuck(account, book.collateral, book.tokens):
        return
    elif left < 0.0:
        write_payment(t, BAD_DEBT, (-1, account), (0.0, 0.0, -left), out)
        write_event(t, EVENT_BAD_DEBT, -1, account, -left, out)
        cash_usd[account] = 0.0
    elif reason == BACKSTOP and left > 0.0:
        write_payment(t, MARGIN_LOST, (-1, account), (0.0, 0.0, -left), out)
        cash_usd[account] = 0.0


@rule
def bar_reentry(account: int, perps: Perps) -> None:
    """Refuse the coins of an account's positions from now on."""
    for m in range(perps.position.shape[0]):
        if belongs(m, account, perps):
            perps.barred[m] = True


@rule
def drop_hedges(account: int, perps: Perps, tokens: Tokens, settings: Settings) -> None:
    """Cancel the token buys that were to hedge the shorts of an account."""
    for m in range(perps.position.shape[0]):
        if belongs(m, account, perps):
            drop_hedge(m, perps, tokens, settings)


@rule
def begin_close(account: int, terms: TermsNow, book: Book, settings: Settings) -> None:
    """Lay the way of an account that closes, and cancel what was to be done with its positions."""
    lay_way(account, worst_end(account, terms, book, settings), terms, book, settings)
    if settings.stop_after_liquidation == 1:
        bar_reentry(account, book.perps)
    drop_hedges(account, book.perps, book.tokens, settings)


@rule
def end_close(
    plan: tuple[int, int, int, float], terms: TermsNow, book: Book, out: Out, settings: Settings
) -> None:
    """Close every position of an account, by the plan of :func:`close_all`, and settle it."""
    t, account, reason, _ = plan
    close_all(plan, terms, book.perps, book.accounts, out)
    settle_account(t, account, reason, book, out, settings)


# --------------------------------------------------------------------------- the test


@rule
def survives_first_parts(
    t: int, account: int, terms: TermsNow, book: Book, out: Out, settings: Settings
) -> bool:
    """Close the first part of large positions; whether the account then passes the same test.

    Where it does not, what is left closes at the same prices, or at a trigger further on.
    """
    if not has_large(account, terms, book.perps):
        return False
    optimistic = settings.liquidate_at_trigger == 1
    along = crossing(account, 1.0, terms, book, book.perps.worst_px) if optimistic else 1.0
    close_first_parts(t, account, terms, book, out)
    if slack(account, 1.0, 1.0, terms, book, book.perps.worst_px) >= 0.0:
        return True
    if optimistic:
        move_to_trigger(account, along, terms, book, settings)
    return False


@rule
def liquidate_account(
    t: int, account: int, terms: TermsNow, book: Book, out: Out, settings: Settings
) -> None:
    """Close a failing account, or enough of it.

    All of it is taken over where the venue's backstop steps in on the way to the prices at which
    the book would close it; else large positions are closed in part and tested again.
    """
    perps = book.perps
    begin_close(account, terms, book, settings)
    if settings.liquidate_at_trigger == 1:
        move_to_trigger(account, 0.0, terms, book, settings)
    reason, along = LIQUIDATION, 1.0
    share = backstop_share(account, terms, perps)
    if not math.isnan(share) and slack(account, 1.0, share, terms, book, perps.filled_px) < 0.0:
        reason, along = BACKSTOP, crossing(account, share, terms, book, perps.filled_px)
    elif survives_first_parts(t, account, terms, book, out, settings):
        return
    end_close((t, account, reason, along), terms, book, out, settings)


@rule
def liquidate(t: int, terms: TermsNow, book: Book, out: Out, settings: Settings) -> None:
    """Test every margin account at the end of its way and close those that fail.

    An account without positions fails below zero: a close far from the mark can leave it there.
    """
    accounts = book.accounts
    if not falls_short(terms, book, settings):
        return
    for account in range(accounts.cash_usd.shape[0]):
        if is_short(account, accounts):
            liquidate_account(t, account, terms, book, out, settings)


@rule
def call_in(t: int, terms: TermsNow, book: Book, out: Out, settings: Settings) -> None:
    """Close the accounts that owe cash against mirrored collateral for too long.

    The whole account, at the end of its way: the venue wants its cash and has no other hold on it.
    """
    accounts = book.accounts
    count_owed(accounts, book.collateral)
    for account in range(book.collateral.units.shape[0]):
        if not overdue(account, accounts, book.collateral, settings):
            continue
        write_event(t, OWED, -1, account, -accounts.cash_usd[account], out)
        accounts.owed_hours[account] = 0
        begin_close(account, terms, book, settings)
        end_close((t, account, LIQUIDATION, 1.0), terms, book, out, settings)
