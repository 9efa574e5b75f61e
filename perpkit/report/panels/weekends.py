"""Weekends: the gap of each, what the perp foretold of it, and what the run made of it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from perpkit.arrays import B8, F64
from perpkit.headline import percent, plain
from perpkit.report.chart import Trace, bars, figure, marks, packed
from perpkit.report.closures import (
    LEAST_HOURS,
    Closures,
    Fit,
    Weekends,
    closures,
    fit,
    weekends,
)
from perpkit.report.hours import Grid, grid
from perpkit.report.panel import Chart, Panel, Part, Text
from perpkit.report.reading import Run
from perpkit.report.weekend_tables import by_coin, by_weekend
from perpkit.units import HOUR_MS

_KEY: Final = "weekends"
_TITLE: Final = "Weekends: gaps, what the perps foretold, P&L"
_FEW: Final = 30  # weekends


def panel(run: Run) -> Panel:
    """Closures of the stock's session, of 20 hours and more."""
    market = grid(run.frames["market"], "coin")
    if not market.names:
        return Panel(_KEY, _TITLE, empty="The run had no perp to foretell a reopening.")
    found = closures(market)
    if not found.count:
        return Panel(_KEY, _TITLE, empty=_nothing(found))
    made = weekends(run, market, found)
    told = fit(found.foretold, found.gap)
    parts: list[Part] = []
    if found.count > 1:
        parts.append(_scatter(market, found, made.held != 0.0, told))
        parts.append(_pnl(market, made) if _over(made) else Text(_UNTRADED))
    else:
        parts.append(Text(_ONE, "warn"))
    parts += [by_weekend(market, found, made), by_coin(market, found, made)]
    if not found.external:
        parts.append(Text(_ORACLE))
    if found.cut:
        parts.append(Text(_cut(found.cut)))
    return Panel(_KEY, _TITLE, parts, lead=_lead(found, made, told))


_UNTRADED: Final = "Nothing was held over a weekend, so none made or cost anything."
_ORACLE: Final = (
    "Not every external price is recorded. Where none is, close and reopening are the venue's "
    "oracle: at the first closed hour, and an hour after the opening."
)
_ONE: Final = "One weekend proves nothing: its numbers stand below, without a chart."


def _nothing(found: Closures) -> str:
    long = f"of {LEAST_HOURS} hours or more"
    if found.cut:
        return (
            f"No closure {long} lies whole between the first and last hour of the run with a price "
            "on both sides."
        )
    return f"No session of the run's perps was closed for {LEAST_HOURS} hours or more."


def _cut(count: int) -> str:
    said, them = ("1 closure is", "it") if count == 1 else (f"{count:,} closures are", "them")
    return (
        f"{said} left out: the run begins or ends in {them}, or no price is known at the close or "
        "in the hours after the opening."
    )


def _lead(found: Closures, made: Weekends, told: Fit) -> str:
    count = "1 weekend" if found.count == 1 else f"{found.count} weekends and holidays"
    said = f"Before {told.hits:,} of {told.signed:,} reopenings the perp had the right sign"
    if told.foretold_frac is not None and told.foretold_frac > 0.0:
        said += f", and it foretold {percent(told.foretold_frac)} of the gap"
    elif told.foretold_frac is not None:
        said += ", but its errors were no smaller than the gaps"
    if not _over(made):
        return f"{said}; nothing was held over {count}."
    net, paid = float(made.net_usd.sum()), float(made.funding_usd.sum())
    return (
        f"{said}; {count} {'brought' if net >= 0.0 else 'cost'} the run {plain(abs(net))} USD, "
        f"with {plain(paid)} USD of funding in it."
    )


def _over(made: Weekends) -> bool:
    """Whether anything was held, or booked, over any weekend."""
    return bool(made.held.any() or made.net_usd.any() or made.coin_usd.any())


# --------------------------------------------------------------------------- charts


def _scatter(market: Grid, found: Closures, held: B8, told: Fit) -> Chart:
    foretold, gap = found.foretold, found.gap
    day = np.datetime_as_string(market.time_ms[found.opens].astype("datetime64[ms]"), "D")
    texts = [f"{market.names[m]}, {on}" for m, on in zip(found.coin, day, strict=True)]
    ends = np.array([min(foretold.min(), gap.min()), max(foretold.max(), gap.max())])
    traces = [_straight("gap = foretold", ends, ends, "@muted", "dot")]
    for name, mine, symbol in (("held", held, "circle"), ("not held", ~held, "circle-open")):
        if mine.any():
            at = np.flatnonzero(mine)
            traces.append(_points(name, foretold[at], gap[at], [texts[n] for n in at], symbol))
    note = (
        f"{gap.size:,} closures of {found.count} weekends and holidays. Across: mark in the last "
        "closed hour over the last price before the close; up: first price after the opening over "
        "the same. "
    )
    if told.slope is not None and told.constant is not None and told.r2 is not None:
        x = np.array([foretold.min(), foretold.max()])
        traces.append(_straight("regression", x, told.constant + told.slope * x, "@2", "dash"))
        note += f"Regression: gap = {told.constant:+.2%} {told.slope:+.2f} x foretold, R2 "
        note += f"{told.r2:.2f}. "
    note += f"Share of the gap foretold: {percent(told.foretold_frac)} (1 less squared errors over "
    note += "squared gaps: 100% is a perfect forecast, 0% no better than none, below that worse)."
    note += " Coins move together over a weekend, so the cases are fewer than the points"
    note += "; few weekends prove little." if found.count < _FEW else "."
    return Chart(
        figure(
            traces,
            y="gap to the reopening, %",
            fmt=".2~%",
            time=False,
            xaxis={"title": {"text": "foretold by the perp, %"}, "tickformat": ".2~%"},
        ),
        "Gap from close to reopening over the move that the perp foretold",
        height=380,
        linked=False,
        note=note,
    )


def _straight(name: str, x: F64, y: F64, colour: str, dash: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": packed(x, "f8"),
        "y": packed(y, "f8"),
        "line": {"color": colour, "dash": dash, "width": 1.5},
        "hoverinfo": "skip",
    }


def _points(name: str, x: F64, y: F64, texts: list[str], symbol: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": packed(x, "f4"),
        "y": packed(y, "f4"),
        "text": texts,
        "marker": {"color": "@1", "symbol": symbol, "size": 6},
        "hovertemplate": "%{text}<br>foretold %{x:.2%}, gap %{y:.2%}<extra></extra>",
    }


def _pnl(market: Grid, made: Weekends) -> Chart:
    opened = market.time_ms[made.last]
    wide: dict[str, Any] = {"width": 48 * HOUR_MS, "hover": ",.2f", "unit": " USD"}
    traces = [
        bars("funding", opened, made.funding_usd, "@3", **wide),
        bars("prices", opened, made.prices_usd, "@1", **wide),
        bars("costs and other", opened, made.other_usd, "@2", **wide),
        marks("net", opened, made.net_usd, "@ink", "diamond-open", hovertemplate="%{y:,.2f} USD"),
    ]
    return Chart(
        figure(traces, y="P&L, USD", barmode="relative"),
        "P&L of the run over each weekend, by cause",
        height=280,
        note="The whole run, from the close to the first price after the opening, at which the "
        "bar stands. Prices are those of perps and tokens, at mark and fair price.",
    )
