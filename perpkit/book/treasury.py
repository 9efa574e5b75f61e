"""Steps 2 and 7 of the hour: cash that moves between accounts takes time and costs.

A margin account whose ratio has passed the trigger is called: cash of the wallet, then tokens
redeemed for it, then both legs cut. One with margin to spare gives cash back, and cash that lies
idle in the wallet is put into a token that yields.
"""

from __future__ import annotations

import math

from perpkit.arrays import (
    Accounts,
    Book,
    Collateral,
    Event,
    Flow,
    Out,
    Pending,
    Perps,
    Replay,
    Settings,
    TermsNow,
)
from perpkit.book.delever import delever
from perpkit.book.margin import assess, cash_px, convert, is_portfolio, margin_value
from perpkit.book.mirror import has_mirrored
from perpkit.book.redeem import LEAST_USD, coming_usd, count_coming, redeem, sweep_idle
from perpkit.book.write import write_event, write_payment
from perpkit.rule import rule

TRANSFER = int(Flow.TRANSFER)
SENT = int(Event.TRANSFER_SENT)
ARRIVED = int(Event.TRANSFER_ARRIVED)
REFUSED = int(Event.TRANSFER_REFUSED)
HELD_BACK = int(Event.HELD_BACK)
ADDED = int(Event.MARGIN_ADDED)
REMOVED = int(Event.MARGIN_REMOVED)
WALLET = 0
# Of the notional: what must stay behind when margin leaves without a trade (Hyperliquid
# documentation, trading/margining).
LEAST_FRAC = 0.1


@rule
def deliver(t: int, accounts: Accounts, pending: Pending, out: Out) -> None:
    """Credit the cash that arrives at row ``t``."""
    for a in range(pending.usd.shape[0]):
        if 0 <= pending.due_row[a] <= t:
            usd = pending.usd[a]
            accounts.cash_usd[a] += usd
            pending.usd[a] = 0.0
            pending.due_row[a] = -1
            write_event(t, ARRIVED, -1, a, usd, out)


# --------------------------------------------------------------------------- moves at once


@rule
def change(a: int, usd: float, accounts: Accounts) -> None:
    """Add cash, in its settle currency, to an assessed account."""
    counted = usd
    if is_portfolio(a, accounts):
        own = accounts.cash_free_usd[a] + accounts.initial_usd[a]
        counted = margin_value(a, own + usd, 0.0, accounts) - margin_value(a, own, 0.0, accounts)
    accounts.cash_usd[a] += usd
    accounts.value_usd[a] += counted
    accounts.free_usd[a] += usd
    accounts.cash_free_usd[a] += usd
    accounts.equity_usd[a] += usd * cash_px(a, accounts)


@rule
def owed_usd(a: int, accounts: Accounts, collateral: Collateral) -> float:
    """Cash that an account owes against mirrored collateral, whose losses are settled in cash."""
    if a >= collateral.units.shape[0] or not accounts.cash_usd[a] < 0.0:
        return 0.0
    return float(-accounts.cash_usd[a] if has_mirrored(a, collateral) else 0.0)


@rule
def called_usd(a: int, accounts: Accounts, settings: Settings) -> float:
    """What brings an account that is past the trigger to ``topup_to_ratio``; 0 where it is not."""
    value = max(accounts.value_usd[a], 0.0)
    if not accounts.maintenance_usd[a] > settings.topup_at_ratio * value:
        return 0.0
    wanted = accounts.maintenance_usd[a] / settings.topup_to_ratio - accounts.value_usd[a]
    return float(wanted if wanted >= LEAST_USD else 0.0)


@rule
def surplus_usd(a: int, accounts: Accounts, settings: Settings) -> float:
    """What ``topup_to_ratio`` does not ask for, of an account far from a call; 0 elsewhere.

    An account without a position keeps its cash for the next one.
    """
    need, value = accounts.maintenance_usd[a], accounts.value_usd[a]
    if need == 0.0 or need >= settings.sweep_at_ratio * value:
        return 0.0
    spare = value - need / settings.topup_to_ratio
    return float(spare if spare >= LEAST_USD else 0.0)


@rule
def is_in_band(a: int, accounts: Accounts, settings: Settings) -> bool:
    """Whether an account is neither called nor has margin to spare, as mostly it is."""
    need, value = accounts.maintenance_usd[a], max(accounts.value_usd[a], 0.0)
    spares = 0.0 < need < settings.sweep_at_ratio * value
    return not spares and not need > settings.topup_at_ratio * value


@rule
def removable_usd(a: int, wanted: float, perps: Perps, accounts: Accounts) -> float:
    """How much of its cash may leave an account without a trade.

    At least the initial margin and a tenth of the notional stay behind (Hyperliquid
    documentation, trading/margining).
    """
    usd = min(wanted, accounts.cash_usd[a], accounts.cash_free_usd[a])
    if not usd >= LEAST_USD:  # the notional need not be known
        return float(usd)
    notional = 0.0
    for m in range(perps.position.shape[0]):
        # Before a coin's first price its mark is NaN.
        if perps.position[m] != 0.0 and perps.account[m] == a:
            notional += abs(perps.position[m]) * perps.mark_px[m]
    return float(min(usd, accounts.value_usd[a] - LEAST_FRAC * notional))


