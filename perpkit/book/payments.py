"""Steps 3 and 4 of the hour: yield in new units, interest, funding."""

from __future__ import annotations

import math

from perpkit.arrays import Book, Event, Flow, Ledger, Out, Replay, Settings
from perpkit.book.legs import undelivered
from perpkit.book.margin import account_of, has_pledge
from perpkit.book.write import write_event, write_payment
from perpkit.rule import rule

YIELD = int(Flow.YIELD)
INTEREST = int(Flow.INTEREST)
FUNDING_MISSING = int(Event.FUNDING_MISSING)


@rule
def accrue_yield(t: int, tape: Replay, book: Book, out: Out) -> None:
    """Yield of the hour on tokens that pay it in new units; NAV growth needs no payment.

    None in the first hour: what is held from the start is bought in it. New units lie in the
    wallet, of pledged tokens too; where they accrue they are locked until the next payday.
    """
    perps = tape.oracle_px.shape[1]
    tokens = book.tokens
    for k in range(tape.apr.shape[1]):
        units = tokens.units[k]
        if units == 0.0 or t == 0:
            continue
        apr = tape.apr[t, k]
        if apr != 0.0 and not math.isnan(apr):
            rate_1h = apr / 8760.0
            grown = (units - undelivered(k, book.pending)) * rate_1h
            tokens.units[k] = units + grown
            if tokens.accrues[k]:
                tokens.locked[k] += grown
            where = (perps + k, tokens.account[k])
            what = (grown, rate_1h, grown * tokens.fair_px[k])
            write_payment(t, YIELD, where, what, out)
    for k in range(tape.payday.shape[1]):
        if tape.payday[t, k]:  # what is bought and not delivered stays locked
            tokens.locked[k] = undelivered(k, book.pending)


@rule
def pay_interest(t: int, book: Book, out: Out, settings: Settings) -> None:
    """Interest of the hour on cash that a margin account owes against pledged tokens, simple.

    Hyperliquid documentation, portfolio margin: what is borrowed is indexed hourly. Without a
    pledge nothing is borrowed: cash below zero is a loss that unrealised profit covers.
    """
    if settings.borrow_apr == 0.0:
        return
    accounts = book.accounts
    for a in range(book.collateral.units.shape[0]):
        cash = accounts.cash_usd[a]
        owes = cash < 0.0 and has_pledge(a, book.collateral)
        if owes and settings.borrow_apr > 0.0 and not accounts.failed[a]:
            rate_1h = settings.borrow_apr / 8760.0
            accounts.cash_usd[a] = cash + cash * rate_1h
            write_payment(t, INTEREST, (-1, a), (cash, rate_1h, cash * rate_1h), out)


@rule
def funding_usd(position: float, oracle_px: float, rate: float) -> float:
    """Cash of one settlement; a long pays a positive rate.

    Hyperliquid documentation, trading/funding: on the position at the settlement, at the oracle
    and not the mark.
    """
    return -position * oracle_px * rate


@rule
def rate_of(t: int, m: int, position: float, tape: Replay) -> float:
    """Rate of a position's side: a swap of a contract for difference has one for each."""
    if position < 0.0 and m < tape.short_funding.shape[1]:
        return float(tape.short_funding[t, m])
    return float(tape.funding[t, m])


@rule
def pay_funding(t: int, tape: Replay, book: Book, ledger: Ledger) -> None:
    """Settle funding at the boundary, on the position as it stands and the oracle of the row.

    Also on a carried price: the venue settles whether or not the hour was recorded.
    """
    kept = ledger.rows.funding_usd.shape[0] > 0
    cash_usd = book.accounts.cash_usd
    account = 0
    cash = cash_usd[account]
    for m in range(tape.funding.shape[1]):
        position = book.perps.position[m]
        if position == 0.0 or not tape.due[t, m]:
            continue
        rate = rate_of(t, m, position, tape)
        if math.isnan(rate):
            write_event(t, FUNDING_MISSING, m, book.perps.account[m], 0.0, ledger.out)
            continue
        own = account_of(m, book.perps)
        if own != account:
            # The sum stays out of memory while neighbours share an account.
            cash_usd[account] = cash
            account = own
            cash = cash_usd[account]
        usd = funding_usd(position, tape.oracle_px[t, m], rate)
        cash += usd
        if kept:
            ledger.rows.funding_usd[t, m] = usd
    cash_usd[account] = cash
