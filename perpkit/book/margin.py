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
def initial_of(notional_usd: float, term: Records, tier_usd: float) -> float:
    """Initial margin of a notional; up to ``tier_usd`` the first tier surely is in force."""
    if notional_usd <= tier_usd:
        return float(notional_usd * term.initial_frac)
    return initial_usd(notional_usd, term)


@rule
def maintenance_of(notional_usd: float, term: Records, tier_usd: float) -> float:
    """Maintenance margin of a notional, likewise."""
    if notional_usd <= tier_usd:
        return float(notional_usd * term.maintenance_frac)
    return maintenance_usd(notional_usd, term)


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
def account_of(m: int, perps: Perps) -> int:
    """Account of perp ``m``; that it is not below zero is said here, as compiled code asks else."""
    return max(int(perps.account[m]), 0)


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
def shared_accounts(accounts: Accounts) -> int:
    """How many accounts come before those of isolated positions, which come last."""
    count = 1
    while count < accounts.parent.shape[0] and accounts.parent[count] < 0:
        count += 1
    return count


@rule
def assess_isolated(m: int, term: Records, perps: Perps, accounts: Accounts) -> None:
    """Assess the account that an isolated position has for itself."""
    a, position = account_of(m, perps), perps.position[m]
    value, notional = accounts.cash_usd[a], 0.0
    if position != 0.0:  # before a coin's first price its mark is NaN
        notional = abs(position) * perps.mark_px[m]
        value += position * (perps.mark_px[m] - perps.entry_px[m])
    initial = initial_of(notional, term, perps.tier_usd[m])
    maintenance = maintenance_of(notional, term, perps.tier_usd[m])
    note(a, value, initial, maintenance, accounts)


@rule
def assess(terms: TermsNow, book: Book) -> None:
    """Margin value, requirements and free margin of every account at mark; equity without tokens.

    Initial is notional over the chosen leverage; maintenance is half the initial rate at the
    coin's highest leverage (Hyperliquid documentation, trading/margining).
    """
    perps, accounts = book.perps, book.accounts
    for a in range(shared_accounts(accounts)):
        note(a, accounts.cash_usd[a], 0.0, 0.0, accounts)
    a = 0
    value, initial, maintenance = accounts.value_usd[a], 0.0, 0.0
    for m in range(perps.position.shape[0]):
        position = perps.position[m]
        own = account_of(m, perps)
        if accounts.parent[own] >= 0:
            assess_isolated(m, terms[m], perps, accounts)
            continue
        if position == 0.0:
            continue
        if own != a:
            # Sums stay out of memory while neighbours share an account.
            note(a, value, initial, maintenance, accounts)
            a = own
            value, initial = accounts.value_usd[a], accounts.initial_usd[a]
            maintenance = accounts.maintenance_usd[a]
        notional = abs(position) * perps.mark_px[m]
        value += position * (perps.mark_px[m] - perps.entry_px[m])
        initial += initial_of(notional, terms[m], perps.tier_usd[m])
        maintenance += maintenance_of(notional, terms[m], perps.tier_usd[m])
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
def has_portfolio(accounts: Accounts) -> bool:
    """Whether the accounts of the venues have portfolio margin: all of them, or none."""
    return is_portfolio(min(1, accounts.cash_usd.shape[0] - 1), accounts)


@rule
def count_in_part(book: Book) -> None:
    """Let a share of what the accounts with portfolio margin have count, and the buffer be due."""
    accounts = book.accounts
    if not has_portfolio(accounts):
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
def line_px(position: float, px: float, available_usd: float, slopes: tuple[float, float]) -> float:
    """Price at which a straight line of value meets one of the requirement, other prices unmoved.

    Parameters
    ----------
    position : units, not zero
    px : USD, mark
    available_usd : value less requirement at ``px``, both by their lines
    slopes : of the position's profit what counts, and of its notional what is required

    Returns
    -------
    USD; zero or less where no positive price does

    Notes
    -----
    ``px - side available / size / (1 - l side)``: Hyperliquid documentation, trading/liquidations.
    """
    counted, required = slopes
    side = 1.0 if position > 0.0 else -1.0
    return px - side * available_usd / (abs(position) * (counted - required * side))


