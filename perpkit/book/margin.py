"""What each account is worth and what the venue requires of it."""

from __future__ import annotations

import math

from perpkit.arrays import Accounts, Book, Perps, TermsNow
from perpkit.rule import rule


@rule
def assess(terms: TermsNow, perps: Perps, accounts: Accounts) -> None:
    """Margin value, initial and maintenance requirement of every account at mark.

    Initial is notional over the chosen leverage; maintenance is half the initial rate at the
    coin's highest leverage (Hyperliquid documentation, trading/margining).
    """
    for a in range(accounts.cash_usd.shape[0]):
        accounts.value_usd[a] = accounts.cash_usd[a]
        accounts.initial_usd[a] = 0.0
        accounts.maintenance_usd[a] = 0.0
    for m in range(perps.position.shape[0]):
        position = perps.position[m]
        if position != 0.0:
            a = perps.account[m]
            notional = abs(position) * perps.mark_px[m]
            accounts.value_usd[a] += position * (perps.mark_px[m] - perps.entry_px[m])
            accounts.initial_usd[a] += notional * terms[m].initial_frac
            accounts.maintenance_usd[a] += notional * terms[m].maintenance_frac


@rule
def margin_ratio(maintenance_usd: float, value_usd: float) -> float:
    """Maintenance over margin value: 1 is liquidation, 0 no position, inf nothing left."""
    if maintenance_usd == 0.0:
        return 0.0
    return maintenance_usd / value_usd if value_usd > 0.0 else math.inf


@rule
def liquidation_px(
    position: float, px: float, available_usd: float, maintenance_frac: float
) -> float:
    """Price at which an account just covers its maintenance, its other positions unmoved.

    Parameters
    ----------
    position : units, not zero
    px : USD, mark
    available_usd : margin value less maintenance required at ``px``
    maintenance_frac : of this position's notional

    Returns
    -------
    USD; NaN where no positive price liquidates

    Notes
    -----
    ``px - side available / size / (1 - l side)``: Hyperliquid documentation, trading/liquidations.
    """
    side = 1.0 if position > 0.0 else -1.0
    found = px - side * available_usd / abs(position) / (1.0 - maintenance_frac * side)
    return found if found > 0.0 else math.nan


@rule
def price_liquidations(terms: TermsNow, perps: Perps, accounts: Accounts) -> None:
    """Liquidation price of each position of the assessed accounts."""
    for m in range(perps.position.shape[0]):
        px = math.nan
        if perps.position[m] != 0.0:
            a = perps.account[m]
            available = accounts.value_usd[a] - accounts.maintenance_usd[a]
            rate = terms[m].maintenance_frac
            px = liquidation_px(perps.position[m], perps.mark_px[m], available, rate)
        perps.liquidation_px[m] = px


@rule
def equity(book: Book) -> float:
    """Cash, cash under way, tokens at fair price, and unrealised profit, USD."""
    total = 0.0
    for a in range(book.accounts.cash_usd.shape[0]):
        total += book.accounts.cash_usd[a] + book.pending.usd[a]
    for k in range(book.tokens.units.shape[0]):
        if book.tokens.units[k] != 0.0:
            total += book.tokens.units[k] * book.tokens.fair_px[k]
    for m in range(book.perps.position.shape[0]):
        position = book.perps.position[m]
        if position != 0.0:
            total += position * (book.perps.mark_px[m] - book.perps.entry_px[m])
    return total
