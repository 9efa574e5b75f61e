"""Recorded funding against the venue's formula."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64
from perpkit.tape import Market

ROUNDED = 5e-11  # half of the last of ten decimals, of the rate and of the premium that it follows
BINARY = 1e-18  # such decimals as floats


class FundingCheck(NamedTuple):
    """One coin's settlements, as recorded and as the formula has them."""

    coin: str
    settlements: int  # compared
    exact_frac: float | None  # of them, equal but for rounding; None where there is none
    worst_error: float | None  # largest difference of two rates
    difference_usd: float  # what the formula would have paid the run's positions more


def check_funding(market: Market, funding: pl.DataFrame) -> tuple[FundingCheck, ...]:
    """Compare each coin's recorded rates with the formula's; nothing unless both were asked for.

    Parameters
    ----------
    market : formed with ``funding = "both"``
    funding : the run's settlements on its positions
    """
    if not market.formula_rates.size:
        return ()
    tape = market.tape
    error = market.formula_rates - tape.funding
    terms = market.terms[tape.era]
    scale = np.nan_to_num(terms["funding_multiplier"]) * terms["interval_hours"] / 8.0
    exact: B8 = np.abs(error) <= ROUNDED * (1.0 + scale) + BINARY
    compared: B8 = ~np.isnan(error)
    paid = _difference_usd(market, funding, error)
    made = []
    for m, coin in enumerate(market.names.coins):
        rows, own = int(compared[:, m].sum()), compared[:, m]
        made.append(
            FundingCheck(
                coin,
                rows,
                float(exact[own, m].mean()) if rows else None,
                float(np.abs(error[own, m]).max()) if rows else None,
                float(paid[m]),
            )
        )
    return tuple(made)


def _difference_usd(market: Market, funding: pl.DataFrame, error: F64) -> F64:
    """What each coin's positions would have been paid more, (M,)."""
    number = {coin: m for m, coin in enumerate(market.names.coins)}
    time_ns = funding["time"].dt.epoch("ms").to_numpy().astype(np.int64) * 1_000_000
    rows = np.searchsorted(market.tape.time_ns, time_ns)
    coins = np.array([number[coin] for coin in funding["coin"].to_list()], np.int64)
    notional = funding["position"].to_numpy() * funding["oracle_px"].to_numpy()
    more = -notional * np.nan_to_num(error[rows, coins])
    return np.bincount(coins, more, minlength=len(number)).astype(np.float64)