@rule
def nearer_px(position: float, one: float, other: float) -> float:
    """Of two prices the one that a failing position meets first: shorts on the way up."""
    return max(one, other) if position > 0.0 else min(one, other)


@rule
def tiered_px(
    position: float, px: float, available: float, counted: float, term: Records, tier_usd: float
) -> float:
    """Price at which a line of value meets the requirement, by the tier that is in force there.

    ``available`` is what that line leaves above maintenance at ``px``, USD, and ``counted`` its
    slope, ``tier_usd`` the notional up to which the first tier surely is in force. The requirement
    is the largest of straight lines of the price, so the first of their prices that a falling
    account meets is its own.
    """
    if term.maintenance2_frac == 0.0:
        return line_px(position, px, available, (counted, term.maintenance_frac))
    notional = abs(position) * px
    left = available + maintenance_of(notional, term, tier_usd)
    first = left - notional * term.maintenance_frac
    found = line_px(position, px, first, (counted, term.maintenance_frac))
    then = abs(position) * found
    if then <= tier_usd:
        return found  # mostly a position stays in its first tier
    if maintenance_usd(then, term) == then * term.maintenance_frac:
        return found
    second = left - notional * term.maintenance2_frac + term.maintenance2_off_usd
    own = line_px(position, px, second, (counted, term.maintenance2_frac))
    found = nearer_px(position, found, own)
    if term.maintenance3_frac > 0.0:
        third = left - notional * term.maintenance3_frac + term.maintenance3_off_usd
        own = line_px(position, px, third, (counted, term.maintenance3_frac))
        found = nearer_px(position, found, own)
    return found


@rule
def liquidation_px(m: int, in_part: bool, term: Records, perps: Perps, accounts: Accounts) -> float:
    """Price at which an assessed account just covers its maintenance, its other positions unmoved.

    NaN without a position, or where no positive price liquidates; ``in_part`` where an account has
    portfolio margin. With portfolio margin the value is the lesser of two
    lines, a share of what is there and all that is owed, which meet where the account's own cash
    and profit turn negative.
    """
    position, px = perps.position[m], perps.mark_px[m]
    if position == 0.0:
        return math.nan
    a = account_of(m, perps)
    tier_usd = perps.tier_usd[m]
    available = accounts.value_usd[a] - accounts.maintenance_usd[a]
    if in_part and is_portfolio(a, accounts):
        counted = accounts.counted_frac[a]
        own = accounts.cash_free_usd[a] + accounts.initial_usd[a]
        # Each line goes on where the other is in force.
        whole = available + (1.0 - counted) * max(own, 0.0)
        part = available - (1.0 - counted) * min(own, 0.0)
        found = tiered_px(position, px, whole, 1.0, term, tier_usd)
        other = tiered_px(position, px, part, counted, term, tier_usd)
        found = nearer_px(position, found, other)
    else:
        found = tiered_px(position, px, available, 1.0, term, tier_usd)
    return found if found > 0.0 else math.nan


@rule
def price_liquidations(terms: TermsNow, perps: Perps, accounts: Accounts) -> None:
    """Liquidation price of each position of the assessed accounts; NaN without one."""
    if has_portfolio(accounts):
        for m in range(perps.position.shape[0]):
            perps.liquidation_px[m] = liquidation_px(m, True, terms[m], perps, accounts)
        return
    # In a loop of its own the compiler leaves out what portfolio margin asks.
    for m in range(perps.position.shape[0]):
        perps.liquidation_px[m] = liquidation_px(m, False, terms[m], perps, accounts)


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
    for k in range(pending.leg_usd.shape[0] if pending.legs[1] > 0 else 0):
        total += pending.leg_usd[k] * cash_px(0, accounts)
    return total
