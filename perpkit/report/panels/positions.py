"""Positions in USD by instrument, net delta and gross leverage."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from perpkit.arrays import F64, I64
from perpkit.headline import percent, plain
from perpkit.report.chart import Trace, figure, line, numbers, times
from perpkit.report.grid import names_of, sums
from perpkit.report.panel import Cell, Chart, Column, Panel, Table
from perpkit.report.reading import Run
from perpkit.report.said import instant
from perpkit.report.thin import thin

NAMED = 4  # instruments drawn by name on each side; the rest are one area
POINTS = 800  # ten stacked areas share them
STEP = {"shape": "hv"}  # what is held stays until it is traded
KEY, TITLE = "positions", "Positions and net delta"


class _Held(NamedTuple):
    """What was held: one row an hour of the run."""

    time_ms: I64
    names: list[str]
    usd: F64  # (T, N), short negative
    equity: F64
    gross: F64
    delta: F64


def panel(run: Run) -> Panel:
    """What was held in each instrument, what of it was not hedged, and on how much equity."""
    positions, equity = run.frames["positions"], run.frames["equity"]
    if not positions.height:
        return Panel(
            KEY,
            TITLE,
            empty="Nothing was ever held: no target was set, or none could be filled.",
        )
    axis = times(equity["time"])
    names = names_of(positions["instrument"])
    held = _Held(
        axis,
        names,
        sums(positions, axis, "instrument", "value_usd", names),
        numbers(equity["equity_usd"]),
        numbers(equity["gross_usd"]),
        numbers(equity["net_delta_usd"]),
    )
    return Panel(
        KEY,
        TITLE,
        [_stack(held), _delta(held), _leverage(held), _table(held, run)],
        lead=_lead(held, run),
    )


def _lead(held: _Held, run: Run) -> str:
    share = _share(held)
    far = int(np.nanargmax(np.abs(share)))
    most = int(np.nanargmax(held.gross))
    naked = run.metric("naked_after_close_hours")
    told = (
        f"In a perp or its token {percent(run.metric('exposure_frac'))} of the time; the largest "
        f"holdings came to {held.gross[most]:,.0f} USD on {instant(held.time_ms[most])}, at most "
        f"{plain(run.metric('max_gross_over_equity'))} times equity. The net delta was within "
        f"{np.nanpercentile(np.abs(share), 95):.2%} of equity in 95 of 100 hours and furthest at "
        f"{share[far]:+.2%} ({held.delta[far]:+,.0f} USD) on {instant(held.time_ms[far])}."
    )
    if naked:
        told += f" After forced closes {naked:,.0f} hours went by without the hedge."
    return told


def _share(held: _Held) -> F64:
    """Net delta over equity; NaN where nothing is left."""
    alive = held.equity > 0.0
    return np.where(alive, held.delta / np.where(alive, held.equity, 1.0), np.nan)


def _stack(held: _Held) -> Chart:
    """Long above zero, short below; the largest by name."""
    long, short = np.maximum(held.usd, 0.0), np.minimum(held.usd, 0.0)
    kept = thin(long.sum(1), short.sum(1), held.delta, points=POINTS)
    traces: list[Trace] = []
    rest = 0
    for side, values in (("long", long), ("short", short)):
        total = np.abs(values).sum(0)
        order = [int(k) for k in np.argsort(-total, kind="stable") if total[k] > 0.0]
        # One more by name rather than a rest of one.
        named = order if len(order) <= NAMED + 1 else order[:NAMED]
        for place, k in enumerate(named):
            traces.append(_area(f"{held.names[k]} {side}", held, values[:, k], kept, side, place))
        others = order[len(named) :]
        if others:
            rest += len(others)
            name = f"{len(others)} others {side}"
            area = _area(name, held, values[:, others].sum(1), kept, side, NAMED + 1)
            traces.append(area)
    note = "Long above zero, short below it (dashed edge); areas of a side are stacked."
    if rest:
        note += f" The {NAMED} largest of a side by name, the rest as one; all of them below."
    if len(kept) < len(held.time_ms):
        note += " Of each stretch the hours with the least and the most are drawn."
    return Chart(
        figure(traces, y="USD", fmt="~s", hovermode="x unified"),
        "Positions in USD by instrument, stacked, long above zero and short below",
        height=340,
        note=note,
    )


def _area(name: str, held: _Held, values: F64, kept: I64, side: str, place: int) -> Trace:
    return line(
        name,
        held.time_ms[kept],
        values[kept],
        f"@{place + 1}" if place <= NAMED else "@muted",
        hover=",.0f",
        unit=" USD",
        stackgroup=side,
        line={"width": 0.8, **STEP, "dash": "solid" if side == "long" else "dot"},
    )


def _delta(held: _Held) -> Chart:
    share = _share(held)
    kept = thin(held.delta, share)
    traces = [
        line(
            "net delta",
            held.time_ms[kept],
            held.delta[kept],
            "@1",
            hover=",.0f",
            unit=" USD",
            line=STEP,
        ),
        line(
            "share of equity",
            held.time_ms[kept],
            share[kept],
            "@2",
            hover=".2%",
            axis=2,
            line={"dash": "dash", **STEP},
        ),
    ]
    return Chart(
        figure(
            traces,
            y="net delta, USD",
            fmt="~s",
            xaxis={"anchor": "y2"},
            yaxis={"domain": [0.54, 1.0], "zeroline": True},
            yaxis2={
                "domain": [0.0, 0.46],
                "zeroline": True,
                "title": {"text": "of equity"},
                "tickformat": ".2~%",
            },
        ),
        "Net delta in USD and as a share of equity",
        height=360,
        note="Exposure to the stocks: perps at mark, tokens · multiplier at the mark of their "
        "perp; Treasury and stable tokens have none.",
    )


def _leverage(held: _Held) -> Chart:
    alive = held.equity > 0.0
    ratio = np.where(alive, held.gross / np.where(alive, held.equity, 1.0), np.nan)
    kept = thin(ratio)
    traces = [
        line("gross / equity", held.time_ms[kept], ratio[kept], "@3", hover=".2f", line=STEP),
    ]
    return Chart(
        figure(traces, y="gross / equity", fmt=".2f", yaxis={"rangemode": "tozero"}),
        "Sum of the sizes of all holdings over equity",
        height=220,
        note="Both legs of a hedge count, and tokens held as collateral; open where no equity is "
        "left.",
    )


def _table(held: _Held, run: Run) -> Table:
    size = np.abs(held.usd)
    hours = (size > 0.0).sum(0)
    mean = size.sum(0) / np.maximum(hours, 1)
    far = np.argmax(size, axis=0)
    coins = set(run.coins)
    rows: list[list[str | Cell]] = []
    for k in np.argsort(-size.sum(0), kind="stable").tolist():
        most, last = float(held.usd[far[k], k]), float(held.usd[-1, k])
        rows.append(
            [
                held.names[k],
                "perp" if held.names[k] in coins else "token",
                Cell(f"{hours[k]:,}", float(hours[k])),
                Cell(f"{mean[k]:,.0f}", float(mean[k])),
                Cell(f"{most:+,.0f}", most),
                instant(held.time_ms[far[k]]),
                Cell(f"{last:+,.0f}" if last else "0", last),
            ]
        )
    return Table(
        [
            Column("instrument"),
            Column("kind"),
            Column("held", "h", number=True, about="hours at whose end it was held"),
            Column("mean size", "USD", number=True, about="of the hours in which it was held"),
            Column("largest", "USD", number=True, about="short negative"),
            Column("on", "UTC"),
            Column("at the end", "USD", number=True, about="short negative"),
        ],
        rows,
        caption="What was held, by instrument, the largest first",
        shown=20,
    )
