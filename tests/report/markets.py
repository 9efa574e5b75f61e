"""A run made by hand: what the panels of rates and prices read, and nothing else."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from perpkit.codes import CAUSES
from perpkit.report.panel import Chart, Panel, Table
from perpkit.report.reading import Run

MONDAY = datetime(2026, 6, 1, tzinfo=UTC)
TIME = pl.Datetime("ms", "UTC")
FRAMES: Mapping[str, Mapping[str, Any]] = {
    "funding": {
        "time": TIME,
        "coin": pl.String,
        "account": pl.String,
        "position": pl.Float64,
        "oracle_px": pl.Float64,
        "funding": pl.Float64,
        "payment_usd": pl.Float64,
    },
    "positions": {
        "time": TIME,
        "account": pl.String,
        "instrument": pl.String,
        "position": pl.Float64,
        "value_usd": pl.Float64,
    },
    "attribution": {
        "time": TIME,
        "instrument": pl.String,
        "cause": pl.String,
        "usd": pl.Float64,
    },
    "quotes": {
        "time": TIME,
        "token": pl.String,
        "premium_frac": pl.Float64,
    },
}


def hour(row: int) -> datetime:
    return MONDAY + timedelta(hours=row)


def market(hours: int, coins: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """The market frame; a column is a number, a sequence of T, or not there."""
    plain: Mapping[str, Any] = {
        "oracle_px": 100.0,
        "mark_px": 100.0,
        "external_px": None,
        "oracle_lag_frac": None,
        "premium_8h": 0.0,
        "funding": 0.0,
        "phase": "cash",
    }
    own = [
        pl.DataFrame(
            {
                "time": [hour(row) for row in range(hours)],
                "coin": [coin] * hours,
                **{k: _column(told.get(k, v), hours) for k, v in plain.items()},
            },
            schema={
                "time": TIME,
                "coin": pl.String,
                **{k: pl.String if k == "phase" else pl.Float64 for k in plain},
            },
        ).with_columns(place=pl.lit(place))
        for place, (coin, told) in enumerate(coins.items())
    ]
    return pl.concat(own).sort("time", "place").drop("place")


def _column(value: Any, hours: int) -> list[Any]:
    return list(value) if isinstance(value, (list, np.ndarray)) else [value] * hours


def rows(frame: str, told: Sequence[Sequence[Any]]) -> pl.DataFrame:
    return pl.DataFrame([tuple(one) for one in told], schema=dict(FRAMES[frame]), orient="row")


def run_with(
    prices: pl.DataFrame,
    *,
    metrics: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    terms: Sequence[Mapping[str, Any]] = (),
    equity: Mapping[str, Sequence[float]] | None = None,
    **frames: pl.DataFrame,
) -> Run:
    """A run of these frames; those that are not given have no rows."""
    time = prices["time"].unique().sort()
    causes = {f"{cause}_usd": [0.0] * len(time) for cause in CAUSES}
    held = {name: rows(name, []) for name in FRAMES}
    columns = {"equity_usd": [0.0] * len(time), **causes, **dict(equity or {})}
    book = pl.DataFrame({"time": time, **columns})
    coins = prices["coin"].unique(maintain_order=True).to_list()
    known = {"funding_usd": 0.0, "settlements_held": 0, **dict(metrics or {})}
    absent = ("funding_capture_frac", "funding_capture_held_frac")
    return Run(
        "by hand",
        {"market": prices, "equity": book, **held, **frames},
        {
            "metrics": {
                name: {"value": known.get(name), "unit": "", "group": ""}
                for name in (*known, *absent)
            },
            "market": dict(facts or {}),
        },
        {
            "terms": list(terms),
            "instruments": {"coins": coins, "tokens": []},
            "dataset": {"name": "hand", "prices": "external"},
            "config": {"capital": 1000.0},
        },
    )


def unpacked(values: Any) -> NDArray[Any]:
    """What a trace holds, as an array."""
    if isinstance(values, Mapping):
        raw = base64.b64decode(values["bdata"])
        return np.frombuffer(raw, f"<{values['dtype']}")
    return np.asarray(values)


def trace(chart: Chart, name: str) -> dict[str, Any]:
    """The trace of a name."""
    (found,) = [one for one in chart.figure["data"] if one.get("name") == name]
    return dict(found)


def table(panel: Panel, caption: str) -> list[dict[str, Any]]:
    """Rows of the table whose caption begins so, by column name: sort keys, or texts."""
    (found,) = [p for p in panel.parts if isinstance(p, Table) and p.caption.startswith(caption)]
    names = [column.name for column in found.columns]
    return [
        {n: c if isinstance(c, str) else c.key for n, c in zip(names, row, strict=True)}
        for row in found.rows
    ]
