"""Splits that ``actions`` records, held against jumps of prices."""

from __future__ import annotations

from math import log
from typing import Final

import polars as pl

from perpkit.dataset.schema import PERPS, Table
from perpkit.research.quality.raw import Raw
from perpkit.research.quality.series import Series
from perpkit.units import HOUR_MS

REACH_HOURS: Final = 96  # prices change up to so long after a split's time
_NEAR: Final = log(1.25)  # what the price itself may move in the hour of its split


def underlying_of(raw: Raw, table: Table, instrument: str) -> str:
    """The underlying of a perp or a token."""
    if table is PERPS:
        return raw.about.perps[instrument].underlying
    return raw.about.tokens[instrument].underlying


def explained(raw: Raw, table: Table, own: Series, place: int, ratio: float) -> bool:
    """Whether a split, or a shock of the instrument, stands behind a jump of a series."""
    at = int(own.time_ms[place])
    since = (pl.col("time").cast(pl.Int64) >= at - REACH_HOURS * HOUR_MS) & (
        pl.col("time").cast(pl.Int64) <= at + HOUR_MS
    )
    under = underlying_of(raw, table, own.instrument)
    if raw.has("actions", "amount"):
        near = raw.tables["actions"].filter(
            since & (pl.col("kind") == "split") & (pl.col("underlying") == under)
        )
        if any(abs(abs(log(a)) - abs(log(ratio))) < _NEAR for a in near["amount"] if a and a > 0):
            return True
    if raw.has("shocks", "instrument"):
        struck = {own.instrument, under}
        if table is not PERPS:
            struck.add(raw.about.tokens[own.instrument].issuer)
        return (
            not raw.tables["shocks"].filter(since & pl.col("instrument").is_in(struck)).is_empty()
        )
    return False
