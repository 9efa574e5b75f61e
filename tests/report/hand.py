"""Runs for the tests of the panels: small ones written by hand, and one short one played."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import polars as pl

import perpkit
from perpkit.codes import CAUSES
from perpkit.metrics import METRICS
from perpkit.report.panel import Card, Cards, Cell, Chart, Choice, Panel, Part, Table, Text
from perpkit.report.reading import Run, run_of

BEGUN = datetime(2026, 1, 30, tzinfo=UTC)
TIME = pl.Datetime("ms", "UTC")
EVIL = "<script>alert(1)</script>"

_TEXT = ("strategy", "account", "instrument", "cause", "way", "side", "reason", "kind", "detail")
_COLUMNS: Mapping[str, Sequence[str]] = {
    "attribution": ("time", "strategy", "account", "instrument", "cause", "usd"),
    "positions": ("time", "strategy", "account", "instrument", "position", "px", "value_usd"),
    "fills": (
        *("fill_id", "time", "decided_at", "strategy", "account", "instrument", "way", "side"),
        *("size", "px", "fee_usd", "slippage_usd", "reason", "settlement_id"),
    ),
    "events": ("time", "kind", "instrument", "account", "value_usd", "detail"),
    "funding": ("time", "coin", "account", "position", "oracle_px", "funding", "payment_usd"),
    "against": ("time", "strategy", "equity_usd"),
}


def at(hour: int) -> datetime:
    """An hour of a made run."""
    return BEGUN + timedelta(hours=hour)


def rows(frame: str, told: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """A frame of the result from its rows; what they do not tell is null, `hour` is the time."""
    types: dict[str, Any] = {
        name: TIME
        if name in ("time", "decided_at")
        else pl.Int64
        if name in ("fill_id", "settlement_id")
        else pl.String
        if name in (*_TEXT, "coin")
        else pl.Float64
        for name in _COLUMNS[frame]
    }
    full = [
        {name: at(row["hour"]) if name == "time" else row.get(name) for name in types}
        for row in told
    ]
    return pl.DataFrame(full, schema=types)


def made(
    equity: Sequence[float],
    *,
    metrics: Mapping[str, float | str | None] | None = None,
    ratios: Sequence[float] | None = None,
    capital: float = 1_000.0,
    free: float = 0.05,
    strategy: str = "made",
    underlyings: Mapping[str, str] | None = None,
    coins: Sequence[str] = ("v:AAA",),
    tokens: Sequence[str] = ("AAAx",),
    **frames: Sequence[Mapping[str, Any]],
) -> Run:
    """A run with this equity by the hour; its causes are those of the attribution rows."""
    booked = rows("attribution", frames.get("attribution", ()))
    time = pl.Series("time", [at(hour) for hour in range(len(equity))], TIME)
    told = pl.DataFrame({"time": time, "equity_usd": list(equity)})
    for cause in CAUSES:
        of = booked.filter(pl.col("cause") == cause).group_by("time").agg(pl.col("usd").sum())
        told = told.join(of, on="time", how="left", maintain_order="left")
        told = told.rename({"usd": f"{cause}_usd"}).with_columns(
            pl.col(f"{cause}_usd").fill_null(0.0)
        )
    told = told.with_columns(pl.Series("margin_ratio", ratios or [0.0] * len(equity), pl.Float64))
    sums = {f"{cause}_usd": told[f"{cause}_usd"].sum() for cause in CAUSES}
    numbers = {**sums, "final_equity_usd": equity[-1], **(metrics or {})}
    every = {metric.name: {"value": None} for metric in METRICS}
    every |= {name: {"value": value} for name, value in numbers.items()}
    return Run(
        "made by hand",
        {
            "equity": told,
            **{name: rows(name, frames.get(name, ())) for name in _COLUMNS},
        },
        {"strategy": strategy, "metrics": every, "market": {}, "warnings": []},
        {
            "config": {"capital": capital, "risk_free_apr": free},
            "instruments": {
                "coins": list(coins),
                "tokens": list(tokens),
                "underlyings": {
                    name: name.removeprefix("v:").removesuffix("x") for name in (*coins, *tokens)
                }
                if underlyings is None
                else underlyings,
            },
            "dataset": {"name": "made"},
        },
    )


@cache
def played() -> Run:
    """Nine weeks of the demo, with closed trades, against two benchmarks."""
    spell = {"start": datetime(2025, 10, 13, tzinfo=UTC), "end": datetime(2025, 12, 15, tzinfo=UTC)}
    return run_of(
        perpkit.backtest("funding_carry", config=spell, against=["cash", "spot_hold"]), "played"
    )


def parts(panel: Panel, kind: type[Any]) -> list[Any]:
    """Parts of a panel of one kind, those inside a choice too."""

    def walk(told: Sequence[Part]) -> list[Any]:
        found: list[Any] = []
        for part in told:
            if isinstance(part, Choice):
                for inner in part.parts.values():
                    found += walk(inner)
            if isinstance(part, kind):
                found.append(part)
        return found

    return walk(panel.parts)


def cards(panel: Panel) -> dict[str, Card]:
    """Its cards by their labels."""
    return {card.label: card for told in parts(panel, Cards) for card in told.cards}


def keys(table: Table, column: str) -> list[float | None]:
    """What a column is sorted by."""
    place = [c.name for c in table.columns].index(column)
    return [row[place].key for row in table.rows if isinstance(row[place], Cell)]


def texts(table: Table, column: str) -> list[str]:
    """What stands in a column."""
    place = [c.name for c in table.columns].index(column)
    return [cell.text if isinstance(cell := row[place], Cell) else cell for row in table.rows]


def trace(chart: Chart, name: str) -> dict[str, Any]:
    """A trace of a chart by its name."""
    return next(t for t in chart.figure["data"] if t["name"] == name)


def unpacked(told: Mapping[str, str]) -> list[float]:
    """The numbers of a packed array."""
    raw = base64.b64decode(told["bdata"])
    return [float(v) for v in np.frombuffer(raw, np.dtype(f"<{told['dtype']}"))]


def words(panel: Panel) -> str:
    """Everything that a panel says, in one text."""
    told = [panel.title, panel.lead, panel.empty]
    told += [part.text for part in parts(panel, Text)]
    told += [f"{c.label} {c.value} {c.note}" for c in cards(panel).values()]
    for table in parts(panel, Table):
        told += [c.text if isinstance(c, Cell) else c for row in table.rows for c in row]
    told += [str(chart.figure) + chart.label + chart.note for chart in parts(panel, Chart)]
    return "\n".join(told)
