"""Oracle, mark and external price, and where the step limit held the oracle back."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import F64, I64
from perpkit.headline import percent, plain
from perpkit.metrics.reading import add_up, codes, floats, rows_of
from perpkit.report.chart import Trace, figure, line, marks, packed
from perpkit.report.hours import (
    LEGIBLE_HOURS,
    Grid,
    grid,
    points,
    shaded,
    shading,
    spells,
    thinned,
)
from perpkit.report.panel import Cell, Chart, Choice, Column, Panel, Part, Table, Text
from perpkit.report.reading import Run
from perpkit.report.said import instant
from perpkit.report.thin import thin

_KEY: Final = "prices"
_TITLE: Final = "Prices: oracle, mark and external"
_KILOBYTES: Final = 280
_MOST_MARKS: Final = 100  # of a coin, the largest: hours marked, and stretches of lag drawn
_MOST_ROWS: Final = 200
_FIRST_ROWS: Final = 10


def panel(run: Run) -> Panel:
    """Prices by coin, and the largest lags of the oracle."""
    market = grid(run.frames["market"], "coin")
    if not market.names:
        return Panel(_KEY, _TITLE, empty="The run had no perp, so there is no oracle or mark.")
    oracle, mark, external, lag = (
        market.of(name) for name in ("oracle_px", "mark_px", "external_px", "oracle_lag_frac")
    )
    told, bound = (np.asarray(np.isfinite(x).any(axis=0)) for x in (external, lag))
    lines = int(2 * len(told) + told.sum() + bound.sum())
    seen = points(len(market.time_ms), lines, _KILOBYTES)
    closed, extended = market.phase("closed"), market.phase("extended")
    choice: dict[str, list[Chart | Table | Text]] = {}
    for m, coin in enumerate(market.names):
        shade = shading(market.time_ms, closed[:, m], extended[:, m])
        own = _Prices(coin, oracle[:, m], mark[:, m], external[:, m], lag[:, m])
        choice[coin] = [_prices(market.time_ms, own, shade, seen)]
        if bound[m]:
            shade = shade if len(market.time_ms) <= LEGIBLE_HOURS else []
            choice[coin].append(_lag(market.time_ms, own, shade))
        elif told[m]:
            choice[coin].append(Text("The step limit never held this coin's oracle back."))
    parts: list[Part] = [Choice("Coin", choice)]
    if not told.any():
        parts.append(Text(_NO_EXTERNAL))
    if bound.any():
        parts.append(_table(run, market, lag))
    return Panel(_KEY, _TITLE, parts, lead=_lead(run, bool(told.any())))


_NO_EXTERNAL: Final = (
    "No external price is recorded: the dataset has the oracle as the venue published it. So how "
    "far it stood from its source, and whether a step limit held it back, cannot be told here."
)


def _lead(run: Run, told: bool) -> str:
    if not told:
        return "The oracle is the venue's own record, and the mark is what positions count at."
    hours, largest = run.fact("oracle_hours_bound"), run.fact("oracle_largest_lag_frac")
    if not hours:
        return "The oracle followed its external price at every hour: no step limit held it back."
    return (
        f"The step limit held an oracle back in {hours:,.0f} coin-hours, by up to "
        f"{percent(largest)}; meanwhile funding was reckoned on the price that lagged."
    )


# --------------------------------------------------------------------------- charts


class _Prices(NamedTuple):
    coin: str
    oracle: F64  # (T,)
    mark: F64
    external: F64  # NaN where none is told
    lag: F64  # frac, NaN where nothing held the oracle back


def _prices(time_ms: I64, own: _Prices, shade: list[Trace], seen: int) -> Chart:
    series = [("oracle", own.oracle, "@1", "solid"), ("mark", own.mark, "@2", "dash")]
    if np.isfinite(own.external).any():
        series.append(("external", own.external, "@3", "dot"))
    traces = [*shade]
    for name, values, colour, dash in series:
        rows = thin(values, points=seen)
        traces.append(line(name, time_ms[rows], values[rows], colour, line={"dash": dash}))
    held = np.flatnonzero(np.isfinite(own.lag))
    held = np.sort(held[np.argsort(-np.abs(own.lag[held]), kind="stable")][:_MOST_MARKS])
    if held.size:
        at = "held back by %{customdata:.2%}"
        worst = packed(own.lag[held], "f4")
        traces.append(
            marks(
                "step limit held",
                time_ms[held],
                own.oracle[held],
                "@warn",
                "x-thin-open",
                customdata=worst,
                hovertemplate=at,
            )
        )
    note = shaded(traces)
    if np.isfinite(own.lag).sum() > _MOST_MARKS:
        note += f"Of the hours held back the {_MOST_MARKS} largest are marked."
    return Chart(
        figure(traces, y="price, USD", xaxis=_within(time_ms)),
        f"Oracle, mark and external price of {own.coin}",
        height=320,
        note=(note + thinned(seen, len(time_ms))).strip().replace("  ", " "),
    )


def _within(time_ms: I64) -> dict[str, dict[str, float]]:
    """Keep the axis to the run: markers would widen it."""
    return {"autorangeoptions": {"clipmin": float(time_ms[0]), "clipmax": float(time_ms[-1])}}


def _lag(time_ms: I64, own: _Prices, shade: list[Trace]) -> Chart:
    lag = np.nan_to_num(own.lag)
    last = len(lag) - 1
    rows = np.flatnonzero(lag)
    rows = np.concatenate([rows - 1, rows, rows + 1])  # an hour is drawn as one
    note = "External price over oracle less 1 in hours in which the limit held; else 0. Above "
    note += "zero the oracle was too low."
    if rows.size > 3 * _MOST_MARKS:
        _, first, hours, worst = _held_back(own.lag[:, None])
        most = np.argsort(-np.abs(lag[worst]), kind="stable")[:_MOST_MARKS]
        rows = np.concatenate([first[most] - 1, worst[most], (first + hours)[most]])
        note += f" Of {first.size:,} stretches the {most.size} largest, each by its largest hour."
    rows = np.unique(np.append(rows, [0, last]).clip(0, last))
    made = line("external over oracle", time_ms[rows], lag[rows], "@warn", hover=".2%")
    return Chart(
        figure([*shade, made], y="lag, % of the oracle", fmt=".2~%"),
        f"How far the oracle of {own.coin} lagged its external price while the limit held it",
        height=200,
        note=note,
    )


# --------------------------------------------------------------------------- the largest lags


def _table(run: Run, market: Grid, lag: F64) -> Table:
    """Unbroken stretches in which a coin's oracle was held back, the largest lag first."""
    coin, at, length, worst = _held_back(lag)
    size = lag[worst, coin]
    first = np.argsort(-np.abs(size), kind="stable")[:_MOST_ROWS]
    units, usd = _positions(run, market)
    rows = []
    for m, begin, hours, row, told in zip(
        *(column[first].tolist() for column in (coin, at, length, worst, size)), strict=True
    ):
        held, begun, when_ms = units[row, m], market.time_ms[begin], market.time_ms[row]
        rows.append(
            (
                market.names[m],
                Cell(instant(begun), float(begun)),
                Cell(f"{hours:,}", float(hours)),
                Cell(percent(told), told),
                Cell(instant(when_ms), float(when_ms)),
                Cell(f"{held:,.4g}" if held else "none", float(held)),
                Cell(plain(float(usd[row, m])) if held else "none", float(usd[row, m])),
            )
        )
    more = f": {_MOST_ROWS} of {coin.size:,}" if coin.size > _MOST_ROWS else ""
    return Table(_COLUMNS, rows, f"Largest lags of the oracle{more}", shown=_FIRST_ROWS)


