"""Margin ratio by account, distance to liquidation, and the events of the margin."""

from __future__ import annotations

import numpy as np
import polars as pl

from perpkit.arrays import F64
from perpkit.headline import percent
from perpkit.report.chart import Trace, figure, line
from perpkit.report.events import CLOSED, FORCED, drawn, listed
from perpkit.report.margins import Margin, distance_before, read_margin, typical_day
from perpkit.report.panel import Cell, Chart, Column, Panel, Table
from perpkit.report.reading import Run
from perpkit.report.said import instant
from perpkit.report.thin import thin

KEY, TITLE = "margin", "Margin and distance to liquidation"
DRAWN = 5  # accounts by name; the worst of the rest is one line
TOP, FLOOR = 2.0, 0.005  # of the ratio's axis
NEAR, FAR = 0.001, 3.0  # of the axis of distances
STRAINED = 0.5
DASHES = ("solid", "dot", "dash", "dashdot", "longdash", "longdashdot")
TICKS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


def panel(run: Run) -> Panel:
    """How near each account came to its end, what its nearest price was, and what was done."""
    margin = read_margin(run)
    if np.isnan(margin.ratio).all() and not margin.events.height:
        return Panel(
            KEY,
            TITLE,
            empty="No perp was ever held: no margin was needed, and nothing could be liquidated.",
        )
    parts: list[Chart | Table] = [_ratios(margin)]
    if not np.isnan(margin.distance).all():
        parts.append(_distances(margin))
    parts.append(_accounts(margin, run))
    if margin.events.height:
        parts.append(listed(margin.events))
    return Panel(KEY, TITLE, parts, lead=_lead(margin, run))


# --------------------------------------------------------------------------- what it says


def _lead(margin: Margin, run: Run) -> str:
    told = [_death(margin, run), _forced(margin), _worst(margin, run), _nearest(margin, run)]
    return " ".join(sentence for sentence in told if sentence)


def _death(margin: Margin, run: Run) -> str:
    closed = margin.events.filter(pl.col("kind").is_in(CLOSED))
    if not closed.height:
        return ""
    first = closed.row(0, named=True)
    days = (closed["time"][0] - run.frames["equity"]["time"][0]).total_seconds() / 86_400
    cost, debt = run.metric("liquidation_usd") or 0.0, run.metric("bad_debt_usd") or 0.0
    told = (
        f"Liquidated: {first['instrument'] or first['account']} on {first['time']:%Y-%m-%d %H:%M}, "
        f"on day {int(days) + 1} of the run"
    )
    before = distance_before(run, first["instrument"], first["time"])
    if before is not None:
        told += f"; an hour before its liquidation price was {percent(before)} away"
    if closed.height > 1:
        told += f"; the first of {closed.height:,} forced closes"
    told += f". Forced fills and lost margin came to {-cost:,.0f} USD against the mark"
    if not debt:
        return told + "."
    told += f"; {debt:,.0f} USD were left to the venue as bad debt"
    made = run.metric("net_pnl_usd")
    return told + (
        "." if made is None else f", without which the run would have made {made - debt:+,.0f} USD."
    )


def _forced(margin: Margin) -> str:
    """What else was done by force, in counts."""
    counts = dict(margin.events.group_by("kind").len().iter_rows())
    others = [k for k in FORCED if k in counts and k not in (*CLOSED, "bad_debt")]
    told = ", ".join(f"{FORCED[kind].name} {counts[kind]:,}" for kind in others)
    return f"By force: {told}." if told else ""


def _worst(margin: Margin, run: Run) -> str:
    ratio = run.metric("worst_margin_ratio")
    if ratio is None or np.isnan(margin.ratio).all():
        return ""
    hour, place = np.unravel_index(np.nanargmax(margin.ratio), margin.ratio.shape)
    where = f"{margin.accounts[place]} on {instant(margin.time_ms[hour])}"
    if np.isinf(ratio):
        return f"Nothing was left of the margin of {where}: its ratio is infinite."
    away = " (1 is liquidation)" if ratio < 1.0 else ", which is liquidation"
    strained = run.metric("margin_strained_hours") or 0.0
    return (
        f"The worst margin ratio was {ratio:.2f}{away}: {where}; above {STRAINED:g} for "
        f"{strained:,.0f} hours."
    )


def _nearest(margin: Margin, run: Run) -> str:
    least = run.metric("min_liquidation_distance_frac")
    if least is None or np.isnan(margin.distance).all():
        return ""
    hour, place = np.unravel_index(np.nanargmin(margin.distance), margin.distance.shape)
    coin = margin.coins[place]
    told = (
        f"The nearest liquidation price at an hour's end was {percent(least)} away: {coin} on "
        f"{instant(margin.time_ms[hour])}"
    )
    day = typical_day(run, coin)
    if day is None:
        return told + "."
    return f"{told}, {least / day:.1f} typical days of it (a standard deviation is {day:.2%})."


# --------------------------------------------------------------------------- what it shows


def _worst_of(values: F64) -> F64:
    """Largest of each row, NaN where there is none."""
    return np.asarray(np.fmax.reduce(values, axis=1))


