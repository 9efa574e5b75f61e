"""The share's price outside the chain: open in the week, frozen on weekends."""

from __future__ import annotations

from typing import Final

import numpy as np

from perpkit.arrays import F64
from perpkit.sources.simulated.clock import DAY_SHARE, Calendar, draws, gap_row, rounded
from perpkit.sources.simulated.scenario import Scenario
from perpkit.units import HOURS_PER_YEAR

# Reopening error of a weekend mid: 17 NVDA weekends have median 0.498%, P90 0.897% (public
# repository review, September 2026). Their ratio, 1.80, is nearly a Rayleigh law's (1.82); this is
# its scale.
REOPEN_ERROR_FRAC: Final = 0.00423


def closed_moves(scenario: Scenario, clock: Calendar, which: int) -> tuple[F64, F64]:
    """Draw what each closed spell brings: the part the book finds, and the part it misses.

    As many spells go up as down, alike for all stocks but for a quarter that goes the other way,
    so that a year's mean is the scenario's and not the seed's.

    Returns
    -------
    found, missed : (S,) log moves
        They add up to the move of the external price at the reopening row.
    """
    spans = np.bincount(clock.spell[clock.spell >= 0])
    rng, shared = draws(scenario, which, 1), draws(scenario, 99, 1)
    sign = np.where(shared.permutation(spans.size) % 2 == 0, 1.0, -1.0)
    for side in (1.0, -1.0):
        rows = rng.permutation(np.flatnonzero(sign == side))
        sign[rows[: spans.size // 8]] *= -1.0
    missed = sign * rng.rayleigh(REOPEN_ERROR_FRAC, spans.size) * np.sqrt(spans / 48.0)
    return missed * rng.uniform(scenario.found_low, scenario.found_high, spans.size), missed


def external_px(scenario: Scenario, clock: Calendar, which: int) -> F64:
    """Draw the share's price outside the chain, in cents: frozen while closed.

    Returns
    -------
    (T,) USD
    """
    stock = scenario.stocks[which]
    size = clock.time_ns.size
    market = draws(scenario, 99, 0).standard_normal(size)
    own = draws(scenario, which, 0).standard_normal(size)
    share = scenario.market_share
    unit = share**0.5 * market + (1.0 - share) ** 0.5 * own
    hour_vol = stock.day_vol_frac * np.sqrt(DAY_SHARE[clock.et_hour - 1])
    drift = scenario.drift_apr / (HOURS_PER_YEAR * 5 / 7)
    log_move = np.where(clock.is_open, hour_vol * unit + drift, 0.0)

    found, missed = closed_moves(scenario, clock, which)
    reopens = np.flatnonzero(clock.is_open[1:] & ~clock.is_open[:-1]) + 1
    spells = clock.spell[reopens - 1]
    log_move[reopens] = found[spells] + missed[spells]
    path: F64 = stock.start_px * np.exp(np.cumsum(log_move))
    if stock.gap is not None:
        # 15% up or down of a multiple of 20 cents is a whole number of cents: the gap is exact.
        row = gap_row(clock, stock.gap)
        path[row:] *= path[row - 1] / path[row] * (1.0 + stock.gap.move_frac)
        path *= np.round(path[row - 1] / 0.2) * 0.2 / path[row - 1]
    return rounded(path, 2)
