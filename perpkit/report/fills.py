"""The fills of a run as the panels count them."""

from __future__ import annotations

import polars as pl

from perpkit.headline import CAUSE_NAMES
from perpkit.ledger.causes import OF_REASON
from perpkit.metrics.trades import NO_TRADES
from perpkit.report.reading import Run


def priced(run: Run) -> pl.DataFrame:
    """The fills with what they were worth and cost.

    Beside the columns of the result: `usd`, size · price; `lost_usd`, what the price lost against
    mark or fair price; `cost_usd`, that and the fee; `traded`, whether it is a trade that
    `volume_usd` counts; `booked`, the cause of its price.
    """
    fills = run.frames["fills"].with_columns(
        pl.col("strategy", "account", "instrument", "way", "side", "reason").cast(pl.String)
    )
    booked = {reason.name.lower(): CAUSE_NAMES[cause] for reason, cause in OF_REASON.items()}
    none = [reason.name.lower() for reason in NO_TRADES]
    return fills.with_columns(
        usd=pl.col("size") * pl.col("px"),
        lost_usd=0.0 - pl.col("slippage_usd"),
        cost_usd=pl.col("fee_usd") - pl.col("slippage_usd"),
        traded=~pl.col("reason").is_in(none) & (pl.col("way") != "cross"),
        booked=pl.col("reason").replace_strict(booked, return_dtype=pl.String),
    )


def summed(fills: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Count, worth and cost of fills by some columns, the most worth first.

    Returns
    -------
    the columns, `fills`, `usd`, `fee_usd`, `lost_usd`, `cost_usd` and `cost_frac`, which is
    null where nothing was worth anything
    """
    sums = ("usd", "fee_usd", "lost_usd", "cost_usd")
    found = fills.group_by(*by).agg(pl.len().alias("fills"), *(pl.col(name).sum() for name in sums))
    worth = pl.when(pl.col("usd") > 0.0).then(pl.col("cost_usd") / pl.col("usd"))
    return found.with_columns(cost_frac=worth).sort(
        "usd", *by, descending=[True, *[False] * len(by)]
    )
