"""Step 8 of the hour: the ledger row, and the mirror the strategy sees."""

from __future__ import annotations

from perpkit.arrays import Accounts, Book, Past, Perps, Rows, Tape, TermsNow, Tokens, View
from perpkit.book.margin import equity, margin_ratio, price_liquidations
from perpkit.rule import rule


@rule
def past_until(tape: Tape, t: int) -> Past:
    """What is known at row ``t``: every slice ends there, so a later row cannot be read."""
    n = t + 1
    return Past(
        tape.time_ns[:n],
        tape.oracle_px[:n],
        tape.mark_px[:n],
        tape.premium[:n],
        tape.funding[:n],
        tape.funding_total[:n],
        tape.volume_usd[:n],
        tape.bid_px[:n],
        tape.ask_px[:n],
        tape.fair_px[:n],
        tape.nav_px[:n],
        tape.live[:n],
        tape.phase[:n],
        tape.hours_to_reopen[:n],
        tape.hours_to_cash_open[:n],
    )


@rule
def mirror_perps(terms: TermsNow, perps: Perps, view: View) -> None:
    """Show the perps to the strategy."""
    for m in range(perps.position.shape[0]):
        perp = view.perps[m]
        perp.position = perps.position[m]
        perp.entry_px = perps.entry_px[m]
        perp.mark_px = perps.mark_px[m]
        perp.liquidation_px = perps.liquidation_px[m]
        perp.lots_per_unit = terms[m].lots_per_unit
        perp.barred = perps.barred[m]


@rule
def mirror_accounts(accounts: Accounts, view: View) -> None:
    """Show the accounts to the strategy, without the tokens in them."""
    for a in range(accounts.cash_usd.shape[0]):
        account = view.accounts[a]
        value = accounts.value_usd[a]
        account.cash_usd = accounts.cash_usd[a]
        account.equity_usd = value
        account.margin_ratio = margin_ratio(accounts.maintenance_usd[a], value)
        account.free_usd = value - accounts.initial_usd[a]


@rule
def mirror_tokens(tokens: Tokens, view: View) -> None:
    """Show the tokens to the strategy, and count them to their accounts."""
    for k in range(tokens.units.shape[0]):
        units = tokens.units[k]
        token = view.tokens[k]
        token.units = units
        token.fair_px = tokens.fair_px[k]
        token.multiplier = tokens.multiplier[k]
        if units != 0.0:
            view.accounts[tokens.account[k]].equity_usd += units * tokens.fair_px[k]


@rule
def look(terms: TermsNow, book: Book, view: View) -> None:
    """Show the assessed book to the strategy, which never writes it."""
    price_liquidations(terms, book.perps, book.accounts)
    mirror_perps(terms, book.perps, view)
    mirror_accounts(book.accounts, view)
    mirror_tokens(book.tokens, view)


@rule
def write_row(t: int, book: Book, rows: Rows) -> None:
    """End-of-hour state; every cause is formed from it later, by other code.

    Equity is always written, the rest where it is kept.
    """
    rows.equity_usd[t] = equity(book)
    if rows.position.shape[0] == 0:
        return
    for m in range(book.perps.position.shape[0]):
        rows.position[t, m] = book.perps.position[m]
        rows.liquidation_px[t, m] = book.perps.liquidation_px[m]
    for k in range(book.tokens.units.shape[0]):
        rows.units[t, k] = book.tokens.units[k]
    for a in range(book.accounts.cash_usd.shape[0]):
        rows.cash_usd[t, a] = book.accounts.cash_usd[a]
        rows.transit_usd[t, a] = book.pending.usd[a]
        rows.value_usd[t, a] = book.accounts.value_usd[a]
        rows.initial_usd[t, a] = book.accounts.initial_usd[a]
        rows.maintenance_usd[t, a] = book.accounts.maintenance_usd[a]
