"""Metrics: from the frames of a run to its numbers, as one table defines them."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

import polars as pl

from perpkit.codes import CAUSES
from perpkit.metrics.carry import attribution_metrics, carry_metrics
from perpkit.metrics.drawdown import drawdown_metrics
from perpkit.metrics.funding import funding_metrics
from perpkit.metrics.margin import margin_metrics, weekend_metrics
from perpkit.metrics.numbers import Value
from perpkit.metrics.reading import Context, read
from perpkit.metrics.returns import return_metrics
from perpkit.metrics.table import METRICS, Metric, document
from perpkit.metrics.trades import activity_metrics, round_trips, trade_metrics

__all__ = ["CAUSES", "METRICS", "Context", "Metric", "document", "summarise"]


def summarise(frames: Mapping[str, pl.DataFrame], context: Context) -> dict[str, Value]:
    """Every number of :data:`METRICS`, in its order; None where it is undefined.

    Parameters
    ----------
    frames
        The result frames by name: ``equity``, ``attribution``, ``accounts``, ``positions``,
        ``funding``, ``fills`` and ``events``. Causes in ``attribution`` carry no ``_usd``.
    context
        What the frames do not say.
    """
    run = read(frames, context)
    trades = round_trips(run)
    found = {
        **return_metrics(run),
        **drawdown_metrics(run),
        **trade_metrics(run, trades),
        **activity_metrics(run, frames["fills"]),
        **attribution_metrics(run),
        **carry_metrics(run, trades, frames["funding"], frames["fills"]),
        **funding_metrics(run, frames["funding"]),
        **margin_metrics(run, frames["events"]),
        **weekend_metrics(run),
    }
    if missing := found.keys() ^ {metric.name for metric in METRICS}:
        raise AssertionError(f"metrics and their table differ in {', '.join(sorted(missing))}")
    return {metric.name: _plain(found[metric.name]) for metric in METRICS}


def _plain(value: Value) -> Value:
    return None if isinstance(value, float) and isnan(value) else value
