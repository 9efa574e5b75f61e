"""Equity against what else could have been done with the money, and its drawdown."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import F64, I64
from perpkit.headline import percent, plain
from perpkit.metrics.drawdown import drawdowns
from perpkit.report.chart import Trace, figure, line, marks, numbers, times
from perpkit.report.panel import Chart, Panel, Text
from perpkit.report.reading import Run
from perpkit.report.said import instant
from perpkit.report.thin import POINTS, thin
from perpkit.report.worst import Fall, fall
from perpkit.units import HOUR_MS, HOURS_PER_YEAR

_BILLS = "T-bills"
_DASHES = ("dash", "dot", "dashdot", "longdash", "longdashdot")
# What is marked on the line: name, colour, symbol, kinds of events.
_MARKED = (
    ("liquidated", "@loss", "x", ("liquidation", "backstop", "partial")),
    ("bad debt", "@loss", "diamond", ("bad_debt",)),
    ("auto-deleveraged", "@warn", "triangle-up", ("adl",)),
    ("venue failed", "@loss", "star", ("venue_failed",)),
    ("pledge sold", "@warn", "square", ("seized",)),
)
_MARKS = 400  # events of a kind that are marked, the largest


class _Lines(NamedTuple):
    """Equity by the hour: of the run, and of what it is set against."""

    time_ms: I64
    equity_usd: F64
    depth: F64
    others: dict[str, F64]  # T-bills first


def panel(run: Run) -> Panel:
    """Equity, its excess over T-bills and other strategies, its drawdown."""
    title = "Equity against what else the money could do"
    if run.frames["equity"].height < 2:
        return Panel("equity", title, empty="The run is one hour long: equity made no move.")
    lines, worst = _read(run), fall(run)
    parts: list[Chart | Text] = [_chart(run, lines, worst)]
    if run.frames["against"].is_empty():
        parts.append(
            Text(
                "No benchmark was played beside this run: it is set against T-bills alone. "
                "perpkit backtest plays cash and spot_hold; from Python name them by against=."
            )
        )
    return Panel("equity", title, parts, _lead(run, lines, worst))


def _read(run: Run) -> _Lines:
    frame = run.frames["equity"]
    time_ms, equity = times(frame["time"]), numbers(frame["equity_usd"])
    hours = (time_ms - time_ms[0]) / HOUR_MS
    free = float(run.manifest["config"]["risk_free_apr"])
    others = {
        f"{_BILLS} at {percent(free)}": run.capital * (1.0 + free * hours / HOURS_PER_YEAR),
    }
    against = run.frames["against"]
    for name in against["strategy"].unique(maintain_order=True).to_list():
        told = against.filter(pl.col("strategy") == name)
        path = np.full(len(time_ms), np.nan)
        row = np.searchsorted(time_ms, times(told["time"]))
        path[np.minimum(row, len(path) - 1)] = numbers(told["equity_usd"])
        others[str(name)] = path
    return _Lines(time_ms, equity, drawdowns(equity), others)


def _lead(run: Run, lines: _Lines, worst: Fall | None) -> str:
    final = run.metric("final_equity_usd") or 0.0
    parts = [
        f"{_beside(final - float(path[-1]))} {name}"
        for name, path in lines.others.items()
        if np.isfinite(path[-1])
    ]
    told = f"Ended at {plain(final)} USD: {', '.join(parts)}"
    if worst is None:
        return f"{told}; equity never fell below its peak."
    depth, when = percent(run.metric("max_drawdown_frac")), worst.told().replace("; ", ", ")
    return f"{told}; the worst drawdown was {depth}, {when}."


def _beside(more: float) -> str:
    """How one end stands to another, as they are said to a cent."""
    if abs(more) < 0.005:
        return "as much as"
    return f"{plain(abs(more))} {'more' if more > 0.0 else 'less'} than"


def _chart(run: Run, lines: _Lines, worst: Fall | None) -> Chart:
    """Three axes over the same time: equity, excess, drawdown."""
    rows = thin(lines.equity_usd, lines.depth, *_moving(lines), points=POINTS)
    time_ms = lines.time_ms[rows]
    traces = [
        line(run.strategy, time_ms, lines.equity_usd[rows], "@1", unit=" USD", line={"width": 2.5})
    ]
    for place, (name, path) in enumerate(lines.others.items()):
        look = {"color": f"@{place % 7 + 2}", "dash": _DASHES[place % len(_DASHES)]}
        traces.append(
            line(name, time_ms, path[rows], look["color"], unit=" USD", legendgroup=name, line=look)
        )
        over = (lines.equity_usd - path)[rows] / run.capital
        traces.append(
            line(
                f"over {name}",
                time_ms,
                over,
                look["color"],
                hover="+.2%",
                axis=2,
                legendgroup=name,
                showlegend=False,
                line=look,
            )
        )
    traces.append(
        line(
            "drawdown",
            time_ms,
            lines.depth[rows],
            "@1",
            hover=".2%",
            axis=3,
            fill="tozeroy",
            showlegend=False,
        )
    )
    if worst is not None:
        at = np.array([worst.lowest])
        text = f"worst drawdown {percent(worst.frac)}, {worst.told()}"
        traces.append(
            marks(
                "worst drawdown", lines.time_ms[at], lines.depth[at], "@loss", "triangle-up", [text]
            )
            | {"yaxis": "y3"}
        )
    traces += _events(run, lines)
    flat = {} if lines.depth.any() else {"range": [-0.01, 0.001]}  # or it would reach to 100%
    shown = figure(
        traces,
        y="equity, USD",
        fmt=",.6~s",
        xaxis={"anchor": "y3"},
        yaxis={"domain": [0.5, 1.0]},
        yaxis2={
            "domain": [0.24, 0.45],
            "title": {"text": "run less each"},
            "tickformat": "+.2~%",
            "zeroline": True,
        },
        yaxis3={"domain": [0.0, 0.19], "title": {"text": "drawdown"}, "tickformat": ".2~%", **flat},
    )
    note = (
        "Middle: equity of the run less that of each other use of the money, of the capital; above "
        "0 the run is ahead. T-bills earn simple interest, the run's risk_free_apr. The strategies "
        "are played over the same market with the same settings."
    )
    if not run.tokens and "spot_hold" in lines.others:
        note += " spot_hold had no token to hold, and lay in cash."
    if len(rows) < len(lines.time_ms):
        note += " Of each stretch of hours the least and the most are shown."
    return Chart(
        shown, f"Equity of {run.strategy} and of {', '.join(lines.others)}", 560, note=note
    )


def _moving(lines: _Lines) -> list[F64]:
    """Paths whose extremes are to be kept: those that are no straight line."""
    return [path for name, path in lines.others.items() if not name.startswith(_BILLS)]


def _events(run: Run, lines: _Lines) -> list[Trace]:
    """What was closed by force, on the line of equity."""
    events, traces = run.frames["events"], []
    for name, colour, symbol, kinds in _MARKED:
        mine = events.filter(pl.col("kind").cast(pl.String).is_in(kinds))
        if mine.is_empty():
            continue
        mine = mine.sort("value_usd", descending=True, nulls_last=True).head(_MARKS).sort("time")
        at = times(mine["time"])
        row = np.minimum(np.searchsorted(lines.time_ms, at), len(lines.time_ms) - 1)
        texts = [
            f"{instant(time)} {kind.replace('_', ' ')} {what or account}: {detail}"
            for time, kind, what, account, detail in zip(
                at.tolist(),
                *(mine[c] for c in ("kind", "instrument", "account", "detail")),
                strict=True,
            )
        ]
        traces.append(marks(name, at, lines.equity_usd[row], colour, symbol, texts))
    return traces
