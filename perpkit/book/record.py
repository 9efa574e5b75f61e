"""Step 8 of the hour: the ledger row."""

from __future__ import annotations

from perpkit.arrays import Book, Rows, TermsNow
from perpkit.book.margin import equity, price_liquidations
from perpkit.rule import rule


@rule
def write_row(t: int, terms: TermsNow, book: Book, rows: Rows) -> None:
    """End-of-hour state; every cause is formed from it later, by other code.

    Equity is always written, the rest where it is kept.
    """
    rows.equity_usd[t] = equity(book.accounts, book.pending)
    if rows.position.shape[0] == 0:
        return
    price_liquidations(terms, book.perps, book.accounts)
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
