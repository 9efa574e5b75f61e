"""Step 5 of the hour: the margin test, liquidation and bad debt.

Between the last mark and the hour's extreme all prices of an account are taken to move together in
a straight line, longs to L and shorts to H (``own_worst``). Value and requirement are linear along
it, so the point where they meet, and the price of each position there, is exact.
"""

from __future__ import annotations

import math

from perpkit.arrays import (
    F64,
    Accounts,
    Book,
    Event,
    Flow,
    Out,
    Perps,
    Reason,
    Settings,
    TermsNow,
    Tokens,
)
from perpkit.book.fills import fill_perp
from perpkit.book.write import write_event, write_payment
from perpkit.rule import rule

LIQUIDATION = int(Reason.LIQUIDATION)
BACKSTOP = int(Reason.BACKSTOP)
MARGIN_LOST = int(Flow.MARGIN_LOST)
BAD_DEBT = int(Flow.BAD_DEBT)
EVENT_LIQUIDATION = int(Event.LIQUIDATION)
EVENT_BACKSTOP = int(Event.BACKSTOP)
EVENT_BAD_DEBT = int(Event.BAD_DEBT)


@rule
def worst(position: float, high_px: float, low_px: float) -> float:
    """The hour's extreme against a position."""
    return high_px if position < 0.0 else low_px


@rule
def lay_paths(terms: TermsNow, perps: Perps) -> None:
    """Set the far end of each position's path through the hour."""
    for m in range(perps.position.shape[0]):
        position = perps.position[m]
        if position != 0.0:
            px = worst(position, perps.high_px[m], perps.low_px[m])
            perps.worst_px[m] = px
            perps.filled_px[m] = px * (1.0 - math.copysign(terms[m].cost_frac, position))


@rule
def spare(position: float, entry_px: float, px: float, maintenance_frac: float) -> float:
    """What a position at a price leaves of its margin above maintenance, USD; mostly negative."""
    return position * (px - entry_px) - abs(position) * px * maintenance_frac


@rule
def slack(
    account: int, px: F64, share: float, terms: TermsNow, perps: Perps, accounts: Accounts
) -> float:
    """Margin value of an account less a share of its maintenance, both at the prices ``px``."""
    usd = accounts.cash_usd[account]
    for m in range(px.shape[0]):
        position = perps.position[m]
        if position != 0.0 and perps.account[m] == account:
            usd += spare(position, perps.entry_px[m], px[m], share * terms[m].maintenance_frac)
    return float(usd)


@rule
def crossing(start_usd: float, end_usd: float) -> float:
    """Where the slack is zero on the way to a negative one: 0 at the start, 1 at the end."""
    return start_usd / (start_usd - end_usd) if start_usd > 0.0 else 0.0


@rule
def backstop_share(account: int, terms: TermsNow, perps: Perps) -> float:
    """Share of maintenance at which the venue takes the account over; NaN where it does not.

    The largest of its positions' shares: where one position has a backstop the account has.
    """
    share = math.nan
    for m in range(perps.position.shape[0]):
        own = terms[m].backstop_frac
        held = perps.position[m] != 0.0 and perps.account[m] == account
        if held and not math.isnan(own):
            share = own if math.isnan(share) else max(share, own)
    return share


@rule
def is_short(account: int, accounts: Accounts) -> bool:
    """Whether an account's margin value falls below its maintenance within the hour."""
    return bool(accounts.is_margin[account] and accounts.spare_usd[account] < 0.0)


@rule
def falls_short(terms: TermsNow, perps: Perps, accounts: Accounts) -> bool:
    """Spare margin of every account at the hour's extremes; whether any falls short."""
    for a in range(accounts.cash_usd.shape[0]):
        accounts.spare_usd[a] = accounts.cash_usd[a]
    a = 0
    usd = accounts.spare_usd[a]
    for m in range(perps.position.shape[0]):
        position = perps.position[m]
        if position == 0.0:
            continue
        if perps.account[m] != a:
            accounts.spare_usd[a] = usd
            a = perps.account[m]
            usd = accounts.spare_usd[a]
        px = worst(position, perps.high_px[m], perps.low_px[m])
        usd += spare(position, perps.entry_px[m], px, terms[m].maintenance_frac)
    accounts.spare_usd[a] = usd
    short = False
    for a in range(accounts.cash_usd.shape[0]):
        short |= is_short(a, accounts)
    return short


