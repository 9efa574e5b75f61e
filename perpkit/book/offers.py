"""What a trade costs and how much an hour takes, as a strategy is shown it before it decides.

Nothing here is read by the book: it charges and cuts by the same terms, order by order. What holds
for an era of the terms is written once in it.
"""

from __future__ import annotations

import math

from perpkit.arrays import Action, Book, Replay, Settings, TermsNow, Tokens, View
from perpkit.book.limits import is_capped, largest_usd
from perpkit.book.ways import (
    BY_DEX,
    BY_ISSUER,
    BY_QUOTE,
    largest_purchase_usd,
    pool_usd,
    quote_open,
)
from perpkit.book.when import first_from
from perpkit.rule import rule

CASH = int(Action.CASH)


@rule
def token_cost_frac(k: int, tokens: Tokens) -> float:
    """What a trade of a token costs at its quote: fee, friction and half the spread."""
    bid, ask = tokens.bid_px[k], tokens.ask_px[k]
    half, widened = (ask - bid) / (ask + bid), tokens.half_spread_frac[k]  # see perpkit.lend
    if half == 0.0:
        half = widened
    return float(half + tokens.friction_frac[k] + tokens.fee_frac[k])


@rule
def issuer_cost_frac(k: int, tokens: Tokens) -> float:
    """What a trade of a token costs with its issuer: its fees, the mean of both, and friction."""
    fees = tokens.mint_fee_frac[k] + tokens.redeem_fee_frac[k]
    return float(0.5 * fees + tokens.friction_frac[k])


@rule
def pool_impact(t: int, k: int, tape: Replay, tokens: Tokens, settings: Settings) -> float:
    """What a USD of an order adds to its cost against a pool; 0 at an open quote, or without one.

    Of so many USD, ``x = usd * impact``, a purchase costs ``x / (1 - x)`` and a sale
    ``x / (1 + x)`` of the mid: their mean is ``x / (1 - x^2)``.
    """
    liquidity = pool_usd(k, tokens)
    by_quote = tokens.ways[k] & BY_QUOTE != 0 and quote_open(t, k, tape, settings)
    if liquidity == 0.0 or tokens.ways[k] & BY_DEX == 0 or by_quote:
        return 0.0
    return 2.0 / liquidity


@rule
def show_terms(terms: TermsNow, tokens: Tokens, settings: Settings, view: View) -> None:
    """Show what holds while the terms do."""
    for m in range(view.perps.shape[0]):
        perp, term = view.perps[m], terms[m]
        perp.lots_per_unit = term.lots_per_unit
        perp.cost_frac = term.fee_frac + term.cost_frac
        perp.impact_coefficient = settings.impact_coefficient
        perp.liquidity_usd = largest_usd(math.inf, term, settings)
    for k in range(view.tokens.shape[0]):
        view.tokens[k].cost_frac = issuer_cost_frac(k, tokens)


@rule
def show_caps(t: int, tape: Replay, terms: TermsNow, settings: Settings, view: View) -> None:
    """Show the largest increase of each perp where volume or open interest bounds it."""
    for m in range(view.perps.shape[0]):
        usd = 0.0
        if not is_capped(t, m, tape):
            usd = largest_usd(tape.volume_usd[t, m], terms[m], settings)
        view.perps[m].liquidity_usd = usd


@rule
def show_splits(t: int, tape: Replay, view: View) -> None:
    """Show the splits of the hour, and put those of the hour before out of sight."""
    perps, rows = view.perps.shape[0], tape.action_row
    for n in range(first_from(rows, t - 1), first_from(rows, t + 1)):
        if tape.action_kind[n] == CASH:
            continue
        i = tape.action_instrument[n]
        # Those of the hour before come first, so what is left is the product of this hour's.
        if i < perps:
            perp = view.perps[i]
            perp.split_factor = perp.split_factor * tape.action_value[n] if rows[n] == t else 1.0
        else:
            token = view.tokens[i - perps]
            token.split_factor = token.split_factor * tape.action_value[n] if rows[n] == t else 1.0


@rule
def show_offers(
    where: tuple[int, int],
    tape: Replay,
    terms: TermsNow,
    book: Book,
    settings: Settings,
    view: View,
) -> None:
    """Show costs, largest orders and splits of the hour; ``where`` is it and the first played."""
    t, first = where
    if t == first or tape.era[t] != tape.era[t - 1]:
        show_terms(terms, book.tokens, settings, view)
    if settings.max_volume_frac < math.inf or tape.capped.shape[1] > 0:
        show_caps(t, tape, terms, settings, view)
    if tape.action_row.shape[0] > 0:
        show_splits(t, tape, view)
    tokens = book.tokens
    pools = tape.liquidity_usd.shape[1] > 0
    for k in range(view.tokens.shape[0]):
        token = view.tokens[k]
        if pools:
            token.impact_per_usd = pool_impact(t, k, tape, tokens, settings)
        if tokens.ways[k] != BY_ISSUER:  # else it stands
            token.cost_frac = token_cost_frac(k, tokens)
        token.liquidity_usd = largest_purchase_usd(t, k, tape, tokens, settings)
