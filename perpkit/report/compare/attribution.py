"""What earned and what it cost, run by run."""

from __future__ import annotations

from perpkit.codes import CAUSES
from perpkit.headline import CAUSE_NAMES
from perpkit.report.causes import LEGS, LEGS_NAME
from perpkit.report.chart import bars, figure
from perpkit.report.compare.runs import Runs
from perpkit.report.panel import Cell, Chart, Column, Panel, Table
from perpkit.report.said import signed, usd

KEY, TITLE = "compared-attribution", "What earned and what it cost"
_PATTERNS = ("", "/", "x", ".", "-", "+", "\\", "|")


def panel(told: Runs) -> Panel:
    """Causes of the change of equity, side by side, and what they differ by."""
    sums = [{c: run.metric(f"{c}_usd") or 0.0 for c in CAUSES} for run in told.runs]
    causes = [c for c in CAUSES if any(one[c] for one in sums)]
    if not causes:
        return Panel(KEY, TITLE, empty="No run held anything, so nothing earned or cost anything.")
    return Panel(
        KEY, TITLE, [_chart(told, sums, causes), _table(told, sums, causes)], _lead(told, sums)
    )


def _netted(one: dict[str, float], causes: list[str]) -> dict[str, float]:
    """USD by name, the two legs of a hedge as one."""
    made = {LEGS_NAME: sum(one[leg] for leg in LEGS)} if set(LEGS) & set(causes) else {}
    return {**made, **{CAUSE_NAMES[c]: one[c] for c in causes if c not in LEGS}}


def _lead(told: Runs, sums: list[dict[str, float]]) -> str:
    """The cause that sets each run furthest apart from the first."""
    parts = []
    first = _netted(sums[0], list(CAUSES))
    for n, name in enumerate(told.names[1:], 1):
        mine = _netted(sums[n], list(CAUSES))
        away = {
            cause: mine[cause] / told.runs[n].capital - first[cause] / told.runs[0].capital
            for cause in mine
        }
        cause = max(away, key=lambda c: abs(away[c]))
        total = sum(away.values())
        if not away[cause]:
            parts.append(f"{name} has the same sums as {told.names[0]}")
            continue
        parts.append(
            f"{name} ended {abs(total):.2%} of capital {'above' if total > 0.0 else 'below'} "
            f"{told.names[0]}; the largest difference is {cause}: {away[cause]:+.2%}"
        )
    return "; ".join(parts) + "."


def _chart(told: Runs, sums: list[dict[str, float]], causes: list[str]) -> Chart:
    """Grouped bars: USD, or shares of each capital where these differ."""
    one = told.one_capital
    traces = []
    for n, name in enumerate(told.names):
        netted = _netted(sums[n], causes)
        values = [v if one else v / told.runs[n].capital for v in netted.values()]
        colour, _ = told.look(n)
        trace = bars(
            name, list(netted), values, colour, hover=",.2f" if one else ".2%", unit=" USD" * one
        )
        trace["marker"]["pattern"] = {"shape": _PATTERNS[n % len(_PATTERNS)], "fillmode": "overlay"}
        traces.append(trace)
    return Chart(
        figure(
            traces,
            y="USD" if one else "of its capital",
            fmt="~s" if one else ".2%",
            time=False,
            barmode="group",
        ),
        "Causes of the change of equity, run by run",
        height=320,
        linked=False,
        note="The moves of both legs of a hedge are one bar; the table has them apart.",
    )


def _table(told: Runs, sums: list[dict[str, float]], causes: list[str]) -> Table:
    first = told.names[0]
    columns = [Column("cause")]
    for n, name in enumerate(told.names):
        columns += [Column(name, "USD", number=True), Column(name, "of capital", number=True)]
        if n:
            columns.append(Column(f"{name} less {first}", "USD", number=True))
    rows: list[list[str | Cell]] = []
    for cause in [*causes, ""]:
        row: list[str | Cell] = [CAUSE_NAMES[cause] if cause else "net"]
        values = [one[cause] if cause else sum(one.values()) for one in sums]
        for n, value in enumerate(values):
            share = value / told.runs[n].capital
            row += [usd(value), Cell(f"{share:.2%}", share)]
            if n:
                row.append(Cell(signed(value - values[0]), value - values[0]))
        rows.append(row)
    return Table(columns, rows, caption="Causes of the change of equity")
