"""Runs of a few hours written by hand, row by row, and how tests read a panel."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from perpkit.metrics import METRICS
from perpkit.report.panel import Card, Cards, Cell, Chart, Choice, Panel, Table
from perpkit.report.reading import Run

BEGUN = datetime(2026, 3, 2, tzinfo=UTC)
TIME = pl.Datetime("ms", "UTC")
EVIL = "<script>alert(1)</script>"

_WORDS = (
    *("strategy", "account", "instrument", "cause", "coin", "way", "side", "reason"),
    *("kind", "detail", "phase", "token"),
)
_COLUMNS: Mapping[str, str] = {
    "equity": "time equity_usd cash_usd margin_ratio gross_usd net_delta_usd",
    "attribution": "time strategy account instrument cause usd",
    "accounts": "time account cash_usd margin_value_usd initial_usd maintenance_usd margin_ratio",
    "positions": "time strategy account instrument position px value_usd liquidation_px "
    "liquidation_distance_frac premium_frac",
    "funding": "time coin account position oracle_px funding payment_usd",
    "fills": "fill_id time decided_at strategy account instrument way side size px fee_usd "
    "slippage_usd reason settlement_id",
    "events": "time kind instrument account value_usd detail",
    "market": "time coin oracle_px mark_px external_px premium_8h funding phase",
    "quotes": "time token bid_px ask_px fair_px nav_px multiplier premium_frac",
    "against": "time strategy equity_usd",
}
CAUSES = (
    *("perp_price", "token_price", "funding", "yield", "dividend", "fees", "slippage"),
    *("interest", "transfer", "settlement", "liquidation", "bad_debt"),
)


def at(hour: float) -> datetime:
    """An hour of a run."""
    return BEGUN + timedelta(hours=hour)


def frame(name: str, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """A frame from rows whose time is ``h``; what a row leaves out is null."""
    names = _COLUMNS[name].split()
    if name == "equity":
        names += [f"{cause}_usd" for cause in CAUSES]
    types: dict[str, Any] = {
        column: TIME
        if column in ("time", "decided_at")
        else pl.Int64
        if column in ("fill_id", "settlement_id")
        else pl.String
        if column in _WORDS
        else pl.Float64
        for column in names
    }
    full = [{c: at(row["h"]) if c == "time" else row.get(c) for c in names} for row in rows]
    return pl.DataFrame(full, schema=types)


def hourly(hours: int, **columns: Any) -> list[dict[str, Any]]:
    """A row an hour; a column is one value for all or a sequence of them."""
    told = {
        name: list(value) if isinstance(value, (list, tuple, range)) else [value] * hours
        for name, value in columns.items()
    }
    return [{"h": h, **{name: value[h] for name, value in told.items()}} for h in range(hours)]


def small(
    hours: int,
    metrics: Mapping[str, Any] | None = None,
    *,
    name: str = "small",
    manifest: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    **frames: Sequence[Mapping[str, Any]],
) -> Run:
    """A run of some hours with 1,000 USD; its equity rows are filled up with zeros."""
    told = {int(row["h"]): row for row in frames.pop("equity", ())}
    empty = {
        "equity_usd": 1000.0,
        "cash_usd": 1000.0,
        "margin_ratio": 0.0,
        "gross_usd": 0.0,
        "net_delta_usd": 0.0,
        **{f"{cause}_usd": 0.0 for cause in CAUSES},
    }
    equity = [{"h": h, **empty, **told.get(h, {})} for h in range(hours)]
    summed = {f"{cause}_usd": sum(row[f"{cause}_usd"] for row in equity) for cause in CAUSES}
    values = {**summed, **(metrics or {})}
    return Run(
        name,
        {
            "equity": frame("equity", equity),
            **{key: frame(key, frames.get(key, ())) for key in _COLUMNS if key != "equity"},
        },
        {
            "strategy": "made",
            "metrics": {
                m.name: {"value": values.get(m.name), "unit": m.unit, "group": m.group}
                for m in METRICS
            },
            "market": {},
            "warnings": list(warnings),
        },
        {
            "schema": 1,
            "versions": {"python": "3.11", "perpkit": "0.1.0"},
            "strategy": {
                "name": "made",
                "file": "made.py",
                "doc": "",
                "digest": "aa",
                "params": {},
            },
            "config": {"capital": 1000.0, "collateral": {}, "sweep_token": None},
            "dataset": {"name": "made", "digest": "dd", "folder": "made"},
            "span": [f"{at(0):%Y-%m-%d %H:%MZ}", f"{at(hours - 1):%Y-%m-%d %H:%MZ}"],
            "instruments": {
                "coins": ["v:AAA", "v:BBB"],
                "tokens": ["AAAx", "BILL"],
                "accounts": ["wallet", "v"],
            },
            "terms": [],
            "assumptions": [],
            "warnings": list(warnings),
            **(manifest or {}),
        },
    )


# --------------------------------------------------------------------------- reading a panel


def every(panel: Panel, kind: type[Any]) -> list[Any]:
    """Parts of a kind, those of choices too."""
    found = []
    for part in panel.parts:
        inner = (
            [p for told in part.parts.values() for p in told] if isinstance(part, Choice) else []
        )
        found += [p for p in (part, *inner) if isinstance(p, kind)]
    return found


def cards(panel: Panel) -> dict[str, Card]:
    """Cards by their labels."""
    return {card.label: card for told in every(panel, Cards) for card in told.cards}


def column(table: Table, name: str) -> list[Any]:
    """A column: text, or what it is sorted by where it is a number."""
    place = [c.name for c in table.columns].index(name)
    return [cell.key if isinstance(cell := row[place], Cell) else cell for row in table.rows]


def texts(table: Table, name: str) -> list[str]:
    """A column as it is shown."""
    place = [c.name for c in table.columns].index(name)
    return [cell.text if isinstance(cell := row[place], Cell) else cell for row in table.rows]


def traces(chart: Chart) -> dict[str, dict[str, Any]]:
    """Traces of a chart by their names."""
    return {trace["name"]: trace for trace in chart.figure["data"]}


def unpacked(told: Mapping[str, str]) -> list[float]:
    """Numbers of a packed array."""
    raw = np.frombuffer(base64.b64decode(told["bdata"]), np.dtype(f"<{told['dtype']}"))
    return [float(value) for value in raw]
