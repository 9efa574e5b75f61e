"""The index that a dated future implies: what index perps follow outside the cash session.

Not part of the market loop, which takes external prices as they come: for those who form them.
trade.xyz documentation, changelog/equity-indices-v1 (fixed discount) and
asset-directory/equity-indices (measured discount).
"""

from __future__ import annotations

import math

from perpkit.market.steps import clip
from perpkit.market.update import ewma_gain

MEASURED_TAU_HOURS = 1.0
MEASURED_STEP_APR = 1e-6  # 0.01 bp


def discounted_px(futures_px: float, discount_apr: float, years: float) -> float:
    """Spot that a future implies, ``S = F exp(-d T)``.

    Parameters
    ----------
    futures_px : USD
    discount_apr : interest less dividends, a year, continuously compounded
    years : to the future's expiry, of 365.25 days

    Examples
    --------
    >>> round(discounted_px(24_904.2, 0.04, 0.180285473), 2)
    24725.25
    """
    return futures_px * math.exp(-discount_apr * years)


def basis_apr(futures_px: float, spot_px: float, years: float) -> float:
    """Discount that brings the future to a spot price seen beside it, a year.

    Examples
    --------
    >>> round(basis_apr(24_904.2, 24_725.25, 0.180285473), 6)
    0.04
    """
    return math.log(futures_px / spot_px) / years


def measured_apr(discount_apr: float, basis: float, seconds: float) -> float:
    """Discount after one more measurement in the cash session: an average that moves slowly.

    Parameters
    ----------
    discount_apr : before it
    basis : :func:`basis_apr` now
    seconds : since the measurement before

    Notes
    -----
    An exponential average with a time constant of one hour, each step limited to 0.01 bp; outside
    the cash session the last value stands. How often the venue measures is not published.
    """
    step = ewma_gain(seconds, MEASURED_TAU_HOURS, math.nan) * (basis - discount_apr)
    return discount_apr + clip(step, -MEASURED_STEP_APR, MEASURED_STEP_APR)