@rule
def refuse_to_leave(t: int, a: int, usd: float, accounts: Accounts, out: Out) -> None:
    """Say once that what an account has to spare cannot leave it."""
    if not accounts.sweep_refused[a]:
        accounts.sweep_refused[a] = True
        write_event(t, HELD_BACK, -1, a, usd, out)


@rule
def add_margin(t: int, c: int, wanted: float, perps: Perps, accounts: Accounts, out: Out) -> float:
    """Move what an isolated position wants from its venue's free margin; what it still lacks."""
    a = accounts.parent[c]
    usd = removable_usd(a, wanted, perps, accounts)
    if usd < LEAST_USD:
        return wanted
    change(a, -usd, accounts)
    change(c, usd, accounts)
    write_event(t, ADDED, -1, c, usd, out)
    return float(wanted - usd)


@rule
def remove_margin(t: int, c: int, book: Book, out: Out, settings: Settings) -> None:
    """Move what an isolated position has to spare to its venue's account, where it can be."""
    accounts = book.accounts
    wanted = surplus_usd(c, accounts, settings)
    if wanted <= 0.0:
        accounts.sweep_refused[c] = False
    if wanted <= 0.0 or accounts.strict[c]:
        return
    usd = removable_usd(c, wanted, book.perps, accounts)
    if usd < LEAST_USD:
        refuse_to_leave(t, c, wanted, accounts, out)
        return
    accounts.sweep_refused[c] = False
    change(c, -usd, accounts)
    change(accounts.parent[c], usd, accounts)
    write_event(t, REMOVED, -1, c, usd, out)


@rule
def serve_isolated(t: int, a: int, book: Book, out: Out, settings: Settings) -> float:
    """Even out the isolated positions of a venue's account with it, at once; what they lack."""
    accounts = book.accounts
    lack = 0.0
    for c in range(accounts.cash_usd.shape[0]):
        if accounts.parent[c] != a or accounts.failed[c]:
            continue
        if is_in_band(c, accounts, settings):
            accounts.spare_usd[c] = 0.0
            accounts.sweep_refused[c] = False
            continue
        wanted = called_usd(c, accounts, settings)
        if wanted > 0.0:
            wanted = add_margin(t, c, wanted, book.perps, accounts, out)
        accounts.spare_usd[c] = -wanted
        lack += wanted
        if wanted <= 0.0:
            remove_margin(t, c, book, out, settings)
    return lack


# --------------------------------------------------------------------------- transfers


@rule
def ask_wallet(t: int, a: int, wanted: float, book: Book, out: Out, settings: Settings) -> float:
    """Send an account what the wallet has of what it wants; what is lacking."""
    accounts, pending = book.accounts, book.pending
    cost = settings.transfer_cost_usd / cash_px(WALLET, accounts)
    usd = min(wanted, convert(accounts.cash_usd[WALLET] - cost, WALLET, a, accounts))
    if usd < LEAST_USD:
        if not accounts.transfer_refused[a]:
            accounts.transfer_refused[a] = True
            write_event(t, REFUSED, -1, a, wanted, out)
        return wanted
    change(WALLET, -(convert(usd, a, WALLET, accounts) + cost), accounts)
    write_payment(t, TRANSFER, (-1, WALLET), (usd, 0.0, -cost), out)
    pending.usd[a] = usd
    pending.due_row[a] = t + settings.transfer_hours
    write_event(t, SENT, -1, a, usd, out)
    return float(wanted - usd)


@rule
def give_back(t: int, a: int, book: Book, out: Out, settings: Settings) -> None:
    """Send what an account has to spare to the wallet, the cost out of it; one at a time."""
    accounts, pending = book.accounts, book.pending
    wanted = surplus_usd(a, accounts, settings)
    if wanted <= 0.0:
        accounts.sweep_refused[a] = False
    if wanted <= 0.0 or pending.due_row[WALLET] >= 0:
        return
    usd = removable_usd(a, wanted, book.perps, accounts)
    cost = settings.transfer_cost_usd / cash_px(a, accounts)
    least = least_usd(a, accounts, settings)
    if wanted < least:  # it waits until there is more
        return
    if usd < least:
        refuse_to_leave(t, a, wanted, accounts, out)
        return
    accounts.sweep_refused[a] = False
    change(a, -usd, accounts)
    write_payment(t, TRANSFER, (-1, a), (usd, 0.0, -cost), out)
    pending.usd[WALLET] = convert(usd - cost, a, WALLET, accounts)
    pending.due_row[WALLET] = t + settings.transfer_hours
    write_event(t, SENT, -1, WALLET, pending.usd[WALLET], out)