@rule
def ending(account: int, terms: TermsNow, perps: Perps, accounts: Accounts) -> tuple[int, float]:
    """Reason and place of a failing account's end: how far along the way to ``filled_px``.

    Everything closes there, unless the venue's backstop steps in on the way.
    """
    share = backstop_share(account, terms, perps)
    if not math.isnan(share):
        filled = slack(account, perps.filled_px, share, terms, perps, accounts)
        if filled < 0.0:
            start = slack(account, perps.start_px, share, terms, perps, accounts)
            return BACKSTOP, crossing(start, filled)
    return LIQUIDATION, 1.0


@rule
def move_to_trigger(account: int, terms: TermsNow, perps: Perps, accounts: Accounts) -> None:
    """The optimistic fill: everything closes where the requirement is first missed."""
    start = slack(account, perps.start_px, 1.0, terms, perps, accounts)
    end = slack(account, perps.worst_px, 1.0, terms, perps, accounts)
    along = crossing(start, end)
    for m in range(perps.position.shape[0]):
        position = perps.position[m]
        if position != 0.0 and perps.account[m] == account:
            trigger = perps.start_px[m] + along * (perps.worst_px[m] - perps.start_px[m])
            perps.filled_px[m] = trigger * (1.0 - math.copysign(terms[m].cost_frac, position))


@rule
def close_all(
    plan: tuple[int, int, int, float], terms: TermsNow, perps: Perps, accounts: Accounts, out: Out
) -> None:
    """Close every position of an account and cancel its targets.

    ``plan`` is row, account, reason, and how far along the way to ``filled_px``.
    """
    t, account, reason, along = plan
    kind = EVENT_BACKSTOP if reason == BACKSTOP else EVENT_LIQUIDATION
    for m in range(perps.position.shape[0]):
        position = perps.position[m]
        if position != 0.0 and perps.account[m] == account:
            px = perps.start_px[m] + along * (perps.filled_px[m] - perps.start_px[m])
            write_event(t, kind, m, account, abs(position) * px, out)
            perps.decided[m] = t
            fill_perp((t, m, -position, px, reason), terms[m], perps, accounts, out)
            perps.target[m] = math.nan


@rule
def settle_account(t: int, account: int, reason: int, accounts: Accounts, out: Out) -> None:
    """What a closed account is left with.

    The backstop keeps what margin is left (Hyperliquid documentation, trading/liquidations); an
    account below zero is set to zero and the venue bears the shortfall.
    """
    left = accounts.cash_usd[account]
    if left < 0.0:
        write_payment(t, BAD_DEBT, (-1, account), (0.0, 0.0, -left), out)
        write_event(t, EVENT_BAD_DEBT, -1, account, -left, out)
        accounts.cash_usd[account] = 0.0
    elif reason == BACKSTOP and left > 0.0:
        write_payment(t, MARGIN_LOST, (-1, account), (0.0, 0.0, -left), out)
        accounts.cash_usd[account] = 0.0


@rule
def bar_reentry(account: int, perps: Perps) -> None:
    """Refuse the coins of an account's positions from now on."""
    for m in range(perps.position.shape[0]):
        if perps.position[m] != 0.0 and perps.account[m] == account:
            perps.barred[m] = True


@rule
def drop_hedges(account: int, perps: Perps, tokens: Tokens) -> None:
    """Cancel the token buys that were to hedge an account's short positions."""
    for m in range(perps.position.shape[0]):
        k = perps.token[m]
        short = perps.position[m] < 0.0 and perps.account[m] == account
        if short and k >= 0 and tokens.target[k] > tokens.units[k]:
            tokens.target[k] = math.nan


@rule
def liquidate(t: int, terms: TermsNow, book: Book, out: Out, settings: Settings) -> None:
    """Test every margin account against the hour's extremes and close those that fail.

    An account without positions fails below zero: a close far from the mark can leave it there.
    """
    perps, accounts = book.perps, book.accounts
    if not falls_short(terms, perps, accounts):
        return
    lay_paths(terms, perps)
    for account in range(accounts.cash_usd.shape[0]):
        if not is_short(account, accounts):
            continue
        if settings.liquidate_at_trigger == 1:
            move_to_trigger(account, terms, perps, accounts)
        reason, along = ending(account, terms, perps, accounts)
        if settings.stop_after_liquidation == 1:
            bar_reentry(account, perps)
        if settings.pair_together == 1:
            drop_hedges(account, perps, book.tokens)
        close_all((t, account, reason, along), terms, perps, accounts, out)
        settle_account(t, account, reason, accounts, out)
