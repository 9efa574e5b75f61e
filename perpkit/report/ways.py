"""What was under way: transfers, redemptions and trades that took time, each from start to end."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import F64, I64
from perpkit.report.grid import hour_of
from perpkit.report.reading import Run


class Way(NamedTuple):
    """A kind of thing that takes time."""

    what: str
    sent: str  # the event it begins with
    ended: dict[str, str]  # events it ends with, and what they are called
    of: str  # column that tells them apart: only one is under way at a time
    lane: str  # prefix of its lane


WAYS = (
    Way("transfer", "transfer_sent", {"transfer_arrived": "arrived"}, "account", "cash to"),
    Way("redemption", "redeem_sent", {"redeem_paid": "paid"}, "instrument", "redeemed"),
    Way(
        "trade",
        "settlement_sent",
        {"settled": "settled", "unwound": "undone"},
        "instrument",
        "trade of",
    ),
)
UNDER_WAY = "under way at the end"
REFUSED = {
    "transfer_refused": ("transfer", "account", "transfer refused"),
    "redeem_refused": ("redemption", "instrument", "redemption refused"),
    "leg_waits": ("trade", "instrument", "an order waits"),
}


def read_ways(run: Run) -> pl.DataFrame:
    """A row for everything that was under way, in the order in which it began.

    ``what``, ``name`` (an account or a token), ``lane``, ``time`` and ``until`` (the run's end
    where it has none), ``hours``, ``value_usd``, ``outcome``, ``detail`` (the sentence of its
    end) and ``settlement_id``.
    """
    events = run.frames["events"]
    last = run.frames["equity"]["time"][-1]
    found = [_paired(events, way, last) for way in WAYS]
    ids = (
        run.frames["fills"]
        .filter(pl.col("settlement_id").is_not_null() & (pl.col("reason") != "settlement"))
        .select("time", pl.col("instrument").alias("name"), "settlement_id")
        .unique(["time", "name"], keep="first", maintain_order=True)
        .with_columns(pl.lit("trade").alias("what"))
    )
    return (
        pl.concat(found)
        .sort("time", maintain_order=True)
        .join(ids, on=["time", "name", "what"], how="left", maintain_order="left")
    )


def _paired(events: pl.DataFrame, way: Way, last: object) -> pl.DataFrame:
    """Each beginning with the end that follows it, of those of the same account or token."""
    name = pl.col("name")
    ended = pl.col("next").is_in(list(way.ended))
    return (
        events.filter(pl.col("kind").is_in([way.sent, *way.ended]))
        .with_columns(pl.col(way.of).fill_null("").alias("name"))
        .with_columns(
            pl.col("kind").shift(-1).over("name").alias("next"),
            pl.col("time").shift(-1).over("name").alias("then"),
            pl.col("detail").shift(-1).over("name").alias("told"),
        )
        .filter(pl.col("kind") == way.sent)
        .select(
            pl.lit(way.what).alias("what"),
            name,
            pl.format("{} {}", pl.lit(way.lane), name).alias("lane"),
            pl.col("time"),
            pl.when(ended).then("then").otherwise(pl.lit(last)).alias("until"),
            pl.col("value_usd"),
            pl.when(ended)
            .then(pl.col("next").replace(way.ended))
            .otherwise(pl.lit(UNDER_WAY))
            .alias("outcome"),
            pl.when(ended).then("told").otherwise("detail").alias("detail"),
        )
        .with_columns(
            (pl.col("until") - pl.col("time")).dt.total_hours().cast(pl.Float64).alias("hours")
        )
    )


def read_refused(run: Run) -> pl.DataFrame:
    """What was refused or had to wait: ``kind``, ``lane``, ``time`` and ``detail``."""
    events = run.frames["events"].filter(pl.col("kind").is_in(list(REFUSED)))
    prefix = {way.what: way.lane for way in WAYS}
    lanes = pl.lit(None, pl.String)
    for kind, (what, of, _) in REFUSED.items():
        told = pl.format("{} {}", pl.lit(prefix[what]), pl.col(of).fill_null(""))
        lanes = pl.when(pl.col("kind") == kind).then(told).otherwise(lanes)
    return events.select("kind", lanes.alias("lane"), "time", "detail")


def under_way(ways: pl.DataFrame, what: str, axis_ms: I64) -> F64:
    """USD of one kind that were under way at the end of each hour: (T,)."""
    mine = ways.filter(pl.col("what") == what)
    usd = mine["value_usd"].fill_null(0.0).to_numpy()
    hours = len(axis_ms)
    change = np.bincount(hour_of(mine["time"], axis_ms), usd, hours + 1)
    ended = mine["outcome"].to_numpy() != UNDER_WAY
    change -= np.bincount(hour_of(mine["until"], axis_ms)[ended], usd[ended], hours + 1)
    total = np.cumsum(change)[:hours]
    total[np.abs(total) < 1e-6] = 0.0  # what came and went is gone to the last digit
    return np.asarray(total, np.float64)
