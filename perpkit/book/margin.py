"""What each account is worth and what the venue requires of it."""

from __future__ import annotations

import math

from perpkit.arrays import (
    Accounts,
    Book,
    Collateral,
    Pending,
    Perps,
    Records,
    TermsNow,
)
from perpkit.rule import rule


@rule
def initial_usd(notional_usd: float, term: Records) -> float:
    """Initial margin of a notional: at the chosen leverage, or what its tier allows at most.

    Continuous over the tiers, each with its offset, as maintenance is.
    """
    usd = notional_usd * term.initial_frac
    if term.initial2_frac > 0.0:
        usd = max(usd, notional_usd * term.initial2_frac - term.initial2_off_usd)
        usd = max(usd, notional_usd * term.initial3_frac - term.initial3_off_usd)
    return float(usd)


@rule
def maintenance_usd(notional_usd: float, term: Records) -> float:
    """Maintenance margin of a notional, USD.

    Half the initial rate at the highest leverage of its tier, less a deduction that makes the
    tiers meet (Hyperliquid documentation, trading/margining and trading/margin-tiers). Rates rise,
    so the tier in force is the one that asks for most.
    """
    usd = notional_usd * term.maintenance_frac
    if term.maintenance2_frac > 0.0:
        usd = max(usd, notional_usd * term.maintenance2_frac - term.maintenance2_off_usd)
        usd = max(usd, notional_usd * term.maintenance3_frac - term.maintenance3_off_usd)
    return float(usd)


@rule
def marginal_frac(notional_usd: float, term: Records) -> float:
    """Maintenance rate of the last dollar of a notional: how fast the requirement grows."""
    rate, usd = term.maintenance_frac, notional_usd * term.maintenance_frac
    second = notional_usd * term.maintenance2_frac - term.maintenance2_off_usd
    if second > usd:
        rate, usd = term.maintenance2_frac, second
    third = notional_usd * term.maintenance3_frac - term.maintenance3_off_usd
    return float(term.maintenance3_frac if third > usd else rate)


@rule
def cash_px(a: int, accounts: Accounts) -> float:
    """Price of an account's settle currency, USD a unit; 1 where it is not told."""
    return float(accounts.px[a]) if a < accounts.px.shape[0] else 1.0


@rule
def convert(usd: float, source: int, destination: int, accounts: Accounts) -> float:
    """An amount in the settle currency of one account in that of another."""
    if accounts.px.shape[0] == 0:
        return usd
    return usd * cash_px(source, accounts) / cash_px(destination, accounts)


@rule
def has_pledge(a: int, collateral: Collateral) -> bool:
    """Whether anything is pledged in an account."""
    found = False
    for k in range(collateral.before[a], collateral.units.shape[1] - collateral.after[a]):
        found |= collateral.units[a, k] != 0.0
    return found


@rule
def note(a: int, value: float, initial: float, maintenance: float, accounts: Accounts) -> None:
    """Write down what one account is worth and what is required of it, before pledged tokens."""
    accounts.value_usd[a] = value
    accounts.equity_usd[a] = value * cash_px(a, accounts)
    accounts.initial_usd[a] = initial
    accounts.free_usd[a] = value - initial
    accounts.cash_free_usd[a] = value - initial
    accounts.maintenance_usd[a] = maintenance


@rule
def assess(terms: TermsNow, book: Book) -> None:
    """Margin value, requirements and free margin of every account at mark; equity without tokens.

    Initial is notional over the chosen leverage; maintenance is half the initial rate at the
    coin's highest leverage (Hyperliquid documentation, trading/margining).
    """
    perps, accounts = book.perps, book.accounts
    for a in range(accounts.cash_usd.shape[0]):
        note(a, accounts.cash_usd[a], 0.0, 0.0, accounts)
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
        initial += initial_usd(notional, terms[m])
        maintenance += maintenance_usd(notional, terms[m])
    note(a, value, initial, maintenance, accounts)
    add_pledges(book)
    count_in_part(book)


@rule
def margin_value(a: int, own_usd: float, pledged: float, accounts: Accounts) -> float:
    """Margin value of cash and unrealised profit, ``own_usd``, and of pledged tokens.

    In an account with portfolio margin a share of what it has counts, and all that it owes: it is
    liquidatable above (20 USDC + maintenance + borrowed) / (balance + lending value) = 0.95
    (Hyperliquid documentation, trading/portfolio-margin).
    """
    held = max(own_usd, 0.0) + min(pledged, accounts.lent_usd[a])
    return float(accounts.counted_frac[a] * held + min(own_usd, 0.0))


@rule
def add_pledges(book: Book) -> None:
    """Add the tokens pledged in each assessed account, less haircuts, to its margin value."""
    accounts, collateral, px = book.accounts, book.collateral, book.tokens.fair_px
    for a in range(collateral.units.shape[0]):
        first, last = collateral.before[a], px.shape[0] - collateral.after[a]
        if first >= last:
            continue
        kept, lent = 0.0, 0.0
        for k in range(first, last):
            units = collateral.units[a, k]
            if units != 0.0:
                kept += units * px[k] * (1.0 - collateral.haircut_frac[a, k])
                lent += units * px[k] * (1.0 - collateral.initial_haircut_frac[a, k])
        own = cash_px(a, accounts)
        accounts.value_usd[a] += min(kept / own, accounts.lent_usd[a])
        accounts.free_usd[a] += min(lent / own, accounts.lent_usd[a])


