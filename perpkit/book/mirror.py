"""Collateral in custody outside the venue, which mirrors it as margin.

It is not lost with the venue, and it cannot be debited either: losses are settled in cash. How
long they may stand is not published (Ceffu and Binance, Franklin Templeton): a setting.
"""

from __future__ import annotations

from perpkit.arrays import Accounts, Collateral, Settings
from perpkit.rule import rule


@rule
def has_mirrored(a: int, collateral: Collateral) -> bool:
    """Whether tokens are pledged in an account that its venue does not hold."""
    for k in range(collateral.before[a], collateral.units.shape[1] - collateral.after[a]):
        if collateral.mirrored[a, k] and collateral.units[a, k] != 0.0:
            return True
    return False


@rule
def count_owed(accounts: Accounts, collateral: Collateral) -> None:
    """Count the hours in which cash has been owed against mirrored collateral."""
    for a in range(collateral.units.shape[0]):
        if accounts.cash_usd[a] < 0.0 and has_mirrored(a, collateral):
            accounts.owed_hours[a] += 1
        else:
            accounts.owed_hours[a] = 0


@rule
def overdue(a: int, accounts: Accounts, collateral: Collateral, settings: Settings) -> bool:
    """Whether an account has owed cash for longer than its mirrored collateral lets it."""
    if a >= collateral.units.shape[0]:
        return False
    return bool(accounts.owed_hours[a] > settings.mirror_hours and accounts.cash_usd[a] < 0.0)
