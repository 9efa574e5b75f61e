"""The perp's rows: a book laid around the oracle that a venue with a step limit forms."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from perpkit.arrays import F64
from perpkit.sources.simulated.clock import (
    DAY_SHARE,
    Calendar,
    autoregressive,
    datetimes,
    draws,
)
from perpkit.sources.simulated.scenario import BP, Scenario
from perpkit.sources.simulated.share import REOPEN_ERROR_FRAC, closed_moves, external_px
from perpkit.units import to_ns

# The oracle step of the profile `baseline`: the book must know its own oracle.
STEP_FRAC: Final = 0.01


def step_limited(external_px: F64, step_frac: float = STEP_FRAC) -> F64:
    """Follow a price by at most one step a row, from the last value given out.

    Parameters
    ----------
    external_px : (T,) USD
    step_frac : float

    Returns
    -------
    (T,) USD

    >>> step_limited(np.array([100.0, 101.5, 101.5]))
    array([100. , 101. , 101.5])
    """
    out = np.empty_like(external_px)
    last = float(external_px[0])
    for t, px in enumerate(external_px.tolist()):
        last = min(max(px, last * (1.0 - step_frac)), last * (1.0 + step_frac))
        out[t] = last
    return out


def latent_frac(scenario: Scenario, clock: Calendar, which: int) -> F64:
    """Draw what the book knows, in each closed hour, of the coming reopening.

    A random walk to what the spell finds, most of it in the last two hours: equity futures reopen
    on Sunday 18:00 New York (trade.xyz documentation, asset-directory/equity-indices).

    Returns
    -------
    (T,) fraction of the price, 0 while open
    """
    found, _ = closed_moves(scenario, clock, which)
    rng = draws(scenario, which, 2)
    out = np.zeros(clock.time_ns.size)
    for spell, end in enumerate(found.tolist()):
        rows = np.flatnonzero(clock.spell == spell)
        walk = np.cumsum(rng.standard_normal(rows.size)) * REOPEN_ERROR_FRAC / 7.0
        grows = np.arange(1, rows.size + 1) / rows.size
        late = clock.hours_to_reopen[rows] <= 2.0
        share = scenario.found_late_share
        out[rows] = walk - grows * walk[-1] + end * ((1.0 - share) * grows + share * late)
    return out


def spikes_bp(scenario: Scenario, clock: Calendar, which: int) -> F64:
    """Draw crowding: heights that arrive at random, of either sign, and decay.

    Returns
    -------
    (T,) bp
    """
    rng = draws(scenario, which, 3)
    size = clock.time_ns.size
    arrives = rng.random(size) < 1.0 / scenario.spike_every_hours
    height = 10.0 + rng.exponential(scenario.spike_bp, size)
    sign = np.where(rng.random(size) < scenario.stocks[which].spike_up_share, 1.0, -1.0)
    keep = 0.5 ** (1.0 / scenario.spike_half_life_hours)
    level, out = 0.0, np.empty(size)
    for t, pulse in enumerate((arrives * height * sign).tolist()):
        level = keep * level + pulse
        out[t] = level
    return out


def premium_frac(scenario: Scenario, clock: Calendar, which: int) -> F64:
    """Draw the perp's premium over what its book takes for the fair price.

    A level, a slow regime, hourly noise and crowding spikes; the random parts have mean zero over
    the year, so that the year's mean is the scenario's and not the seed's.

    Returns
    -------
    (T,) fraction
    """
    stock = scenario.stocks[which]
    size = clock.time_ns.size
    rng = draws(scenario, which, 4)
    slow = autoregressive(rng.standard_normal(size), 1.0 - 1.0 / scenario.regime_hours)
    fast = autoregressive(rng.standard_normal(size), scenario.premium_phi)
    moving = scenario.regime_bp * slow + stock.noise_bp * fast + spikes_bp(scenario, clock, which)
    level = np.where(
        clock.is_open, stock.premium_bp, stock.premium_bp + scenario.weekend_premium_bp
    )
    if stock.cheap is not None:
        start, end, add = stock.cheap
        level += add * ((clock.time_ns >= to_ns(start)) & (clock.time_ns < to_ns(end)))
    premium: F64 = (level + moving - moving.mean()) * BP
    return premium


def impact_half_frac(scenario: Scenario, clock: Calendar, which: int) -> F64:
    """Draw half the impact spread: 1 to 4 bp in the week, 3 to 10 bp on weekends.

    Returns
    -------
    (T,) fraction
    """
    noise = draws(scenario, which, 5).standard_normal(clock.time_ns.size)
    base = scenario.stocks[which].impact_bp * np.exp(0.25 * noise)
    cash = (clock.et_hour >= 10) & (clock.et_hour <= 16)
    week = np.clip(base * np.where(cash, 1.0, 1.25), 1.0, 4.0)
    return np.where(clock.is_open, week, np.clip(base * 2.5, 3.0, 10.0)) * BP


def book_px(scenario: Scenario, clock: Calendar, which: int, external: F64) -> tuple[F64, F64, F64]:
    """Lay the perp's mid, impact bid and impact ask around its oracle.

    Funding takes an eighth of the premium each hour, so who pays a premium of 8/9 now and its
    funding has paid 1 an hour later: h hours before the oracle can move, the book leans (8/9)^h of
    what it knows. Beyond an oracle that is crawling it leans at most `max_lean_frac`.

    Parameters
    ----------
    external : (T,) USD

    Returns
    -------
    mid_px, impact_bid_px, impact_ask_px : (T,) USD, in tenths of a cent
    """
    oracle = step_limited(external)
    lag = np.clip(external / oracle - 1.0, -scenario.max_lean_frac, scenario.max_lean_frac)
    news = latent_frac(scenario, clock, which) * (8.0 / 9.0) ** clock.hours_to_reopen
    mid = oracle * (1.0 + lag + news) * (1.0 + premium_frac(scenario, clock, which))
    half = impact_half_frac(scenario, clock, which)
    mid = np.round(mid, 3)
    return mid, np.round(mid * (1.0 - half), 3), np.round(mid * (1.0 + half), 3)


def day_volume_usd(scenario: Scenario, clock: Calendar, which: int) -> F64:
    """Draw the USD traded in the 24 hours that end at each row. Shape (T,)."""
    rng = draws(scenario, which, 6)
    busy = np.where(clock.is_open, DAY_SHARE[clock.et_hour - 1] + 0.01, 0.006) / 1.24
    drift = autoregressive(rng.standard_normal(clock.time_ns.size), 0.97)
    hour = scenario.stocks[which].day_volume_usd * busy * np.exp(0.35 * drift)
    # The day before the first row is taken to be like the first Tuesday's.
    total = np.convolve(np.concatenate((hour[25:48], hour)), np.ones(24), mode="valid")
    return np.round(total, -2)


def perp_frame(scenario: Scenario, clock: Calendar, which: int) -> pl.DataFrame:
    """Make the rows of one perp."""
    stock = scenario.stocks[which]
    external = external_px(scenario, clock, which)
    mid, bid, ask = book_px(scenario, clock, which, external)
    crowd = autoregressive(
        draws(scenario, which, 7).standard_normal(clock.time_ns.size), 1.0 - 1.0 / 300.0
    )
    return pl.DataFrame(
        {
            "time": datetimes(clock),
            "coin": pl.repeat(f"sim:{stock.ticker}", clock.time_ns.size, eager=True),
            "external_px": external,
            "mid_px": mid,
            "impact_bid_px": bid,
            "impact_ask_px": ask,
            "open_interest": np.round(stock.open_interest * np.exp(0.2 * crowd), 0),
            "day_ntl_vlm": day_volume_usd(scenario, clock, which),
        }
    )