def _ratios(margin: Margin) -> Chart:
    peak = np.nan_to_num(np.fmax.reduce(margin.ratio, axis=0), nan=0.0)
    order = [int(a) for a in np.argsort(-peak, kind="stable") if peak[a] > 0.0]
    named = order if len(order) <= DRAWN + 1 else order[:DRAWN]
    lines = {margin.accounts[a]: margin.ratio[:, a] for a in named}
    if len(named) < len(order):
        others = order[len(named) :]
        lines[f"worst of {len(others)} others"] = _worst_of(margin.ratio[:, others])
    shown = {name: np.clip(values, FLOOR, TOP) for name, values in lines.items()}
    kept = thin(*shown.values()) if shown else np.array([0, len(margin.time_ms) - 1])
    traces: list[Trace] = [
        line(
            name,
            margin.time_ms[kept],
            values[kept],
            f"@{place + 1}",
            hover=".3f",
            line={"dash": DASHES[place]},
        )
        for place, (name, values) in enumerate(shown.items())
    ]
    ends = margin.time_ms[[0, -1]]
    traces.append(line("1: liquidation", ends, np.ones(2), "@loss", hover=".0f", hoverinfo="skip"))
    worst = _worst_of(margin.ratio) if margin.accounts else np.full(len(margin.time_ms), np.nan)
    heights = np.clip(np.nan_to_num(worst, nan=FLOOR), FLOOR, TOP)
    told, cut = drawn(margin.events, margin.time_ms, heights)
    note = (
        "Maintenance over margin value, on a logarithmic axis; open without a position. In the "
        "hour of a forced close it is drawn at 1 at least: the row of that hour has only what was "
        "left."
    )
    over = int((margin.ratio > TOP).sum())
    if over:
        note += f" Above {TOP:g}, or infinite, in {over:,} hours of an account, drawn at {TOP:g}."
    if cut:
        note += " Of events of which there are many, the largest are marked."
    least = min((float(np.nanmin(v)) for v in shown.values()), default=0.1)
    axis = {
        "type": "log",
        "tickvals": TICKS,
        "range": [np.log10(min(least, 0.1)) - 0.05, np.log10(TOP) + 0.02],
    }
    return Chart(
        figure([*traces, *told], y="margin ratio", yaxis=axis),
        "Margin ratio by account with the events of the margin; 1 is liquidation",
        height=360,
        note=note,
    )


def _distances(margin: Margin) -> Chart:
    least = np.asarray(np.fmin.reduce(margin.distance, axis=1))
    which = np.argmin(np.where(np.isnan(margin.distance), np.inf, margin.distance), axis=1)
    shown = np.clip(least, NEAR, FAR)
    kept = thin(shown)
    texts = [margin.coins[k] for k in which[kept]]
    trace = line(
        "nearest liquidation",
        margin.time_ms[kept],
        shown[kept],
        "@2",
        text=texts,
        hovertemplate="%{y:.2%} %{text}<extra></extra>",
    )
    note = "Smallest move against any position that reaches its liquidation price, over its price."
    if np.nanmin(least) < NEAR or np.nanmax(least) > FAR:
        note += f" Drawn between {NEAR:.1%} and {FAR:.0%}."
    return Chart(
        figure([trace], y="distance, of the price", fmt=".3~%", yaxis={"type": "log"}),
        "Distance to the nearest liquidation price, logarithmic",
        height=260,
        note=note,
    )


def _accounts(margin: Margin, run: Run) -> Table:
    closed = margin.events.filter(pl.col("kind").is_in(CLOSED))["account"].to_list()
    frame = run.frames["positions"].filter(pl.col("liquidation_distance_frac").is_not_null())
    near = dict(
        frame.group_by("account").agg(pl.col("liquidation_distance_frac").min()).iter_rows()
    )
    rows: list[list[str | Cell]] = []
    for place, name in enumerate(margin.accounts):
        ratio = margin.ratio[:, place]
        if np.isnan(ratio).all():
            continue
        hour = int(np.nanargmax(ratio))
        strained = int((ratio > STRAINED).sum())
        distance = near.get(name)
        forced = closed.count(name)
        rows.append(
            [
                name,
                Cell(f"{ratio[hour]:.2f}", float(ratio[hour])),
                instant(margin.time_ms[hour]),
                Cell(f"{strained:,}", float(strained)),
                Cell(percent(distance), distance),
                Cell(f"{forced:,}", float(forced)),
            ]
        )
    rows.sort(key=lambda row: -(row[1].key or 0.0) if isinstance(row[1], Cell) else 0.0)
    return Table(
        [
            Column("account"),
            Column("worst ratio", number=True, about="1 is liquidation"),
            Column("on", "UTC"),
            Column(
                f"above {STRAINED:g}",
                "h",
                number=True,
                about="hours above it, those of a forced close too",
            ),
            Column("nearest", "of price", number=True, about="distance to liquidation"),
            Column("forced closes", number=True),
        ],
        rows,
        caption="Accounts with a position, the worst first",
        shown=20,
    )
