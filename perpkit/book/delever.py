"""The last source of margin: both legs of an account's hedges are cut by the same share."""

from __future__ import annotations

import math

from perpkit.arrays import (
    Accounts,
    Book,
    Event,
    Out,
    Reason,
    Records,
    Replay,
    Settings,
    TermsNow,
)
from perpkit.book.fills import fill_perp, perp_px, whole_lots
from perpkit.book.legs import has_leg, trade_token
from perpkit.book.limits import forced_cost
from perpkit.book.margin import free_units
from perpkit.book.ways import take_way
from perpkit.book.write import write_event
from perpkit.rule import rule

DELEVERED = int(Reason.DELEVERED)
EVENT_DELEVERED = int(Event.DELEVERED)


@rule
def excess_frac(a: int, accounts: Accounts, settings: Settings) -> float:
    """Share of a called account's positions beyond what its value carries; 0 of another."""
    if accounts.spare_usd[a] >= 0.0:
        return 0.0
    # spare_usd is what no cash covers of maintenance / topup_to_ratio - value.
    lack = -accounts.spare_usd[a] * settings.topup_to_ratio
    return float(min(lack / accounts.maintenance_usd[a], 1.0))


@rule
def cut_token(
    what: tuple[int, int, float], tape: Replay, book: Book, out: Out, settings: Settings
) -> None:
    """Sell ``(row, token, share)``, as far as it is free and its way takes it.

    Not while it has no way open, nor while its last trade is under way.
    """
    t, k, share = what
    tokens = book.tokens
    size = -min(tokens.units[k] * share, free_units(k, book))
    if size >= 0.0 or has_leg(k, book.pending):
        return
    take_way((t, k), size, tape, tokens, settings)
    if not tokens.tradable[k] or math.isnan(tokens.order_px[k]):
        return
    tokens.decided[k] = t
    tokens.target[k] = math.nan
    trade_token(t, (k, DELEVERED), tape, book, out)


@rule
def cut_pair(
    what: tuple[int, int, float],
    tape: Replay,
    term: Records,
    book: Book,
    out: Out,
    settings: Settings,
) -> float:
    """Close ``(row, perp, share)`` in whole lots, and as much of its paired token; USD cut."""
    t, m, share = what
    perps, accounts = book.perps, book.accounts
    position = perps.position[m]
    size = -whole_lots(position * share, term.lots_per_unit)
    cost = forced_cost(m, size, term, perps, settings)
    px = perp_px(perps.mid_px[m], perps.mark_px[m], size, cost)
    if size == 0.0 or perps.stale[m] or math.isnan(px):
        return 0.0
    perps.decided[m] = t
    perps.target[m] = math.nan
    fill_perp((t, m, size, px, DELEVERED), term, perps, accounts, out)
    k = perps.token[m]
    if k >= 0:
        cut_token((t, k, abs(size / position)), tape, book, out, settings)
    return float(abs(size) * px)


@rule
def delever(
    where: tuple[int, int],
    tape: Replay,
    terms: TermsNow,
    book: Book,
    out: Out,
    settings: Settings,
) -> None:
    """Cut the positions of ``(row, account)`` and of the isolated ones below it, where called.

    To ``topup_to_ratio``, each account of its own, at the hour's order prices. What a venue would
    release of an isolated position's margin stays with it: it would be added back at once.
    """
    t, a = where
    perps, accounts = book.perps, book.accounts
    for own in range(accounts.cash_usd.shape[0]):
        if own != a and accounts.parent[own] != a:
            continue
        share = excess_frac(own, accounts, settings)
        usd = 0.0
        for m in range(perps.position.shape[0]):
            if share > 0.0 and perps.account[m] == own and perps.position[m] != 0.0:
                usd += cut_pair((t, m, share), tape, terms[m], book, out, settings)
        if usd > 0.0:
            write_event(t, EVENT_DELEVERED, -1, own, usd, out)
