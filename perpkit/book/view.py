"""What a strategy is shown: the tape up to now, and a mirror of the book."""

from __future__ import annotations

from perpkit.arrays import Accounts, Book, Past, Perps, Replay, View
from perpkit.book.legs import undelivered
from perpkit.book.margin import margin_ratio, pledged_units
from perpkit.rule import rule


@rule
def past_until(tape: Replay, t: int) -> Past:
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
        tape.hours_to_close[:n],
        tape.hours_to_reopen[:n],
        tape.hours_to_cash_open[:n],
        tape.hours_to_ex_dividend[:n],
        tape.hours_to_earnings[:n],
        tape.pair_dividend_usd[:n],
    )


@rule
def mirror_perps(perps: Perps, view: View) -> None:
    """Show the perps to the strategy."""
    for m in range(perps.position.shape[0]):
        perp = view.perps[m]
        perp.position = perps.position[m]
        perp.entry_px = perps.entry_px[m]
        perp.mark_px = perps.mark_px[m]
        perp.liquidation_px = perps.liquidation_px[m]
        perp.barred = perps.barred[m]


@rule
def mirror_tokens(book: Book, view: View) -> None:
    """Show the tokens to the strategy; pending are those bought and not delivered yet."""
    tokens, collateral = book.tokens, book.collateral
    for k in range(tokens.units.shape[0]):
        token = view.tokens[k]
        token.units = tokens.units[k]
        token.pending = undelivered(k, book.pending)
        token.fair_px = tokens.fair_px[k]
        token.multiplier = tokens.multiplier[k]
    # Of the others nothing is ever pledged.
    for a in range(collateral.units.shape[0]):
        for k in range(collateral.before[a], tokens.units.shape[0] - collateral.after[a]):
            view.tokens[k].pledged = pledged_units(k, collateral)


@rule
def mirror_accounts(accounts: Accounts, view: View) -> None:
    """Show the accounts to the strategy."""
    for a in range(accounts.cash_usd.shape[0]):
        account = view.accounts[a]
        account.cash_usd = accounts.cash_usd[a]
        account.equity_usd = accounts.equity_usd[a]
        account.margin_ratio = margin_ratio(accounts.maintenance_usd[a], accounts.value_usd[a])
        account.free_usd = accounts.free_usd[a]


@rule
def look(book: Book, view: View) -> None:
    """Show the assessed and priced book to the strategy, which never writes it."""
    mirror_perps(book.perps, view)
    mirror_tokens(book, view)
    mirror_accounts(book.accounts, view)
