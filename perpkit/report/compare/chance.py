"""Statistics of the difference: how much a day, how sure, and whether it is more than chance."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from perpkit.metrics.returns import DAY_MS
from perpkit.report.chart import Trace, figure, line
from perpkit.report.compare.apart import (
    ENOUGH_DAYS,
    LEVEL,
    Apart,
    Daily,
    apart,
    common_days,
    noise,
)
from perpkit.report.compare.runs import Runs
from perpkit.report.panel import Cell, Chart, Column, Panel, Table, Text

KEY, TITLE = "compared-difference", "Is the difference more than chance?"
SHORT_DAYS = 180  # fewer are one stretch of one market
FEW_DAYS = 120  # below, one interval in six misses where a day keeps 0.8 of the day before
CENTURY_DAYS = 36_500


def panel(told: Runs) -> Panel:
    """Daily returns of each run less those of the first, on the days that both have."""
    others = range(1, len(told.runs))
    pairs = {
        n: common_days((told.time_ms[0], told.equity_usd[0]), (told.time_ms[n], told.equity_usd[n]))
        for n in others
    }
    found = {n: apart(daily, len(pairs)) for n, daily in pairs.items()}
    sentences = [sentence(told.names[0], told.names[n], found[n]) for n in others]
    kept = {n: one for n, one in found.items() if one is not None}
    if not kept:
        return Panel(KEY, TITLE, empty=" ".join(sentences))
    parts: list[Chart | Table | Text] = []
    if any(one.days > 1 for one in kept.values()):
        parts.append(_chart(told, pairs, kept))
    parts += [_table(told, kept), Text(_method(kept))]
    return Panel(KEY, TITLE, parts, lead=" ".join(sentences))


def sentence(first: str, other: str, one: Apart | None) -> str:
    """Whether two runs are told apart, in words that claim no more than the days bear."""
    if one is None:
        return f"{other} and {first} have no whole day in common: their returns cannot be compared."
    if one.ahead == one.behind == 0.0:
        return f"{other} and {first} returned the same on each of {one.days:,} common days."
    which = "ahead of" if one.mean > 0.0 else "behind"
    if one.low_apr is None or one.high_apr is None:
        return (
            f"{other} was {abs(one.mean * one.days):.2%} {which} {first} over {_days(one.days)}. "
            f"That is what happened and no more: fewer than {ENOUGH_DAYS} days, or "
            "differences all alike, tell no run from another."
        )
    size = f"{other} was {abs(one.apr):.2%} a year {which} {first} over {_days(one.days)}"
    between = f"{LEVEL:.0%} interval {one.low_apr:+.2%} to {one.high_apr:+.2%}"
    if not one.told:
        return f"{size}, which is not told apart from zero ({between}).{_needed(one)}"
    told = f"{size}, told apart from zero ({between})."
    if one.days < SHORT_DAYS:
        told += f" But {one.days:,} days are one stretch of one market: it says nothing of another."
    return told


def _days(days: int) -> str:
    return f"{days:,} common day{'' if days == 1 else 's'}"


def _needed(one: Apart) -> str:
    if one.needed_days is None:
        return ""
    if one.needed_days > CENTURY_DAYS:
        return " A century of such days would not tell them apart."
    more = max(one.needed_days, one.days + 1.0)
    return f" A difference of that size amid such noise takes some {more:,.0f} days to be seen."


def _method(found: dict[int, Apart]) -> str:
    lags = sorted({one.lag for one in found.values()})
    told = (
        "Differences of daily returns between midnights, UTC. The standard error is Newey and "
        f"West's, robust to autocorrelation up to {' or '.join(map(str, lags))} days, or up to a "
        "week where that is larger; the interval is Student's t with the degrees of freedom that "
        "leaves. A year is 365 days."
    )
    if min(one.days for one in found.values()) < FEW_DAYS:
        told += " Where so few days are strongly correlated it is still too narrow."
    if len(found) > 1:
        told += f" {len(found)} comparisons: the intervals are widened to hold together."
    return told


def _chart(told: Runs, pairs: dict[int, Daily], found: dict[int, Apart]) -> Chart:
    """Differences added up, and what chance alone would make of them."""
    traces: list[Trace] = []
    for n in found:
        daily = pairs[n]
        time_ms = np.concatenate(([daily.time_ms[0] - DAY_MS], daily.time_ms))
        total = np.concatenate(([0.0], np.cumsum(daily.away)))
        colour, dash = told.look(n)
        name = f"{told.names[n]} less {told.names[0]}"
        traces.append(line(name, time_ms, total, colour, hover="+.2%", line={"dash": dash}))
    note = "Differences of daily returns, added up."
    only = next(iter(found)) if len(found) == 1 else None
    if only is not None and found[only].low_apr is not None:
        daily, one = pairs[only], found[only]
        wide = NormalDist().inv_cdf(0.5 + LEVEL / 2)
        band = wide * np.sqrt(noise(daily.away) * np.arange(one.days + 1))
        for sign, name in ((1.0, "chance alone"), (-1.0, "chance alone, below")):
            edge = {"dash": "dot", "width": 1}
            trace = line(name, time_ms, sign * band, "@muted", line=edge, hoverinfo="skip")
            traces.append(trace | {"showlegend": sign > 0.0})
        note += (
            f" Dotted: where {LEVEL:.0%} of runs with this noise and no difference would end a day."
        )
    return Chart(
        figure(traces, y="ahead, sum of daily differences", fmt="+.2%"),
        f"How far each run is ahead of {told.names[0]}",
        height=300,
        note=note,
    )


def _table(told: Runs, found: dict[int, Apart]) -> Table:
    """A row a statistic, a column a run."""
    rows: list[list[str | Cell]] = []
    for name, about, of in _STATISTICS:
        rows.append([name, about, *(of(one) for one in found.values())])
    columns = [Column("statistic"), Column("what it is")]
    columns += [Column(told.names[n], number=True) for n in found]
    return Table(columns, rows, caption=f"Daily returns less those of {told.names[0]}")


def _share(value: float | None, form: str = "{:+.2%}") -> Cell:
    return Cell("n/a" if value is None else form.format(value), value)


_STATISTICS: tuple[tuple[str, str, Callable[[Apart], str | Cell]], ...] = (
    ("days", "whole days that both have", lambda one: Cell(f"{one.days:,}", float(one.days))),
    ("mean, bp a day", "", lambda one: _share(one.mean * 1e4, "{:+,.2f}")),
    ("mean, a year", "simple, 365 days", lambda one: _share(one.apr)),
    (
        "standard error, a year",
        "robust to autocorrelation",
        lambda one: _share(one.error_apr, "{:.2%}"),
    ),
    (f"{LEVEL:.0%} interval from", "a year", lambda one: _share(one.low_apr)),
    (f"{LEVEL:.0%} interval to", "a year", lambda one: _share(one.high_apr)),
    ("t", "mean over its standard error", lambda one: _share(one.t, "{:.2f}")),
    ("told apart from zero", "the interval leaves it out", lambda one: "yes" if one.told else "no"),
    ("days ahead", "of all common days", lambda one: _share(one.ahead, "{:.1%}")),
    ("days behind", "on the rest both made the same", lambda one: _share(one.behind, "{:.1%}")),
    ("weeks ahead", "of seven days each", lambda one: _share(one.weeks_ahead, "{:.1%}")),
    ("correlation", "of the daily returns of both", lambda one: _share(one.correlation, "{:.3f}")),
    ("best day", "", lambda one: _share(one.best)),
    ("worst day", "", lambda one: _share(one.worst)),
)
