"""The perps' rows: books laid around what each venue's traders take for the fair price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import F64
from perpkit.errors import RequestError, nearest
from perpkit.sources.simulated.draws import Draw, normals, wandering
from perpkit.sources.simulated.hours import Hours, datetimes
from perpkit.sources.simulated.parameters import BP, Values
from perpkit.sources.simulated.path import Path
from perpkit.sources.simulated.stocks import Stock, column


class Place(NamedTuple):
    """A venue as the simulator knows it.

    Attributes
    ----------
    prefix : str
        Of its coins' names.
    frozen : bool
        Whether its oracle rests while the market is shut, so that a lean is paid for as funding.
    step_frac : float
        Its oracle's limit of a row; inf where it never binds.
    terms : tuple[str, ...]
        Lines of ``dataset.toml`` for what its rulebook leaves to the market.
    """

    prefix: str
    frozen: bool
    step_frac: float
    terms: tuple[str, ...]


# Hours of the stocks that trade.xyz lists, and its bounds as NVDA has had them since August 2026.
XYZ_TERMS: Final = (
    'external_session = "us_24_5"',
    "bound_threshold_frac = 0.9",
    "bound_resets = 2",
)
PLACES: Final = {
    "baseline": Place("sim", frozen=True, step_frac=0.01, terms=()),
    "xyz": Place("xyz", frozen=False, step_frac=np.inf, terms=XYZ_TERMS),
}
SZ_DECIMALS: Final = 3
_HALF_WEEKEND_HOURS: Final = 24.0


def place(venue: str) -> Place:
    """What the simulator knows of a venue.

    Raises
    ------
    RequestError
        If it knows none of that name.
    """
    if venue not in PLACES:
        raise RequestError(f"--venues: no books are simulated on {venue}: {nearest(venue, PLACES)}")
    return PLACES[venue]


def step_limited(external_px: F64, step_frac: float) -> F64:
    """Follow prices by at most one step a row, from the last values given out. (T, S) USD.

    >>> step_limited(np.array([[100.0], [101.5], [101.5]]), 0.01).ravel()
    array([100. , 101. , 101.5])
    """
    out = np.empty_like(external_px)
    last = external_px[0]
    low, high = 1.0 - step_frac, 1.0 + step_frac
    for t in range(len(external_px)):
        last = np.minimum(np.maximum(external_px[t], last * low), last * high)
        out[t] = last
    return out


def book_px(hours: Hours, path: Path, at: Place, premium: F64, values: Values) -> F64:
    """Lay the mids around a venue's oracle.

    Nobody trades at a wrong print. Where the oracle follows the book the shut market leans all the
    way, and its book sags and comes back. Where it is frozen funding takes an eighth of the lean
    each hour, so h hours before it can move traders lean 8/9 to the h of what they know.

    Returns
    -------
    (T, S) USD, before rounding
    """
    # A split starts the oracle anew: the limit is on shares of the first row.
    whole = path.true_px * path.shares
    if np.isfinite(at.step_frac):
        oracle = step_limited(path.external_px * path.shares, at.step_frac)
        whole = oracle * (1.0 + crawling_lean(whole / oracle - 1.0, at.step_frac, values))
    kept = values.frozen_keep**hours.hours_to_reopen if at.frozen else np.ones(len(whole))
    lean = path.lean * np.where(hours.shut, kept, 0.0)[:, None]
    if not at.frozen:
        lean -= sag_frac(hours, values)[:, None]
    made: F64 = whole / path.shares * np.exp(lean) * (1.0 + premium)
    return made


def sag_frac(hours: Hours, values: Values) -> F64:
    """How far the books of a shut market lie below what they know; (T,).

    Sellers press until the middle of the spell and are bought back by its end, as fast on a long
    weekend as on a short one. An oracle that follows its book shows no lasting premium: what it
    shows is how fast the book moves.
    """
    left = np.maximum(hours.hours_to_reopen - 1.0, 0.0)
    within = np.minimum(hours.hours_since_close, left)
    made: F64 = values.weekend_sag_bp * BP * within / _HALF_WEEKEND_HOURS
    return made


def crawling_lean(lag: F64, step_frac: float, values: Values) -> F64:
    """How far a book stands beyond an oracle that is `lag` behind and crawls by steps.

    A lean p that costs p/8 an hour and closes with the oracle in n hours is worth
    8 step (1 - (8/9)^n): nearly all of a lag of few steps, a part of a long one.

    >>> crawling_lean(np.array([0.0, 0.01]), 0.01, Values({}, "")).round(4)
    array([0.    , 0.0089])
    """
    keep = values.frozen_keep
    steps = np.ceil(np.abs(lag) / step_frac - 1e-9)
    worth = step_frac * keep / (1.0 - keep) * (1.0 - keep**steps)
    made: F64 = np.sign(lag) * np.minimum(np.minimum(worth, np.abs(lag)), values.max_lean_frac)
    return made


def half_frac(hours: Hours, stocks: Sequence[Stock], venue: str, values: Values, seed: int) -> F64:
    """Draw half the impact spread: wider at night and widest while the market is shut. (T, S)."""
    own = [f"{venue}:{stock.ticker}" for stock in stocks]
    noise = normals(seed, Draw.IMPACT, own, len(hours.time_ns))
    times = np.where(
        hours.cash, 1.0, np.where(hours.shut, values.impact_closed, values.impact_night)
    )
    drawn = values.impact_bp * column(stocks, "impact") * np.exp(0.25 * noise) * times[:, None]
    made: F64 = np.clip(drawn, 0.5, None) * BP
    return made


def day_volume_usd(
    hours: Hours, stocks: Sequence[Stock], venue: str, values: Values, seed: int
) -> F64:
    """Draw the USD traded in the 24 hours that end at each row. (T, S)."""
    own = [f"{venue}:{stock.ticker}" for stock in stocks]
    rows = len(hours.time_ns)
    busy = np.where(hours.cash, 0.11, np.where(hours.shut, 0.0083, 0.0135))
    drift = wandering(normals(seed, Draw.VOLUME, own, rows), 0.97)
    hour = values.day_volume_usd * column(stocks, "size") * busy[:, None] * np.exp(0.35 * drift)
    # What came before the first row is taken to be like the first day.
    total = np.cumsum(np.concatenate([hour[:24], hour]), axis=0)
    lead = min(24, rows)
    made: F64 = np.round(total[lead:] - total[: len(total) - lead], -2)
    return made


def perp_frames(
    hours: Hours,
    stocks: Sequence[Stock],
    path: Path,
    venue: str,
    premium: F64,
    values: Values,
    seed: int,
) -> list[pl.DataFrame]:
    """The rows of a venue's perps, a frame each."""
    at, own = place(venue), [f"{place(venue).prefix}:{stock.ticker}" for stock in stocks]
    mid = book_px(hours, path, at, premium, values)
    half = half_frac(hours, stocks, venue, values, seed)
    volume = day_volume_usd(hours, stocks, venue, values, seed)
    drift = wandering(normals(seed, Draw.INTEREST, own, len(mid)), 0.995)
    usd = values.open_interest_usd * column(stocks, "size") * np.exp(0.2 * drift)
    units = np.round(usd / column(stocks, "start_px") * path.shares, 0)
    time = datetimes(hours.time_ns)
    frames = []
    for s, coin in enumerate(own):
        digits = 3 if stocks[s].start_px >= 20.0 else 4
        columns = {"mid_px": mid[:, s], "impact_bid_px": mid[:, s] * (1.0 - half[:, s])}
        columns["impact_ask_px"] = mid[:, s] * (1.0 + half[:, s])
        frames.append(
            pl.DataFrame(
                {
                    "time": time,
                    "coin": pl.repeat(coin, len(mid), eager=True),
                    **{name: np.round(px, digits) for name, px in columns.items()},
                    "external_px": path.external_px[:, s],
                    "open_interest": units[:, s],
                    "day_ntl_vlm": volume[:, s],
                }
            )
        )
    return frames
