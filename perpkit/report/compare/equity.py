"""Equity and drawdown of the runs, one over the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from perpkit.headline import percent, plain
from perpkit.metrics.drawdown import drawdowns
from perpkit.report.chart import Trace, figure, line
from perpkit.report.compare.runs import Runs
from perpkit.report.panel import Chart, Panel, Text
from perpkit.report.said import instant
from perpkit.report.thin import POINTS, thin

KEY, TITLE = "compared-equity", "Equity of the runs"


def panel(told: Runs) -> Panel:
    """What became of the money of each, and how far each fell from its highest."""
    warned = [Text(text, "warn") for text in cautions(told)]
    return Panel(KEY, TITLE, [*warned, _equity(told), _drawdown(told)], lead=_lead(told))


def cautions(told: Runs) -> list[str]:
    """What makes runs hard to compare: other data, other spans, other rules."""
    first, made = told.runs[0], []
    for n, run in enumerate(told.runs[1:], 1):
        name, here, there = told.names[n], first.manifest["dataset"], run.manifest["dataset"]
        if here.get("digest") != there.get("digest"):
            same = here["name"] == there["name"]
            which = "another state of the same dataset" if same else f"dataset {there['name']}"
            made.append(
                f"{name} was played on {which} and not on that of {told.names[0]} "
                f"({here['name']}): their difference is one of markets as well as of strategies."
            )
    rules = first.manifest.get("rules_digest")
    others = [
        name
        for name, run in zip(told.names, told.runs, strict=True)
        if run.manifest.get("rules_digest") != rules
    ]
    if others:
        be = "was" if len(others) == 1 else "were"
        made.append(
            f"{', '.join(others)} {be} played by other rules of market and book than "
            f"{told.names[0]}: run them again with one version of perpkit before you trust a "
            "difference."
        )
    if not told.one_span:
        begun, ended = told.common
        which = (
            f"all have the hours from {instant(begun)} to {instant(ended)}"
            if begun < ended
            else "no hour is in all of them"
        )
        made.append(
            f"The runs do not cover one span; {which}. Totals are each over its own span; the "
            "statistics of the difference and the table of common hours keep to what they share."
        )
    return made


def _lead(told: Runs) -> str:
    def one(n: int) -> str:
        run = told.runs[n]
        return (
            f"{told.names[n]} {plain(run.metric('final_equity_usd'))} USD "
            f"({percent(run.metric('net_apr'))} a year, worst drawdown "
            f"{percent(run.metric('max_drawdown_frac'))})"
        )

    return f"Ended at: {'; '.join(one(n) for n in range(len(told.runs)))}."


def _marked(told: Runs) -> list[dict[str, Any]]:
    """Lines at the ends of the common span, where the runs do not cover one."""
    if told.one_span or told.common[0] >= told.common[1]:
        return []
    return [
        {
            "type": "line",
            "xref": "x",
            "yref": "paper",
            "x0": at,
            "x1": at,
            "y0": 0,
            "y1": 1,
            "line": {"color": "@muted", "width": 1, "dash": "dot"},
        }
        for at in told.common
    ]


def _lines(told: Runs, depth: bool) -> list[Trace]:
    """A line a run: its equity, over its capital where these differ, or its drawdown."""
    traces = []
    for n, name in enumerate(told.names):
        equity = told.equity_usd[n]
        shown = equity if told.one_capital else equity / told.runs[n].capital
        kept = thin(equity, drawdowns(equity), points=max(400, POINTS // len(told.runs)))
        colour, dash = told.look(n)
        values = drawdowns(equity) if depth else shown
        traces.append(
            line(
                name,
                told.time_ms[n][kept],
                values[kept],
                colour,
                hover=".2%" if depth or not told.one_capital else ",.2f",
                line={"dash": dash},
            )
        )
    return traces


def _equity(told: Runs) -> Chart:
    many = max(len(t) for t in told.time_ms) > POINTS // len(told.runs)
    note = "Of each stretch the hours with the least and the most are drawn." if many else ""
    if _marked(told):
        note = f"Dotted: the span that all runs cover. {note}".strip()
    one = told.one_capital
    return Chart(
        figure(
            _lines(told, depth=False),
            y="USD" if one else "of its capital",
            fmt="~s" if one else ".1%",
            shapes=_marked(told),
        ),
        "Equity of the runs" + ("" if one else ", each over its own capital"),
        height=340,
        note=note,
    )


def _drawdown(told: Runs) -> Chart:
    deepest = min(float(np.min(drawdowns(equity))) for equity in told.equity_usd)
    return Chart(
        figure(
            _lines(told, depth=True),
            y="below its highest",
            fmt=".1%" if deepest < -0.01 else ".2%",
            shapes=_marked(told),
        ),
        "Drawdown of the runs",
        height=240,
    )
