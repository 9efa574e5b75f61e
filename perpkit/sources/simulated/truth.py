"""The true price of the shares: what they are worth at every hour, seen or not.

While the market is open the outside world sees it. Over a weekend or a holiday it moves on unseen:
part of that the perp finds out (`learnt`), and part shows in the first print alone (`missed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from perpkit.arrays import B8, F64
from perpkit.sources.simulated.draws import Draw, normals, stream, uniforms, wandering
from perpkit.sources.simulated.hours import Hours
from perpkit.sources.simulated.parameters import Values
from perpkit.sources.simulated.stocks import Stock, column
from perpkit.units import HOURS_PER_YEAR

# Share of a cash session's variance by the New York hour of the row, 10 to 16: hourly bars of
# EQUITIES start at half past, so each row has half of two bars, the last one and a half.
CASH_SHARE: Final = np.array([0.220, 0.296, 0.127, 0.097, 0.085, 0.075, 0.100])
# Share of a night's variance by the New York hour of the row, 17 to 24 and 1 to 9: hourly oracles
# of XYZ-2026-08. Post-market an eighth, pre-market two thirds.
NIGHT_SHARE: Final = np.array(
    [
        *(0.057, 0.029, 0.022, 0.013, 0.019, 0.025, 0.030, 0.036),
        *(0.032, 0.023, 0.022, 0.052, 0.172, 0.124, 0.023, 0.071, 0.250),
    ]
)
_OPEN_SHARE: Final = 5.0 / 7.0
_EARNINGS_HOUR: Final = 17
_QUARTER_HOURS: Final = 91 * 24


class Truth(NamedTuple):
    """Log moves of the true price, and the hours of earnings.

    Attributes
    ----------
    seen : (T, S)
        Moves of the open hours; 0 in others.
    learnt : (T, S)
        Moves of closed hours that a perp can learn of; 0 in others.
    missed : (T, S)
        What the first print after a closed spell adds to all that was learnt; 0 in other rows.
    earnings : (T, S) bool
    """

    seen: F64
    learnt: F64
    missed: F64
    earnings: B8


def session_variance(hours: Hours, values: Values) -> F64:
    """Variance of each open hour of a stock of scale 1, news aside; 0 in closed ones. (T,)."""
    by_hour = np.empty(24)
    by_hour[10:17] = CASH_SHARE * values.cash_vol_frac**2
    by_hour[np.r_[17:24, 0:10]] = NIGHT_SHARE * values.night_vol_frac**2
    made: F64 = np.where(hours.shut, 0.0, by_hour[hours.et_hour])
    return made


def draw_truth(hours: Hours, stocks: Sequence[Stock], values: Values, seed: int) -> Truth:
    """Draw the true price of every stock.

    Returns
    -------
    Truth of shape (T, S)
    """
    names = [stock.ticker for stock in stocks]
    rows = len(hours.time_ns)
    scale = column(stocks, "scale")
    variance = session_variance(hours, values)
    shared = normals(seed, Draw.OPEN, [""], rows)
    rho = values.market_share
    unit = rho**0.5 * shared + (1.0 - rho) ** 0.5 * normals(seed, Draw.OPEN, names, rows)
    phi = 1.0 - 1.0 / values.vol_drift_hours if values.vol_drift_hours > 1.0 else 0.0
    drifting = wandering(normals(seed, Draw.VOLATILITY, [""], rows), phi)
    size = np.sqrt(variance)[:, None] * np.exp(values.vol_drift * drifting)
    drift = values.drift_apr / (HOURS_PER_YEAR * _OPEN_SHARE)
    seen = size * scale * unit + drift * ~hours.shut[:, None]
    seen += _night_news(hours, names, values, seed) * scale
    earnings = earnings_rows(hours, names, seed)
    height = normals(seed, Draw.EARNINGS, names, rows)
    seen += np.where(earnings, values.earnings_frac * height * scale, 0.0)
    learnt, missed = _closed(hours, names, values, seed)
    seen[0], learnt[0], missed[0] = 0.0, 0.0, 0.0  # the first row is where prices start
    # What a weekend holds was measured in all, so it goes with a stock's volatility only by half.
    return Truth(seen, learnt * scale**0.5, missed, earnings)


def _night_news(hours: Hours, names: Sequence[str], values: Values, seed: int) -> F64:
    """News outside the cash session: now and then, larger than the hour's own moves."""
    rows = len(hours.time_ns)
    share = np.zeros(24)
    share[np.r_[17:24, 0:10]] = NIGHT_SHARE
    chance = values.night_news_share * share[hours.et_hour] * ~hours.shut
    comes = uniforms(seed, Draw.NEWS, names, rows) < chance[:, None]
    height = normals(seed, Draw.NEWS_SIZE, names, rows)
    made: F64 = np.where(comes, values.night_news_frac * height, 0.0)
    return made


def earnings_rows(hours: Hours, names: Sequence[str], seed: int) -> B8:
    """The hours in which earnings are told, four a year, after the cash close. (T, S)."""
    made = np.zeros((len(hours.time_ns), len(names)), np.bool_)
    after = np.flatnonzero((hours.et_hour == _EARNINGS_HOUR) & ~hours.shut)
    for s, name in enumerate(names):
        first = int(stream(seed, Draw.CHARACTER, "earnings " + name).integers(_QUARTER_HOURS))
        for wanted in range(first, len(hours.time_ns), _QUARTER_HOURS):
            at = np.searchsorted(after, wanted)
            if at < len(after):
                made[after[at], s] = True
    return made


def _closed(hours: Hours, names: Sequence[str], values: Values, seed: int) -> tuple[F64, F64]:
    """What a perp can learn while the market is shut, and what it misses of the first print."""
    rows, spells = len(hours.time_ns), len(hours.spell_hours)
    shut = hours.shut[:, None]
    rho = values.market_share
    step = rho**0.5 * normals(seed, Draw.CLOSED, [""], rows)
    step = step + (1.0 - rho) ** 0.5 * normals(seed, Draw.CLOSED, names, rows)
    learnt = np.where(shut, step * values.closed_vol_frac / 48.0**0.5, 0.0)
    comes = uniforms(seed, Draw.CLOSED_NEWS, names, rows) < values.closed_news_share / 48.0
    height = normals(seed, Draw.CLOSED_NEWS_SIZE, names, rows)
    learnt += np.where(shut & comes, values.closed_news_frac * height, 0.0)
    missed = np.zeros((rows, len(names)))
    ends = np.flatnonzero(hours.reopens)
    own = hours.spell[ends - 1] if spells else np.zeros(0, np.int64)
    if len(ends) and ends[0] == 0:
        ends, own = ends[1:], own[1:]
    long = np.sqrt(hours.spell_hours[own] / 48.0)
    for s, name in enumerate(names):
        rng = stream(seed, Draw.MISSED, name)
        # Each spell draws twice, so that a longer run begins with the shorter one's.
        pairs = rng.random((max(spells, 1), 2))[own]
        height = values.missed_frac * np.sqrt(-2.0 * np.log1p(-pairs[:, 0]))
        missed[ends, s] = np.where(pairs[:, 1] < 0.5, -1.0, 1.0) * height * long
    return learnt, missed
