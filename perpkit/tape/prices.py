"""Perp prices laid on the clock, and the span of the run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64, Session
from perpkit.config import RunConfig
from perpkit.dataset import Dataset
from perpkit.errors import DataError
from perpkit.rulebook import Resolved
from perpkit.tape.grid import carry, hours_between, lay, place, refuse_gaps, rows_since, times_ns
from perpkit.tape.instruments import Instruments
from perpkit.units import HOUR_NS, stamp

PRICES = {"onchain": ("oracle_px", "mark_px"), "external": ("external_px",)}
_UNUSED = " (the last price carried forward will do where the venue prices by its own book)"


class Span(NamedTuple):
    """The hours of the run, and what was cut off its end."""

    time_ns: I64
    notes: tuple[str, ...]


class Prices(NamedTuple):
    """Perp side of the tape, each (T, M)."""

    oracle_px: F64
    mark_px: F64
    external_px: F64
    mid_px: F64
    impact_bid_px: F64
    impact_ask_px: F64
    mark_high_px: F64
    mark_low_px: F64
    volume_usd: F64
    open_interest: F64  # units
    premium: F64
    stale: B8
    listed: B8  # the coin has had a price


def span(
    dataset: Dataset, recorded: pl.DataFrame | None, names: Instruments, latest_ns: int | None
) -> Span:
    """First to last hour; ends where a traded coin's prices, or its needed funding, end.

    Parameters
    ----------
    recorded : settlements that the run cannot do without; None where a formula can fill in
    latest_ns : last hour asked for, None for all
    """
    perps = dataset.perps.filter(pl.col("coin").is_in(names.coins))
    at = times_ns(perps)
    first, end = int(at.min()), int(at.max())
    if latest_ns is not None:
        end = min(end, latest_ns)
    last, notes = end, []
    for what, frame in (("prices", perps), ("funding", recorded)):
        if frame is None:
            continue
        for coin in names.coins:
            own = times_ns(frame.filter(pl.col("coin") == coin))
            if not own.size:
                raise DataError(
                    f"{dataset.folder.name}: {coin} has no {what} in the run's span; leave it out "
                    "with coins, choose another span"
                    + (", or set funding=formula" if what == "funding" else "")
                )
            ends = int(own.max()) // HOUR_NS * HOUR_NS
            if ends < last:
                last = ends
                late = (end - last) // HOUR_NS
                notes = [
                    f"the run ends at {stamp(last)}, where {what} of {coin} ends; {late} h cut"
                ]
    if last <= first:
        raise DataError(
            f"{dataset.folder.name}: no two hours in which every coin has data; "
            "choose other coins or another span"
        )
    return Span(hours_between(first, last), tuple(notes))


def lay_prices(
    dataset: Dataset, config: RunConfig, names: Instruments, time_ns: I64, resolved: Resolved
) -> Prices:
    """Perp prices of the run, carried over short gaps.

    A coin without external prices, before its listing, is there while its book is.

    Raises
    ------
    DataError
        If a gap is longer than prices may be carried.
    """
    at = place(dataset.perps, "coin", names.coins, time_ns)
    shape = (len(time_ns), len(names.coins))

    def column(name: str) -> F64:
        return lay(dataset.perps, name, at, shape)

    needed = PRICES[dataset.prices]
    present = np.ones(shape, np.bool_)
    for name in needed:
        present &= ~np.isnan(column(name))
    if dataset.prices == "external":
        book = np.isnan(column("impact_bid_px")) | np.isnan(column("impact_ask_px"))
        unlisted = resolved.terms["external_session"][resolved.era] == Session.NEVER
        present |= unlisted & ~(book & np.isnan(column("mid_px")))
    age = rows_since(present)
    what = f"perps.parquet: {' and '.join(needed)}"
    aside = _UNUSED if dataset.prices == "external" else ""
    refuse_gaps(age, names.coins, time_ns, config.max_stale_hours, what, aside)
    # Only an hour without prices takes its book from the hour before: a recorded hour without a
    # book has none.
    return Prices(
        oracle_px=carry(column("oracle_px"), age),
        mark_px=carry(column("mark_px"), age),
        external_px=carry(column("external_px"), age),
        mid_px=carry(column("mid_px"), age),
        impact_bid_px=carry(column("impact_bid_px"), age),
        impact_ask_px=carry(column("impact_ask_px"), age),
        mark_high_px=column("mark_high_px"),
        mark_low_px=column("mark_low_px"),
        volume_usd=carry(column("day_ntl_vlm"), age),
        open_interest=carry(column("open_interest"), age),
        premium=column("premium"),
        stale=age != 0,
        listed=age >= 0,
    )
