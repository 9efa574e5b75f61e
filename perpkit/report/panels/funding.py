"""Funding: what the venues paid, and what of it the run received."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from perpkit.arrays import F64, I64
from perpkit.headline import percent, plain
from perpkit.metrics.numbers import positive, ratio
from perpkit.report.chart import Trace, figure, line
from perpkit.report.hours import grid, points, quantiles, shading, thinned
from perpkit.report.panel import Cell, Chart, Choice, Column, Panel, Part, Table, Text
from perpkit.report.rates import ALL, WEEK_HOURS, Rates, Taken, rates_of, taken_of
from perpkit.report.reading import Run
from perpkit.report.thin import thin
from perpkit.units import HOUR_MS, HOURS_PER_YEAR

_KEY: Final = "funding"
_TITLE: Final = "Funding: what was paid, and what was received"
_MONDAY_MS: Final = 96 * HOUR_MS  # 5 January 1970, the first Monday of the epoch
_KILOBYTES: Final = 130
_HABIT_WEEKS: Final = 8


def panel(run: Run) -> Panel:
    """Funding by coin and by hour of the week, and what the run received of it."""
    market = grid(run.frames["market"], "coin")
    if not np.isfinite(market.of("funding")).any():
        return Panel(_KEY, _TITLE, empty="No funding was settled in the hours of the run.")
    rates = rates_of(run, market)
    seen = points(len(market.time_ms), 3 * len(rates.names), _KILOBYTES)
    choice = {
        name: [_over_time(rates, n, seen), _by_hour(rates, n)] for n, name in enumerate(rates.names)
    }
    taken = taken_of(run, rates)
    parts: list[Part] = [Choice("Coin", choice), _captured(run, rates, taken)]
    return Panel(_KEY, _TITLE, [*parts, _table(rates, taken)], lead=_lead(run, taken))


def _lead(run: Run, taken: Taken) -> str:
    paid, share = run.metric("funding_usd") or 0.0, run.metric("funding_capture_frac")
    if not run.metric("settlements_held"):
        return "No position was held at a settlement, so no funding was paid or received."
    told = f"Funding {'brought' if paid >= 0.0 else 'cost'} {plain(abs(paid))} USD"
    shorts = "shorts of the same coins and mean size would have received, held throughout"
    if share is None:
        return f"{told}; there was nothing that {shorts}."
    if paid <= 0.0 or share <= 0.0:
        return f"{told}, against {plain(taken.offered_usd.sum())} USD that {shorts}."
    return f"{told}: {percent(share)} of what {shorts}."


# --------------------------------------------------------------------------- rates


def _over_time(rates: Rates, n: int, seen: int) -> Chart:
    there = np.isfinite(rates.hourly[:, n])
    own = slice(None) if there.all() else there
    time_ms = rates.grid.time_ms[own]
    hourly, week, month = (told[own, n] for told in (rates.hourly, rates.week, rates.month))
    rows, slow = thin(hourly, points=seen), thin(week, month, points=seen)
    means = [
        _line(name, time_ms[slow], told[slow], colour, dash=dash, width=2.0)
        for name, told, colour, dash in (
            ("7-day mean", week, "@1", "solid"),
            ("30-day mean", month, "@2", "dash"),
        )
        if np.isfinite(told).any()
    ]
    steps = _steps(rates.grid.time_ms, rates.baseline[:, n])
    each = _line("hourly", time_ms[rows], hourly[rows], "@muted", width=0.8)
    apart: dict[str, Any] = (
        {"yaxis": {"domain": [0.42, 1.0]}, "xaxis": {"anchor": "y2"}} if means else {}
    )
    if means:  # an hour's rate is many times that of a week
        each["yaxis"] = "y2"
        axis = {"title": {"text": "hourly"}, "tickformat": ".0%", "domain": [0.0, 0.34]}
        apart["yaxis2"] = axis
    note = "Simple rates a year; above zero longs pay shorts."
    if steps:
        note += " The baseline is what a premium near zero settles at."
    if rates.names[n] == ALL:
        note += " The mean of the coins, equally weighted."
    if not means:
        note += " The run is too short for a mean over 7 days."
    return Chart(
        figure([*means, *steps, each], y="funding, % a year", fmt=".0%", **apart),
        f"Funding of {rates.names[n]} a year: hourly, mean over 7 and 30 days, and baseline",
        height=400 if means else 280,
        note=note + thinned(seen, len(time_ms)),
    )


def _line(name: str, time_ms: I64, values: F64, colour: str, **style: Any) -> Trace:
    return line(name, time_ms, values, colour, hover=".2%", unit=" a year", line=style)


def _steps(time_ms: I64, values: F64) -> list[Trace]:
    """A line that changes when terms change, drawn by its steps alone."""
    there = np.isfinite(values)
    if not there.any():
        return []
    known = np.where(there, values, -1.0)
    rows = np.append(np.flatnonzero(np.append(True, np.diff(known) != 0.0)), len(values) - 1)
    return [_line("baseline", time_ms[rows], values[rows], "@3", dash="dot", shape="hv")]


def _by_hour(rates: Rates, n: int) -> Chart:
    """Median and quartiles by the hour of the week at which it settled."""
    hour = (rates.grid.time_ms - _MONDAY_MS) // HOUR_MS
    week, place = hour // WEEK_HOURS - hour[0] // WEEK_HOURS, hour % WEEK_HOURS
    table = np.full((int(week[-1]) + 1, WEEK_HOURS), np.nan)
    table[week, place] = rates.hourly[:, n]
    low, middle, high = quantiles(table, (0.25, 0.5, 0.75))
    count = np.bincount(place, minlength=WEEK_HOURS)
    shut = np.bincount(place, rates.closed[:, n], WEEK_HOURS) > 0.5 * np.maximum(count, 1)
    at = _MONDAY_MS + np.arange(WEEK_HOURS) * HOUR_MS
    traces = [
        *shading(at, shut, np.zeros(WEEK_HOURS, np.bool_)),
        _of_week("lower quartile", low, "@1", {"width": 0.7, "dash": "dot"}),
        _of_week("upper quartile", high, "@1", {"width": 0.7, "dash": "dot"}, fill="tonexty"),
        _of_week("median", middle, "@1", {"width": 2.0}),
    ]
    weeks = "1 week" if len(table) == 1 else f"{len(table)} weeks"
    axis = {"type": "date", "tickformat": "%a", "dtick": 24 * HOUR_MS, "hoverformat": "%a %H:%M"}
    return Chart(
        figure(traces, y="funding, % a year", fmt=".0%", time=False, xaxis=axis),
        f"Funding of {rates.names[n]} by hour of the week: median and quartiles",
        height=260,
        linked=False,
        note=f"By the hour of the week (UTC) in which it settled, over {weeks}"
        + (", too few for a habit." if len(table) < _HABIT_WEEKS else ".")
        + (" Shaded: the session is mostly closed." if shut.any() else ""),
    )


def _of_week(name: str, values: F64, colour: str, style: dict[str, Any], **more: Any) -> Trace:
    """A line over the 168 hours, whose times need not be told one by one."""
    if "fill" in more:
        more["fillcolor"] = "@shade"
    made = line(name, np.zeros(0), values, colour, hover=".2%", line=style, **more)
    return {k: v for k, v in made.items() if k != "x"} | {"x0": _MONDAY_MS, "dx": HOUR_MS}


# --------------------------------------------------------------------------- what was received


def _captured(run: Run, rates: Rates, taken: Taken) -> Chart | Text:
    if not taken.held.any():
        return Text("Nothing was held at a settlement: there is nothing to set against the rates.")
    got, offered, there = (
        np.cumsum(told.sum(axis=1))
        for told in (
            taken.paid_usd,
            taken.offered_usd,
            np.where(taken.held, taken.offered_usd, 0.0),
        )
    )
    rows = thin(got, offered, there)
    time_ms = rates.grid.time_ms[rows]
    traces = [
        line("received", time_ms, got[rows], "@1", unit=" USD", line={"width": 2.0}),
        line("same shorts, same hours", time_ms, there[rows], "@3", unit=" USD", line=_DOT),
        line("same shorts, always held", time_ms, offered[rows], "@2", unit=" USD", line=_DASH),
    ]
    return Chart(
        figure(traces, y="funding, USD"),
        "Funding received, against constant shorts of the same coins and mean size",
        height=280,
        note="The shorts have each coin's mean notional while held. Of what they would have "
        f"received, the run received {percent(run.metric('funding_capture_frac'))}; of what they "
        "would have in the hours in which it held, "
        f"{percent(run.metric('funding_capture_held_frac'))}. Above 100%: hours that cost were "
        "left out, or more was held in hours that paid.",
    )


_DASH: Final = {"dash": "dash"}
_DOT: Final = {"dash": "dot"}


def _table(rates: Rates, taken: Taken) -> Table:
    rows = []
    for m, coin in enumerate(rates.grid.names):
        there = np.isfinite(rates.rate[:, m])
        rate, hours = rates.rate[there, m], rates.covered[there, m]
        signs = np.sign(rate)[rate != 0.0]
        paid, offered = float(taken.paid_usd[:, m].sum()), float(taken.offered_usd[:, m].sum())
        held = bool(taken.held[:, m].any())
        apr = ratio(float(rate.sum()), float(hours.sum()))
        above = ratio(float(hours[rate > 0.0].sum()), float(hours.sum()))
        flips = float((signs[1:] != signs[:-1]).sum())
        rows.append(
            (
                coin,
                _share(None if apr is None else apr * HOURS_PER_YEAR),
                _share(above),
                Cell(f"{flips:,.0f}", flips),
                Cell(f"{taken.hours[m]:,.0f}", float(taken.hours[m])),
                _usd(taken.notional_usd[m] if held else None),
                _usd(paid if held else None),
                _usd(offered if held else None),
                _share(ratio(paid, positive(offered)) if held else None),
            )
        )
    return Table(_COLUMNS, rows, "Funding by coin")


def _share(value: float | None) -> Cell:
    return Cell(percent(value), value)


def _usd(value: float | None) -> Cell:
    return Cell(plain(value), value)


_COLUMNS: Final = (
    Column("Coin"),
    Column("Mean funding", "% a year", number=True, about="over all hours of the run, simple"),
    Column("Positive", "% of hours", number=True, about="hours in which longs paid shorts"),
    Column("Flips", number=True, about="changes of sign from one rate to the next"),
    Column("Held", "h", number=True, about="hours with a position in the perp"),
    Column("Mean notional", "USD", number=True, about="while held, at mark"),
    Column("Received", "USD", number=True, about="negative: paid"),
    Column("Available", "USD", number=True, about="to a short of that notional, always held"),
    Column("Captured", "%", number=True, about="received over available; n/a where not above zero"),
)
