"""Step 1 of the hour: a venue fails.

Its positions are settled at their marks and it keeps a share of what it holds; tokens in custody
outside it are not its to keep. What it does not keep stays there, frozen.
"""

from __future__ import annotations

import math

from perpkit.arrays import (
    Accounts,
    Book,
    Event,
    Flow,
    Out,
    Reason,
    Replay,
    Settings,
    Shock,
    TermsNow,
)
from perpkit.book.barred import is_stuck
from perpkit.book.fills import fill_perp
from perpkit.book.hedges import drop_hedge
from perpkit.book.margin import cash_px
from perpkit.book.when import first_from
from perpkit.book.write import write_event, write_fill, write_payment
from perpkit.rule import rule

SHOCK = int(Reason.SHOCK)
VENUE_LOSS = int(Flow.VENUE_LOSS)
VENUE_FAILED = int(Event.VENUE_FAILED)
RELEASED = int(Event.RELEASED)
VENUE_FAILURE = int(Shock.VENUE_FAILURE)


@rule
def is_of(a: int, account: int, accounts: Accounts) -> bool:
    """Whether an account is a venue's, or an isolated position's below it."""
    return bool(a == account or accounts.parent[a] == account)


@rule
def settle_positions(
    t: int, account: int, terms: TermsNow, book: Book, out: Out, settings: Settings
) -> None:
    """Close every position of a venue at its mark, and bar its coins."""
    perps, accounts = book.perps, book.accounts
    for m in range(perps.position.shape[0]):
        if not is_of(perps.account[m], account, accounts):
            continue
        drop_hedge(m, perps, book.tokens, settings)
        perps.target[m] = math.nan
        perps.barred[m] = True
        if perps.position[m] != 0.0:
            perps.decided[m] = t
            trade = (t, m, -perps.position[m], perps.mark_px[m], SHOCK)
            fill_perp(trade, terms[m], perps, accounts, out)


@rule
def pay_debt(t: int, account: int, book: Book, out: Out) -> None:
    """Sell pledged tokens at fair price for what the account owes: its failure forgives no debt."""
    tokens, collateral, accounts = book.tokens, book.collateral, book.accounts
    for k in range(tokens.units.shape[0] if account < collateral.units.shape[0] else 0):
        units, owed = collateral.units[account, k], -accounts.cash_usd[account]
        if units == 0.0 or not owed > 0.0 or is_stuck(k, tokens):
            continue
        px = tokens.fair_px[k] / cash_px(account, accounts)
        sold = min(units, owed / px)
        collateral.units[account, k] -= sold
        tokens.units[k] -= sold
        accounts.cash_usd[account] = 0.0 if sold < units else sold * px - owed
        where = (t, t, book.perps.position.shape[0] + k, account, SHOCK)
        write_fill(where, (-sold, tokens.fair_px[k], tokens.fair_px[k], 0.0), out)


@rule
def lose_cash(t: int, account: int, share: float, accounts: Accounts, out: Out) -> float:
    """Take a share of a venue's cash, and freeze the rest; what is lost, in its currency."""
    lost = 0.0
    for a in range(accounts.cash_usd.shape[0]):
        if not is_of(a, account, accounts):
            continue
        accounts.failed[a] = True
        usd = share * accounts.cash_usd[a]
        if usd > 0.0:
            accounts.cash_usd[a] -= usd
            write_payment(t, VENUE_LOSS, (-1, a), (0.0, 0.0, -usd), out)
            lost += usd
    return lost


@rule
def lose_pledges(t: int, account: int, share: float, book: Book, out: Out) -> float:
    """Take a share of the tokens pledged at a venue, and release the rest to the wallet.

    Mirrored ones lie with a custodian and are released whole; what nobody may move stays where it
    is. Returns USD lost at fair price.
    """
    tokens, collateral = book.tokens, book.collateral
    lost = 0.0
    if account >= collateral.units.shape[0]:
        return lost
    for k in range(tokens.units.shape[0]):
        pledged = collateral.units[account, k]
        if pledged == 0.0:
            continue
        gone = 0.0 if collateral.mirrored[account, k] else share * pledged
        stuck = is_stuck(k, tokens)
        collateral.units[account, k] = pledged - gone if stuck else 0.0
        instrument = book.perps.position.shape[0] + k
        if gone > 0.0:
            lost += gone * tokens.fair_px[k]
            tokens.units[k] -= gone
            where = (t, t, instrument, account, SHOCK)
            write_fill(where, (-gone, 0.0, tokens.fair_px[k], 0.0), out)
        usd = (pledged - gone) * tokens.fair_px[k] / cash_px(account, book.accounts)
        if usd > 0.0 and not stuck:
            write_event(t, RELEASED, instrument, account, usd, out)
    return lost


@rule
def fail_venues(
    t: int, tape: Replay, terms: TermsNow, book: Book, out: Out, settings: Settings
) -> None:
    """Let the venues fail that shocks of the hour say."""
    for j in range(first_from(tape.shock_row, t), first_from(tape.shock_row, t + 1)):
        if tape.shock_kind[j] != VENUE_FAILURE:
            continue
        account, share = int(tape.shock_account[j]), float(tape.shock_value[j])
        settle_positions(t, account, terms, book, out, settings)
        pay_debt(t, account, book, out)
        lost = lose_cash(t, account, share, book.accounts, out)
        lost += lose_pledges(t, account, share, book, out) / cash_px(account, book.accounts)
        write_event(t, VENUE_FAILED, -1, account, lost, out)
