"""The numbers that lead, run by run, with their differences to the first."""

from __future__ import annotations

import math

from perpkit.metrics.drawdown import drawdowns
from perpkit.report.compare.runs import Runs
from perpkit.report.panel import Cell, Column, Panel, Table
from perpkit.report.said import instant, rate
from perpkit.units import HOUR_MS, HOURS_PER_YEAR

KEY, TITLE = "compared-numbers", "Numbers side by side"
# Name of the metric, and what it is called.
SHOWN = {
    "final_equity_usd": "final equity",
    "net_pnl_usd": "net profit",
    "net_apr": "net APR on all capital",
    "excess_apr": "excess over T-bills",
    "max_drawdown_frac": "worst drawdown",
    "volatility_frac": "volatility",
    "sharpe": "Sharpe ratio",
    "worst_margin_ratio": "worst margin ratio",
    "min_liquidation_distance_frac": "nearest to liquidation",
    "liquidations": "liquidations",
    "margin_calls": "margin calls",
    "margin_capital_frac": "capital at work in margin",
    "max_gross_over_equity": "largest gross over equity",
    "funding_yield_apr": "funding APR on notional",
    "funding_capture_frac": "funding captured of what there was",
    "cost_drag_frac": "costs over funding",
    "break_even_days": "days to break even",
    "time_in_market_frac": "time in market",
    "turnover": "turnover",
    "fills": "fills",
}


def panel(told: Runs) -> Panel:
    """A row a number, a column a run, and the difference of each to the first."""
    first = told.names[0]
    columns = [Column("number"), Column("unit"), Column(first, number=True)]
    for name in told.names[1:]:
        columns += [
            Column(name, number=True),
            Column(f"{name} less {first}", number=True, about="in points where it is a share"),
        ]
    rows: list[list[str | Cell]] = []
    for metric, words in SHOWN.items():
        unit = str(told.runs[0].summary["metrics"][metric]["unit"])
        unit = "x equity a year" if metric == "turnover" else unit  # a rate that is no share
        values = [run.metric(metric) for run in told.runs]
        row: list[str | Cell] = [words, _unit(unit), Cell(said(values[0], unit), values[0])]
        for value in values[1:]:
            away = less(value, values[0])
            row += [Cell(said(value, unit), value), Cell(_signed(away, unit), away)]
        rows.append(row)
    note = "" if told.one_span else "; each over its own span, which are not the same"
    tables = [Table(columns, rows, caption=f"From summary.json{note}")]
    if not told.one_span and told.common[0] < told.common[1]:
        tables.append(_common(told))
    return Panel(KEY, TITLE, tables, _lead(told))


def _lead(told: Runs) -> str:
    apr = [run.metric("net_apr") for run in told.runs]
    parts = []
    for n, name in enumerate(told.names[1:], 1):
        away = less(apr[n], apr[0])
        if away is not None:
            more, size = "more" if away > 0.0 else "less", _points(abs(away)).lstrip("+")
            parts.append(f"{name} made {size} a year {more} than {told.names[0]}")
    return "; ".join(parts) + "." if parts else "No run has a net APR."


def _common(told: Runs) -> Table:
    """What each made of what it had, over the hours that all have."""
    rows: list[list[str | Cell]] = []
    for name, time_ms, equity in zip(told.names, told.time_ms, told.equity_usd, strict=True):
        inside = equity[(time_ms >= told.common[0]) & (time_ms <= told.common[1])]
        made = float(inside[-1] / inside[0] - 1.0) if inside[0] > 0.0 else None
        hours = (told.common[1] - told.common[0]) / HOUR_MS
        fell = float(drawdowns(inside).min())
        rows.append(
            [
                name,
                rate(made),
                rate(None if made is None else made * HOURS_PER_YEAR / hours),
                rate(fell),
            ]
        )
    begun, ended = (instant(ms) for ms in told.common)
    return Table(
        [
            Column("run"),
            Column("return", number=True),
            Column("return", "a year", number=True, about="simple"),
            Column("worst drawdown", number=True),
        ],
        rows,
        caption=f"The hours that all have, {begun} to {ended}",
    )


def less(value: float | None, first: float | None) -> float | None:
    """A difference; None where there is no number, or both are infinite."""
    if value is None or first is None:
        return None
    away = value - first
    return None if math.isnan(away) else away


def _is_share(unit: str) -> bool:
    return unit.startswith(("frac", "1/"))


def _unit(unit: str) -> str:
    bare = {"frac": "", "1/year": "a year", "1/√year": "a year", "count": "", "ratio": ""}
    return bare.get(unit, unit)


def said(value: float | None, unit: str) -> str:
    """A metric as people read it."""
    if value is None:
        return "n/a"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if _is_share(unit):
        return f"{value:.2%}"
    return f"{value:,.0f}" if unit == "count" else f"{value:,.2f}"


def _signed(value: float | None, unit: str) -> str:
    if value is None:
        return "n/a"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if _is_share(unit):
        return _points(value)
    told = round(value, 2)
    if told == 0.0:
        return "0" if unit == "count" else "0.00"
    return f"{value:+,.0f}" if unit == "count" else f"{value:+,.2f}"


def _points(value: float) -> str:
    """A difference of shares, in percentage points.

    >>> _points(0.0123), _points(-1e-9)
    ('+1.23 pp', '0.00 pp')
    """
    told = round(100.0 * value, 2)
    return f"{told:+,.2f} pp" if told else "0.00 pp"