def _held_back(lag: F64) -> tuple[I64, I64, I64, I64]:
    """Stretches in which a lag is told: coin, first row, hours, and the row of the largest."""
    by_coin = np.vstack([lag, np.full(lag.shape[1], np.nan)]).T  # no stretch goes on in the next
    size = np.abs(np.nan_to_num(by_coin)).reshape(-1)
    first, after = spells(np.isfinite(by_coin).reshape(-1))
    coin, begun = np.divmod(first, by_coin.shape[1])
    most = np.maximum.reduceat(size, first) if first.size else np.zeros(0)
    stretch = np.repeat(np.arange(first.size), after - first)
    place = np.arange(stretch.size) - np.repeat(
        np.cumsum(after - first) - (after - first), after - first
    )
    cells = first[stretch] + place
    hit = np.flatnonzero(size[cells] == most[stretch])
    _, earliest = np.unique(stretch[hit], return_index=True)
    return coin, begun, after - first, cells[hit[earliest]] % by_coin.shape[1]


def _positions(run: Run, market: Grid) -> tuple[F64, F64]:
    """(T, M) units and USD that were held of each coin."""
    shape = (len(market.time_ms), len(market.names))
    frame = run.frames["positions"].filter(pl.col("instrument").is_in(market.names))
    keys = rows_of(frame["time"], market.time_ms) * shape[1]
    keys += codes(frame["instrument"], market.names)
    units, usd = (
        add_up(keys, floats(frame[name]), shape[0] * shape[1]).reshape(shape)
        for name in ("position", "value_usd")
    )
    return units, usd


_COLUMNS: Final = (
    Column("Coin"),
    Column("From", "UTC", number=True, about="first hour in which the limit held"),
    Column("Length", "h", number=True, about="hours in a row"),
    Column("Largest lag", "%", number=True, about="external price over oracle less 1"),
    Column("At", "UTC", number=True, about="hour of the largest lag"),
    Column("Held then", "units", number=True, about="position in the perp at the end of that hour"),
    Column("Held then, value", "USD", number=True, about="at mark; short negative"),
)
