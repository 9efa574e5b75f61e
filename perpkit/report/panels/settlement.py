"""Settlement and transfers: what was under way, from when to when, and how it ended."""

from __future__ import annotations

import numpy as np
import polars as pl

from perpkit.arrays import I64
from perpkit.report.chart import Trace, figure, line, marks, numbers, packed, times
from perpkit.report.panel import Card, Cards, Cell, Chart, Column, Panel, Table
from perpkit.report.reading import Run
from perpkit.report.said import instant
from perpkit.report.thin import thin
from perpkit.report.ways import REFUSED, UNDER_WAY, WAYS, read_refused, read_ways, under_way

KEY, TITLE = "settlement", "Settlement and transfers"
BARS = 600  # of the timeline
LISTED = 500  # rows of the table
LANES = 24
_LOOKS = {"arrived": "@1", "paid": "@3", "settled": "@5", "undone": "@loss", UNDER_WAY: "@warn"}
_PATTERNS = {"undone": "x", UNDER_WAY: "/", "paid": "."}
_REFUSED = {
    "transfer_refused": ("x-thin-open", "@loss"),
    "redeem_refused": ("cross-thin-open", "@loss"),
    "leg_waits": ("triangle-up-open", "@ink"),
}


def panel(run: Run) -> Panel:
    """Every transfer, redemption and trade that took time, and what was refused."""
    ways, refused = read_ways(run), read_refused(run)
    if not ways.height and not refused.height:
        return Panel(
            KEY,
            TITLE,
            empty="Nothing was under way: no cash moved between accounts, nothing was redeemed, "
            "and every trade of a token settled at once.",
        )
    axis = times(run.frames["equity"]["time"])
    parts: list[Cards | Chart | Table] = [_cards(ways, refused, run), _timeline(ways, refused)]
    if ways.height:
        parts += [_amounts(ways, axis), _table(ways)]
    return Panel(KEY, TITLE, parts, lead=_lead(ways, refused, run, axis))


def _lead(ways: pl.DataFrame, refused: pl.DataFrame, run: Run, axis: I64) -> str:
    told = []
    if ways.height:
        total = np.sum([under_way(ways, way.what, axis) for way in WAYS], axis=0)
        most = int(np.argmax(total))
        longest = ways.row(int(ways["hours"].arg_max() or 0), named=True)
        told.append(
            f"Something was under way at the end of {np.mean(total > 0.0):.2%} of hours, at most "
            f"{total[most]:,.0f} USD on {instant(axis[most])}; the longest took "
            f"{longest['hours']:,.0f} hours: {longest['what']}, {longest['name']}, "
            f"{longest['outcome']}."
        )
    trades = ways.filter(pl.col("what") == "trade")
    undone = trades.filter(pl.col("outcome") == "undone").height
    if trades.height:
        told.append(f"{undone:,} of {trades.height:,} trades of tokens failed and were undone.")
    missing = refused.filter(pl.col("kind") != "leg_waits").height
    if missing:
        told.append(f"{missing:,} transfers or redemptions were refused.")
    told.append(f"Moving and settling cost {_cost(run):,.2f} USD.")
    return " ".join(told)


def _cost(run: Run) -> float:
    cost = (run.metric("transfer_usd") or 0.0) + (run.metric("settlement_usd") or 0.0)
    return -cost + 0.0


def _cards(ways: pl.DataFrame, refused: pl.DataFrame, run: Run) -> Cards:
    cards = []
    for way in WAYS:
        mine = ways.filter(pl.col("what") == way.what)
        if not mine.height:
            continue
        ends = dict(mine.group_by("outcome").len().iter_rows())
        told = ", ".join(f"{ends[name]:,} {name}" for name in _LOOKS if name in ends)
        hours = numbers(mine["hours"])
        cards.append(
            Card(
                f"{way.what.capitalize()}s",
                f"{mine.height:,}",
                f"{mine['value_usd'].sum():,.0f} USD; {told}; median {np.median(hours):,.0f} h, "
                f"longest {hours.max():,.0f} h",
                "loss" if ends.get("undone") else "",
            )
        )
    for kind, (_, _, name) in REFUSED.items():
        count = refused.filter(pl.col("kind") == kind).height
        if count:
            cards.append(Card(name.capitalize(), f"{count:,}", "times; see the marks", "warn"))
    transfer, settled = run.metric("transfer_usd") or 0.0, run.metric("settlement_usd") or 0.0
    told = f"transfers {transfer:+,.2f}, settlement {settled:+,.2f} USD of the attribution"
    cards.append(Card("Cost", f"{_cost(run):,.2f} USD", told))
    return Cards(cards)


# --------------------------------------------------------------------------- the timeline


