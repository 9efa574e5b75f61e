"""Step 6 of the hour: how much of an order the venue and the market take, and at what impact.

Only what increases a position is cut: a venue whose open interest is at its cap accepts orders
that reduce (trade.xyz specification; Hyperliquid's ``perpsAtOpenInterestCap`` lists such coins).
What is cut stays wanted, as its target stands, and is asked for again in the next hour.
"""

from __future__ import annotations

import math

from perpkit.arrays import Book, Event, Out, Perps, Records, Replay, Settings, TermsNow, Tokens
from perpkit.book.fills import perp_px, whole_lots
from perpkit.book.hedges import is_hedge
from perpkit.book.write import write_event
from perpkit.rule import rule

CAPPED = int(Event.CAPPED)
HOURS_A_DAY = 24.0
MOST_FRAC = 0.99  # of a price that impact can take


@rule
def impact_frac(usd: float, volume_usd: float, coefficient: float) -> float:
    """Square-root impact of an order, a fraction of its price; NaN where no volume is known.

    ``coefficient sqrt(order / volume of 24 hours)``, both in USD.
    """
    if coefficient == 0.0:
        return 0.0
    if not volume_usd > 0.0:
        return math.nan
    return coefficient * math.sqrt(usd / volume_usd)


@rule
def forced_cost(m: int, size: float, term: Records, perps: Perps, settings: Settings) -> float:
    """What a forced close of ``size`` units costs, fraction of its price: half-spread and impact.

    It cannot wait for a volume: without one there is no impact to add. Never more than the price.
    """
    if settings.impact_coefficient == 0.0 or not perps.volume_usd[m] > 0.0:
        return float(term.cost_frac)
    usd = abs(size) * perps.mark_px[m]
    impact = settings.impact_coefficient * math.sqrt(usd / perps.volume_usd[m])
    return float(min(term.cost_frac + impact, MOST_FRAC))


@rule
def is_capped(t: int, m: int, tape: Replay) -> bool:
    """Whether open interest is at its cap, so that a position may only be reduced."""
    return bool(m < tape.capped.shape[1] and tape.capped[t, m])


@rule
def largest_usd(volume_usd: float, term: Records, settings: Settings) -> float:
    """Largest order of an hour, USD, inf for any; without a known volume no share of it is left."""
    usd = math.inf
    if term.max_order_usd > 0.0:
        usd = float(term.max_order_usd)
    if settings.max_volume_frac < math.inf:
        hourly = volume_usd / HOURS_A_DAY if volume_usd > 0.0 else 0.0
        usd = min(usd, settings.max_volume_frac * hourly)
    return usd


@rule
def increase_of(order: float, position: float) -> float:
    """Units of an order that are left once it has closed the position against it."""
    if order * position < 0.0:
        return max(abs(order) - abs(position), 0.0)
    return abs(order)


@rule
def keep_increase(
    m: int, kept: float, term: Records, perps: Perps, tokens: Tokens, settings: Settings
) -> None:
    """Cut a perp order so that it adds ``kept`` units, and a token buy that hedges it as much.

    A leg that falls below its smallest order goes, and the other with it.
    """
    order = perps.order[m]
    increase = increase_of(order, perps.position[m])
    k = perps.token[m]
    paired = is_hedge(m, perps, tokens, settings) and tokens.order[k] > 0.0
    px = perps.order_px[m]
    size = abs(order) - increase + kept
    left = kept if size * px >= term.min_order_usd else 0.0
    if paired:
        units = tokens.order[k] * left / increase
        if units * tokens.order_px[k] < tokens.order_min_usd[k]:
            units, left = 0.0, 0.0
        tokens.order[k] = units
    size = abs(order) - increase + left
    enough = size > 0.0 and size * px >= term.min_order_usd
    perps.order[m] = math.copysign(size, order) if enough else 0.0


@rule
def worsen(
    m: int, volume_usd: float, term: Records, perps: Perps, tokens: Tokens, settings: Settings
) -> None:
    """Add its impact to the price of an order; one without a price waits, and its other leg."""
    order = perps.order[m]
    usd = abs(order) * perps.order_px[m]
    cost = term.cost_frac + impact_frac(usd, volume_usd, settings.impact_coefficient)
    px = perp_px(perps.mid_px[m], perps.mark_px[m], order, cost)
    if px > 0.0:
        perps.order_px[m] = px
        return
    # No volume, or so little that nobody would buy at any price.
    if is_hedge(m, perps, tokens, settings):
        tokens.order[perps.token[m]] = 0.0
    perps.order[m] = 0.0


@rule
def limit_orders(
    t: int, tape: Replay, terms: TermsNow, book: Book, out: Out, settings: Settings
) -> None:
    """Cut the perp orders that can be filled to what caps allow, and price in their impact."""
    perps, tokens = book.perps, book.tokens
    for m in range(perps.order.shape[0]):
        order = perps.order[m]
        if order == 0.0:
            continue
        term, px = terms[m], perps.order_px[m]
        increase = increase_of(order, perps.position[m])
        capped, paired = is_capped(t, m, tape), is_hedge(m, perps, tokens, settings)
        most = 0.0
        if not capped:
            most = largest_usd(tape.volume_usd[t, m], term, settings) / px
        if most < increase:
            kept = whole_lots(most, term.lots_per_unit)
            keep_increase(m, kept, term, perps, tokens, settings)
            if capped and not perps.trimmed[m]:
                perps.trimmed[m] = True
                write_event(t, CAPPED, m, perps.account[m], increase * px, out)
        if settings.impact_coefficient > 0.0 and not tape.volume_usd[t, m] > 0.0:
            perps.order[m] = 0.0  # no impact can be told: it waits, whatever the caps left of it
            if paired:
                tokens.order[perps.token[m]] = 0.0
        elif settings.impact_coefficient > 0.0 and perps.order[m] != 0.0:
            worsen(m, tape.volume_usd[t, m], term, perps, tokens, settings)
