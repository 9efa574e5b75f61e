"""The perps' premium: a smooth level with drift and noise, and spikes where traders crowd."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from perpkit.arrays import B8, F64
from perpkit.sources.simulated.draws import Draw, leaky, normals, uniforms, wandering
from perpkit.sources.simulated.events import Event, of, span
from perpkit.sources.simulated.hours import Hours
from perpkit.sources.simulated.parameters import BP, Values
from perpkit.sources.simulated.stocks import Stock, column

PLAIN: Final = "baseline"
_BEFORE_EARNINGS_HOURS: Final = 72


def draw_premium(
    hours: Hours,
    stocks: Sequence[Stock],
    venue: str,
    earnings: B8,
    events: Sequence[Event],
    values: Values,
    seed: int,
) -> F64:
    """Draw what a venue's books stand above what they take for the fair price.

    Spikes and the slow drift are the stock's, on whatever venue it trades; noise is the perp's own.

    Returns
    -------
    (T, S) fraction
    """
    names = [stock.ticker for stock in stocks]
    own = [f"{venue}:{name}" for name in names]
    rows = len(hours.time_ns)
    slow = wandering(
        normals(seed, Draw.REGIME, names, rows), max(0.0, 1.0 - 1.0 / values.regime_hours)
    )
    fast = wandering(normals(seed, Draw.NOISE, own, rows), values.premium_phi)
    level = column(stocks, "premium_bp") + _weekend(hours, values)[:, None]
    moving = values.regime_bp * slow + values.premium_noise_bp * fast
    moving += spikes_bp(hours, stocks, earnings, values, seed)
    bp = level + moving * (values.plain_times if venue == PLAIN else 1.0)
    for event in of(events, "premium"):
        if event.venue in ("", venue):
            bp[span(event), event.stock] += event.size
    made: F64 = bp * BP
    return made


def _weekend(hours: Hours, values: Values) -> F64:
    """What a closed market adds: half more at first, half less in the end. (T,) bp."""
    made: F64 = np.where(hours.shut, values.weekend_premium_bp * (1.5 - hours.elapsed), 0.0)
    return made


def spikes_bp(
    hours: Hours, stocks: Sequence[Stock], earnings: B8, values: Values, seed: int
) -> F64:
    """Draw crowding: heights that arrive at random, more so before earnings, and decay. (T, S)."""
    names, rows = [stock.ticker for stock in stocks], len(hours.time_ns)
    u = uniforms(seed, Draw.SPIKES, names, 3 * rows).reshape(rows, 3, len(names))
    chance = np.full((rows, len(names)), 1.0 / values.spike_every_hours)
    for row, s in zip(*np.nonzero(earnings), strict=True):
        chance[max(0, row - _BEFORE_EARNINGS_HOURS) : row, s] *= values.earnings_crowding
    height = values.spike_floor_bp - values.spike_bp * np.log1p(-u[:, 1])
    sign = np.where(u[:, 2] < column(stocks, "spike_up_share"), 1.0, -1.0)
    pulses = np.where(u[:, 0] < chance, sign * height, 0.0)
    return leaky(pulses, 0.5 ** (1.0 / values.spike_half_life_hours))
