"""Trades and their costs: how much was traded, in what way, and what it cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from perpkit.arrays import F64
from perpkit.headline import CAUSE_NAMES, COSTS, percent, plain
from perpkit.report.causes import LOOKS, by_hour
from perpkit.report.chart import Trace, bars, figure, line, numbers, times
from perpkit.report.fills import priced, summed
from perpkit.report.panel import Card, Cards, Cell, Chart, Choice, Column, Panel, Part, Table
from perpkit.report.reading import Run
from perpkit.report.said import bp, count, instant, lasted, signed, usd, whole
from perpkit.report.thin import thin

_MOST = 20  # fills in a table of the largest
_SHOWN = 10
_BINS = 40
_POINTS = 600
_SUMS = [
    Column("fills", number=True),
    Column("volume", "USD", number=True),
    Column("fees", "USD", number=True, about="paid is positive"),
    Column("slippage", "USD", number=True, about="paid is positive; below 0 the price gained"),
    Column("cost", "USD", number=True, about="fees and slippage"),
    Column("cost", "bp", number=True, about="of the volume"),
]


def panel(run: Run) -> Panel:
    """Trades and costs."""
    title = "Trades and what they cost"
    if run.frames["fills"].is_empty():
        return Panel(
            "trades", title, empty="Nothing was traded: no target was set, or none was filled."
        )
    fills = priced(run)
    trades = fills.filter("traded")
    parts: list[Part] = [_cards(run)]
    if (costs := _over_time(run)) is not None:
        parts.append(costs)
    if (spread := _histogram(run, trades)) is not None:
        parts.append(spread)
    parts += [_by_way(fills), _by_instrument(trades), _single(fills)]
    return Panel("trades", title, parts, _lead(run, trades))


def _lead(run: Run, trades: pl.DataFrame) -> str:
    volume, turnover = run.metric("volume_usd") or 0.0, run.metric("turnover")
    cost = float(trades["cost_usd"].sum())
    told = f"{count(trades.height, 'trade')} moved {volume:,.0f} USD"
    if turnover is not None:
        told += f", {turnover:,.1f} times the equity a year"
    if volume <= 0.0:
        return f"{told}."
    verb = "at a cost of" if cost >= 0.0 else "and gained on the mark"
    return f"{told}, {verb} {plain(abs(cost))} USD or {abs(cost) / volume * 1e4:.2f} bp of it."


def _cards(run: Run) -> Cards:
    fills, closed = run.metric("fills") or 0.0, run.metric("trades") or 0.0
    cards = [
        Card("Fills", f"{fills:,.0f}", f"{run.metric('volume_usd') or 0.0:,.0f} USD in all"),
        Card("Turnover a year", plain(run.metric("turnover")), "x equity"),
        Card("Fees", plain(run.metric("fees_usd")), "USD; paid is negative"),
        Card(
            "Slippage",
            plain(run.metric("slippage_usd")),
            "USD; lost to mark or fair price is negative",
        ),
    ]
    still = f"{count(run.metric('open_trades') or 0.0, 'trade')} open at the end"
    cards.append(Card("Round trips", f"{closed:,.0f}", f"closed; {still}"))
    if not closed:
        return Cards(cards)
    mean, longest = run.metric("mean_holding_hours"), run.metric("longest_holding_hours")
    if mean is not None and longest is not None:
        cards.append(Card("Mean hold", lasted(mean), f"longest {lasted(longest)}"))
    made = run.metric("expectancy_usd")
    note = "of the round trips" if made is None else f"{signed(made)} USD a round trip on average"
    cards.append(Card("Won", percent(run.metric("win_rate_frac")), note))
    return Cards(cards)


def _over_time(run: Run) -> Chart | None:
    """Costs added up, paid is positive; None where there were none."""
    paths = {c: -np.cumsum(told) for c, told in by_hour(run).items() if c in COSTS}
    if not paths:
        return None
    time_ms = times(run.frames["equity"]["time"])
    total = np.sum(list(paths.values()), axis=0)
    rows = thin(total, *paths.values(), points=_POINTS)

    def drawn(name: str, path: F64, colour: str, **look: Any) -> Trace:
        look = {"shape": "hv", **look}
        return line(name, time_ms[rows], path[rows], colour, unit=" USD", line=look)

    traces = [drawn("all costs", total, "@ink", width=3)]
    for cause, path in paths.items():
        colour, dash = LOOKS[cause]
        traces.append(drawn(CAUSE_NAMES[cause], path, colour, dash=dash, width=2))
    note = "Paid is positive here; a line that falls is a rebate, or fills better than the mark."
    made = figure(traces, y="paid since the start, USD", fmt=",")
    return Chart(made, "Costs added up over time", 300, note=note)


def _histogram(run: Run, trades: pl.DataFrame) -> Chart | None:
    """Fills by what they cost, perps and tokens apart."""
    worth = trades.filter(pl.col("usd") > 0.0)
    if worth.is_empty():
        return None
    cost = numbers(worth["cost_usd"] / worth["usd"]) * 1e4
    low, high = (float(v) for v in np.quantile(cost, [0.05, 0.95]))
    room = max(0.25 * (high - low), 0.5)  # bp: all may cost the same
    low, high = low - room, high + room
    edges = np.linspace(low, high, _BINS + 1)
    middle = (edges[1:] + edges[:-1]) / 2.0
    perp = np.asarray(worth["instrument"].is_in(run.coins).to_numpy(), np.bool_)
    traces = []
    for name, mine, colour, shape in (("perps", perp, "@1", ""), ("tokens", ~perp, "@4", "/")):
        if mine.any():
            told, _ = np.histogram(np.clip(cost[mine], low, high), edges)
            marker = {"color": colour, "pattern": {"shape": shape}}
            traces.append(
                bars(name, middle, told, colour, marker=marker, hover=",.0f", unit=" fills")
            )
    made = figure(
        traces,
        y="fills",
        time=False,
        barmode="stack",
        bargap=0.05,
        xaxis={"title": {"text": "cost of a fill, bp of its worth"}, "hoverformat": ".1f"},
    )
    note = (
        "Fee and price against mark or fair price; below 0 the fill gained. Half of the fills cost "
        f"{np.median(cost):.2f} bp or more. The outermost bars hold what lies beyond them too."
    )
    return Chart(made, "Fills by their cost in basis points", 260, linked=False, note=note)


def _sums(row: dict[str, Any]) -> list[Cell]:
    """Cells for the columns of sums."""
    paid = [usd(row[name]) for name in ("fee_usd", "lost_usd", "cost_usd")]
    fills = Cell(f"{row['fills']:,}", row["fills"])
    return [fills, whole(row["usd"]), *paid, bp(row["cost_frac"], "no price")]


def _by_way(fills: pl.DataFrame) -> Table:
    """Every fill, by the way it was done and why."""
    names = ("way", "reason", "booked")
    rows = [
        [*(row[name] for name in names), *_sums(row)]
        for row in summed(fills, *names).iter_rows(named=True)
    ]
    booked = Column("price booked as", about="the cause that the price of the fill is put down to")
    columns = [Column("way"), Column("reason"), booked, *_SUMS]
    return Table(columns, rows, "Every fill, by its way and its reason")


def _by_instrument(trades: pl.DataFrame) -> Table:
    """Trades alone: what a volume can be told of."""
    found = summed(trades, "instrument")
    rows: list[list[str | Cell]] = [
        [Cell("all", None), *(Cell(cell.text, None) for cell in _sums(row))]
        for row in summed(trades.with_columns(all=pl.lit("all")), "all").to_dicts()
    ]
    rows += [[row["instrument"], *_sums(row)] for row in found.iter_rows(named=True)]
    caption = (
        "Trades by instrument: fills but for corporate actions, trades undone and what an incident "
        "took"
    )
    return Table([Column("instrument"), *_SUMS], rows, caption, _SHOWN + 2)


def _single(fills: pl.DataFrame) -> Choice:
    """The largest fills and the costliest."""
    largest = fills.top_k(_MOST, by="usd").sort("usd", descending=True)
    costliest = fills.top_k(_MOST, by="cost_usd").sort("cost_usd", descending=True)
    return Choice(
        "Fills",
        {
            "Largest fills": [_fills(largest, "The largest fills")],
            "Costliest fills": [_fills(costliest, "The fills that cost most")],
        },
    )


def _fills(fills: pl.DataFrame, caption: str) -> Table:
    columns = [
        Column("time", "UTC", number=True),
        *(Column(name) for name in ("instrument", "side", "way", "reason")),
        Column("size", "units", number=True),
        Column("price", number=True, about="in the currency that it settles in"),
        Column("worth", "USD", number=True),
        *_SUMS[2:],
    ]
    rows: list[list[str | Cell]] = []
    for row, at in zip(fills.iter_rows(named=True), times(fills["time"]).tolist(), strict=True):
        frac = row["cost_usd"] / row["usd"] if row["usd"] > 0.0 else None
        rows.append(
            [
                Cell(instant(at), at),
                *(row[name] for name in ("instrument", "side", "way", "reason")),
                Cell(f"{row['size']:,.6g}", row["size"]),
                Cell(f"{row['px']:,.6g}", row["px"]),
                whole(row["usd"]),
                *(usd(row[name]) for name in ("fee_usd", "lost_usd", "cost_usd")),
                bp(frac, "no price"),
            ]
        )
    return Table(columns, rows, caption, _SHOWN)
