"""The tables of the weekends: one row a weekend, and one a closure of a coin."""

from __future__ import annotations

from typing import Final

import numpy as np

from perpkit.headline import percent, plain
from perpkit.report.closures import Closures, Weekends, fit
from perpkit.report.hours import Grid
from perpkit.report.panel import Cell, Column, Table
from perpkit.report.said import instant
from perpkit.units import HOUR_MS

_MOST_ROWS: Final = 120
_FIRST_ROWS: Final = 10


def by_weekend(market: Grid, found: Closures, made: Weekends) -> Table:
    """Every weekend, the latest first."""
    rows = []
    foretold, gap = found.foretold, found.gap
    hours = (market.time_ms[found.opens] - market.time_ms[found.closes]) / HOUR_MS
    for w in reversed(range(found.count)):
        mine = found.weekend == w
        told = fit(foretold[mine], gap[mine])
        rows.append(
            (
                _when(market, made.first[w]),
                Cell(f"{hours[mine].max():,.0f}", float(hours[mine].max())),
                _share(float(gap[mine].mean())),
                _share(float(np.abs(gap[mine]).max())),
                Cell(
                    f"{told.hits} of {told.signed}",
                    told.hits / told.signed if told.signed else None,
                ),
                _share(told.foretold_frac),
                _usd(float(made.funding_usd[w])),
                _usd(float(made.net_usd[w])),
                _when(market, made.last[w]),
            )
        )
    return Table(_WEEKENDS, rows, "By weekend", shown=_FIRST_ROWS)


def by_coin(market: Grid, found: Closures, made: Weekends) -> Table:
    """Every closure of a coin, the largest gap first."""
    foretold, gap = found.foretold, found.gap
    first = np.argsort(-np.abs(gap), kind="stable")[:_MOST_ROWS]
    rows = []
    for n in first.tolist():
        right = bool(foretold[n] * gap[n] > 0.0)
        signed = bool(foretold[n] * gap[n] != 0.0)
        held = float(made.held[n])
        rows.append(
            (
                market.names[found.coin[n]],
                _when(market, found.closes[n]),
                _share(float(gap[n])),
                _share(float(foretold[n])),
                _share(float(gap[n] - foretold[n])),
                Cell("yes" if right else "no" if signed else "-", float(right) if signed else None),
                Cell(plain(held) if held else "none", held),
                _usd(float(made.coin_funding_usd[n])),
                _usd(float(made.coin_usd[n])),
                _px(found.close_px[n]),
                _px(found.forecast_px[n]),
                _px(found.reopen_px[n]),
                _when(market, found.opens[n] - 1),
                _when(market, found.reopens[n]),
            )
        )
    more = f": the {_MOST_ROWS} largest gaps of {gap.size:,}" if gap.size > _MOST_ROWS else ""
    return Table(_COINS, rows, f"By coin{more}", shown=_FIRST_ROWS)


def _when(market: Grid, row: int | np.int64) -> Cell:
    at = int(market.time_ms[row])
    return Cell(instant(at), float(at))


def _share(value: float | None) -> Cell:
    return Cell(percent(value), value)


def _usd(value: float) -> Cell:
    return Cell(plain(value + 0.0), value)


def _px(value: float) -> Cell:
    return Cell(f"{value:,.2f}" if abs(value) >= 1.0 else f"{value:.4g}", float(value))


_CLOSE: Final = Column(
    "Close", "UTC", number=True, about="first row of the closed session: the last price before it"
)
_REOPENING: Final = Column(
    "Reopening", "UTC", number=True, about="row of the first price after the opening"
)

_WEEKENDS: Final = (
    _CLOSE,
    Column("Closed", "h", number=True, about="the longest of the coins"),
    Column("Mean gap", "%", number=True, about="reopening price over the close less 1, all coins"),
    Column("Largest gap", "%", number=True, about="by size, of the coins"),
    Column("Right sign", "coins", number=True, about="of the perp's forecast, where neither is 0"),
    Column("Foretold", "% of gap", number=True, about="1 - squared errors over squared gaps"),
    Column("Funding", "USD", number=True, about="of the whole run, from close to reopening"),
    Column("P&L", "USD", number=True, about="of the whole run, from close to reopening"),
    _REOPENING,
)

_COINS: Final = (
    Column("Coin"),
    _CLOSE,
    Column("Gap", "%", number=True, about="reopening price over the close less 1"),
    Column("Foretold", "%", number=True, about="forecast over the close less 1"),
    Column("Error", "% of close", number=True, about="reopening price less forecast"),
    Column("Right sign", about="of the forecast; - where a move is 0"),
    Column("Held", "USD", number=True, about="perp at the row of the forecast; short negative"),
    Column("Funding", "USD", number=True, about="of the perp, from close to reopening"),
    Column("P&L of the perp", "USD", number=True, about="without its hedge; all causes"),
    Column("Close price", "USD", number=True),
    Column("Forecast", "USD", number=True, about="mark of the perp in the last closed hour"),
    Column("Reopening price", "USD", number=True),
    Column("Forecast at", "UTC", number=True, about="the last closed row, before any new price"),
    _REOPENING,
)
