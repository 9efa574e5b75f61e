"""Steps 1, 3 and 4 of the hour: dividends, yield in new units, funding."""

from __future__ import annotations

import math

from perpkit.arrays import Book, Event, Flow, Out, Tape
from perpkit.book.write import write_event, write_payment
from perpkit.rule import rule

DIVIDEND = int(Flow.DIVIDEND)
YIELD = int(Flow.YIELD)
FUNDING = int(Flow.FUNDING)
FUNDING_MISSING = int(Event.FUNDING_MISSING)


@rule
def pay_dividends(t: int, tape: Tape, book: Book, out: Out) -> None:
    """Cash dividends of the hour, net of withholding, on the tokens held."""
    perps = tape.oracle_px.shape[1]
    for n in range(tape.action_row.shape[0]):
        k = tape.action_token[n]
        units = book.tokens.units[k]
        if tape.action_row[n] == t and units != 0.0:
            account = book.tokens.account[k]
            usd = units * tape.action_usd[n]
            book.accounts.cash_usd[account] += usd
            what = (units, tape.action_usd[n], usd)
            write_payment(t, DIVIDEND, (perps + k, account), what, out)


@rule
def accrue_yield(t: int, tape: Tape, book: Book, out: Out) -> None:
    """Yield of the hour on tokens that pay it in new units; NAV growth needs no payment."""
    perps = tape.oracle_px.shape[1]
    for k in range(tape.apr.shape[1]):
        units = book.tokens.units[k]
        rate_1h = tape.apr[t, k] / 8760.0
        if units != 0.0 and rate_1h != 0.0 and not math.isnan(rate_1h):
            grown = units * rate_1h
            book.tokens.units[k] = units + grown
            where = (perps + k, book.tokens.account[k])
            what = (grown, rate_1h, grown * book.tokens.fair_px[k])
            write_payment(t, YIELD, where, what, out)


@rule
def funding_usd(position: float, oracle_px: float, rate: float) -> float:
    """Cash of one settlement; a long pays a positive rate.

    Hyperliquid documentation, trading/funding: on the position at the settlement, at the oracle
    and not the mark.
    """
    return -position * oracle_px * rate


@rule
def pay_funding(t: int, tape: Tape, book: Book, out: Out) -> None:
    """Settle funding at the boundary, on the position as it stands and the oracle of the row.

    Also on a carried price: the venue settles whether or not the hour was recorded.
    """
    for m in range(tape.funding.shape[1]):
        position = book.perps.position[m]
        if position == 0.0 or not tape.due[t, m]:
            continue
        account = book.perps.account[m]
        rate = tape.funding[t, m]
        if math.isnan(rate):
            write_event(t, FUNDING_MISSING, m, account, 0.0, out)
            continue
        usd = funding_usd(position, tape.oracle_px[t, m], rate)
        book.accounts.cash_usd[account] += usd
        write_payment(t, FUNDING, (m, account), (position, rate, usd), out)