@rule
def is_portfolio(a: int, accounts: Accounts) -> bool:
    """Whether an account has portfolio margin."""
    return bool(accounts.buffer_usd[a] > 0.0)


@rule
def count_in_part(book: Book) -> None:
    """Let a share of what the accounts with portfolio margin have count, and the buffer be due."""
    accounts = book.accounts
    if not is_portfolio(min(1, accounts.cash_usd.shape[0] - 1), accounts):  # all venues' or none
        return
    for a in range(accounts.cash_usd.shape[0]):
        if is_portfolio(a, accounts):
            own = accounts.cash_free_usd[a] + accounts.initial_usd[a]
            pledged = accounts.value_usd[a] - own
            accounts.value_usd[a] = margin_value(a, own, pledged, accounts)
            if accounts.maintenance_usd[a] > 0.0:
                accounts.maintenance_usd[a] += accounts.buffer_usd[a]


@rule
def margin_ratio(maintenance: float, value: float) -> float:
    """Maintenance over margin value: 1 is liquidation, 0 no position, inf nothing left."""
    if maintenance == 0.0:
        return 0.0
    return maintenance / value if value > 0.0 else math.inf


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
def tier_px(position: float, px: float, left_usd: float, tier: tuple[float, float]) -> float:
    """Liquidation price if one tier's line alone, rate and offset, were the requirement.

    ``left_usd`` is the margin value at ``px``.
    """
    rate, off = tier
    available = left_usd - (abs(position) * px * rate - off)
    return liquidation_px(position, px, available, rate)


@rule
def tiered_liquidation_px(position: float, px: float, value_usd: float, term: Records) -> float:
    """Liquidation price with the tier that is in force there; ``value_usd`` is what meets it.

    The requirement is the largest of straight lines of the price, so the first of their prices
    that a falling account meets is its own.
    """
    found = tier_px(position, px, value_usd, (term.maintenance_frac, 0.0))
    for n in range(2):
        rate, off = term.maintenance2_frac, term.maintenance2_off_usd
        if n == 1:
            rate, off = term.maintenance3_frac, term.maintenance3_off_usd
        own = tier_px(position, px, value_usd, (rate, off)) if rate > 0.0 else math.nan
        nearer = own > found if position > 0.0 else own < found
        found = own if nearer or math.isnan(found) else found
    return found


@rule
def price_liquidations(terms: TermsNow, perps: Perps, accounts: Accounts) -> None:
    """Liquidation price of each position of the assessed accounts; NaN without one."""
    for m in range(perps.position.shape[0]):
        px = math.nan
        position, mark = perps.position[m], perps.mark_px[m]
        if position != 0.0:
            a = perps.account[m]
            available = accounts.value_usd[a] - accounts.maintenance_usd[a]
            rate = terms[m].maintenance_frac
            if is_portfolio(a, accounts):  # profit counts in part
                available /= accounts.counted_frac[a]
                rate /= accounts.counted_frac[a]
            if terms[m].maintenance2_frac > 0.0:
                own = maintenance_usd(abs(position) * mark, terms[m])
                px = tiered_liquidation_px(position, mark, available + own, terms[m])
            else:
                px = liquidation_px(position, mark, available, rate)
        perps.liquidation_px[m] = px


@rule
def pledged_units(k: int, collateral: Collateral) -> float:
    """Units of a token that are pledged, in all accounts."""
    units = 0.0
    for a in range(collateral.units.shape[0]):
        units += collateral.units[a, k]
    return units


@rule
def free_units(k: int, book: Book) -> float:
    """Units of a token that are neither locked nor pledged."""
    tokens = book.tokens
    return float(tokens.units[k] - tokens.locked[k] - pledged_units(k, book.collateral))


@rule
def add_tokens(book: Book) -> None:
    """Add the tokens of each assessed account, at fair price, to its equity: pledged, or free."""
    tokens, accounts, collateral = book.tokens, book.accounts, book.collateral
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
    for a in range(collateral.units.shape[0]):
        for k in range(collateral.before[a], tokens.units.shape[0] - collateral.after[a]):
            if collateral.units[a, k] != 0.0:
                pledged = collateral.units[a, k] * tokens.fair_px[k]
                accounts.equity_usd[tokens.account[k]] -= pledged
                accounts.equity_usd[a] += pledged


@rule
def equity(accounts: Accounts, pending: Pending) -> float:
    """Equity of all accounts and the cash under way between them, USD."""
    total = 0.0
    for a in range(accounts.equity_usd.shape[0]):
        total += accounts.equity_usd[a] + pending.usd[a] * cash_px(a, accounts)
    for k in range(pending.redeem_usd.shape[0] if pending.redeeming[0] > 0 else 0):
        total += pending.redeem_usd[k] * cash_px(0, accounts)
    return total
