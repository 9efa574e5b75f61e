"""What passes between the book and a strategy: arrays, as :mod:`perpkit.arrays` tells them."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from perpkit.layout import Axes
from perpkit.records import ACCOUNT_VIEW, PERP_VIEW, TOKEN_VIEW
from perpkit.shapes import BTK, CTU, FK, FM, FPI, FTK, FTM, FTU, IT, Records


class Past(NamedTuple):
    """What a strategy may read: rows up to now; row -1 is now."""

    time_ns: IT
    oracle_px: FTM
    mark_px: FTM
    premium: FTM
    funding: FTM
    funding_total: FTM
    volume_usd: FTM
    bid_px: FTK
    ask_px: FTK
    fair_px: FTK
    nav_px: FTK
    live: BTK
    phase: CTU
    hours_to_close: FTU
    hours_to_reopen: FTU
    hours_to_cash_open: FTU
    hours_to_ex_dividend: FTU
    hours_to_earnings: FTU
    pair_dividend_usd: FTM


class View(NamedTuple):
    """The ``book`` a strategy sees: a mirror, rewritten each hour and never read back."""

    perps: Annotated[Records, Axes(PERP_VIEW, ("M",))]
    tokens: Annotated[Records, Axes(TOKEN_VIEW, ("K",))]
    accounts: Annotated[Records, Axes(ACCOUNT_VIEW, ("A",))]


class Target(NamedTuple):
    """Total units to hold, written by the strategy; NaN leaves the standing target."""

    perps: FM
    tokens: FK


class Door(NamedTuple):
    """What passes between the book loop and a strategy's entry, beside the past."""

    mirror: View
    target: Target
    plan: FPI  # P = T for a plan, else 0; I = M + K: total units, NaN leaves
    params: Annotated[NDArray[np.uint8], Axes("u1", ("params",))]  # one record, as bytes
    memory: Annotated[NDArray[np.uint8], Axes("u1", ("memory",))]  # one record a perp, as bytes
