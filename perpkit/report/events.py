"""Events of the margin and what they look like: a symbol a kind, and a table of them."""

from __future__ import annotations

import math
from typing import NamedTuple

import polars as pl

from perpkit.arrays import F64, I64
from perpkit.report.chart import Trace, marks, numbers, times
from perpkit.report.grid import hour_of
from perpkit.report.panel import Cell, Column, Table
from perpkit.report.said import instant

MARKED = 300  # marks of a kind on a chart
LISTED = 500  # rows of the table
SHOWN = 20


class Kind(NamedTuple):
    """How a kind of event is drawn."""

    name: str
    symbol: str
    colour: str


# What is done by force first: so they are drawn and listed.
FORCED = {
    "liquidation": Kind("liquidated", "x", "@loss"),
    "partial": Kind("liquidated in part", "cross", "@loss"),
    "backstop": Kind("taken over by the backstop", "star", "@loss"),
    "bad_debt": Kind("bad debt", "hexagram", "@loss"),
    "adl": Kind("auto-deleveraged", "diamond", "@loss"),
    "seized": Kind("collateral sold by the venue", "square", "@loss"),
    "owed": Kind("owed and not settled", "pentagon", "@loss"),
    "venue_failed": Kind("venue failed", "hourglass", "@loss"),
    "forced_transfer": Kind("moved away by the issuer", "bowtie", "@loss"),
    "market_settled": Kind("settled by the venue", "hexagon", "@warn"),
}
CLOSED = ("liquidation", "partial", "backstop")  # where an account fell below its maintenance
KINDS = {
    **FORCED,
    "delevered": Kind("cut to meet a call", "triangle-down", "@warn"),
    "transfer_refused": Kind("transfer refused", "circle-x-open", "@warn"),
    "held_back": Kind("margin held back", "circle-cross-open", "@muted"),
    "redeem_refused": Kind("redemption refused", "square-x-open", "@warn"),
    "locked": Kind("locked by the issuer", "square-open", "@warn"),
    "reentry_refused": Kind("entry refused", "diamond-open", "@muted"),
    "capped": Kind("held back by an interest cap", "diamond-tall-open", "@muted"),
    "trimmed": Kind("cut by margin or cash", "triangle-down-open", "@muted"),
    "margin_added": Kind("margin added", "triangle-up", "@gain"),
    "margin_removed": Kind("margin given back", "triangle-up-open", "@muted"),
    "released": Kind("back from being pledged", "circle-open", "@muted"),
    "unlocked": Kind("unlocked", "circle-open-dot", "@muted"),
}


def of_margin(events: pl.DataFrame) -> pl.DataFrame:
    """Events of these kinds: what was forced first, each in its order."""
    order = pl.Enum(list(KINDS))
    return (
        events.filter(pl.col("kind").is_in(list(KINDS)))
        .with_columns(
            pl.col("kind").cast(order).to_physical().alias("place"),
            pl.col("kind").is_in(list(FORCED)).alias("forced"),
        )
        .sort(["forced", "time"], descending=[True, False], maintain_order=True)
    )


def drawn(events: pl.DataFrame, axis_ms: I64, heights: F64) -> tuple[list[Trace], bool]:
    """Marks of the events of :func:`of_margin`, a trace a kind.

    Parameters
    ----------
    axis_ms : (T,) hours of the run
    heights : (T,) where a mark of an hour stands

    Returns
    -------
    the traces, and whether some events were left out: of many of a kind the largest are drawn
    """
    traces: list[Trace] = []
    cut = False
    for kind, look in KINDS.items():
        mine = events.filter(pl.col("kind") == kind)
        if not mine.height:
            continue
        name = f"{look.name} ({mine.height:,})"
        if mine.height > MARKED:
            cut = True
            mine = mine.sort("value_usd", descending=True, nulls_last=True).head(MARKED)
        rows = hour_of(mine["time"], axis_ms)
        texts = [
            f"{instant(ms)} {instrument or account}: {detail}"
            for ms, instrument, account, detail in zip(
                axis_ms[rows],
                mine["instrument"].to_list(),
                mine["account"].to_list(),
                mine["detail"].to_list(),
                strict=True,
            )
        ]
        traces.append(marks(name, axis_ms[rows], heights[rows], look.colour, look.symbol, texts))
    return traces, cut


def listed(events: pl.DataFrame) -> Table:
    """The table of them, what was forced first."""
    head = events.head(LISTED)
    usd = numbers(head["value_usd"])
    rows: list[list[str | Cell]] = [
        [
            instant(ms),
            KINDS[kind].name,
            instrument or "",
            account or "",
            Cell("", None) if math.isnan(value) else Cell(f"{value:,.0f}", value),
            detail or "",
        ]
        for ms, kind, instrument, account, value, detail in zip(
            times(head["time"]),
            head["kind"].to_list(),
            head["instrument"].to_list(),
            head["account"].to_list(),
            usd.tolist(),
            head["detail"].to_list(),
            strict=True,
        )
    ]
    told = f"{events.height:,} events of the margin"
    if events.height > LISTED:
        told = f"{LISTED:,} of {told}"
    return Table(
        [
            Column("time", "UTC"),
            Column("event"),
            Column("instrument"),
            Column("account"),
            Column("value", "USD", number=True, about="what it was worth"),
            Column("what happened", wide=True),
        ],
        rows,
        caption=f"{told}, what was done by force first; all are in events.parquet",
        shown=SHOWN,
    )