@rule
def meet_call(
    call: tuple[int, int, float],
    tape: Replay,
    terms: TermsNow,
    book: Book,
    out: Out,
    settings: Settings,
) -> None:
    """Meet a call ``(row, account, amount)``: wallet, then tokens redeemed, then both legs cut.

    One transfer at a time; cut is what neither cash nor what is being redeemed covers.
    """
    t, a, wanted = call
    lack = ask_wallet(t, a, wanted, book, out, settings)
    if lack <= 0.0:
        return
    px = cash_px(a, book.accounts)
    cost = settings.transfer_cost_usd if settings.redeem == 1 else 0.0  # of sending on what it asks
    usd = count_coming(lack * px + cost, book.accounts)
    if settings.redeem == 1:
        usd = redeem(t, usd, tape, book, out)
    lack = usd / px
    # Cash that is on its way to the wallet goes on from there.
    lack -= convert(book.pending.usd[WALLET], WALLET, a, book.accounts)
    if settings.delever == 1 and lack >= LEAST_USD:
        keep_lacking(a, lack / wanted, book.accounts, settings)
        delever((t, a), tape, terms, book, out, settings)
        assess(terms, book)


@rule
def keep_lacking(a: int, share: float, accounts: Accounts, settings: Settings) -> None:
    """Leave an account and the isolated ones below it the share of their calls that is not met.

    Nothing where what is met takes it out of the call: it waits for the cash.
    """
    share = min(share, 1.0)
    for c in range(accounts.cash_usd.shape[0]):
        if c != a and accounts.parent[c] != a:
            continue
        value = accounts.value_usd[c] - accounts.spare_usd[c] * (1.0 - share)
        waits = accounts.maintenance_usd[c] <= settings.topup_at_ratio * max(value, 0.0)
        accounts.spare_usd[c] = 0.0 if waits else accounts.spare_usd[c] * share


@rule
def manage(t: int, tape: Replay, terms: TermsNow, book: Book, out: Out, settings: Settings) -> None:
    """Step 7: calls of the margin accounts in turn, what they have to spare, and idle cash."""
    never = math.isinf(settings.topup_at_ratio) and settings.sweep_at_ratio == 0.0
    if never and settings.sweep_token < 0:
        return
    if not is_calm(book.accounts, book.collateral, book.pending, settings):
        meet_all(t, tape, terms, book, out, settings)
    elif settings.sweep_token >= 0:
        sweep_idle(t, tape, book, out, settings)


@rule
def least_usd(a: int, accounts: Accounts, settings: Settings) -> float:
    """Smallest surplus that a venue's account sends back, in its settle currency."""
    return max(settings.sweep_min_usd / cash_px(a, accounts), LEAST_USD)


@rule
def rests(a: int, accounts: Accounts, settings: Settings) -> bool:
    """Whether an account is left as it is: in its band, or with a surplus that cannot move.

    What was refused to leave stays refused while there is no cash for it; everything else that is
    refused is looked at again.
    """
    if accounts.transfer_refused[a]:
        return False
    refused = bool(accounts.sweep_refused[a])
    if is_in_band(a, accounts, settings):
        return not refused
    spare = surplus_usd(a, accounts, settings)
    if spare <= 0.0:  # called
        return False
    least = least_usd(a, accounts, settings) if accounts.parent[a] < 0 else LEAST_USD
    if spare < least or accounts.strict[a]:
        return True
    return refused and min(accounts.cash_usd[a], accounts.cash_free_usd[a]) < least


@rule
def is_calm(
    accounts: Accounts, collateral: Collateral, pending: Pending, settings: Settings
) -> bool:
    """Whether there is nothing to send, to wait for or to say, as in most hours."""
    for a in range(WALLET + 1, accounts.cash_usd.shape[0]):
        waits = pending.due_row[a] >= 0 or owed_usd(a, accounts, collateral) > 0.0
        if waits or not rests(a, accounts, settings):
            return False
    return True


@rule
def meet_all(
    t: int, tape: Replay, terms: TermsNow, book: Book, out: Out, settings: Settings
) -> None:
    """Calls of the margin accounts in turn, and what they have to spare."""
    accounts, pending = book.accounts, book.pending
    # What comes to the wallet meets the calls in turn, each dollar once.
    accounts.spare_usd[WALLET] = coming_usd(book)
    called = False
    for a in range(WALLET + 1, accounts.cash_usd.shape[0]):
        if accounts.parent[a] >= 0 or accounts.failed[a]:
            continue
        wanted = 0.0
        if accounts.parent[-1] >= 0:  # isolated accounts come last
            wanted = serve_isolated(t, a, book, out, settings)
        own = called_usd(a, accounts, settings)
        if not math.isinf(settings.topup_at_ratio):
            own = max(own, owed_usd(a, accounts, book.collateral))
        accounts.spare_usd[a] = -own
        wanted += own
        under_way = pending.due_row[a] >= 0
        called = called or wanted > 0.0 or under_way
        if wanted <= 0.0:
            accounts.transfer_refused[a] = False
            give_back(t, a, book, out, settings)
        elif not under_way:
            meet_call((t, a, wanted), tape, terms, book, out, settings)
    if not called:
        sweep_idle(t, tape, book, out, settings)
