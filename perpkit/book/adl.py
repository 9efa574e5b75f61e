"""Step 5 of the hour, after liquidation: profitable positions closed by auto-deleveraging.

Where an account ends below zero and nobody takes its positions, the venue closes the most
profitable and most leveraged holders of the other side at the previous mark (Hyperliquid
documentation, trading/auto-deleveraging). Who is bankrupt is not in any dataset of ours, so it
happens where a shock says so, or by a model: the mark moves far enough within the hour.
"""

from __future__ import annotations

import math

from perpkit.arrays import Book, Event, Out, Perps, Reason, Replay, Settings, Shock, TermsNow
from perpkit.book.fills import fill_perp, whole_lots
from perpkit.book.hedges import drop_hedge
from perpkit.book.isolated import isolated_usd, release
from perpkit.book.margin import cash_px, margin_value
from perpkit.book.when import first_from
from perpkit.book.write import write_event
from perpkit.rule import rule

ADL = int(Reason.ADL)
EVENT_ADL = int(Event.ADL)
SHOCK_ADL = int(Shock.ADL)


@rule
def value_before(account: int, book: Book) -> float:
    """Margin value of an account with its positions and pledged tokens at the last hour's prices.

    A token that had no price then counts at its price of the hour.
    """
    perps, tokens, collateral = book.perps, book.tokens, book.collateral
    usd = book.accounts.cash_usd[account]
    for m in range(perps.position.shape[0]):
        if perps.position[m] != 0.0 and perps.account[m] == account:
            usd += perps.position[m] * (perps.start_px[m] - perps.entry_px[m])
    if account >= collateral.units.shape[0]:
        return float(usd)
    pledged = 0.0
    for k in range(tokens.units.shape[0]):
        units = collateral.units[account, k]
        if units != 0.0:
            px = tokens.start_px[k]
            px = tokens.fair_px[k] if math.isnan(px) else px
            pledged += units * px * (1.0 - collateral.haircut_frac[account, k])
    return margin_value(account, usd, pledged / cash_px(account, book.accounts), book.accounts)


@rule
def gain_of(position: float, entry_px: float, px: float) -> float:
    """How far a position is in profit: mark over entry, for a short entry over mark.

    The documentation writes mark / entry for both, which would rank the short that gains most
    last; the inverse is assumed.
    """
    return px / entry_px if position > 0.0 else entry_px / px


@rule
def adl_index(m: int, book: Book) -> float:
    """Rank of a position: its gain times its leverage in its account, at the last mark.

    NaN where the account is worth nothing: it has no leverage to rank.
    """
    perps = book.perps
    position, px = perps.position[m], perps.start_px[m]
    value = value_before(perps.account[m], book)
    if value <= 0.0:
        return math.nan
    return float(gain_of(position, perps.entry_px[m], px) * abs(position) * px / value)


@rule
def moved_against_others(position: float, start_px: float, high_px: float, low_px: float) -> float:
    """Largest move of the hour against the other side, USD a unit."""
    return start_px - low_px if position < 0.0 else high_px - start_px


@rule
def some_moved(perps: Perps, settings: Settings) -> bool:
    """Whether any mark moved far enough, either way, for the model; in most hours none did."""
    far = False
    if math.isinf(settings.adl_shock_frac):
        return far
    for m in range(perps.position.shape[0]):
        px = perps.start_px[m]
        moved = settings.adl_shock_frac * px
        far |= (perps.high_px[m] - px >= moved) | (px - perps.low_px[m] >= moved)
    return far


@rule
def is_reached(m: int, book: Book, settings: Settings) -> bool:
    """Whether the model deleverages a position: a large move, a profit, and a high enough rank."""
    perps = book.perps
    position, px = perps.position[m], perps.start_px[m]
    if position == 0.0:
        return False
    moved = moved_against_others(position, px, perps.high_px[m], perps.low_px[m])
    if not moved >= settings.adl_shock_frac * px:
        return False
    gains = gain_of(position, perps.entry_px[m], px) > 1.0
    return bool(gains and adl_index(m, book) >= settings.adl_index)


@rule
def close_share(
    what: tuple[int, int, float], terms: TermsNow, book: Book, out: Out, settings: Settings
) -> None:
    """Close ``(row, perp, share)`` of a position at the last mark, without a fee.

    The token that hedges it stays: it is naked until the strategy decides.
    """
    t, m, share = what
    perps, accounts = book.perps, book.accounts
    before, px = perps.position[m], perps.start_px[m]
    size = -whole_lots(before * share, terms[m].lots_per_unit)
    if size == 0.0:
        return
    drop_hedge(m, perps, book.tokens, settings)
    perps.decided[m] = t
    perps.target[m] = math.nan
    write_event(t, EVENT_ADL, m, perps.account[m], abs(size) * px, out)
    kept = isolated_usd(m, perps, accounts)
    fill_perp((t, m, size, px, ADL), terms[m], perps, accounts, out)
    release(m, kept * abs(perps.position[m] / before), perps, accounts)


@rule
def deleverage(
    t: int, tape: Replay, terms: TermsNow, book: Book, out: Out, settings: Settings
) -> None:
    """Close what shocks of the hour say, at any rank, and what the model reaches."""
    for j in range(first_from(tape.shock_row, t), first_from(tape.shock_row, t + 1)):
        if tape.shock_kind[j] == SHOCK_ADL:
            what = (t, int(tape.shock_instrument[j]), float(tape.shock_value[j]))
            close_share(what, terms, book, out, settings)
    if not some_moved(book.perps, settings):
        return
    for m in range(book.perps.position.shape[0]):
        if is_reached(m, book, settings):
            close_share((t, m, 1.0), terms, book, out, settings)
