"""What the result is put down to: over time, from capital to equity, and by instrument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perpkit.arrays import F64, I64
from perpkit.codes import CAUSES
from perpkit.headline import CAUSE_NAMES, plain
from perpkit.report.causes import (
    LEGS,
    LEGS_NAME,
    LOOKS,
    WIDE,
    added_up,
    by_hour,
    cause_cells,
    cause_columns,
    total_cells,
)
from perpkit.report.chart import Trace, figure, line, times
from perpkit.report.panel import Cell, Chart, Choice, Column, Panel, Part, Table
from perpkit.report.reading import Run
from perpkit.report.said import signed
from perpkit.report.thin import thin

_POINTS = 800  # many lines share their rows, and each keeps its extremes
_SHOWN = 12  # instruments that are seen before the rest is asked for


def panel(run: Run) -> Panel:
    """Causes cumulated, as a waterfall, and by instrument."""
    title, causes = "What earned and what it cost", by_hour(run)
    if not causes:
        return Panel(
            "attribution", title, empty="Nothing was held, so nothing earned or cost anything."
        )
    falls = {"Every cause": [_waterfall(run, list(causes), netted=False)]}
    if all(leg in causes for leg in LEGS):
        falls = {"Legs netted": [_waterfall(run, list(causes), netted=True)]} | falls
    parts: list[Part] = [
        _cumulated(run, causes),
        *_of(Choice("From capital to equity", falls)),
        *_of(_tables(run, list(causes))),
    ]
    return Panel("attribution", title, parts, _lead(run, list(causes)))


def _of(choice: Choice) -> Sequence[Part]:
    """A choice, or its one part where there is nothing to choose."""
    (first, *more) = choice.parts.values()
    return [choice] if more else first


def _usd(run: Run, cause: str) -> float:
    return run.metric(f"{cause}_usd") or 0.0


def _netted(run: Run, causes: list[str]) -> dict[str, float]:
    """USD by name, the two legs of a hedge as one."""
    told = {CAUSE_NAMES[c]: _usd(run, c) for c in causes}
    if all(leg in causes for leg in LEGS):
        legs = sum(told.pop(CAUSE_NAMES[leg]) for leg in LEGS)
        told = {LEGS_NAME: legs, **told}
    return told


def _lead(run: Run, causes: list[str]) -> str:
    told = sorted(_netted(run, causes).items(), key=lambda item: item[1])
    (worst, lost), (best, won) = told[0], told[-1]
    parts = []
    if won > 0.0:
        parts.append(f"{best} earned most, {signed(won)} USD")
    if lost < 0.0:
        parts.append(f"{worst} cost most, {signed(lost)} USD")
    net = signed(sum(usd for _, usd in told))
    lead = f"{', '.join(parts)}; together the causes made {net} USD."
    return lead[0].upper() + lead[1:]


def _cumulated(run: Run, causes: dict[str, F64]) -> Chart:
    """A line a cause: causes of both signs do not stack."""
    time_ms: I64 = times(run.frames["equity"]["time"])
    paths = {cause: np.cumsum(usd) for cause, usd in causes.items()}
    both = all(leg in paths for leg in LEGS)
    shown = dict(paths)
    if both:
        shown = {LEGS_NAME: paths[LEGS[0]] + paths[LEGS[1]]} | shown
    net = np.sum(list(paths.values()), axis=0)
    rows = thin(net, *shown.values(), points=_POINTS)

    def drawn(name: str, path: F64, colour: str, **more: Any) -> Trace:
        return line(name, time_ms[rows], path[rows], colour, hover="+,.2f", unit=" USD", **more)

    traces = [drawn("net", net, "@ink", line={"width": 3})]
    for name, path in shown.items():
        colour, dash = LOOKS[name]
        hidden = both and name in LEGS
        look = {"line": {"dash": dash, "width": 2}, "visible": "legendonly" if hidden else True}
        traces.append(drawn(CAUSE_NAMES.get(name, name), path, colour, **look))
    note = "Each line is a cause added up since the start, and net their sum."
    if both:
        note += " The two legs of the hedge are drawn as one; choose a leg in the legend to see it."
    if len(rows) < len(time_ms):
        note += " Of each stretch of hours the least and the most are shown."
    made = figure(traces, y="since the start, USD", fmt=",")
    return Chart(made, "Causes of the change of equity, added up over time", 420, note=note)


def _waterfall(run: Run, causes: list[str], *, netted: bool) -> Chart:
    """From capital to final equity, a bar a cause, what earned first."""
    told = _netted(run, causes) if netted else {CAUSE_NAMES[c]: _usd(run, c) for c in causes}
    steps = sorted(told.items(), key=lambda item: -item[1])
    final = run.metric("final_equity_usd") or 0.0
    # The numbers stand in the names: bars are too short for them on a narrow page.
    names = [
        f"capital<br>{plain(run.capital)}",
        *(f"{name}<br>{signed(usd)}" for name, usd in steps),
        f"final equity<br>{plain(final)}",
    ]
    values = [run.capital, *(usd for _, usd in steps), final]
    levels = np.cumsum(values[:-1])
    low, high = float(levels.min()), float(levels.max())
    room = 0.12 * (high - low or 1.0)
    since = low - room
    trace = {
        "type": "waterfall",
        "name": "equity",
        "orientation": "h",
        "measure": ["absolute", *["relative"] * len(steps), "total"],
        "y": names,
        "x": values,
        "hovertemplate": "%{y} USD<extra></extra>",
        "increasing": {"marker": {"color": "@gain"}},
        "decreasing": {"marker": {"color": "@loss"}},
        "totals": {"marker": {"color": "@muted"}},
        "connector": {"line": {"color": "@grid"}},
    }
    made = figure(
        [trace],
        y="",
        time=False,
        xaxis={
            "title": {"text": "equity, USD"},
            "range": [since, high + room],
            "tickformat": ",.6~s",
        },
        yaxis={"autorange": "reversed", "automargin": True, "type": "category", "dtick": 1},
        showlegend=False,
    )
    note = (
        f"The axis begins at {plain(since)} USD, not at 0: read the steps, not the length of the "
        "two grey bars. What earned stands above what cost, with its sign."
    )
    label = f"From {plain(run.capital)} USD to {plain(final)} USD by cause"
    return Chart(made, label, 90 + 38 * len(names), linked=False, note=note)


def _tables(run: Run, causes: list[str]) -> Choice:
    """Cause by instrument, and by underlying where the run tells which belong together."""
    sums = added_up(run)
    usd = sums.usd.sum(axis=0)
    told = [name or WIDE for name in sums.instruments]
    by = {"Instrument": _table(run, "instrument", told, usd, causes)}
    if of := run.underlyings:
        joined = [of.get(name, WIDE) for name in sums.instruments]
        groups = list(dict.fromkeys(joined))
        pairs = np.zeros((len(groups), len(CAUSES)))
        np.add.at(pairs, [groups.index(name) for name in joined], usd)
        by = {"Underlying, perp and token": _table(run, "underlying", groups, pairs, causes)} | by
    return Choice("Causes by", {name: [table] for name, table in by.items()})


def _table(run: Run, what: str, names: list[str], usd: F64, causes: list[str]) -> Table:
    """What moved most first, under the sum of all."""
    held = np.flatnonzero(usd.any(axis=1))
    order = held[np.argsort(-np.abs(usd[held].sum(axis=1)), kind="stable")]
    rows: list[list[str | Cell]] = [[Cell("all", None), *total_cells(run, causes)]]
    rows += [[names[i], *cause_cells(usd[i], causes)] for i in order]
    caption = f"USD by cause and {what}, largest net first; causes that are 0 throughout left out"
    return Table([Column(what), *cause_columns(causes)], rows, caption, _SHOWN)
