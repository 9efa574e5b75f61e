"""Isolated positions: each has an account of its own below the one of its venue.

Margin moves from the venue's account when the position is opened or enlarged, and back pro rata
when it is reduced; the margin test, liquidation and bad debt then need no rule of their own.
"""

from __future__ import annotations

from perpkit.arrays import Accounts, Out, Perps
from perpkit.rule import rule


@rule
def payer(m: int, perps: Perps, accounts: Accounts) -> int:
    """The account whose free margin an increase of perp ``m`` takes: the venue's."""
    a = perps.account[m]
    return int(a if accounts.parent[a] < 0 else accounts.parent[a])


@rule
def isolated_usd(m: int, perps: Perps, accounts: Accounts) -> float:
    """Margin of an isolated position at mark, USD; 0 for a cross one."""
    a = perps.account[m]
    if accounts.parent[a] < 0:
        return 0.0
    return float(accounts.cash_usd[a] + perps.position[m] * (perps.mark_px[m] - perps.entry_px[m]))


@rule
def fund(m: int, usd: float, perps: Perps, accounts: Accounts) -> None:
    """Move the margin of an increase from the venue's account to the isolated position's."""
    a = perps.account[m]
    parent = accounts.parent[a]
    if parent >= 0:
        accounts.cash_usd[parent] -= usd
        accounts.cash_usd[a] += usd


@rule
def release(m: int, kept_usd: float, perps: Perps, accounts: Accounts) -> None:
    """After a reduction leave an isolated position ``kept_usd`` and give back what is above it.

    Released pro rata, also where margin cannot be taken out otherwise (Hyperliquid documentation,
    margin mode strictIsolated). A loss beyond the released share stays with the position.
    """
    a = perps.account[m]
    parent = accounts.parent[a]
    if parent < 0:
        return
    usd = isolated_usd(m, perps, accounts) - max(kept_usd, 0.0)
    if usd > 0.0:
        accounts.cash_usd[a] -= usd
        accounts.cash_usd[parent] += usd


@rule
def return_margin(filled: int, perps: Perps, accounts: Accounts, out: Out) -> None:
    """Give the cash of an isolated account without a position back to its venue's account.

    ``filled`` is how many fills there were before: without one more nothing was closed.
    """
    if filled == out.used[0] or accounts.parent[-1] < 0:  # isolated accounts come last
        return
    for m in range(perps.position.shape[0]):
        a = perps.account[m]
        parent = accounts.parent[a]
        stays = parent < 0 or perps.position[m] != 0.0 or accounts.failed[a]
        if not stays and accounts.cash_usd[a] > 0.0:
            accounts.cash_usd[parent] += accounts.cash_usd[a]
            accounts.cash_usd[a] = 0.0
