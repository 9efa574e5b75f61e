"""The way an account's prices go in the margin test, and what it leaves the account on it.

Between the last mark and the end of the way all prices of an account are taken to move together in
a straight line. With ``own_worst`` longs end at L and shorts at H; with ``joint`` all prices end
at their highs, or at their lows, or at their marks, whichever leaves the account least. Value is
linear on the way and the requirement convex, so where they meet is found exactly.
"""

from __future__ import annotations

import math

from perpkit.arrays import (
    F64,
    Accounts,
    Book,
    Perps,
    Settings,
    TermsNow,
    Tokens,
)
from perpkit.book.limits import forced_cost
from perpkit.book.margin import (
    account_of,
    cash_px,
    has_portfolio,
    is_portfolio,
    maintenance_of,
    margin_value,
    marginal_frac,
    shared_accounts,
)
from perpkit.rule import rule

OWN_WORST, HIGHS, LOWS, MARKS = 0, 1, 2, 3  # ends of the way
PIECES = 64  # of the way, more than an account's tiers make


@rule
def end_px(m: int, end: int, perps: Perps) -> float:
    """Price of a perp at an end of the way."""
    high, low, mark = perps.high_px[m], perps.low_px[m], perps.mark_px[m]  # see perpkit.lend
    if end == OWN_WORST:
        return float(high if perps.position[m] < 0.0 else low)
    if end == HIGHS:
        return float(high)
    return float(low if end == LOWS else mark)


@rule
def token_end_px(k: int, end: int, perps: Perps, tokens: Tokens) -> float:
    """Price of a pledged token at an end of the way: its fair price moved as its perp's mark is."""
    fair, m = tokens.fair_px[k], tokens.perp[k]
    if m < 0 or end == MARKS or not perps.mark_px[m] > 0.0:
        return float(fair)
    high, low = perps.high_px[m], perps.low_px[m]
    far = high if end == HIGHS else low
    moved = fair * far / perps.mark_px[m]
    return float(min(fair, moved) if end == OWN_WORST else moved)


@rule
def spare_of(m: int, end: int, terms: TermsNow, perps: Perps) -> float:
    """What a position adds to spare margin at an end of the way, USD; mostly negative."""
    position = perps.position[m]
    if position == 0.0:
        return 0.0
    px = end_px(m, end, perps)
    required = maintenance_of(abs(position) * px, terms[m], perps.tier_usd[m])
    return float(position * (px - perps.entry_px[m]) - required)


@rule
def pledged_at(a: int, end: int, book: Book) -> float:
    """Pledged tokens of an account less haircuts at an end of the way, in its settle currency."""
    usd = 0.0
    collateral = book.collateral
    if a < collateral.units.shape[0]:
        for k in range(collateral.before[a], book.tokens.units.shape[0] - collateral.after[a]):
            units = collateral.units[a, k]
            if units != 0.0:
                px = token_end_px(k, end, book.perps, book.tokens)
                usd += units * px * (1.0 - collateral.haircut_frac[a, k])
        usd /= cash_px(a, book.accounts)
    return usd


@rule
def spare_at(end: int, terms: TermsNow, book: Book) -> None:
    """Spare margin of every account at an end of the way."""
    perps, accounts = book.perps, book.accounts
    for a in range(shared_accounts(accounts)):
        accounts.spare_usd[a] = accounts.cash_usd[a]
    a = 0
    usd = accounts.spare_usd[a]
    for m in range(perps.position.shape[0]):
        position, own = perps.position[m], account_of(m, perps)
        if accounts.parent[own] >= 0:
            accounts.spare_usd[own] = accounts.cash_usd[own] + spare_of(m, end, terms, perps)
            continue
        if position == 0.0:
            continue
        if own != a:
            accounts.spare_usd[a] = usd
            a = own
            usd = accounts.spare_usd[a]
        usd += spare_of(m, end, terms, perps)
    accounts.spare_usd[a] = usd
    for a in range(book.collateral.units.shape[0]):
        if book.collateral.before[a] < book.tokens.units.shape[0]:
            accounts.spare_usd[a] += pledged_at(a, end, book)
    if has_portfolio(accounts):
        for a in range(accounts.cash_usd.shape[0]):
            if is_portfolio(a, accounts):
                accounts.spare_usd[a] = spare_in_part(a, end, terms, book)


@rule
def spare_in_part(a: int, end: int, terms: TermsNow, book: Book) -> float:
    """Spare margin of an account at an end of the way where not all it has counts in full."""
    perps, accounts = book.perps, book.accounts
    own, required = accounts.cash_usd[a], 0.0
    for m in range(perps.position.shape[0]):
        position = perps.position[m]
        if position != 0.0 and perps.account[m] == a:
            px = end_px(m, end, perps)
            own += position * (px - perps.entry_px[m])
            required += maintenance_of(abs(position) * px, terms[m], perps.tier_usd[m])
    if required > 0.0:
        required += accounts.buffer_usd[a]
    return margin_value(a, own, pledged_at(a, end, book), accounts) - required


@rule
def worst_end(account: int, terms: TermsNow, book: Book, settings: Settings) -> int:
    """The end of the way that leaves an account least."""
    if settings.joint_paths == 0:
        return OWN_WORST
    worst, least = MARKS, math.inf
    for end in (HIGHS, LOWS, MARKS):
        lay_way(account, end, terms, book, settings)
        usd = slack(account, 1.0, 1.0, terms, book, book.perps.worst_px)
        if usd < least:
            worst, least = end, usd
    return worst


