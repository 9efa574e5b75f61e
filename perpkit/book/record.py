"""Step 8 of the hour: the ledger row."""

from __future__ import annotations

from perpkit.arrays import Book, Rows
from perpkit.book.margin import equity
from perpkit.rule import rule


@rule
def write_row(t: int, book: Book, rows: Rows) -> None:
    """End-of-hour state; every cause is formed from it later, by other code.

    Equity is always written, the rest where it is kept.
    """
    rows.equity_usd[t] = equity(book.accounts, book.pending)
    if rows.position.shape[0] == 0:
        return
    for m in range(book.perps.position.shape[0]):
        rows.position[t, m] = book.perps.position[m]
        rows.liquidation_px[t, m] = book.perps.liquidation_px[m]
    for a in range(book.accounts.cash_usd.shape[0]):
        row = rows.account[t, a]
        row.cash_usd = book.accounts.cash_usd[a]
        if book.pending.usd[a] != 0.0:  # mostly nothing is
            rows.transit_usd[t, a] = book.pending.usd[a]
        row.value_usd = book.accounts.value_usd[a]
        row.initial_usd = book.accounts.initial_usd[a]
        row.maintenance_usd = book.accounts.maintenance_usd[a]
    write_tokens(t, book, rows)


@rule
def write_tokens(t: int, book: Book, rows: Rows) -> None:
    """Token units, those pledged, and the cash of redemptions and sales still due to the wallet."""
    for k in range(book.tokens.units.shape[0]):
        rows.units[t, k] = book.tokens.units[k]
    for k in range(book.pending.redeem_usd.shape[0] if book.pending.redeeming[0] > 0 else 0):
        rows.transit_usd[t, 0] += book.pending.redeem_usd[k]
    for k in range(book.pending.leg_usd.shape[0] if book.pending.legs[1] > 0 else 0):
        rows.transit_usd[t, 0] += book.pending.leg_usd[k]
    collateral = book.collateral
    for a in range(collateral.units.shape[0]):
        for k in range(collateral.before[a], rows.pledged.shape[1] - collateral.after[a]):
            rows.pledged[a, k, t] = collateral.units[a, k]