def _timeline(ways: pl.DataFrame, refused: pl.DataFrame) -> Chart:
    """A lane for every account and token; a bar from start to end."""
    lanes = list(dict.fromkeys([*sorted(ways["lane"].unique()), *refused["lane"]]))
    place = {lane: min(n, LANES - 1) for n, lane in enumerate(lanes)}
    names = lanes if len(lanes) <= LANES else [*lanes[: LANES - 1], "others"]
    shown = ways.sort(["hours", "value_usd"], descending=True).head(BARS)
    traces: list[Trace] = []
    for outcome, colour in _LOOKS.items():
        mine = shown.filter(pl.col("outcome") == outcome).sort("time")
        if mine.height:
            traces.append(_bars(outcome, mine, place, colour))
    for kind, (symbol, colour) in _REFUSED.items():
        mine = refused.filter(pl.col("kind") == kind)
        if mine.height:
            head = mine.head(BARS)
            at_ms, lane = times(head["time"]), np.array([place[name] for name in head["lane"]])
            texts = [
                f"{instant(ms)} {told}" for ms, told in zip(at_ms, head["detail"], strict=True)
            ]
            traces.append(marks(REFUSED[kind][2], at_ms, lane, colour, symbol, texts))
    note = "A bar goes from what was sent to what came of it."
    if ways.height > BARS:
        note += f" The {BARS} that took longest, of {ways.height:,}."
    if len(lanes) > LANES:
        note += f" {len(lanes) - LANES + 1} lanes share the last one."
    axis = {
        "tickvals": list(range(len(names))),
        "ticktext": names,
        "autorange": "reversed",
        "automargin": True,
        "zeroline": False,
    }
    return Chart(
        figure(traces, y="", yaxis=axis, barmode="overlay"),
        "What was under way, by account and token, from start to end",
        height=150 + 36 * len(names),
        note=note,
    )


def _bars(outcome: str, ways: pl.DataFrame, place: dict[str, int], colour: str) -> Trace:
    begun, until = times(ways["time"]), times(ways["until"])
    texts = [
        f"{what}, {name}: {value:,.0f} USD, {instant(a)} to {instant(b)} ({hours:,.0f} h): {told}"
        for what, name, value, a, b, hours, told in zip(
            ways["what"],
            ways["name"],
            ways["value_usd"].fill_null(0.0),
            begun,
            until,
            ways["hours"],
            ways["detail"],
            strict=True,
        )
    ]
    return {
        "type": "bar",
        "orientation": "h",
        "name": outcome,
        "base": packed(begun, "f8"),
        "x": packed(until - begun, "f8"),
        "y": packed(np.array([place[lane] for lane in ways["lane"]]), "f8"),
        "width": 0.6,
        "marker": {
            "color": colour,
            "line": {"color": colour, "width": 1},  # what takes an hour is seen in a year
            "pattern": {"shape": _PATTERNS.get(outcome, ""), "fillmode": "overlay"},
        },
        "text": texts,
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
    }


def _amounts(ways: pl.DataFrame, axis: I64) -> Chart:
    told = {way.what: under_way(ways, way.what, axis) for way in WAYS}
    told = {what: usd for what, usd in told.items() if usd.any()}
    kept = thin(*told.values()) if told else np.array([0, len(axis) - 1])
    looks = {"transfer": ("@1", "solid"), "redemption": ("@3", "dash"), "trade": ("@5", "dot")}
    traces = [
        line(
            f"{what}s",
            axis[kept],
            usd[kept],
            looks[what][0],
            hover=",.0f",
            unit=" USD",
            stackgroup="under way",
            line={"shape": "hv", "width": 1, "dash": looks[what][1]},
        )
        for what, usd in told.items()
    ]
    return Chart(
        figure(traces, y="USD under way", fmt="~s", yaxis={"rangemode": "tozero"}),
        "USD under way at the end of each hour: transfers, redemptions, trades of tokens",
        height=240,
        note="Transfers and redemptions are cash to come; a trade under way is the value of both "
        "its legs, delivered or paid later.",
    )


def _table(ways: pl.DataFrame) -> Table:
    first = ways.with_columns((pl.col("outcome") == "undone").alias("failed"))
    head = first.sort(["failed", "time"], descending=[True, False], maintain_order=True)
    rows: list[list[str | Cell]] = [
        [
            instant(begun),
            row["what"],
            row["name"],
            Cell(f"{row['value_usd'] or 0.0:,.0f}", row["value_usd"]),
            "" if row["outcome"] == UNDER_WAY else instant(until),
            Cell(f"{row['hours']:,.0f}", row["hours"]),
            row["outcome"],
            Cell("", None)
            if row["settlement_id"] is None
            else Cell(f"{row['settlement_id']}", float(row["settlement_id"])),
        ]
        for row, begun, until in zip(
            head.head(LISTED).iter_rows(named=True),
            times(head["time"])[:LISTED],
            times(head["until"])[:LISTED],
            strict=True,
        )
    ]
    told = f"{ways.height:,} were under way"
    return Table(
        [
            Column("began", "UTC"),
            Column("what"),
            Column("of or to", about="the account the cash goes to, or the token"),
            Column("value", "USD", number=True),
            Column("ended", "UTC"),
            Column("took", "h", number=True),
            Column("outcome"),
            Column("id", number=True, about="settlement_id of its fills"),
        ],
        rows,
        caption=(f"{LISTED:,} of {told}" if ways.height > LISTED else told)
        + ", those that failed first",
        shown=20,
    )