@rule
def lay_way(account: int, end: int, terms: TermsNow, book: Book, settings: Settings) -> None:
    """Set the far end of an account's way, and the price of a close there."""
    perps, tokens = book.perps, book.tokens
    for m in range(perps.position.shape[0]):
        position = perps.position[m]
        if position != 0.0 and perps.account[m] == account:
            px = end_px(m, end, perps)
            perps.worst_px[m] = px
            cost = forced_cost(m, position, terms[m], perps, settings)
            perps.filled_px[m] = px * (1.0 - math.copysign(cost, position))
    if account < book.collateral.units.shape[0]:
        for k in range(tokens.units.shape[0]):
            tokens.end_px[k] = token_end_px(k, end, perps, tokens)


@rule
def on_way(start_px: float, end: float, along: float) -> float:
    """Price at a share of the way; where the start is not known, its end."""
    return end if math.isnan(start_px) else start_px + along * (end - start_px)


@rule
def slack(
    account: int, along: float, share: float, terms: TermsNow, book: Book, ends: F64
) -> float:
    """Margin value of an account less a share of its maintenance, ``along`` the way to ``ends``."""
    perps, accounts = book.perps, book.accounts
    own, required = accounts.cash_usd[account], 0.0
    for m in range(perps.position.shape[0]):
        position = perps.position[m]
        if position != 0.0 and perps.account[m] == account:
            px = on_way(perps.start_px[m], ends[m], along)
            own += position * (px - perps.entry_px[m])
            required += maintenance_of(abs(position) * px, terms[m], perps.tier_usd[m])
    pledged = pledged_on_way(account, along, book)
    if not is_portfolio(account, accounts):
        return float(own + pledged - share * required)
    if required > 0.0:
        required += accounts.buffer_usd[account]
    return margin_value(account, own, pledged, accounts) - share * required


@rule
def pledged_on_way(account: int, along: float, book: Book) -> float:
    """Pledged tokens of an account less haircuts, ``along`` the way that is laid."""
    tokens, collateral = book.tokens, book.collateral
    usd = 0.0
    if account >= collateral.units.shape[0]:
        return usd
    for k in range(collateral.before[account], tokens.units.shape[0] - collateral.after[account]):
        units = collateral.units[account, k]
        if units != 0.0:
            px = on_way(tokens.start_px[k], tokens.end_px[k], along)
            usd += units * px * (1.0 - collateral.haircut_frac[account, k])
    return usd / cash_px(account, book.accounts)


@rule
def slope(
    account: int, along: float, share: float, terms: TermsNow, book: Book, ends: F64
) -> float:
    """Change of :func:`slack` over the whole way, at the pace it has just before ``along``."""
    perps, accounts = book.perps, book.accounts
    own, gained, required = accounts.cash_usd[account], 0.0, 0.0
    for m in range(perps.position.shape[0]):
        position = perps.position[m]
        if position != 0.0 and perps.account[m] == account:
            px = on_way(perps.start_px[m], ends[m], along)
            moved = on_way(perps.start_px[m], ends[m], 1.0) - on_way(
                perps.start_px[m], ends[m], 0.0
            )
            own += position * (px - perps.entry_px[m])
            gained += position * moved
            required += abs(position) * moved * marginal_frac(abs(position) * px, terms[m])
    pledged = pledged_on_way(account, along, book)
    lent = 0.0
    if pledged < accounts.lent_usd[account]:
        lent = pledged_on_way(account, 1.0, book) - pledged_on_way(account, 0.0, book)
    counted = accounts.counted_frac[account]
    return float((counted if own > 0.0 else 1.0) * gained + counted * lent - share * required)


@rule
def crossing(account: int, share: float, terms: TermsNow, book: Book, ends: F64) -> float:
    """Where the slack is zero on the way to a negative one: 0 at the start, 1 at the end.

    The slack is concave on the way, so Newton's steps from its end never pass the point, and each
    goes to the end of a straight piece at least.
    """
    if slack(account, 0.0, share, terms, book, ends) <= 0.0:
        return 0.0
    along = 1.0
    for _ in range(PIECES):
        usd = slack(account, along, share, terms, book, ends)
        pace = slope(account, along, share, terms, book, ends)
        if usd >= 0.0 or pace >= 0.0:
            break
        nearer = along - usd / pace
        if not nearer < along:
            break
        along = nearer
    return max(along, 0.0)


@rule
def is_short(account: int, accounts: Accounts) -> bool:
    """Whether an account's margin value falls below its maintenance within the hour."""
    return bool(accounts.is_margin[account] and accounts.spare_usd[account] < 0.0)


@rule
def falls_short(terms: TermsNow, book: Book, settings: Settings) -> bool:
    """Spare margin of every account at the end of its way; whether any falls short."""
    accounts = book.accounts
    if settings.joint_paths == 0:
        spare_at(OWN_WORST, terms, book)
    else:
        # The margin values are formed anew after the test and hold the least until then.
        spare_at(HIGHS, terms, book)
        for end in (LOWS, MARKS):
            for a in range(accounts.cash_usd.shape[0]):
                accounts.value_usd[a] = accounts.spare_usd[a]
            spare_at(end, terms, book)
            for a in range(accounts.cash_usd.shape[0]):
                accounts.spare_usd[a] = min(accounts.spare_usd[a], accounts.value_usd[a])
    short = False
    for a in range(accounts.cash_usd.shape[0]):
        short |= is_short(a, accounts)
    return short
