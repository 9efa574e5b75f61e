"""What each account is worth and what the venue requires of it."""

from __future__ import annotations

import math

from perpkit.arrays import Accounts, Pending, Perps, TermsNow, Tokens
from perpkit.rule import rule


@rule
def note(a: int, value: float, initial: float, maintenance: float, accounts: Accounts) -> None:
    """Write down what one account is worth and what is required of it, USD."""
    accounts.value_usd[a] = value
    accounts.equity_usd[a] = value
    accounts.initial_usd[a] = initial
    accounts.maintenance_usd[a] = maintenance


@rule
def assess(terms: TermsNow, perps: Perps, accounts: Accounts) -> None:
    """Margin value, initial and maintenance requirement of every account at mark.

    Initial is notional over the chosen leverage; maintenance is half the initial rate at the
    coin's highest leverage (Hyperliquid documentation, trading/margining).
    """
    for a in range(accounts.cash_usd.shape[0]):
        accounts.value_usd[a] = accounts.cash_usd[a]
        accounts.equity_usd[a] = accounts.cash_usd[a]
        accounts.initial_usd[a] = 0.0
        accounts.maintenance_usd[a] = 0.0
    a = 0
    value, initial, maintenance = accounts.value_usd[a], 0.0, 0.0
    for m in range(perps.position.shape[0]):
        position = perps.position[m]
        if position == 0.0:
            continue
        if perps.account[m] != a:
            # Sums stay out of memory while neighbours share an account.
            note(a, value, initial, maintenance, accounts)
            a = perps.account[m]
            value, initial = accounts.value_usd[a], accounts.initial_usd[a]
            maintenance = accounts.maintenance_usd[a]
        notional = abs(position) * perps.mark_px[m]
        value += position * (perps.mark_px[m] - perps.entry_px[m])
        initial += notional * terms[m].initial_frac
        maintenance += notional * terms[m].maintenance_frac
    note(a, value, initial, maintenance, accounts)


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
    found = px - side * available_usd / (abs(position) * (1.0 - maintenance_frac * side))
    return found if found > 0.0 else math.nan


@rule
def price_liquidations(terms: TermsNow, perps: Perps, accounts: Accounts) -> None:
    """Liquidation price of each position of the assessed accounts; NaN without one."""
    for m in range(perps.position.shape[0]):
        px = math.nan
        if perps.position[m] != 0.0:
            a = perps.account[m]
            available = accounts.value_usd[a] - accounts.maintenance_usd[a]
            rate = terms[m].maintenance_frac
            px = liquidation_px(perps.position[m], perps.mark_px[m], available, rate)
        perps.liquidation_px[m] = px


@rule
def add_tokens(tokens: Tokens, accounts: Accounts) -> None:
    """Add the tokens held in the assessed accounts, at fair price, to their equity."""
    a = 0
    usd = accounts.equity_usd[a]
    for k in range(tokens.units.shape[0]):
        if tokens.units[k] == 0.0:
            continue
        if tokens.account[k] != a:
            accounts.equity_usd[a] = usd
            a = tokens.account[k]
            usd = accounts.equity_usd[a]
        usd += tokens.units[k] * tokens.fair_px[k]
    accounts.equity_usd[a] = usd


@rule
def equity(accounts: Accounts, pending: Pending) -> float:
    """Equity of all accounts and the cash under way between them, USD."""
    total = 0.0
    for a in range(accounts.equity_usd.shape[0]):
        total += accounts.equity_usd[a] + pending.usd[a]
    return total
