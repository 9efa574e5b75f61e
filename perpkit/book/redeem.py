"""Tokens for cash and cash for tokens at the issuer, at NAV, in the hours it takes requests."""

from __future__ import annotations

import math

from perpkit.arrays import Accounts, Book, Event, Flow, Out, Reason, Replay, Settings
from perpkit.book.barred import is_barred
from perpkit.book.margin import cash_px, free_units
from perpkit.book.write import write_event, write_fill, write_payment
from perpkit.rule import rule

REDEEMED = int(Reason.REDEEMED)
SWEPT = int(Reason.SWEPT)
SETTLEMENT_COST = int(Flow.SETTLEMENT_COST)
REDEEM_SENT = int(Event.REDEEM_SENT)
REDEEM_PAID = int(Event.REDEEM_PAID)
REDEEM_REFUSED = int(Event.REDEEM_REFUSED)
EVENT_SWEPT = int(Event.SWEPT)
WALLET = 0
LEAST_USD = 0.01  # what a call or a surplus must come to before anything moves


@rule
def pay_redemptions(t: int, book: Book, out: Out) -> None:
    """Credit what issuers pay at row ``t``."""
    accounts, pending = book.accounts, book.pending
    if pending.redeeming[0] == 0:
        return
    for k in range(pending.redeem_row.shape[0]):
        if 0 <= pending.redeem_row[k] <= t:
            pending.redeeming[0] -= 1
            usd = pending.redeem_usd[k]
            instrument = book.perps.position.shape[0] + k
            accounts.cash_usd[WALLET] += usd
            cost = pending.redeem_cost_usd[k]
            if cost != 0.0:
                accounts.cash_usd[WALLET] -= cost
                write_payment(t, SETTLEMENT_COST, (instrument, WALLET), (0.0, 0.0, -cost), out)
            pending.redeem_usd[k] = 0.0
            pending.redeem_cost_usd[k] = 0.0
            pending.redeem_row[k] = -1
            write_event(t, REDEEM_PAID, instrument, WALLET, usd, out)


@rule
def send_back(t: int, k: int, usd: float, tape: Replay, book: Book, out: Out) -> None:
    """Redeem units for so many USD: they leave at once, the cash comes later."""
    tokens, pending = book.tokens, book.pending
    nav = tokens.nav_px[k]
    fee = usd * tokens.redeem_fee_frac[k]
    instrument = book.perps.position.shape[0] + k
    tokens.units[k] -= usd / nav
    pending.redeem_usd[k] = (usd - fee) / cash_px(WALLET, book.accounts)
    settles = k < tape.redeem_cost_frac.shape[1]
    cost_frac = tape.redeem_cost_frac[t, k] if settles else 0.0
    pending.redeem_cost_usd[k] = pending.redeem_usd[k] * cost_frac
    pending.redeem_row[k] = t + tape.redeem_rows[t, k]
    pending.redeeming[0] += 1
    # A standing target would buy back at the market what is redeemed here.
    tokens.target[k] = math.nan
    what = (-usd / nav, nav, tokens.fair_px[k], fee)
    write_fill((t, t, instrument, WALLET, REDEEMED), what, out)
    write_event(t, REDEEM_SENT, instrument, WALLET, usd, out)


@rule
def coming_usd(book: Book) -> float:
    """Cash under way to the wallet from issuers, and from sales that are not paid yet, USD."""
    pending, usd = book.pending, 0.0
    for k in range(pending.redeem_usd.shape[0] if pending.redeeming[0] > 0 else 0):
        usd += pending.redeem_usd[k] - pending.redeem_cost_usd[k]
    for k in range(pending.leg_usd.shape[0] if pending.legs[1] > 0 else 0):
        usd += pending.leg_usd[k]
    return usd * cash_px(WALLET, book.accounts)


@rule
def count_coming(wanted: float, accounts: Accounts) -> float:
    """What a call still lacks, USD, when what comes to the wallet anyway is counted.

    ``spare_usd`` of the wallet holds what no other call has taken of it.
    """
    taken = min(wanted, accounts.spare_usd[WALLET])
    accounts.spare_usd[WALLET] -= taken
    return float(wanted - taken)


@rule
def redeem(t: int, wanted: float, tape: Replay, book: Book, out: Out) -> float:
    """Redeem free tokens in their order for what a call lacks, USD; what it still lacks.

    One redemption at a time per token, its fee on top, the issuer's minimum at least. What cannot
    be is said once, until it can be.
    """
    tokens, pending = book.tokens, book.pending
    for k in range(tape.redeemable.shape[1]):
        had = free_units(k, book) * tokens.nav_px[k]
        # None left but what rounding leaves, or without a NAV yet.
        if wanted <= 0.0 or tokens.redeem_hours[k] < 0 or not had >= LEAST_USD:
            continue
        if pending.redeem_row[k] >= 0:  # its turn comes when the one under way is paid
            wanted -= had if tape.redeemable[t, k] else 0.0
            continue
        gross = wanted / (1.0 - tokens.redeem_fee_frac[k])
        usd = min(max(gross, tokens.redeem_min_usd[k]), had)
        if tape.redeemable[t, k] and usd >= tokens.redeem_min_usd[k]:
            pending.redeem_refused[k] = False
            send_back(t, k, usd, tape, book, out)
            wanted -= usd * (1.0 - tokens.redeem_fee_frac[k])
        elif not pending.redeem_refused[k]:
            pending.redeem_refused[k] = True
            instrument = book.perps.position.shape[0] + k
            usd /= cash_px(WALLET, book.accounts)
            write_event(t, REDEEM_REFUSED, instrument, WALLET, usd, out)
    return max(wanted, 0.0)


@rule
def sweep_idle(t: int, tape: Replay, book: Book, out: Out, settings: Settings) -> None:
    """Put cash that lies idle in the wallet into the sweep token, at NAV and at once."""
    k = settings.sweep_token
    if k < 0 or k >= tape.redeemable.shape[1] or not tape.redeemable[t, k]:
        return
    tokens, accounts = book.tokens, book.accounts
    if is_barred(k, 1.0, tokens):
        return
    px = cash_px(WALLET, accounts)
    usd = (accounts.cash_usd[WALLET] - settings.wallet_cash_usd) * px
    nav = tokens.nav_px[k]
    if usd <= 0.0 or usd < tokens.min_order_usd[k] or math.isnan(nav):
        return
    instrument = book.perps.position.shape[0] + k
    tokens.units[k] += usd / nav
    accounts.cash_usd[WALLET] -= usd / px
    accounts.value_usd[WALLET] -= usd / px
    accounts.free_usd[WALLET] -= usd / px
    accounts.equity_usd[WALLET] -= usd
    tokens.target[k] = math.nan
    what = (usd / nav, nav, tokens.fair_px[k], 0.0)
    write_fill((t, t, instrument, WALLET, SWEPT), what, out)
    write_event(t, EVENT_SWEPT, instrument, WALLET, usd, out)
