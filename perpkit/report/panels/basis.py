"""Basis of the perps and premium of the tokens, by session."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from perpkit.arrays import B8, F64, I64
from perpkit.report.chart import Trace, figure, line
from perpkit.report.hours import LEGIBLE_HOURS, grid, points, shaded, shading, thinned
from perpkit.report.panel import Cell, Chart, Choice, Column, Panel, Part, Table, Text
from perpkit.report.reading import Run
from perpkit.report.said import instant
from perpkit.report.thin import thin

_KEY: Final = "basis"
_TITLE: Final = "Basis of the perps, premium of the tokens"
_BP: Final = 10_000.0
_KILOBYTES: Final = 200
_SHARES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
_SHOWN: Final = 12


class _Sessions(NamedTuple):
    """Which hours are of which session, (T,) each."""

    cash: B8
    extended: B8
    closed: B8


class _Series(NamedTuple):
    """What is drawn and counted of a coin or token, in bp of what it is set against."""

    name: str
    lines: tuple[tuple[str, F64, str, str], ...]  # name, (T,), colour, dash; the first is counted
    sessions: _Sessions

    @property
    def counted(self) -> F64:
        """(T,) the series of which the hours are counted."""
        return self.lines[0][1]


class _Spread(NamedTuple):
    """The hours of one session."""

    session: str
    hours: int
    mean: float
    shares: F64  # (5,) quantiles at 5, 25, 50, 75 and 95%
    farthest: float
    row: int  # of the farthest


def panel(run: Run) -> Panel:
    """How far marks stood from oracles, and tokens from what they stand for."""
    market, quotes = grid(run.frames["market"], "coin"), grid(run.frames["quotes"], "token")
    if not market.names:
        return Panel(_KEY, _TITLE, empty="The run had no perp, so there is no basis.")
    basis = (market.of("mark_px") / market.of("oracle_px") - 1.0) * _BP
    formed = market.of("premium_8h") * _BP
    premium = quotes.of("premium_frac") * _BP
    cash, extended, closed = (market.phase(name) for name in _Sessions._fields)
    perps = [
        _Series(
            coin,
            (
                ("mark over oracle", basis[:, m], "@1", "solid"),
                ("premium of the hour", formed[:, m], "@2", "dot"),
            ),
            _Sessions(cash[:, m], extended[:, m], closed[:, m]),
        )
        for m, coin in enumerate(market.names)
    ]
    all_cash, all_closed = (np.asarray(on.all(axis=1)) for on in (cash, closed))
    every = _Sessions(all_cash, ~all_cash & ~all_closed, all_closed)
    tokens = [
        _Series(token, (("premium", premium[:, k], "@3", "solid"),), every)
        for k, token in enumerate(quotes.names)
        if np.isfinite(premium[:, k]).any()
    ]
    seen = points(len(market.time_ms), 2 * len(perps) + len(tokens), _KILOBYTES)
    parts: list[Part] = _shown("Coin", "basis", market.time_ms, perps, seen)
    parts += _tokens(run, market.time_ms, tokens, seen)
    return Panel(_KEY, _TITLE, parts, lead=_lead(basis, closed))


def _lead(basis: F64, closed: B8) -> str:
    """Medians of the sizes over all coins."""
    size = np.abs(basis)
    known = np.isfinite(size)
    opened, shut = (
        f"{np.median(size[known & on]):,.1f} bp" if (known & on).any() else ""
        for on in (~closed, closed)
    )
    told = [f"{opened} from the oracle while the stock's session was open"] if opened else []
    if shut:
        told.append(f"{shut} while it was closed")
    if not told:
        return "No hour has both a mark and an oracle price."
    return f"The mark stood a median {', '.join(told)}."


def _tokens(run: Run, time_ms: I64, tokens: list[_Series], seen: int) -> list[Part]:
    if not run.tokens:
        return [Text("The run had no token, so there is no premium of one.")]
    if not tokens:
        return [Text("No token had a live quote at any hour, so no premium of one is known.")]
    parts = _shown("Token", "premium", time_ms, tokens, seen)
    silent = sorted(set(run.tokens) - {series.name for series in tokens})
    if silent:
        parts.append(Text(f"Without a live quote at any hour: {', '.join(silent)}."))
    return parts


def _shown(label: str, what: str, time_ms: I64, many: list[_Series], seen: int) -> list[Part]:
    """A choice of charts, and the table of all."""
    spreads = {series.name: _spreads(series) for series in many}
    choice = {
        series.name: [_chart(series, what, time_ms, seen), _box(series, what, spreads[series.name])]
        for series in many
    }
    return [Choice(label, choice), _table(label, what, time_ms, spreads)]


# --------------------------------------------------------------------------- over time


_ABOUT: Final = {
    "basis": "In bp of the oracle price: above zero the perp is dear. The premium of the hour, of "
    "which funding is made, is its average over the book's impact prices.",
    "premium": "In bp of the oracle of the token's perp x multiplier, or of its NAV where it has "
    "no perp; open where the quote was not live. An hour is closed, or cash, where it is so for "
    "every perp.",
}


def _chart(series: _Series, what: str, time_ms: I64, seen: int) -> Chart:
    sessions = series.sessions
    traces: list[Trace] = []
    if what == "basis" or len(time_ms) <= LEGIBLE_HOURS:  # a quote rests where a session is closed
        traces = shading(time_ms, sessions.closed, sessions.extended)
    for name, values, colour, dash in series.lines:
        rows = thin(values, points=seen)
        style = {"dash": dash}
        told = values[rows]
        traces.append(line(name, time_ms[rows], told, colour, hover=",.1f", unit=" bp", line=style))
    return Chart(
        figure(traces, y=f"{what}, bp"),
        f"{what.capitalize()} of {series.name} over time",
        height=280,
        note=shaded(traces) + _ABOUT[what] + thinned(seen, len(time_ms)),
    )


# --------------------------------------------------------------------------- by session


def _spreads(series: _Series) -> list[_Spread]:
    """Sessions that have hours."""
    made = []
    for session, on in zip(_Sessions._fields, series.sessions, strict=True):
        rows = np.flatnonzero(on & np.isfinite(series.counted))
        own = series.counted[rows]
        if own.size:
            worst = int(np.argmax(np.abs(own)))
            shares = np.quantile(own, _SHARES)
            mean, far = float(own.mean()), float(own[worst])
            made.append(_Spread(session, own.size, mean, shares, far, int(rows[worst])))
    return made


def _box(series: _Series, what: str, spreads: list[_Spread]) -> Chart:
    """Quartiles, median, and whiskers from 5% to 95% of the hours."""
    columns: dict[str, Any] = {
        key: [float(spread.shares[place]) for spread in spreads]
        for place, key in enumerate(("lowerfence", "q1", "median", "q3", "upperfence"))
    }
    trace = {
        "type": "box",
        "name": what,
        "x": [spread.session for spread in spreads],
        **columns,
        "line": {"color": "@1", "width": 1.5},
        "fillcolor": "@shade",
        "showlegend": False,
    }
    return Chart(
        figure([trace], y=f"{what}, bp", time=False),
        f"{what.capitalize()} of {series.name} by session",
        height=240,
        linked=False,
        note="A box holds the middle half of a session's hours, its whiskers nine tenths.",
    )


def _table(label: str, what: str, time_ms: I64, spreads: dict[str, list[_Spread]]) -> Table:
    rows: list[tuple[str | Cell, ...]] = [
        (
            name,
            spread.session,
            Cell(f"{spread.hours:,}", float(spread.hours)),
            _bp(spread.mean),
            *(_bp(float(spread.shares[place])) for place in (2, 0, 4)),
            _bp(spread.farthest),
            Cell(instant(int(time_ms[spread.row])), float(time_ms[spread.row])),
        )
        for name, own in spreads.items()
        for spread in own
    ]
    columns = (
        Column(label),
        Column("Session"),
        Column("Hours", "h", number=True, about="with a price on both sides"),
        Column("Mean", "bp", number=True),
        Column("Median", "bp", number=True),
        Column("5%", "bp", number=True, about="a twentieth of the hours are below"),
        Column("95%", "bp", number=True, about="a twentieth of the hours are above"),
        Column("Farthest", "bp", number=True),
        Column("At", "UTC", number=True, about="hour of the farthest"),
    )
    return Table(columns, rows, f"{what.capitalize()} by session", shown=_SHOWN)


def _bp(value: float) -> Cell:
    return Cell(f"{round(value, 1) + 0.0:+,.1f}", value)
